package image

import (
	"errors"
	"fmt"

	"busbar/internal/image/journal"
	"busbar/internal/mapping"
	"busbar/internal/point"
)

// recovery is an image that is being rebuilt from its journal.
type recovery struct {
	e    *Embedded
	defs []definition // by point; without type: not there
	last uint64       // newest sequence number that was ever given
	// layouts are the newest order of the targets, by point.
	layouts []layout
	// beyond are the gates that the checkpoint does not know yet, by point.
	beyond map[point.Index][]mapping.GateState
}

// recover rebuilds the image: the points from the definitions, their states and
// what their gates remember from the newest checkpoint and the records after it.
func (e *Embedded) recover() error {
	r := &recovery{e: e, beyond: make(map[point.Index][]mapping.GateState)}
	if err := r.define(); err != nil {
		return fmt.Errorf("definitions: %w", err)
	}
	from, err := r.load()
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	if err := r.replay(from); err != nil {
		return fmt.Errorf("records: %w", err)
	}
	e.gates.extend(r.beyond)
	e.log = newChanges(len(e.log.ring), max(r.last, e.keeper.journal.Committed())+1)
	e.keeper.start = e.log.next - 1
	e.keeper.appended = e.keeper.journal.Committed()
	return nil
}

// define makes the points known that the journal knows.
func (r *recovery) define() error {
	err := r.e.keeper.journal.Definitions(func(id uint32, payload []byte) error {
		if l, ok := parseLayout(payload); ok && id != uint32(point.None) {
			r.arrange(point.Index(id), l)
			return nil
		}
		d, ok := parseDefinition(payload)
		if !ok || id == uint32(point.None) {
			r.unreadable("definition", uint64(id))
			return nil
		}
		r.grow(point.Index(id))
		r.last = max(r.last, d.since)
		r.defs[id] = d
		return nil
	})
	if err != nil {
		return err
	}
	r.name()
	number := make([]uint8, len(r.layouts))
	for p := range r.layouts {
		number[p] = r.layouts[p].number
	}
	r.e.layouts = newLayouts(len(r.layouts), number, func(p point.Index) []uint64 { return r.layouts[p].keys })
	return nil
}

// arrange takes up an order of the targets of a point.
func (r *recovery) arrange(p point.Index, l layout) {
	r.grow(p)
	if n := int(p) + 1 - len(r.layouts); n > 0 {
		r.layouts = append(r.layouts, make([]layout, n)...)
	}
	r.last = max(r.last, l.seq)
	if move, moved := l.move(r.layouts[p].keys); moved {
		r.e.moves[p] = append(r.e.moves[p], move)
	}
	r.layouts[p] = l
}

// name gives the points their ids. Of a point that was removed and defined again
// the newer definition holds.
func (r *recovery) name() {
	m := r.e.Memory
	octets := 0
	for i := range r.defs {
		octets += len(r.defs[i].id)
	}
	m.cells = make([]cell, len(r.defs))
	m.names.reserve(len(r.defs), octets)
	stays, twice := make([]bool, len(r.defs)), false
	for i, d := range r.defs {
		p := point.Index(i)
		if d.typ == 0 || d.removed {
			m.names.addNone()
			continue
		}
		if old, known := m.names.find(d.id); known {
			r.e.keeper.remove(old)
			m.cells[old], stays[old], twice = cell{}, false, true
		}
		m.names.add(d.id)
		m.cells[p], stays[p] = newCell(d.typ), true
	}
	if twice {
		m.names.keep(stays)
	}
}

// grow makes room for a point, so that its number is not given away again.
func (r *recovery) grow(p point.Index) {
	if n := int(p) + 1 - len(r.defs); n > 0 {
		r.defs = append(r.defs, make([]definition, n)...)
	}
}

