package linkdoctor

import (
	"fmt"
	"time"

	"busbar/iec104/asdu"
)

// clockView is what time tags show of the clock of the other side.
type clockView struct {
	offsets [clockSamples]clockSample // a ring, the newest events
	n       int

	tags, invalid, summer uint64 // objects not told of yet
	example               string
}

type clockSample struct {
	at     time.Time     // of arrival
	offset time.Duration // of the tag to that
}

const (
	clockSamples = 10
	// clockSpan is how long the samples have to take: events that had waited come
	// together, and their tags say nothing of the clock.
	clockSpan = 20 * time.Second
	// clockSpread is within what offsets are one.
	clockSpread = 10 * time.Second
	// clockFar is the difference of clocks that is told.
	clockFar = 2 * time.Second
	// zoneSpread is how far from a whole half hour a difference of zones may be.
	zoneSpread = time.Minute
)

// tags looks at the time tags of events.
func (l *link) tags(a *asdu.ASDU, objs []asdu.Object, now time.Time) {
	v := &l.clock
	for i := range objs {
		t := objs[i].Time
		v.tags++
		at, possible := t.Date(l.doctor.zone)
		if !possible || t.Invalid() {
			v.invalid++
			v.example = fmt.Sprintf("%s of common address %d, object address %d", a.Type, a.CA, objs[i].IOA)
			continue
		}
		if t.Summer() && l.inUTC() {
			v.summer++
		}
		v.offsets[v.n%clockSamples] = clockSample{now, at.Sub(now)}
		v.n++
	}
	l.compare(now)
}

func (l *link) inUTC() bool { return l.doctor.zone == nil || l.doctor.zone == time.UTC }

// compare looks whether the newest events have one offset.
func (l *link) compare(now time.Time) {
	v := &l.clock
	if v.n < clockSamples {
		return
	}
	first, least, most := v.offsets[0].at, v.offsets[0].offset, v.offsets[0].offset
	for _, s := range v.offsets[1:] {
		if s.at.Before(first) {
			first = s.at
		}
		least, most = min(least, s.offset), max(most, s.offset)
	}
	if now.Sub(first) < clockSpan || most-least > clockSpread {
		return
	}
	l.differs(most, "time tags of events are", v.summer > 0, now)
}

// stated looks at a time that the other side states for now.
func (l *link) stated(t asdu.Time, of asdu.TypeID, now time.Time) {
	at, possible := t.Date(l.doctor.zone)
	if !possible || t.Invalid() {
		l.clock.tags++
		l.clock.invalid++
		l.clock.example = of.String()
		return
	}
	l.differs(at.Sub(now), "the time of "+of.String()+" is", t.Summer(), now)
}

// differs tells of a difference of clocks.
func (l *link) differs(offset time.Duration, what string, summer bool, now time.Time) {
	zones := offset.Round(30 * time.Minute)
	su := "SU is not set"
	if summer {
		su = "SU is set"
	}
	switch {
	case zones != 0 && (offset-zones).Abs() <= zoneSpread && zones.Abs() <= 14*time.Hour:
		l.note(TimeZone, 1, now, func(uint64) words {
			return words{
				seen:   fmt.Sprintf("%s %s %s, %s: one side means local time, the other does not", what, hours(zones.Abs()), ahead(zones), su),
				wanted: "the same at both sides: UTC without SU, or local time with SU; here it is time, now " + l.zoneName(),
			}
		})
	case offset.Abs() >= clockFar:
		l.note(ClockOffset, 1, now, func(uint64) words {
			return words{
				seen:   fmt.Sprintf("%s %s %s", what, seconds(offset.Abs()), ahead(offset)),
				wanted: "both clocks synchronised, best with NTP or PTP at both sides",
			}
		})
	}
}

func ahead(d time.Duration) string {
	if d > 0 {
		return "ahead"
	}
	return "behind"
}

// hours writes a multiple of half an hour.
func hours(d time.Duration) string {
	return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
}

func (l *link) zoneName() string {
	if l.doctor.zone == nil {
		return "UTC"
	}
	return l.doctor.zone.String()
}

// reviewClock tells of what was counted.
func (l *link) reviewClock(now time.Time) {
	v := &l.clock
	if v.invalid > 0 && (l.doctor.role == Controlled || v.tags >= fewObjects && v.invalid*10 >= v.tags) {
		bad, tags := v.invalid, v.tags
		l.note(InvalidTime, bad, now, func(uint64) words {
			return words{
				seen:   fmt.Sprintf("%d of the last %d time tags are invalid or no possible date", bad, tags),
				wanted: "the clock of the other side synchronised", example: v.example,
			}
		})
		v.invalid, v.tags = 0, 0
	}
	if v.summer > 0 {
		l.note(SummerInUTC, v.summer, now, func(n uint64) words {
			return words{
				seen:   fmt.Sprintf("%d time tags had SU set, although they are to be UTC", n),
				wanted: "UTC without SU from the other side, or time here as the zone that it means",
			}
		})
		v.summer = 0
	}
	if v.tags > 10_000 {
		v.tags, v.invalid = 0, 0
	}
}
