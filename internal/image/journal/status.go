package journal

import "time"

// State says whether the journal accepts records.
type State uint8

// The states of a journal.
const (
	Accepting State = iota
	// Full: the limit is reached. It accepts again when less than 15/16 of it
	// is used.
	Full
	// NoSpace: the system had no room. It accepts again when writing a probe
	// succeeds, which is tried every second.
	NoSpace
	// Failed: a write or sync failed. It accepts nothing until it is opened again.
	Failed
	Closed
)

var stateNames = [...]string{"accepting", "full", "no space", "failed", "closed"}

// String returns the name of the state in lower case.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return "unknown"
}

// Status is what an operator wants to know of a journal.
type Status struct {
	State     State
	Cause     error         // why it does not accept; nil while it does
	SaveError error         // why cursors could not be saved at the last attempt; nil if they were
	Committed uint64        // newest durable sequence number
	Appended  uint64        // newest sequence number
	Used      int64         // octets in segments
	Limit     int64         // octets
	Pending   int64         // octets that wait for the disk
	Queued    uint64        // records that wait for the disk
	Lag       time.Duration // since the oldest batch that waits was appended
	Records   uint64        // committed since Open
	Groups    uint64        // committed since Open, each with one sync per chain
	Segments  [chains]int
}

// Status returns the present status.
func (j *Journal) Status() Status {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := Status{
		State: j.state, Cause: j.cause, SaveError: j.saveErr,
		Committed: j.committed.Load(), Appended: j.last,
		Used: j.used, Limit: j.opts.Limit, Pending: j.pending,
		Queued: j.queued, Records: j.records, Groups: j.groups,
	}
	if since := j.oldest(); !since.IsZero() {
		s.Lag = time.Since(since)
	}
	for i := range j.chains {
		s.Segments[i] = len(j.chains[i].segs)
	}
	return s
}

// oldest returns when the oldest batch that waits was appended; mu is held.
func (j *Journal) oldest() time.Time {
	if j.writing != nil && !j.writing.since.IsZero() {
		return j.writing.since
	}
	return j.group.since
}

// Accepting returns nil while Append takes records, otherwise the error that
// it fails with.
func (j *Journal) Accepting() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.cause
}

// setState changes the state; mu is held. Closed is final, Failed gives way to
// Closed only.
func (j *Journal) setState(s State, cause error) {
	if j.state == Closed || j.state == Failed && s != Closed {
		return
	}
	was := j.state
	j.state, j.cause = s, cause
	if was == s || s == Closed {
		return
	}
	if s == Accepting {
		j.log.Info("journal accepts again", "used", j.used, "limit", j.opts.Limit)
		return
	}
	j.log.Warn("journal stopped accepting", "state", s.String(), "used", j.used, "limit", j.opts.Limit, "error", cause)
}

// checkRoom accepts again after Full; mu is held.
func (j *Journal) checkRoom() {
	if j.state == Full && j.used+j.pending <= j.resume() {
		j.setState(Accepting, nil)
	}
}

// resume is what may be in use when the journal accepts again after it was full.
func (j *Journal) resume() int64 { return j.opts.Limit - j.opts.Limit/16 }

// dirty makes the state file due after at most d; mu is held.
func (j *Journal) dirty(d time.Duration) {
	at := time.Now().Add(d)
	if j.saveAt.IsZero() || at.Before(j.saveAt) {
		j.saveAt = at
		signal(j.keep)
	}
}
