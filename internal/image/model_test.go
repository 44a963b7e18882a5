package image_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"busbar/internal/image"
	"busbar/internal/mapping"
	"busbar/internal/point"
)

// model is what an image should hold that never lost anything: the history of all
// changes as a follower saw them, and what the gates make of it.
type model struct {
	rnd     *rand.Rand
	defs    []image.Definition
	points  []point.Index // of defs
	named   int           // ids that were made up
	time    point.Instant
	changes []image.Change
	types   map[point.Index]point.Type
	since   map[point.Index]uint64                       // changes of a point up to here are of another type
	gates   map[point.Index]map[uint64]mapping.GateState // by key
	keys    map[uint64][]uint64                          // of the targets of a point when the change was published
	keyed   uint64                                       // keys that were made up
}

var someTypes = []point.Type{point.Single, point.Step, point.Float, point.Int, point.Counter, point.Text}

func newModel(rnd *rand.Rand) *model {
	m := &model{rnd: rnd, types: map[point.Index]point.Type{}, since: map[point.Index]uint64{}, gates: map[point.Index]map[uint64]mapping.GateState{}, keys: map[uint64][]uint64{}}
	for i := range 8 {
		m.defs = append(m.defs, m.definition(someTypes[i%len(someTypes)], 1+i%3))
	}
	return m
}

func (m *model) name() string {
	m.named++
	return fmt.Sprint("point/", m.named)
}

func (m *model) someGates(n int) (gates []mapping.Gate) {
	for range n {
		gates = append(gates, mapping.Gate{Deadband: float64(m.rnd.IntN(3)), OnUpdate: m.rnd.IntN(8) == 0, Late: m.rnd.IntN(2) == 0})
	}
	return gates
}

func (m *model) definition(typ point.Type, targets int) image.Definition {
	return image.Definition{ID: m.name(), Type: typ, Gates: m.someGates(targets), Keys: m.someKeys(targets)}
}

func (m *model) someKeys(n int) (keys []uint64) {
	for range n {
		m.keyed++
		keys = append(keys, m.keyed)
	}
	return keys
}

// rearrange puts the targets of a point elsewhere, and removes some.
func (m *model) rearrange(d *image.Definition) {
	order := m.rnd.Perm(len(d.Gates))[:max(1, len(d.Gates)-m.rnd.IntN(2))]
	gates, keys := make([]mapping.Gate, len(order)), make([]uint64, len(order))
	for i, at := range order {
		gates[i], keys[i] = d.Gates[at], d.Keys[at]
	}
	d.Gates, d.Keys = gates, keys
}

// change makes another plant.
func (m *model) change() {
	switch d := &m.defs[m.rnd.IntN(len(m.defs))]; m.rnd.IntN(6) {
	case 0:
		d.ID = m.name() // the old one is removed
	case 1:
		d.Type = someTypes[m.rnd.IntN(len(someTypes))]
	case 2:
		d.Gates = append(d.Gates[:len(d.Gates):len(d.Gates)], m.someGates(1)...)
		d.Keys = append(d.Keys[:len(d.Keys):len(d.Keys)], m.someKeys(1)...)
	case 3:
		m.defs = append(m.defs, m.definition(point.Double, 1))
	default:
		m.rearrange(d)
	}
}

// define defines the points.
func (m *model) define(im image.Image) {
	for i := range m.defs {
		d := &m.defs[i]
		d.Before = nil
		p, ok := im.Lookup(d.ID)
		if old := im.Keys(p); ok && old != nil {
			for _, key := range d.Keys {
				d.Before = append(d.Before, int8(slices.Index(old, key)))
			}
		}
	}
	m.points = im.Define(m.defs)
	for i, p := range m.points {
		if typ := m.defs[i].Type; m.types[p] != typ {
			m.types[p], m.since[p], m.gates[p] = typ, im.Seq(), nil
		}
	}
}

