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
	Repeats     uint64 // restarts that were asked for
}

// StateChange is one entry of the history of a connector.
type StateChange struct {
	At     time.Time
	State  State
	Reason string
}

// tracker keeps the status of one connector. It may be used from any goroutine.
type tracker struct {
	now     func() time.Time
	changed func() // called after each change of the state; may be nil

	mu       sync.Mutex
	status   Status
	reported StateChange                // State and Reason as the connector reports them
	hindered string                     // why it cannot be Up, though it reports so; empty: it can
	history  [historyLength]StateChange // a ring
	changes  int                        // since the beginning
}

func newTracker(id, kind string, now func() time.Time) *tracker {
	return &tracker{now: now, status: Status{ID: id, Kind: kind, Since: now()}}
}

// set takes the state that the connector reports. It returns the state that is
// shown, and whether it has changed.
func (t *tracker) set(s State, reason string) (StateChange, bool) {
	return t.update(func() { t.reported = StateChange{State: s, Reason: reason} })
}

// hinder shows the connector as Degraded while it reports to be Up, until the
// reason is empty. It returns what set does.
func (t *tracker) hinder(reason string) (StateChange, bool) {
	return t.update(func() { t.hindered = reason })
}

func (t *tracker) update(what func()) (StateChange, bool) {
	shown, changed := t.change(what)
	if changed && t.changed != nil {
		t.changed()
	}
	return shown, changed
}

func (t *tracker) change(what func()) (shown StateChange, changed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	what()
	shown = t.reported
	switch {
	case t.hindered == "":
	case shown.State == Up:
		shown.State, shown.Reason = Degraded, t.hindered
	case shown.State == Degraded:
		shown.Reason += "; " + t.hindered
	}
	if t.status.State == shown.State && t.status.Reason == shown.Reason {
		return shown, false
	}
	shown.At = t.now()
	t.status.State, t.status.Reason, t.status.Since = shown.State, shown.Reason, shown.At
	t.history[t.changes%historyLength] = shown
	t.changes++
	return shown, true
}

// failed notes a failure of Run.
func (t *tracker) failed(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.status.Restarts++
	t.status.LastError, t.status.LastErrorAt = err.Error(), t.now()
}

// repeated notes a restart that was asked for.
func (t *tracker) repeated() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.status.Repeats++
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
