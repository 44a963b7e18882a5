package iec104client

import (
	"time"

	"busbar/iec104/asdu"
	"busbar/internal/point"
)

// tagClock reads the time tags of a station. It belongs to one goroutine.
type tagClock struct {
	loc *time.Location
	su  bool // SU is used

	minute  asdu.Time // that was read last, as on the wire without what changes in it
	begins  point.Instant
	summer  bool // SU should be set in it
	isKnown bool
}

// within is what of a time tag changes within a minute, or says nothing about when
// it is.
const within = 0xFFFF | asdu.TimeInvalid | asdu.TimeSubstituted | 7<<37 // milliseconds, day of week

// verdict is what is found of a time tag beside the time.
type verdict uint8

const (
	fine    verdict = iota
	wrongSU         // SU is not what the zone has it to be
	noDate          // it is no possible date
)

// read returns the instant of a time tag that was received at a time, its quality,
// and what is wrong with it. What is no possible date has the instant 0.
func (c *tagClock) read(t asdu.Time, f asdu.TimeFormat, arrival time.Time) (point.Instant, point.TimeQuality, verdict) {
	var q point.TimeQuality
	if t.Invalid() {
		q |= point.TimeInvalid
	}
	if t.Substituted() {
		q |= point.TimeSubstituted
	}
	if f == asdu.CP24 {
		at, ok := t.Near(arrival.In(c.loc))
		if !ok {
			return 0, q | point.TimeInvalid, noDate
		}
		return point.InstantOf(at.Truncate(time.Millisecond)), q, fine
	}
	millis := t & 0xFFFF
	if millis > 59999 || (!c.isKnown || c.minute != t&^within) && !c.enter(t) {
		return 0, q | point.TimeInvalid, noDate
	}
	v := fine
	if c.summer != t.Summer() {
		v = wrongSU
	}
	return c.begins + point.Instant(millis)*point.Instant(time.Millisecond), q, v
}

// enter takes the minute of a time tag for the present one.
func (c *tagClock) enter(t asdu.Time) bool {
	at, ok := (t &^ 0xFFFF).Date(c.loc)
	if !ok {
		return false
	}
	c.minute, c.begins, c.summer, c.isKnown = t&^within, point.InstantOf(at), c.su && at.In(c.loc).IsDST(), true
	return true
}

// offset measures how far the clock of the station is behind that of this machine.
// An event comes later than it happened, never earlier, so the least difference
// of many is the nearest to the truth.
type offset struct {
	least   [2]time.Duration // of the present window and the one before
	samples [2]int
	began   time.Time // of the present window
}

const (
	offsetWindow = 5 * time.Minute
	// offsetSamples is how many events tell something together.
	offsetSamples = 8
	// noticeable is the difference of clocks that the operator is told.
	noticeable = 2 * time.Second
)

// add takes the time tag of an event that came at a time.
func (o *offset) add(tag point.Instant, arrival time.Time) {
	d := arrival.Sub(tag.Time())
	if arrival.Sub(o.began) >= offsetWindow {
		o.least[1], o.samples[1] = o.least[0], o.samples[0]
		if arrival.Sub(o.began) >= 2*offsetWindow {
			o.samples[1] = 0
		}
		o.samples[0], o.began = 0, arrival
	}
	if o.samples[0] == 0 || d < o.least[0] {
		o.least[0] = d
	}
	o.samples[0]++
}

// get returns how far the clock of the station is behind; false: not known.
func (o *offset) get() (time.Duration, bool) {
	switch {
	case o.samples[0]+o.samples[1] < offsetSamples:
		return 0, false
	case o.samples[0] == 0:
		return o.least[1], true
	case o.samples[1] == 0:
		return o.least[0], true
	default:
		return min(o.least[0], o.least[1]), true
	}
}