// update makes an update of one of the points.
func (m *model) update() point.Update {
	i := m.rnd.IntN(len(m.points))
	m.time += point.Instant(1 + m.rnd.IntN(5))
	u := point.Update{Point: m.points[i], Time: m.time, Arrival: m.time + 3, Quality: point.Quality(m.rnd.IntN(8) / 7 * 64)}
	switch n := m.rnd.IntN(6); m.defs[i].Type {
	case point.Single:
		u.Value = point.SingleValue(n%2 == 0)
	case point.Double:
		u.Value = point.DoubleValue(point.DoubleState(n))
	case point.Step:
		u.Value = point.StepValue(n, n == 5)
	case point.Float:
		u.Value = point.FloatValue(float64(n))
	case point.Int:
		u.Value = point.IntValue(int64(n))
	case point.Counter:
		u.Value = point.CounterValue(int64(n))
	default:
		u.Value = point.TextValue(fmt.Sprint("text", n))
	}
	switch m.rnd.IntN(12) {
	case 0:
		u.Time -= 20 // perhaps late
	case 1:
		u = point.Update{Point: u.Point, Quality: point.NotTopical, Flags: point.KeepValue}
	case 2:
		u = point.Update{Point: u.Point, Quality: point.NotTopical, Flags: point.KeepValue | point.Restored}
	}
	return u
}

// saw takes up changes as they were followed, and checks what they are events of.
func (m *model) saw(t *testing.T, changes []image.Change) {
	t.Helper()
	for i := range changes {
		c := &changes[i]
		if want := m.decide(c); c.Events != want {
			t.Errorf("change %d of point %d to %v is an event of %b, want %b", c.Seq, c.Point, c.Value, c.Events, want)
		}
		m.changes = append(m.changes, *c)
		m.keys[c.Seq] = m.defs[slices.Index(m.points, c.Point)].Keys
	}
}

// decide returns what a change should be an event of.
func (m *model) decide(c *image.Change) (events uint64) {
	d := &m.defs[slices.Index(m.points, c.Point)]
	if m.gates[c.Point] == nil {
		m.gates[c.Point] = map[uint64]mapping.GateState{}
	}
	for i, g := range d.Gates {
		state := m.gates[c.Point][d.Keys[i]]
		switch {
		case c.Flags&point.Restored != 0:
		case c.Flags&point.Late != 0:
			if g.Late {
				events |= 1 << i
			}
		case g.Event(&state, c.Value, c.Quality):
			events |= 1 << i
		}
		m.gates[c.Point][d.Keys[i]] = state
	}
	return events
}

// recovered compares an image, opened again and with its points defined, with what
// must be left of the history: all up to the change acked, and all up to the newest
// that is there. cursor is where a consumer goes on; there is its follower.
func (m *model) recovered(t *testing.T, im image.Image, acked uint64, cursor image.Position) {
	t.Helper()
	if im.Seq() < acked {
		t.Fatalf("the newest change is %d, %d was acknowledged", im.Seq(), acked)
	}
	for p := range m.since {
		m.since[p] = min(m.since[p], im.Seq())
	}
	there := m.resume(t, im, cursor)
	acked = max(acked, m.newestKept(im, there))
	left := m.changes[:0]
	m.gates = map[point.Index]map[uint64]mapping.GateState{}
	for _, c := range m.changes {
		class := c.Value.Type().Class()
		gone := m.types[c.Point] != c.Value.Type() || !slices.Contains(m.points, c.Point)
		if c.Seq <= acked && c.Events != 0 && c.Seq > cursor[class] && !gone && !there[c.Seq] {
			t.Errorf("event %d was acknowledged and is not there", c.Seq)
		}
		if c.Seq > acked && c.Seq > stateSeq(im, c.Point) {
			continue // lost, and nobody was told that it was kept
		}
		left = append(left, c)
		if c.Seq > m.since[c.Point] && c.Flags&point.Late == 0 {
			m.remember(&c)
		}
	}
	m.changes = left
	for i, p := range m.points {
		m.checkState(t, im, i, p, acked)
	}
}

