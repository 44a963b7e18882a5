package iec104server

import (
	"errors"
	"fmt"
	"math"

	"busbar/iec104"
	"busbar/internal/connector"
	"busbar/internal/point"
)

var _ connector.Tester = (*server)(nil)

// maxTests is how many test values wait for one controlling station at most.
const maxTests = 64

// Why a test value is not sent.
var (
	errNotStarted = errors.New("no controlling station has data transfer started")
	errNoPlace    = errors.New("the target is not in force yet")
	errNotCarried = errors.New("the type cannot carry the value with its quality")
	errTestsWait  = errors.New("too many test values wait already")
)

// SendTest implements [connector.Tester]. The event goes, with the cause spontaneous and the
// T bit, to every controlling station that has data transfer started now, before what
// waits for it. It is in no buffer: what is not confirmed when a connection ends is not
// sent again. Neither the value of the target nor what is an event of it changes.
func (s *server) SendTest(target connector.TargetID, u point.Update) (place string, stations int, err error) {
	e := event{sample: sampleOf(target, &u), seq: math.MaxInt64}
	place, sessions, err := s.station.addTest(&e)
	wake(sessions)
	return place, len(sessions), err
}

// addTest hands a test value to the sessions that are started, and returns them.
func (st *station) addTest(e *event) (place string, sent []*session, err error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	at := st.table.byTarget.get(uint32(e.target))
	if at == absent {
		return "", nil, errNoPlace
	}
	r := &st.table.rows[at]
	place = fmt.Sprintf("%d/%d %v", r.ca(), r.ioa(), st.table.rules[r.rule].as)
	rule, enc := &st.table.rules[r.rule], newEncoder(st.settings.Time.Location)
	enc.unused = st.settings.unstamped()
	var o iec104.Event
	if !enc.encode(&o.Object, rule.as, r.ioa(), &e.sample, rule) {
		return place, nil, errNotCarried
	}
	err = errNotStarted
	for _, s := range st.sessions {
		switch {
		case !s.started || s.queue == nil || s.held:
		case len(s.tests) >= maxTests:
			err = errTestsWait
		default:
			s.tests = append(s.tests, *e)
			sent = append(sent, s)
		}
	}
	if len(sent) > 0 {
		return place, sent, nil
	}
	return place, nil, err
}

// test puts the test values that wait before everything else but the end of
// initialisation.
func (s *session) test(dst []iec104.Event) (n int) {
	for len(s.tests) > 0 && n < len(dst) {
		e := &s.tests[0]
		if s.event(&dst[n], e, s.station.table) {
			dst[n].Test = true
			s.queue.flight.push(&event{sample: sample{kind: kind(initialisation)<<classShift | restored}})
			n++
		}
		s.tests = s.tests[1:]
	}
	return n
}

// tests reports whether it is the mark of a test value that was sent.
func (e *event) tests() bool { return e.class() == initialisation && e.kind&restored != 0 }
