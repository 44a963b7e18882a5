package iec104server

import (
	"sync"

	"busbar/internal/connector"
)

// stateView is what the operator sees of a server that is up: the clock of a
// controlling station that differs, and what is severe of what does not fit on a
// link, which makes it degraded.
type stateView struct {
	report func(connector.State, string)

	mu          sync.Mutex
	clock, link string
}

func (v *stateView) setClock(detail string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.clock = detail
	v.show()
}

func (v *stateView) setLink(problem string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.link = problem
	v.show()
}

// show reports the state. The caller holds mu.
func (v *stateView) show() {
	switch {
	case v.link == "":
		v.report(connector.Up, v.clock)
	case v.clock == "":
		v.report(connector.Degraded, v.link)
	default:
		v.report(connector.Degraded, v.link+"; "+v.clock)
	}
}
