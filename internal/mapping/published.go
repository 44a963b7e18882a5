package mapping

import (
	"github.com/tidwall/gjson"

	"busbar/internal/point"
)

// marks are the paths of what a message that Busbar itself has published says besides
// value, time and quality; empty for others.
type marks struct{ timeInvalid, timeSubstituted, transient string }

func marksOf(busbar bool, typ point.Type) marks {
	if !busbar {
		return marks{}
	}
	m := marks{timeInvalid: "timeInvalid", timeSubstituted: "timeSubstituted"}
	if typ == point.Step {
		m.transient = "transient"
	}
	return m
}

// marked reports whether a mark is there and true.
func (m *message) marked(slot int32) bool {
	return slot != noSlot && m.form == formJSON && m.values[slot] == "true"
}

// remark applies the marks of a message to the time of an update: a time that was
// marked as invalid stays as it is, and is known to be.
func (m *message) remark(u *point.Update, r *rule) {
	if m.marked(r.timeInvalid) {
		tok := tokenOf(m.values[r.time])
		if at, ok := parseRFC3339(tok.text); ok && tok.kind == text && at >= earliest {
			u.Time = at
		}
		u.TimeQuality |= point.TimeInvalid
	}
	if m.marked(r.timeSubstituted) {
		u.TimeQuality |= point.TimeSubstituted
	}
}

// transient returns a value with the transit of a step position.
func (m *message) transient(v point.Value, r *rule) point.Value {
	if v.Type() != point.Step || !m.marked(r.transient) {
		return v
	}
	position, _ := v.Step()
	return point.StepValue(position, true)
}

// qualitiesOf returns the bits of a list of words: those of the map, and the standard
// ones.
func (p *process) qualitiesOf(list string) (all point.Quality, ok bool) {
	ok = true
	gjson.Parse(list).ForEach(func(_, item gjson.Result) bool {
		q, known := p.qualities[item.Str]
		if !known {
			q, known = point.ParseQuality(item.Str)
		}
		if item.Type != gjson.String || !known {
			q, ok = point.Invalid, false
		}
		all |= q
		return true
	})
	return all, ok
}
