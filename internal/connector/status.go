package connector

import (
	"sync"
	"time"
)

// historyLength is how many state changes of a connector are kept.
const historyLength = 100

// Status is what the operator sees of a connector.
type Status struct {
	ID, Kind    string
	State       State
	Reason      string    // why it is not Up
	Since       time.Time // of State and Reason
	Restarts    uint64    // failures of Run since the connector was configured
	LastError   string    // of the last failure; empty if there was none
	LastErrorAt time.Time
}

// StateChange is one entry of the history of a connector.
type StateChange struct {
	At     time.Time
	State  State
	Reason string
}

// tracker keeps the status of one connector. It may be used from any goroutine.
type tracker struct {
	now func() time.Time

	mu      sync.Mutex
	status  Status
	history [historyLength]StateChange // a ring
	changes int                        // since the beginning
}

func newTracker(id, kind string, now func() time.Time) *tracker {
	return &tracker{now: now, status: Status{ID: id, Kind: kind, Since: now()}}
}

// set changes state and reason; it reports whether that is a change.
func (t *tracker) set(s State, reason string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.status.State == s && t.status.Reason == reason {
		return false
	}
	t.status.State, t.status.Reason, t.status.Since = s, reason, t.now()
	t.history[t.changes%historyLength] = StateChange{At: t.status.Since, State: s, Reason: reason}
	t.changes++
	return true
}

// failed notes a failure of Run.
func (t *tracker) failed(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.status.Restarts++
	t.status.LastError, t.status.LastErrorAt = err.Error(), t.now()
}

func (t *tracker) get() Status {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.status
}

// changesSoFar returns the kept state changes, oldest first.
func (t *tracker) changesSoFar() []StateChange {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := min(t.changes, historyLength)
	list := make([]StateChange, 0, n)
	for i := t.changes - n; i < t.changes; i++ {
		list = append(list, t.history[i%historyLength])
	}
	return list
}
