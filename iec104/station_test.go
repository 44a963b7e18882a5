package iec104

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"busbar/iec104/asdu"
)

// testStation is a station in memory for tests. Its fields are set before it
// is used; the record may be read at any time.
type testStation struct {
	addresses []uint16
	points    map[uint16][]Item             // by common address, ascending; answer to QOI 20
	groups    map[uint8][]Item              // answer to QOI 21 … 36, of every common address
	counters  []Item                        // answer to a counter interrogation
	verdict   func(c Command) Verdict       // nil: UnknownObject
	clock     func(asdu.Time) bool          // nil: accepted
	reset     bool                          // answer to a reset
	onReset   func(*ServerConn)             // nil: nothing
	back      []Event                       // background data, once
	held      func(ca uint16) Interrogation // replaces the answer to QOI 20

	files Files // nil: none

	parameters map[uint32]Parameter // nil: none

	queue *Queue

	mu     sync.Mutex
	record []string
}

// newTestStation returns a station with common address 1 and no points.
func newTestStation() *testStation {
	return &testStation{addresses: []uint16{1}, points: map[uint16][]Item{}, queue: NewQueue(100_000)}
}

func (s *testStation) note(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.record = append(s.record, fmt.Sprintf(format, args...))
}

// expectRecord checks the calls of the application since the last check.
func (s *testStation) expectRecord(t *testing.T, want ...string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Equal(s.record, want) {
		t.Errorf("station was told\n\t%s\nwant\n\t%s", strings.Join(s.record, "\n\t"), strings.Join(want, "\n\t"))
	}
	s.record = nil
}

// put queues events.
func (s *testStation) put(events ...Event) {
	for i := range events {
		s.queue.Put(&events[i])
	}
}

func (s *testStation) Open(c *ServerConn) (Session, error) {
	s.queue.Rewind()
	s.queue.OnPut(c.Wake)
	return &testSession{testStation: s, conn: c}, nil
}

// testSession is the session of a testStation. All sessions share its queue.
type testSession struct {
	*testStation
	conn *ServerConn
}

func (s *testSession) Started(on bool)      { s.note("started %t", on) }
func (s *testSession) Next(dst []Event) int { return s.queue.Next(dst) }
func (s *testSession) Addresses() []uint16  { return s.addresses }

func (s *testSession) Confirm(n int) {
	s.note("confirm %d", n)
	s.queue.Confirm(n)
}

func (s *testSession) Background(dst []Event) int {
	n := copy(dst, s.back)
	s.back = s.back[n:]
	return n
}

func (s *testSession) Interrogate(ca uint16, qoi uint8) Interrogation {
	s.note("interrogate %d %d", ca, qoi)
	if qoi != 20 {
		if group, ok := s.groups[qoi]; ok {
			return &listAnswer{items: group}
		}
		return nil
	}
	if s.held != nil {
		return s.held(ca)
	}
	return &listAnswer{items: s.points[ca]}
}

func (s *testSession) Counters(ca uint16, rqt, frz uint8) Interrogation {
	s.note("counters %d %d %d", ca, rqt, frz)
	if s.counters == nil {
		return nil
	}
	if frz != 0 {
		return &listAnswer{}
	}
	return &listAnswer{items: s.counters}
}

func (s *testSession) Read(ca uint16, ioa uint32) (Item, bool) {
	for _, i := range s.points[ca] {
		if i.IOA == ioa {
			return i, true
		}
	}
	return Item{}, false
}

func (s *testSession) Clock(ca uint16, t asdu.Time) bool {
	s.note("clock %d", ca)
	return s.testStation.clock == nil || s.testStation.clock(t)
}

func (s *testSession) Reset(ca uint16, qrp uint8) bool {
	s.note("reset %d %d", ca, qrp)
	if s.onReset != nil {
		s.onReset(s.conn)
	}
	return s.reset
}

func (s *testSession) Command(c Command) Verdict {
	s.note("command %v %d %d", c.Type, c.CA, c.IOA)
	if s.verdict == nil {
		return UnknownObject
	}
	return s.verdict(c)
}

func (s *testSession) HasParameters(t asdu.TypeID) bool {
	return s.parameters != nil && t != asdu.P_ME_NB_1
}

// LoadParameter keeps a parameter for its activation.
func (s *testSession) LoadParameter(p Parameter) (Parameter, Verdict) {
	s.note("load %v %d %d %d %#02x", p.Type, p.CA, p.IOA, p.Value, p.Qualifier)
	if _, known := s.parameters[p.IOA]; !known {
		return p, UnknownObject
	}
	if p.Value == 0 {
		return p, Refused
	}
	p.Qualifier |= ParameterPOP
	s.parameters[p.IOA] = p
	return p, Accepted
}

func (s *testSession) ActivateParameter(ca uint16, ioa uint32, qpa uint8, deactivate bool) Verdict {
	s.note("activate %d %d %d %t", ca, ioa, qpa, deactivate)
	if _, known := s.parameters[ioa]; !known && ioa != 0 {
		return UnknownObject
	}
	return Accepted
}

func (s *testSession) Files() Files { return s.testStation.files }

func (s *testSession) Closed(reason error) { s.note("closed: %v", reason) }

// listAnswer answers an interrogation from a list.
type listAnswer struct{ items []Item }

func (l *listAnswer) Next(dst []Item) (int, bool) {
	n := copy(dst, l.items)
	l.items = l.items[n:]
	return n, len(l.items) == 0
}

// single returns a single point as an item.
func single(ioa, value uint32) Item {
	return Item{Type: asdu.M_SP_NA_1, Object: asdu.Object{IOA: ioa, Value: value}}
}

// event returns a spontaneous single point of common address 1.
func event(ioa, value uint32) Event {
	return Event{CA: 1, Type: asdu.M_SP_NA_1, Cause: asdu.Spontaneous, Object: asdu.Object{IOA: ioa, Value: value}}
}
