package mapping

import (
	"strconv"

	"busbar/internal/point"
)

// Reading is a value that a source has decoded itself.
type Reading struct {
	Key         uint64      // of its points, see Input.Key
	Value       point.Value // of any type but text
	Time        point.Instant
	Quality     point.Quality
	TimeQuality point.TimeQuality
	// Repeats tells that the source has not said that the value is new, as in the answer to an
	// interrogation: if its point has the value, with the quality, it is no news.
	Repeats bool
}

// Take makes updates of readings, appends them to dst and returns it. The points
// of a key are taken in the order of the inputs of Compile. arrival is when the
// readings were received. A Time of zero is none: then it is the arrival, marked as
// substituted; one before the year 2000, or more than 10 minutes ahead of the arrival,
// is replaced by the arrival and marked as invalid.
//
// A reading that is of no use is not an error, as with Map.
func (s *Sources) Take(dst []point.Update, readings []Reading, arrival point.Instant) ([]point.Update, Outcome) {
	var out Outcome
	for i := range readings {
		r := &readings[i]
		n, ok := s.keys[r.Key]
		if !ok {
			out.note(NoSelector, point.None, "", "")
			continue
		}
		u := point.Update{Arrival: arrival, Source: s.source, Quality: r.Quality}
		u.Time, u.TimeQuality = r.stamp(arrival)
		if r.Repeats {
			u.Flags |= point.Repeated
		}
		g := &s.groups[n]
		rules := s.shapes[g.shape].rules
		for at := range rules {
			u.Point = s.points[g.first+uint32(at)]
			if u.TimeQuality&^r.TimeQuality == point.TimeInvalid {
				out.note(BadTime, u.Point, "", "")
			}
			dst = append(dst, rules[at].take(u, r, &out))
		}
	}
	return dst, out
}

// Keyed returns the points of a key, in the order of the inputs of Compile. They
// must not be changed.
func (s *Sources) Keyed(key uint64) []point.Index {
	n, ok := s.keys[key]
	if !ok {
		return nil
	}
	g := &s.groups[n]
	return s.points[g.first : int(g.first)+len(s.shapes[g.shape].rules)]
}

func (r *Reading) stamp(arrival point.Instant) (point.Instant, point.TimeQuality) {
	switch {
	case r.Time == 0:
		return arrival, r.TimeQuality | point.TimeSubstituted
	case r.Time < earliest || r.Time > arrival && r.Time-arrival > maxAhead:
		return arrival, r.TimeQuality | point.TimeInvalid
	default:
		return r.Time, r.TimeQuality
	}
}

// take fills in the value of an update.
func (r *rule) take(u point.Update, in *Reading, out *Outcome) point.Update {
	if r.more == nil && in.Value.Type() == r.typ && r.typ != point.Float {
		u.Value = in.Value
		return u
	}
	v, over, why := r.convertValue(in.Value)
	if why != 0 {
		out.note(why, u.Point, "", in.Value.String())
	}
	if v.Type() == 0 {
		u.Quality |= point.Invalid
		u.Flags |= point.KeepValue
		return u
	}
	u.Value = v
	if over {
		u.Quality |= point.Overflow
	}
	return u
}

// convertValue is convert for a value that was decoded already.
func (r *rule) convertValue(in point.Value) (v point.Value, over bool, why Reason) {
	if r.typ == point.Text {
		return r.convertText(tokenOfValue(in))
	}
	var n number
	if r.more != nil && r.more.enum != nil {
		n, why = r.more.enum.number(tokenOfValue(in))
	} else {
		n, why = numberOf(in, r.typ)
	}
	var lim *limits
	if why == 0 && r.more != nil {
		n, why = r.more.run(n, r.typ)
		lim = r.more.limits
	}
	if why != 0 {
		return v, false, why
	}
	v, over, why = valueOf(n, r.typ, lim)
	if r.typ == point.Step && in.Type() == point.Step && v.Type() == point.Step {
		position, _ := v.Step()
		_, transient := in.Step()
		v = point.StepValue(position, transient)
	}
	return v, over, why
}

// numberOf returns a value as a number for a point of type typ. The two end positions
// of a double point are those of a single point and the other way round; the other two
// states are none.
func numberOf(v point.Value, typ point.Type) (number, Reason) {
	switch v.Type() {
	case point.Single:
		return truth(v.Single(), typ), 0
	case point.Double:
		state := v.Double()
		if typ != point.Single {
			return integer(int64(state)), 0
		}
		if state != point.DoubleOff && state != point.DoubleOn {
			return number{}, OutOfRange
		}
		return truth(state == point.DoubleOn, typ), 0
	case point.Step:
		position, _ := v.Step()
		return integer(int64(position)), 0
	case point.Bits:
		return integer(int64(v.Bits())), 0
	case point.Int, point.Counter:
		return integer(v.Int()), 0
	case point.Float:
		return fraction(v.Float()), 0
	default:
		return number{}, WrongType
	}
}

// tokenOfValue returns what stands for a value in a map: the name of a state, or
// a number.
func tokenOfValue(v point.Value) token {
	switch v.Type() {
	case point.Single, point.Double:
		return token{text, v.String()}
	case point.Float:
		return token{numeric, strconv.FormatFloat(v.Float(), 'g', -1, 64)}
	case point.Text, 0:
		return token{kind: nested}
	default:
		n, _ := numberOf(v, point.Int)
		return token{numeric, strconv.FormatInt(n.i, 10)}
	}
}
