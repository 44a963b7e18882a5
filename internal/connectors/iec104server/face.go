package iec104server

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"busbar/iec104"
	"busbar/internal/connector"
)

// face is the state of a server as the operator sees it. A server that listens is
// up; one that dials out is while it is connected. What is severe of what does not fit on
// a link makes it degraded.
type face struct {
	report func(s connector.State, reason string)

	mu      sync.Mutex
	listens bool
	clock   string            // of a controlling station that differs; empty: none does
	link    string            // what is severe of what does not fit on a link; empty: nothing
	down    map[string]string // why the addresses that are dialled are not connected; empty: they are
}

func newFace(settings *Settings, report func(connector.State, string)) *face {
	f := &face{report: report, listens: settings.Listen != "", down: map[string]string{}}
	f.forget(settings.Dial)
	return f
}

// forget makes that nothing is connected.
func (f *face) forget(dial []string) {
	for _, addr := range dial {
		f.down[addr] = "connecting to " + addr
	}
}

// begin shows that a run has begun.
func (f *face) begin(settings *Settings) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.clock, f.link = "", ""
	f.forget(settings.Dial)
	f.show()
}

// setClock shows a clock that differs; empty: none does.
func (f *face) setClock(detail string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.clock = detail
	f.show()
}

// setLink shows what does not fit on a link; empty: everything does.
func (f *face) setLink(problem string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.link = problem
	f.show()
}

// reason returns why an address that is dialled is not connected; empty: it is.
func (f *face) reason(addr string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.down[addr]
}

// linked takes what is told of the connections that are dialled.
func (f *face) linked(e iec104.LinkEvent) {
	if e.State == iec104.LinkDown && e.Retry == 0 {
		return // the run is over
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case e.State == iec104.LinkConnected:
		f.down[e.Addr] = ""
	case e.Conn != 0:
		f.down[e.Addr] = fmt.Sprintf("connection to %s: %s", e.Addr, reasonOf(e.Err))
	default:
		f.down[e.Addr] = reasonOf(e.Err)
	}
	f.show()
}

func reasonOf(err error) string { return strings.TrimPrefix(err.Error(), "iec104: ") }

// show reports the state. The lock is held.
func (f *face) show() {
	var faults []string
	for _, reason := range f.down {
		if reason != "" {
			faults = append(faults, reason)
		}
	}
	slices.Sort(faults)
	state := connector.Degraded
	if !f.listens && len(faults) == len(f.down) {
		state = connector.Connecting
	}
	if f.link != "" {
		faults = append(faults, f.link)
	}
	if len(faults) == 0 {
		state = connector.Up
	}
	if f.clock != "" {
		faults = append(faults, f.clock)
	}
	f.report(state, strings.Join(faults, "; "))
}
