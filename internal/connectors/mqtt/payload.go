package mqtt

import (
	"math"
	"strconv"
	"unicode/utf8"

	"busbar/internal/connector"
	"busbar/internal/point"
)

// reading is what a message says.
type reading struct {
	about   *about
	value   point.Value // without a type: the point was never received
	time    point.Instant
	arrival point.Instant
	quality point.Quality
	timeQ   point.TimeQuality
	seq     uint64
	convert connector.Linear
}

// appendJSON appends the JSON of a reading, as docs/values.md has it. It allocates
// nothing.
func appendJSON(b []byte, r *reading) []byte {
	b = appendString(append(b, `{"point":`...), r.about.Point)
	b = appendValue(append(b, `,"value":`...), r.value, r.convert)
	if r.value.Type() == point.Step {
		_, transit := r.value.Step()
		b = strconv.AppendBool(append(b, `,"transient":`...), transit)
	}
	if r.about.Unit != "" {
		b = appendString(append(b, `,"unit":`...), r.about.Unit)
	}
	b = appendQuality(append(b, `,"quality":`...), r.quality)
	if r.time != 0 {
		b = append(appendTime(append(b, `,"time":"`...), r.time), '"')
	}
	if r.timeQ&point.TimeInvalid != 0 {
		b = append(b, `,"timeInvalid":true`...)
	}
	if r.timeQ&point.TimeSubstituted != 0 {
		b = append(b, `,"timeSubstituted":true`...)
	}
	if r.arrival != 0 {
		b = append(appendTime(append(b, `,"received":"`...), r.arrival), '"')
	}
	return append(strconv.AppendUint(append(b, `,"seq":`...), r.seq, 10), '}')
}

// appendValue appends a value as JSON: true and false, names of states, numbers,
// texts, null without a value.
func appendValue(b []byte, v point.Value, c connector.Linear) []byte {
	switch v.Type() {
	case point.Single:
		return strconv.AppendBool(b, v.Single())
	case point.Double:
		return append(append(append(b, '"'), v.Double().String()...), '"')
	case point.Bits:
		return strconv.AppendUint(b, uint64(v.Bits()), 10)
	case point.Text:
		return appendString(b, v.Text())
	case point.Step, point.Int, point.Counter, point.Float:
		n, _ := v.Number()
		return appendNumber(b, v, n, c)
	default:
		return append(b, "null"...)
	}
}

// appendNumber appends a value that is a number, converted for the target.
// Integers that are not converted keep all their digits.
func appendNumber(b []byte, v point.Value, n float64, c connector.Linear) []byte {
	switch converted := (c.Scale != 0 && c.Scale != 1) || c.Offset != 0; {
	case converted && v.Type() != point.Bits && v.Type() != point.Single && v.Type() != point.Double:
		return appendFloat(b, c.Apply(n))
	case v.Type() == point.Float:
		return appendFloat(b, n)
	case v.Type() == point.Int, v.Type() == point.Counter:
		return strconv.AppendInt(b, v.Int(), 10)
	default:
		return strconv.AppendInt(b, int64(n), 10)
	}
}

// appendFloat appends the shortest decimal that is read as the same bits: of a
// number that a float32 holds as those of a float32, of others as those of a
// float64. NaN and infinities are strings.
func appendFloat(b []byte, f float64) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(strconv.AppendFloat(append(b, '"'), f, 'g', -1, 64), '"')
	}
	format := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	if short := float32(f); float64(short) == f {
		at := len(b)
		b = strconv.AppendFloat(b, f, format, -1, 32)
		// A reader of float64 rounds twice on the way to float32.
		if back, err := strconv.ParseFloat(string(b[at:]), 64); err == nil && float32(back) == short {
			return b
		}
		b = b[:at]
	}
	return strconv.AppendFloat(b, f, format, -1, 64)
}

// appendQuality appends the words of a quality as a JSON array.
func appendQuality(b []byte, q point.Quality) []byte {
	b = append(b, '[')
	if q != 0 {
		for i, word := range q.Words() {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(append(append(b, '"'), word...), '"')
		}
	}
	return append(b, ']')
}

// appendTime appends a time in UTC as RFC 3339 has it: with milliseconds, or as
// many more digits as it has.
func appendTime(b []byte, i point.Instant) []byte {
	format := "2006-01-02T15:04:05.000Z"
	switch {
	case i%1e3 != 0:
		format = "2006-01-02T15:04:05.000000000Z"
	case i%1e6 != 0:
		format = "2006-01-02T15:04:05.000000Z"
	}
	return i.Time().AppendFormat(b, format)
}

// appendString appends a text as a JSON string.
func appendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < ' ':
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		case c < utf8.RuneSelf:
			b = append(b, c)
		default:
			r, size := utf8.DecodeRuneInString(s[i:])
			b = utf8.AppendRune(b, r) // what is no UTF-8 becomes U+FFFD
			i += size
			continue
		}
		i++
	}
	return append(b, '"')
}

// appendUserProperties appends what a message says of its point in properties.
func appendUserProperties(b []byte, id string, seq uint64) []byte {
	b = appendUser(b, "point", id)
	at := len(append(b, propertyUser)) + 2 + len("seq")
	b = appendUser(b, "seq", "")
	b = strconv.AppendUint(b, seq, 10)
	n := len(b) - at - 2
	b[at], b[at+1] = byte(n>>8), byte(n)
	return b
}
