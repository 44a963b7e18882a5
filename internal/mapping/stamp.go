package mapping

import (
	"math"
	"strconv"
	"strings"
	"time"

	"busbar/internal/point"
)

// maxAhead is how far a source time may be ahead of the arrival.
const maxAhead = point.Instant(10 * time.Minute)

// earliest is the first time that is taken as one: the time tags of IEC
// 60870-5-104 have years from 2000. What is older is the uptime of a device
// whose clock was never set.
const earliest = point.Instant(946684800 * int64(time.Second))

// stamp is a time and what is known of it.
type stamp struct {
	time    point.Instant
	quality point.TimeQuality
}

// stampOf returns the source time of a message. Without a time (absent or
// null) it is the arrival, marked as substituted. What is no time, before the
// year 2000 or more than 10 minutes ahead of the arrival is replaced by the
// arrival and marked as invalid; ok is then false.
func stampOf(t token, arrival point.Instant) (s stamp, ok bool) {
	var at point.Instant
	switch t.kind {
	case absent, null:
		return stamp{arrival, point.TimeSubstituted}, true
	case numeric:
		at, ok = parseUnix(t.text)
	case text:
		if at, ok = parseUnix(strings.TrimSpace(t.text)); !ok {
			at, ok = parseRFC3339(t.text)
		}
	}
	if !ok || at < earliest || at > arrival && at-arrival > maxAhead {
		return stamp{arrival, point.TimeInvalid}, false
	}
	return stamp{at, 0}, true
}

func parseRFC3339(s string) (point.Instant, bool) {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || t.Year() < 1970 || t.Year() > 2261 { // beyond, nanoseconds overflow
		return 0, false
	}
	return point.Instant(t.UnixNano()), true
}

// units of Unix time, with the magnitude from which a number is in the next.
// Seconds are below it until the year 5138; times since 2000 in milliseconds,
// microseconds and nanoseconds are above it.
var units = [...]struct {
	below int64
	nanos int64
	zeros int // decimal digits of nanos
}{
	{1e11, 1e9, 9},
	{1e14, 1e6, 6},
	{1e17, 1e3, 3},
	{math.MaxInt64, 1, 0},
}

// parseUnix returns the time that a decimal number since 1970 stands for, in
// seconds, milliseconds, microseconds or nanoseconds as its magnitude says.
// Digits beyond nanoseconds are cut off. Numbers with an exponent are taken to
// the microsecond.
func parseUnix(s string) (point.Instant, bool) {
	digits, part, _ := strings.Cut(s, ".")
	if digits == "" || !isDigits(digits) || !isDigits(part) {
		return parseUnixFloat(s)
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return 0, false
	}
	for _, u := range units {
		if n >= u.below {
			continue
		}
		if n > math.MaxInt64/u.nanos-1 {
			return 0, false
		}
		return point.Instant(n*u.nanos + decimals(part, u.zeros)), true
	}
	return 0, false
}

// decimals returns the first n digits after the point as an integer.
func decimals(part string, n int) int64 {
	var v int64
	for i := range n {
		v *= 10
		if i < len(part) {
			v += int64(part[i] - '0')
		}
	}
	return v
}

func parseUnixFloat(s string) (point.Instant, bool) {
	n, ok := parseNumber(s)
	f := n.float()
	if !ok || !(f >= 0) || f >= 1e19 {
		return 0, false
	}
	for _, u := range units {
		if f < float64(u.below) {
			micros := math.Round(f * float64(u.nanos) / 1e3)
			if micros >= math.MaxInt64/1e3 {
				return 0, false
			}
			return point.Instant(micros) * 1e3, true
		}
	}
	return 0, false
}
