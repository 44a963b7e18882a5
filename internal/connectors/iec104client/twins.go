package iec104client

import (
	"context"
	"slices"
	"time"

	"busbar/iec104/asdu"
	"busbar/internal/connector"
	"busbar/internal/point"
)

// Some stations send an event twice: at once without a time tag, and again with it
// (double transmission). Where that was seen once, the first is held back for the
// second, which has the time; if it does not come, the first is taken after all.

// twinWait is how long an event without time tag waits for the same one with it.
const twinWait = time.Second

// held is an event without time tag that waits for the same one with it.
type held struct {
	address uint64
	reading connector.Reading
	until   time.Time
}

// event takes note of a spontaneous object. It reports whether it is the repetition,
// without time tag, of one that was taken, and whether it is to wait for its twin. The caller
// holds mu.
func (in *intake) event(e *entry, o *asdu.Object, tagged bool) (repeats, waits bool) {
	same := e.marks&markEvent != 0 && e.value == o.Value && e.quality == o.Quality && (e.marks&markTransient != 0) == o.Transient
	if same && e.marks&markTagged != 0 && !tagged {
		return true, false
	}
	if same && tagged && e.marks&markTagged == 0 {
		e.marks |= markTwin
		in.drop(e.address)
	}
	e.value, e.quality = o.Value, o.Quality
	e.marks = e.marks&^(markTagged|markTransient) | markEvent
	if o.Transient {
		e.marks |= markTransient
	}
	if tagged {
		e.marks |= markTagged
	}
	return false, !tagged && e.marks&markTwin != 0
}

// hold has a reading wait. The caller holds mu.
func (in *intake) hold(address uint64, r connector.Reading, arrival time.Time) {
	r.Time, r.TimeQuality = point.InstantOf(arrival), point.TimeSubstituted
	in.waiting = append(in.waiting, held{address, r, arrival.Add(twinWait)})
	in.nudge()
}

// drop forgets what waits of an address: its twin has come. The caller holds mu.
func (in *intake) drop(address uint64) {
	in.waiting = slices.DeleteFunc(in.waiting, func(h held) bool { return h.address == address })
}

// release puts what waits of an address before what comes now. The caller holds mu.
func (in *intake) release(address uint64) {
	for _, h := range in.waiting {
		if h.address == address {
			in.readings = append(in.readings, h.reading)
		}
	}
	in.drop(address)
}

// nextHeld returns when the first event that waits has waited enough; zero: none waits. The
// caller holds mu.
func (in *intake) nextHeld() time.Time {
	if len(in.waiting) == 0 {
		return time.Time{}
	}
	return in.waiting[0].until
}

// takeHeld takes what has waited in vain. Its points are not expected to have
// twins any more.
func (in *intake) takeHeld(ctx context.Context) {
	in.order.Lock()
	defer in.order.Unlock()
	in.mu.Lock()
	now := in.env.Now()
	var due []connector.Reading
	var cas []uint16
	for len(in.waiting) > 0 && !now.Before(in.waiting[0].until) {
		h := in.waiting[0]
		in.waiting = slices.Delete(in.waiting, 0, 1)
		due = append(due, h.reading)
		cas = append(cas, uint16(h.address>>caShift))
		if e := in.plan.find(h.address); e != nil {
			e.marks &^= markTwin
		}
	}
	in.mu.Unlock()
	if len(due) == 0 {
		return
	}
	if err := in.env.Readings.Take(ctx, due, nil); err != nil {
		in.env.Log.Warn("events without time tag are not kept, the station is interrogated", "error", err)
		in.mu.Lock()
		defer in.mu.Unlock()
		in.want(nil, cas)
	}
}
