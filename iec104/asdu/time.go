package asdu

import "time"

// Time is a time tag as on the wire: the seven octets of CP56Time2a, the first
// in the lowest bits, or the three of CP24Time2a, which are the first three of
// CP56Time2a. It is decoded only when asked for. Zero is not a possible date.
//
// The standard leaves to an agreement whether stations use UTC or local time;
// both sides must be set alike. Years are two digits and mean 2000 … 2099.
type Time uint64

// The bits of a time tag.
const (
	TimeSubstituted Time = 1 << 22 // stamped by an intermediate station, not at the source
	TimeInvalid     Time = 1 << 23 // not to be trusted, as of a clock never synchronised
	TimeSummer      Time = 1 << 31 // SU: summer time in force for this time
)

const (
	maskDay    Time = 7 << 37 // day of week
	maxMillis       = 59999   // milliseconds of a minute
	firstYear       = 2000
	yearsCount      = 100
)

// Clock is a time tag field by field.
type Clock struct {
	Year        int // 0 … 99 of the century, up to 127 on the wire
	Month       int // 1 … 12
	Day         int // 1 … 31
	Weekday     int // 1 is Monday, 7 Sunday; 0 not used
	Hour        int // 0 … 23
	Minute      int // 0 … 59
	Millisecond int // of the minute, 0 … 59999
	Invalid     bool
	Substituted bool
	Summer      bool
}

// Clock returns the fields as they are on the wire, possible or not.
func (t Time) Clock() Clock {
	return Clock{
		Millisecond: int(t & 0xFFFF),
		Minute:      int(t >> 16 & 0x3F),
		Hour:        int(t >> 24 & 0x1F),
		Day:         int(t >> 32 & 0x1F),
		Weekday:     int(t >> 37 & 7),
		Month:       int(t >> 40 & 0x0F),
		Year:        int(t >> 48 & 0x7F),
		Invalid:     t.Invalid(),
		Substituted: t.Substituted(),
		Summer:      t.Summer(),
	}
}

// Time returns the fields as a time tag. The 61st second of a minute, which
// cannot be expressed, becomes its last millisecond.
func (c Clock) Time() Time {
	t := Time(min(c.Millisecond, maxMillis)) | Time(c.Minute&0x3F)<<16 | Time(c.Hour&0x1F)<<24 |
		Time(c.Day&0x1F)<<32 | Time(c.Weekday&7)<<37 | Time(c.Month&0x0F)<<40 | Time(c.Year&0x7F)<<48
	if c.Invalid {
		t |= TimeInvalid
	}
	if c.Substituted {
		t |= TimeSubstituted
	}
	if c.Summer {
		t |= TimeSummer
	}
	return t
}

// Invalid reports whether the sender marks the time as invalid.
func (t Time) Invalid() bool { return t&TimeInvalid != 0 }

// Substituted reports whether the time was stamped by an intermediate station.
func (t Time) Substituted() bool { return t&TimeSubstituted != 0 }

// Summer reports whether SU is set. CP24Time2a does not have it.
func (t Time) Summer() bool { return t&TimeSummer != 0 }

// WithoutWeekday returns t with day of week 0, not used, for peers that demand
// it.
func (t Time) WithoutWeekday() Time { return t &^ maskDay }

// TimeOf returns an instant as CP56Time2a on the clock of loc, nil for UTC. It
// is truncated to milliseconds, never rounded up. SU is set when summer time is
// in force in loc at that instant. A year outside 2000 … 2099 cannot be
// expressed: the time is marked invalid.
func TimeOf(t time.Time, loc *time.Location) Time {
	if loc == nil {
		loc = time.UTC
	}
	t = t.In(loc)
	year, month, day := t.Date()
	weekday := int(t.Weekday())
	if weekday == 0 {
		weekday = 7
	}
	return Clock{
		Year:        ((year-firstYear)%yearsCount + yearsCount) % yearsCount,
		Month:       int(month),
		Day:         day,
		Weekday:     weekday,
		Hour:        t.Hour(),
		Minute:      t.Minute(),
		Millisecond: t.Second()*1000 + t.Nanosecond()/int(time.Millisecond),
		Invalid:     year < firstYear || year >= firstYear+yearsCount,
		Summer:      t.IsDST(),
	}.Time()
}