// resume returns which events are there after a cursor, and checks them.
func (m *model) resume(t *testing.T, im image.Image, cursor image.Position) map[uint64]bool {
	t.Helper()
	f := im.Resume(cursor)
	defer f.Close()
	there, last := map[uint64]bool{}, uint64(0)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	for dst := make([]image.Change, 16); ; {
		n, gap, err := f.Next(ctx, dst)
		if errors.Is(err, context.DeadlineExceeded) {
			return there
		}
		if err != nil || gap > 0 {
			t.Fatalf("Next from %v: gap %d, error %v", cursor, gap, err)
		}
		for _, c := range dst[:n] {
			i, found := slices.BinarySearchFunc(m.changes, c.Seq, func(c image.Change, seq uint64) int { return cmp.Compare(c.Seq, seq) })
			if !found || m.changes[i] != c || c.Seq <= last || c.Seq <= cursor[c.Value.Type().Class()] {
				t.Errorf("change %+v after %d from %v, was never published so", c, last, cursor)
				continue
			}
			there[c.Seq], last = true, c.Seq
			if got, want := im.Moves().Place(c.Point, c.Seq, c.Events, nil), m.place(&c); got != want {
				t.Errorf("change %d of point %d is an event of the present targets %b, want %b", c.Seq, c.Point, got, want)
			}
		}
	}
}

// place returns of which of the present targets a change is an event.
func (m *model) place(c *image.Change) (events uint64) {
	for place, key := range m.keys[c.Seq] {
		if at := slices.Index(m.defs[slices.Index(m.points, c.Point)].Keys, key); at >= 0 {
			events |= c.Events >> place & 1 << at
		}
	}
	return events
}

// newest returns the sequence number of the newest change that is to be kept.
func (m *model) newest() uint64 {
	for _, c := range slices.Backward(m.changes) {
		if c.Flags&point.Restored == 0 {
			return c.Seq
		}
	}
	return 0
}

// newestKept returns the newest change of which there is a trace, other than those
// that are not to be kept.
func (m *model) newestKept(im image.Image, there map[uint64]bool) uint64 {
	traces := maps.Clone(there)
	for _, p := range m.points {
		traces[stateSeq(im, p)] = true
	}
	for _, c := range slices.Backward(m.changes) {
		if traces[c.Seq] && c.Flags&point.Restored == 0 {
			return c.Seq
		}
	}
	return 0
}

func stateSeq(im image.Image, p point.Index) uint64 {
	s, _ := im.State(p)
	return s.Seq
}

// remember tells the gates of an event.
func (m *model) remember(c *image.Change) {
	if m.gates[c.Point] == nil {
		m.gates[c.Point] = map[uint64]mapping.GateState{}
	}
	for place, key := range m.keys[c.Seq] {
		if state := m.gates[c.Point][key]; c.Events>>place&1 != 0 {
			state.Set(c.Value, c.Quality)
			m.gates[c.Point][key] = state
		}
	}
}

// checkState compares a state with the history.
func (m *model) checkState(t *testing.T, im image.Image, i int, p point.Index, acked uint64) {
	t.Helper()
	got, ok := im.State(p)
	if !ok {
		t.Errorf("point %s has no state", m.defs[i].ID)
	}
	var want *image.Change
	least := uint64(0)        // the oldest change that it may come from
	var quality point.Quality // without what was restored, which is not kept
	for n := range m.changes {
		c := &m.changes[n]
		if c.Point != p || c.Seq <= m.since[p] || c.Flags&point.Late != 0 {
			continue
		}
		if c.Seq == got.Seq {
			want = c
		}
		if c.Flags&point.Restored != 0 {
			continue
		}
		if c.Seq <= acked {
			least = c.Seq
		}
		if c.Seq <= got.Seq {
			quality = c.Quality
		}
	}
	switch {
	case got.Seq < least:
		t.Errorf("point %s has the state of change %d, change %d was acknowledged", m.defs[i].ID, got.Seq, least)
	case got.Seq == 0 && got.Value.Type() == 0:
	case want == nil:
		t.Errorf("point %s has the state of change %d, which it never had", m.defs[i].ID, got.Seq)
	case got.Value != want.Value || got.Time != want.Time || got.Arrival != want.Arrival || got.Quality != quality || got.TimeQuality != want.TimeQuality:
		t.Errorf("point %s has state %+v, want that of %+v", m.defs[i].ID, got, want)
	}
}
