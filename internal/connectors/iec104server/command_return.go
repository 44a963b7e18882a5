package iec104server

import (
	"slices"
	"time"

	"busbar/internal/point"
)

const (
	// returnWait is how long a termination waits for return information that is
	// on its way through the process image.
	returnWait = 250 * time.Millisecond
	// returnTime is how long changes of the feedback point of an order count as
	// caused by it, if it is not terminated before.
	returnTime = 30 * time.Second
)

// terminator is what a run needs of the answer to its command.
type terminator interface{ Terminate(positive bool) bool }

// run is an order that was handed to the host: what its feedback point does until
// the end of it is return information.
type run struct {
	feedback point.Index // None: there is none at this server
	answer   terminator
	until    time.Time
	begun    bool // confirmed: from then on changes are return information
	seen     bool // the feedback point has changed
	over     bool // terminated, positively; the answer waits for return information
}

// await has the changes of a feedback point count as return information, once
// the command is confirmed.
func (d *desk) await(feedback point.Index, answer terminator) *run {
	r := &run{feedback: feedback, answer: answer, until: time.Now().Add(returnTime)}
	if feedback == point.None || !d.serves(feedback) {
		r.feedback = point.None
		return r
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.runs[feedback] = append(d.runs[feedback], r)
	d.awaited.Add(1)
	return r
}

// begin tells that the confirmation of a command is on its way.
func (d *desk) begin(r *run) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r.begun = true
}

// forgetRun ends the time of return information. It reports whether it was
// running.
func (d *desk) forgetRun(r *run) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.remove(r)
}

func (d *desk) remove(r *run) bool {
	runs := d.runs[r.feedback]
	i := slices.Index(runs, r)
	if i < 0 {
		return false
	}
	if d.runs[r.feedback] = slices.Delete(runs, i, i+1); len(runs) == 1 {
		delete(d.runs, r.feedback)
	}
	d.awaited.Add(-1)
	return true
}

// end terminates a command, after its return information if that comes in time.
func (d *desk) end(r *run, positive bool) {
	d.mu.Lock()
	wait := positive && !r.seen && slices.Contains(d.runs[r.feedback], r)
	r.over = wait
	if !wait {
		d.remove(r)
	}
	d.mu.Unlock()
	if !wait {
		r.answer.Terminate(positive)
		return
	}
	time.AfterFunc(returnWait, func() {
		if d.forgetRun(r) {
			r.answer.Terminate(true)
		}
	})
}

// returns reports whether changes of a point are return information now. It is
// called for every change.
func (d *desk) returns(p point.Index) (caused bool) {
	if d.awaited.Load() == 0 {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	for _, r := range slices.Clone(d.runs[p]) {
		switch {
		case now.After(r.until):
			d.remove(r)
		case r.begun:
			caused = true
		default:
			r.seen = true // spontaneously: nothing may precede the confirmation
		}
	}
	return caused
}

// returned tells that return information is in the log. It is called with the lock
// of the station.
func (d *desk) returned(p point.Index) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, r := range slices.Clone(d.runs[p]) {
		r.seen = true
		if r.over {
			d.remove(r)
			r.answer.Terminate(true)
		}
	}
}
