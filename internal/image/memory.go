package image

import (
	"context"
	"log/slog"
	"maps"
	"math/bits"
	"sync"

	"busbar/internal/point"
)

// DefaultLog is how many changes the change log holds by default.
const DefaultLog = 1 << 17

// Options of New and Open. The zero value is the default.
type Options struct {
	// Log is how many changes are held in memory, rounded up to a power of two; 0
	// is DefaultLog. Each takes 64 octets. A follower in mode Every that is
	// further behind goes on from the journal; where there is none it has a gap.
	Log int

	// What follows is for Open only.

	// Limit is the most that the journal may take, in octets; 0 is 2 GiB.
	Limit int64
	// Segment is the size of the files of the journal, in octets; 0 is 16 MiB or
	// an eighth of Limit.
	Segment int64
	// Pending is the most that may wait for the disk, in octets; 0 is 32 MiB.
	Pending int64
	// Preallocate reserves the room of a file of the journal when it is begun,
	// which makes syncs faster.
	Preallocate bool
	// Logger takes what an operator should know; nil discards it.
	Logger *slog.Logger
}

// Memory is the process image in memory. Nothing outlives the process.
//
// One lock guards it. Publish holds it for the batch, followers for at most a
// few hundred changes at a time.
type Memory struct {
	mu     sync.RWMutex
	names  names
	cells  []cell // by index
	texts  map[point.Index]string
	gates  gates
	moves  Moves
	log    changes
	every  []*everyFollower
	latest []*latestFollower
	closed bool

	layouts layouts
	cursors map[string]Position
	keeper  *keeper // nil: nothing is kept

	overlays map[point.Index]*overlay
	dropped  uint64 // overlays that went with their points
	// public are the points whose point.Restored quality was told when an overlay was
	// released: that it is taken back is news as well.
	public map[point.Index]bool
}

var _ Image = (*Memory)(nil)

// New returns an empty image.
func New(opts Options) *Memory {
	size := opts.Log
	if size <= 0 {
		size = DefaultLog
	}
	return &Memory{
		texts:   make(map[point.Index]string),
		log:     newChanges(1<<bits.Len(uint(size-1)), 1),
		cursors: make(map[string]Position),
		moves:   make(Moves),

		overlays: make(map[point.Index]*overlay),
		public:   make(map[point.Index]bool),
	}
}

// Close closes the image and its followers. It may be called more than once.
func (m *Memory) Close() {
	m.mu.Lock()
	m.closed = true
	every := m.every
	for _, f := range every {
		f.stop()
	}
	for _, f := range m.latest {
		f.stop()
	}
	m.every, m.latest = nil, nil
	m.mu.Unlock()
	for _, f := range every {
		if f.past != nil {
			f.past.close()
		}
	}
}

// Define implements [Image].
func (m *Memory) Define(defs []Definition) []point.Index {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reserve(defs)
	indices := make([]point.Index, len(defs))
	stays := make([]bool, len(m.cells), cap(m.cells))
	for i, d := range defs {
		p, known := m.names.find(d.ID)
		switch {
		case !known:
			p = point.Index(len(m.cells))
			m.names.add(d.ID)
			m.cells = append(m.cells, cell{})
			stays = append(stays, true)
			m.reset(p, d.ID, d.Type)
		case m.cells[p].typ != d.Type:
			m.reset(p, d.ID, d.Type)
		}
		stays[p] = true
		indices[i] = p
	}
	gone := false
	for p := range m.cells {
		if !stays[p] && m.cells[p].typ != 0 {
			gone = true
			m.uncover(point.Index(p), string(m.names.id(point.Index(p))))
			m.cells[p] = cell{}
			delete(m.texts, point.Index(p))
			if m.keeper != nil {
				m.keeper.remove(point.Index(p))
			}
		}
	}
	if gone {
		m.names.keep(stays)
	}
	m.gates = m.gates.define(defs, indices, m.cells)
	m.arrange(defs, indices)
	m.wakeLatest()
	return indices
}

// reserve makes room for what is not there yet.
func (m *Memory) reserve(defs []Definition) {
	points, octets := 0, 0
	for i := range defs {
		if _, known := m.names.find(defs[i].ID); !known {
			points++
			octets += len(defs[i].ID)
		}
	}
	m.names.reserve(points, octets)
	m.cells = grown(m.cells, points)
}

