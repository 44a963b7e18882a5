package image

import "busbar/internal/point"

// unknown is the quality of a point that was never received.
const unknown = point.Invalid | point.NotTopical

// cell is the state of a point as it is stored: 40 octets, without a pointer,
// so that the garbage collector has nothing to look at in a million of them.
// Texts are kept beside.
type cell struct {
	bits          uint64
	time, arrival point.Instant
	seq           uint64 // 0: no value yet
	source        point.Source
	typ           point.Type // 0: not defined
	quality       point.Quality
	kept          point.Quality // what outlives the process: that from before point.Restored
	timeQuality   point.TimeQuality
	transient     bool
	refused       bool // it is not kept: its source will send it again
}

// newCell returns the state of a point that was never received.
func newCell(t point.Type) cell { return cell{typ: t, quality: unknown, kept: unknown} }

// known reports whether there is a value.
func (c *cell) known() bool { return c.seq != 0 }

func (c *cell) value(text string) point.Value {
	if c.typ != point.Text {
		text = ""
	}
	return point.Restore(c.typ, c.bits, c.transient, text)
}

// state returns the state as it is told.
func (c *cell) state(text string) point.State {
	s := point.State{Time: c.time, Arrival: c.arrival, Seq: c.seq, Source: c.source, Quality: c.quality, TimeQuality: c.timeQuality}
	if c.known() {
		s.Value = c.value(text)
	}
	return s
}

// takes reports whether an update has anything to say, after keep.
func (c *cell) takes(u *point.Update) bool {
	if u.Flags&point.KeepValue != 0 && !c.known() || u.Value.Type() != c.typ {
		return false
	}
	return u.Flags&point.Retained == 0 || c.wantsRetained(u)
}

// keep fills in what an update with KeepValue leaves as it is.
func (c *cell) keep(u *point.Update, text string) {
	u.Value = c.value(text)
	if u.Time == 0 {
		u.Time, u.TimeQuality = c.time, c.timeQuality
	}
	if u.Arrival == 0 {
		u.Arrival = c.arrival
	}
}

// set makes the update the state.
func (c *cell) set(u *point.Update, seq uint64) {
	c.bits, c.transient = u.Value.Raw()
	c.time, c.arrival, c.seq = u.Time, u.Arrival, seq
	c.source, c.quality, c.timeQuality = u.Source, u.Quality, u.TimeQuality
	if u.Flags&point.Restored == 0 {
		c.kept = u.Quality
	}
	c.refused = false
}

// substitute are the marks of a time that is not known to be the source's own.
const substitute = point.TimeInvalid | point.TimeSubstituted

// isLate reports whether the update happened before the state, by the times
// that the source gave to both.
func (c *cell) isLate(u *point.Update) bool {
	return c.known() && !c.refused && u.Time < c.time && (u.TimeQuality|c.timeQuality)&substitute == 0
}

// wantsRetained reports whether a retained update is news: the first, newer by
// its own time, or all there is of a point that is not topical.
func (c *cell) wantsRetained(u *point.Update) bool {
	if !c.known() || c.refused {
		return true
	}
	if u.TimeQuality&substitute != 0 {
		return c.quality&point.NotTopical != 0
	}
	return u.Time > c.time
}