// load takes over the newest checkpoint, and returns from where records must be read.
func (r *recovery) load() (from uint64, err error) {
	from, f, err := r.e.keeper.journal.LoadCheckpoint()
	if err != nil || f == nil {
		r.e.gates = recoveredGates(len(r.e.cells))
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	r.e.gates = recoveredGates(len(r.e.cells))
	r.last = max(r.last, from)
	err = readCheckpoint(f, from, r.take)
	r.e.gates.seal()
	return from, err
}

// take takes over one point of a checkpoint. They come in ascending order.
func (r *recovery) take(s *saved) {
	r.last = max(r.last, s.cell.seq)
	if !r.concerns(s.point, s.cell.typ, s.cell.seq) {
		return
	}
	s.cell.source = 0
	r.e.cells[s.point] = s.cell
	if s.cell.typ == point.Text {
		r.e.texts[s.point] = s.text
	}
	if s.over != nil {
		r.e.overlays[s.point] = s.over
	}
	r.e.gates.recovered(s.point, r.e.moves.gates(s.point, s.layout, s.gates))
}

// concerns reports whether a change belongs to what is behind a number now.
func (r *recovery) concerns(p point.Index, t point.Type, seq uint64) bool {
	return int(p) < len(r.e.cells) && r.e.cells[p].typ == t && seq > r.defs[p].since
}

// replay applies the records after a checkpoint.
func (r *recovery) replay(from uint64) (err error) {
	reader := r.e.keeper.journal.Reader(journal.Position(At(from)), from)
	defer func() { err = errors.Join(err, reader.Close()) }()
	dst := make([]journal.Record, stride)
	for {
		n, gaps, err := reader.Next(dst)
		if err != nil {
			return err
		}
		if n == 0 && len(gaps) == 0 {
			return nil
		}
		for _, g := range gaps {
			r.e.keeper.log.Warn("records missing, some points may have older values", "after", g.After, "before", g.Before)
		}
		for _, rec := range dst[:n] {
			r.apply(rec)
		}
	}
}

// apply applies one record.
func (r *recovery) apply(rec journal.Record) {
	r.last = max(r.last, rec.Seq)
	u, events, ok := parseRecord(rec.Payload)
	if !ok {
		r.unreadable("record", rec.Seq)
		return
	}
	if !r.concerns(u.Point, u.Value.Type(), rec.Seq) {
		return
	}
	u.Source = 0
	c := &r.e.cells[u.Point]
	switch {
	case u.Flags&point.Beneath != 0:
		if o := r.e.overlays[u.Point]; o != nil && rec.Seq > o.under.seq {
			o.under.set(&u, rec.Seq)
			o.under.text = u.Value.Text()
		}
		return
	case rec.Seq <= c.seq || u.Flags&point.Late != 0:
		return
	case rec.Payload[5]&recordOverlay != 0:
		r.cover(&u, rec)
	default:
		c.set(&u, rec.Seq)
		if c.typ == point.Text {
			r.e.texts[u.Point] = u.Value.Text()
		}
	}
	r.remember(u.Point, r.e.moves.Place(u.Point, rec.Seq, events, nil), u.Value, u.Quality)
}

// remember tells the gates of the targets for which a change was an event.
func (r *recovery) remember(p point.Index, events uint64, v point.Value, q point.Quality) {
	from, to := r.e.gates.span(p)
	for place := range uint32(MaxGates) {
		if events>>place == 0 {
			return
		}
		if events>>place&1 == 0 {
			continue
		}
		if from+place < to {
			r.e.gates.states[from+place].Set(v, q)
			continue
		}
		more := r.beyond[p]
		if missing := int(place-(to-from)) + 1 - len(more); missing > 0 {
			more = append(more, make([]mapping.GateState, missing)...)
		}
		more[place-(to-from)].Set(v, q)
		r.beyond[p] = more
	}
}

// unreadable reports something that the journal has kept well and is none of ours.
func (r *recovery) unreadable(what string, number uint64) {
	r.e.keeper.damaged.Add(1)
	r.e.keeper.log.Warn("entry of the journal unreadable", "entry", what, "number", number)
}

var errCheckpoint = errors.New("is no checkpoint of this version")