// Date returns the instant of a CP56Time2a on the clock of loc, nil for UTC.
// It is false if the fields are no possible date; whether the sender marks the
// time as invalid is told by [Time.Invalid] alone. The day of the week is not
// looked at.
//
// With UTC, SU has no meaning and is ignored. In another zone the clock decides;
// SU does where it leaves a choice: in the hour that comes twice when summer
// time ends, and in the hour that does not exist when it begins.
func (t Time) Date(loc *time.Location) (time.Time, bool) {
	c := t.Clock()
	if c.Millisecond > maxMillis || c.Minute > 59 || c.Hour > 23 || c.Month < 1 || c.Month > 12 || c.Year >= yearsCount ||
		c.Day < 1 || c.Day > daysIn(firstYear+c.Year, time.Month(c.Month)) {
		return time.Time{}, false
	}
	wall := time.Date(firstYear+c.Year, time.Month(c.Month), c.Day, c.Hour, c.Minute, 0, 0, time.UTC).
		Add(time.Duration(c.Millisecond) * time.Millisecond)
	if loc == nil || loc == time.UTC {
		return wall, true
	}
	return inZone(wall, loc, c.Summer), true
}

// inZone returns the instant at which clocks in loc show what wall shows in
// UTC.
func inZone(wall time.Time, loc *time.Location, summer bool) time.Time {
	const aroundTransition = 24 * time.Hour
	before, after := at(wall, loc, wall.Add(-aroundTransition)), at(wall, loc, wall.Add(aroundTransition))
	if before.Equal(after) {
		return before
	}
	fits, fitsAfter := shows(before, wall), shows(after, wall)
	switch {
	case fits && !fitsAfter:
		return before
	case fitsAfter && !fits:
		return after
	case wall.Add(-aroundTransition).In(loc).IsDST() == summer:
		return before
	default:
		return after
	}
}

// at returns the instant that clocks would show as wall with the offset that
// is in force in loc at ref.
func at(wall time.Time, loc *time.Location, ref time.Time) time.Time {
	_, offset := ref.In(loc).Zone()
	return wall.Add(-time.Duration(offset) * time.Second).In(loc)
}

// shows reports whether the clock of t's zone shows what wall shows in UTC.
func shows(t, wall time.Time) bool {
	_, offset := t.Zone()
	return t.Add(time.Duration(offset) * time.Second).Equal(wall)
}

func daysIn(year int, m time.Month) int { return time.Date(year, m+1, 0, 0, 0, 0, 0, time.UTC).Day() }

// Near returns the instant of a CP24Time2a, which has neither hour nor date:
// the one nearest to now, at most 30 minutes away, on the clock of now's
// location. It is false if the fields are not possible.
func (t Time) Near(now time.Time) (time.Time, bool) {
	c := t.Clock()
	if c.Millisecond > maxMillis || c.Minute > 59 {
		return time.Time{}, false
	}
	intoHour := time.Duration(now.Minute())*time.Minute + time.Duration(now.Second())*time.Second + time.Duration(now.Nanosecond())
	tag := time.Duration(c.Minute)*time.Minute + time.Duration(c.Millisecond)*time.Millisecond
	away := tag - intoHour
	switch {
	case away > time.Hour/2:
		away -= time.Hour
	case away < -time.Hour/2:
		away += time.Hour
	}
	return now.Add(away), true
}

// Complete returns a CP24Time2a as the CP56Time2a of the instant nearest to now,
// see [Time.Near], on the clock of now's location. A time that is not possible is
// marked invalid, and has now's hour and date.
func (t Time) Complete(now time.Time) Time {
	at, ok := t.Near(now)
	if !ok {
		return TimeOf(now, now.Location()) | TimeInvalid
	}
	return TimeOf(at, now.Location()) | t&(TimeInvalid|TimeSubstituted)
}