// reset makes p a point of type t without a value.
func (m *Memory) reset(p point.Index, id string, t point.Type) {
	if m.keeper != nil {
		m.keeper.define(p, definition{id: id, typ: t, since: m.log.next - 1})
	}
	m.uncover(p, id)
	m.cells[p] = newCell(t)
	delete(m.texts, p)
	m.gates.reset(p)
	for _, f := range m.latest {
		f.mark(p)
	}
}

// Lookup implements [Image].
func (m *Memory) Lookup(id string) (point.Index, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.names.find(id)
}

// ID implements [Image].
func (m *Memory) ID(p point.Index) string {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return string(m.names.id(p))
}

// State implements [Image].
func (m *Memory) State(p point.Index) (point.State, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.typeOf(p) == 0 {
		return point.State{}, false
	}
	return m.state(p), true
}

// Status implements [Image].
func (m *Memory) Status() Status {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.closed {
		return Status{Reason: ErrClosed.Error()}
	}
	return Status{Accepting: true}
}

// Seq implements [Image].
func (m *Memory) Seq() uint64 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.log.next - 1
}

// Publish implements [Image]. It does not block, so that ctx is not looked at.
func (m *Memory) Publish(_ context.Context, batch []point.Update, committed func(error)) error {
	err := m.publish(batch)
	if committed != nil {
		committed(err)
	}
	return err
}

func (m *Memory) publish(batch []point.Update) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return ErrClosed
	}
	m.takeAll(batch)
	return nil
}

// takeAll applies a batch and wakes those who wait for it.
func (m *Memory) takeAll(batch []point.Update) {
	next := m.log.next
	for i := range batch {
		m.take(batch[i])
	}
	if m.log.next == next {
		return
	}
	for _, f := range m.every {
		f.wakeUp()
	}
	m.wakeLatest()
}

// wakeLatest wakes the followers in mode Latest that have something to deliver.
func (m *Memory) wakeLatest() {
	for _, f := range m.latest {
		if f.marked > 0 {
			f.wakeUp()
		}
	}
}

// take applies one update.
func (m *Memory) take(u point.Update) {
	typ := m.typeOf(u.Point)
	if typ == 0 {
		return
	}
	c := &m.cells[u.Point]
	if c.quality&overlaid != 0 && m.overlays[u.Point] != nil {
		m.takeBeneath(m.overlays[u.Point], &u)
		return
	}
	switch {
	case u.Flags != 0:
		if !m.takeFlags(c, &u) {
			return
		}
	case u.Value.Type() != typ:
		return
	}
	cut(&u)
	late := c.isLate(&u)
	if late {
		u.Flags |= point.Late
		m.append(u, m.gates.late(u.Point))
		return
	}
	events := uint64(0)
	if u.Flags&point.Restored == 0 {
		events = m.gates.decide(u.Point, u.Value, u.Quality)
	}
	c.set(&u, m.append(u, events))
	if typ == point.Text {
		m.texts[u.Point] = u.Value.Text()
	}
	for _, f := range m.latest {
		f.mark(u.Point)
	}
}

// takeFlags fills in what the flags of an update leave open. It returns false if the update has
// nothing to say. Most updates have no flags.
func (m *Memory) takeFlags(c *cell, u *point.Update) bool {
	if u.Flags&point.KeepValue != 0 && c.known() {
		c.keep(u, m.texts[u.Point])
	}
	if !c.takes(u) {
		return false
	}
	if u.Flags &= point.Restored; u.Flags != 0 && m.public[u.Point] {
		delete(m.public, u.Point)
		u.Flags = 0
	}
	return true
}

// append adds a change to the log, and to what is kept.
func (m *Memory) append(u point.Update, events uint64) uint64 {
	seq := m.log.append(u, events)
	if m.keeper != nil && u.Flags&point.Restored == 0 {
		m.keeper.add(seq, &u, events, nil)
	}
	return seq
}

// SaveCursor implements [Image].
func (m *Memory) SaveCursor(name string, pos Position) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return ErrClosed
	}
	m.cursors[name] = pos
	return nil
}

// DropCursor implements [Image].
func (m *Memory) DropCursor(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.cursors, name)
}

// Cursors implements [Image].
func (m *Memory) Cursors() map[string]Position {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return maps.Clone(m.cursors)
}

// typeOf returns the type of a point, 0 if it is not defined.
func (m *Memory) typeOf(p point.Index) point.Type {
	if uint64(p) >= uint64(len(m.cells)) {
		return 0
	}
	return m.cells[p].typ
}

// state returns the state of a point that is defined.
func (m *Memory) state(p point.Index) point.State {
	return m.cells[p].state(m.texts[p])
}
