package mapping

import (
	"fmt"
	"strings"

	"busbar/internal/point"
)

// Reason is why a message, or a value in it, was not taken as it is.
type Reason uint8

// The reasons. Those of messages are counted once per selector that matched,
// those of values once per point.
const (
	NoSelector Reason = iota + 1 // message: no point has such a selector
	Empty                        // message: no payload, as when a retained message is deleted; no effect
	NotJSON                      // message: not JSON, but points have paths into it; they become IV
	TooLong                      // message: longer than the limit; the points become IV
	TooDeep                      // message: nested too deep; the points become IV
	Missing                      // value: the path is absent; no effect, or IV
	Null                         // value: null; IV
	WrongType                    // value: not what the type of the point needs; IV
	NotInMap                     // value: not in the map of the point; IV
	NotFinite                    // value: NaN or infinite; IV
	OutOfRange                   // value: beyond limits or type; clamped and OV where that has a meaning, otherwise IV
	BadFormula                   // value: the expression failed; IV
	BadTime                      // value: the time is no time, or too far ahead; time of arrival, time invalid
	BadQuality                   // value: the quality is not in its map; IV
	reasonCount
)

var reasonNames = [reasonCount]string{
	"none", "no_selector", "empty", "not_json", "too_long", "too_deep", "missing", "null", "wrong_type", "not_in_map",
	"not_finite", "out_of_range", "bad_formula", "bad_time", "bad_quality",
}

// String returns the name in snake_case, as it is used in labels of metrics.
func (r Reason) String() string {
	if r < reasonCount {
		return reasonNames[r]
	}
	return "unknown"
}

// Reasons returns all reasons, for those who keep a count of each.
func Reasons() []Reason {
	all := make([]Reason, 0, reasonCount-1)
	for r := NoSelector; r < reasonCount; r++ {
		all = append(all, r)
	}
	return all
}

// Outcome is what Map found in one message.
type Outcome struct {
	counts [reasonCount]uint32
	first  fault
}

// fault is one finding, kept until somebody wants to read it.
type fault struct {
	reason Reason
	point  point.Index
	path   string
	got    string
}

// maxExcerpt is how much of an offending value is kept, in octets.
const maxExcerpt = 60

// Count returns how often the reason occurred.
func (o *Outcome) Count(r Reason) int {
	if r >= reasonCount {
		return 0
	}
	return int(o.counts[r])
}

// Clean reports whether there was no reason at all.
func (o *Outcome) Clean() bool { return o.first.reason == 0 }

// First returns the first reason and the point it concerns, [point.None] if it
// concerns the message; a missing path is named only if there was nothing else.
// Without any reason it is zero.
func (o *Outcome) First() (Reason, point.Index) { return o.first.reason, o.first.point }

// Text returns the first reason in words, for people; empty without any. It
// names the path and the value that was found, but not the point.
func (o *Outcome) Text() string {
	f := o.first
	if f.reason == 0 {
		return ""
	}
	text := strings.ReplaceAll(f.reason.String(), "_", " ")
	if f.path != "" {
		text = f.path + ": " + text
	}
	if f.got != "" {
		text = fmt.Sprintf("%s: %q", text, f.got)
	}
	return text
}

// note counts a reason. got is copied, and only of the first.
func (o *Outcome) note(r Reason, p point.Index, path, got string) {
	o.counts[r]++
	if o.first.reason != 0 && o.first.reason != Missing {
		return
	}
	if o.first.reason == r {
		return
	}
	if len(got) > maxExcerpt {
		got = got[:maxExcerpt]
	}
	o.first = fault{reason: r, point: p, path: path, got: strings.Clone(got)}
}
