package iec104server

import (
	"slices"
	"time"

	"busbar/iec104"
	"busbar/internal/linkprofile"
	"busbar/internal/point"
)

const (
	// returnWait is how long a termination waits for return information that is
	// on its way through the process image.
	returnWait = 250 * time.Millisecond
	// returnTime is how long after its confirmation changes of the feedback point
	// of an order that is not terminated count as caused by it.
	returnTime = 30 * time.Second
)

// run is an order that was handed to the host: what its feedback point does until
// the end of it is return information.
type run struct {
	station  *station
	feedback point.Index // None: there is none at this server
	value    point.Value // that was ordered
	answer   *iec104.Answer
	ends     bool      // it is terminated
	begun    bool      // confirmed: from then on changes are return information
	until    time.Time // when that ends, of an order that is not terminated
	changed  bool      // the feedback point has changed
	over     bool      // terminated, positively; the answer waits for return information
}

// await has the changes of the feedback point of an order count as return
// information, once the command is confirmed.
func (d *desk) await(c *order) *run {
	r := &run{station: c.station, feedback: c.end.Feedback, value: c.value, answer: c.Answer, ends: c.end.Terminates && d.settings.Termination == linkprofile.ByCommand}
	if r.feedback == point.None || !d.serves(r.feedback) {
		r.feedback = point.None
		return r
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.elapse(r.feedback)
	d.runs[r.feedback] = append(d.runs[r.feedback], r)
	d.awaited.Add(1)
	return r
}

// confirm confirms a command. What its feedback point does before is spontaneous,
// what it does from then on is return information.
func (d *desk) confirm(r *run) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r.answer.Confirm(true)
	r.begun, r.until = true, time.Now().Add(returnTime)
}

// elapse forgets the runs of a point whose time is over. The caller holds mu.
func (d *desk) elapse(p point.Index) {
	now := time.Now()
	for _, r := range slices.Clone(d.runs[p]) {
		if r.begun && !r.ends && now.After(r.until) {
			d.remove(r)
		}
	}
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

// shown reports whether the newest change of the feedback point in the log is the
// result of the order; otherwise that may be on its way still, behind states that
// are passed. Of a number that is not the one ordered it is not known: then it is the
// one given. The caller holds the lock of the station.
func (r *run) shown(number bool) bool {
	at := r.station.table.byPoint.get(uint32(r.feedback))
	if at == absent {
		return true // the target was removed
	}
	current := &r.station.table.rows[at].current
	return isResult(r.value, point.Restore(current.kind.typ(), current.bits, false, ""), current.quality, number)
}

// isResult reports whether a value is what was ordered. Of a number that is another
// one it is not known: then it is the one given.
func isResult(ordered, v point.Value, q point.Quality, number bool) bool {
	want, ok := stateOf(ordered)
	if !ok {
		return number || v == ordered && q.Good()
	}
	state, _ := stateOf(v)
	return state == want && q.Good()
}

// stateOf returns the state of a single or double value; false: it is of another
// type.
func stateOf(v point.Value) (state point.DoubleState, ok bool) {
	switch {
	case v.Type() == point.Double:
		return v.Double(), true
	case v.Type() != point.Single:
		return point.Indeterminate, false
	case v.Single():
		return point.DoubleOn, true
	default:
		return point.DoubleOff, true
	}
}

// end terminates a command, after its return information if that comes in time.
func (d *desk) end(r *run, positive bool) {
	r.station.mu.RLock()
	shown := r.shown(false)
	r.station.mu.RUnlock()
	d.mu.Lock()
	wait := positive && !(r.changed && shown) && slices.Contains(d.runs[r.feedback], r)
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
	d.elapse(p)
	for _, r := range d.runs[p] {
		r.changed = true
		caused = caused || r.begun // nothing may precede the confirmation
	}
	return caused
}

// returned tells that return information is in the log. It is called with the lock
// of the station.
func (d *desk) returned(p point.Index) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, r := range slices.Clone(d.runs[p]) {
		if r.over && r.shown(true) {
			d.remove(r)
			r.answer.Terminate(true)
		}
	}
}
