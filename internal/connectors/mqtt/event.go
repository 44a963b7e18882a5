package mqtt

import (
	"busbar/internal/connector"
	"busbar/internal/point"
)

// kind is the type of a value, and bits that go with it.
type kind uint8

const (
	typeMask  kind = 0x0f
	late      kind = 0x20 // its time is before that of the state: it is not retained
	stored    kind = 0x40 // not an event but a state, for late subscribers
	transient kind = 0x80
)

// event is a value on its way to a topic. It has no pointers, so that a million of
// them are nothing to the garbage collector; the payload is made when it is sent.
type event struct {
	bits    uint64 // as of point.Value.Raw; of a text its key in texts
	time    point.Instant
	arrival point.Instant
	seq     uint64 // of the change log
	target  connector.TargetID
	quality point.Quality
	timeQ   point.TimeQuality
	kind    kind
}

func (k kind) typ() point.Type { return point.Type(k & typeMask) }

// texts holds the texts of events.
type texts struct {
	byKey map[uint64]string
	last  uint64
}

// event returns an update as the event of a target.
func (t *texts) event(target connector.TargetID, seq uint64, u *point.Update) event {
	bits, transit := u.Value.Raw()
	e := event{
		bits: bits, time: u.Time, arrival: u.Arrival, seq: seq, target: target,
		quality: u.Quality, timeQ: u.TimeQuality, kind: kind(u.Value.Type()),
	}
	if transit {
		e.kind |= transient
	}
	if u.Flags&point.Late != 0 {
		e.kind |= late
	}
	if e.kind.typ() == point.Text {
		if t.byKey == nil {
			t.byKey = make(map[uint64]string)
		}
		t.last++
		e.bits = t.last
		t.byKey[e.bits] = u.Value.Text()
	}
	return e
}

// value returns the value of an event.
func (t *texts) value(e *event) point.Value {
	if e.kind.typ() == point.Text {
		return point.TextValue(t.byKey[e.bits])
	}
	return point.Restore(e.kind.typ(), e.bits, e.kind&transient != 0, "")
}

// forget ends what is kept of an event.
func (t *texts) forget(e *event) {
	if e.kind.typ() == point.Text {
		delete(t.byKey, e.bits)
	}
}

// fifo is a queue of events.
type fifo struct {
	ring []event // its length is a power of two
	head int
	len  int
}

// leastRing is the room that an empty queue keeps.
const leastRing = 1024

func (f *fifo) push(e event) {
	if f.len == len(f.ring) {
		f.resize(max(leastRing, 2*len(f.ring)))
	}
	f.ring[(f.head+f.len)&(len(f.ring)-1)] = e
	f.len++
}

func (f *fifo) resize(n int) {
	ring := make([]event, n)
	for i := range f.len {
		ring[i] = f.ring[(f.head+i)&(len(f.ring)-1)]
	}
	f.ring, f.head = ring, 0
}

// first returns the oldest event; there is one.
func (f *fifo) first() *event { return &f.ring[f.head] }

// at returns the event behind i older ones.
func (f *fifo) at(i int) *event { return &f.ring[(f.head+i)&(len(f.ring)-1)] }

// pop takes the oldest event; there is one.
func (f *fifo) pop() event {
	e := f.ring[f.head]
	f.head = (f.head + 1) & (len(f.ring) - 1)
	if f.len--; f.len == 0 && len(f.ring) > leastRing {
		f.ring, f.head = nil, 0
	}
	return e
}
