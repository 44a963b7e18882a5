package asdu

import (
	"encoding/hex"
	"math"
	"strconv"
	"time"
)

// AppendJSON appends the ASDU as one JSON object with the members typeId, type,
// sq, count, cot, cotId, negative, test, oa, ca and objects, an array of what
// [Header.AppendJSON] appends. loc is the zone of the stations' clocks, nil for
// UTC.
func (a *ASDU) AppendJSON(dst []byte, loc *time.Location) []byte {
	dst = append(dst, '{')
	dst = appendInt(dst, "typeId", int64(a.Type))
	dst = appendWord(dst, "type", a.Type.word())
	dst = appendBool(dst, "sq", a.SQ)
	dst = appendInt(dst, "count", int64(a.N))
	dst = a.appendCause(dst)
	dst = appendInt(dst, "ca", int64(a.CA))
	dst = append(appendKey(dst, "objects"), '[')
	objs := a.AppendObjects(make([]Object, 0, a.Count()))
	for i := range objs {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = a.Header.AppendJSON(dst, &objs[i], loc)
	}
	return append(dst, ']', '}')
}

// AppendJSON appends one information object of an ASDU with this header as a
// JSON object. Members that the type does not have are absent. loc is the zone
// of the stations' clocks, nil for UTC; times are printed in UTC.
func (h Header) AppendJSON(dst []byte, o *Object, loc *time.Location) []byte {
	r := h.Type.row()
	dst = append(dst, '{')
	dst = appendInt(dst, "ca", int64(h.CA))
	dst = appendInt(dst, "ioa", int64(o.IOA))
	dst = appendWord(dst, "type", h.Type.word())
	dst = appendInt(dst, "typeId", int64(h.Type))
	dst = h.appendCause(dst)
	dst = r.appendValue(dst, o)
	if r.elem.hasQuality() {
		dst = appendQuality(dst, o.Quality)
	}
	switch r.time {
	case CP56:
		dst = appendCP56(dst, o.Time, loc)
	case CP24:
		dst = appendCP24(dst, o.Time)
	}
	dst = r.appendFurther(dst, h.Type, o, loc)
	return append(dst, '}')
}

// word returns the mnemonic, or "unknown".
func (t TypeID) word() string {
	if name := t.row().name; name != "" {
		return name
	}
	return "unknown"
}

func (h Header) appendCause(dst []byte) []byte {
	dst = appendWord(dst, "cot", h.Cause.String())
	dst = appendInt(dst, "cotId", int64(h.Cause))
	dst = appendBool(dst, "negative", h.Negative)
	dst = appendBool(dst, "test", h.Test)
	return appendInt(dst, "oa", int64(h.OA))
}

func appendQuality(dst []byte, q Quality) []byte {
	dst = append(appendKey(dst, "quality"), '[')
	first := true
	for _, w := range qualityWords {
		if q&w.bit == 0 {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, '"'), w.word...), '"')
		first = false
	}
	return append(dst, ']')
}

// appendCP56 appends the members of a CP56Time2a. The date is null if there is
// no such date.
func appendCP56(dst []byte, t Time, loc *time.Location) []byte {
	date, ok := t.Date(loc)
	dst = appendKey(dst, "time")
	if ok {
		dst = date.UTC().AppendFormat(dst, `"2006-01-02T15:04:05.000Z"`)
	} else {
		dst = append(dst, "null"...)
	}
	dst = appendBool(dst, "timeInvalid", t.Invalid() || !ok)
	dst = appendBool(dst, "summerTime", t.Summer())
	dst = appendBool(dst, "timeSubstituted", t.Substituted())
	dst = appendInt(dst, "dayOfWeek", int64(t.Clock().Weekday))
	if !ok {
		var b [8]byte
		putCP56(b[:], t)
		dst = appendHex(dst, "timeOctets", b[:7])
	}
	return dst
}

// appendCP24 appends the members of a CP24Time2a, which has no hour and no
// date: minute, second and millisecond.
func appendCP24(dst []byte, t Time) []byte {
	c := t.Clock()
	ok := c.Millisecond <= maxMillis && c.Minute <= 59
	dst = appendKey(dst, "time")
	if ok {
		at := time.Unix(0, 0).UTC().Add(time.Duration(c.Minute)*time.Minute + time.Duration(c.Millisecond)*time.Millisecond)
		dst = at.AppendFormat(dst, `"04:05.000"`)
	} else {
		dst = append(dst, "null"...)
	}
	dst = appendBool(dst, "timeInvalid", t.Invalid() || !ok)
	dst = appendBool(dst, "timeSubstituted", t.Substituted())
	if !ok {
		dst = appendHex(dst, "timeOctets", []byte{byte(t), byte(t >> 8), byte(t >> 16)})
	}
	return dst
}

// appendFloat appends the shortest number that is v again when read with the
// given precision, NaN and infinities as strings.
func appendFloat(dst []byte, v float64, precision int) []byte {
	switch {
	case math.IsNaN(v):
		return append(dst, `"NaN"`...)
	case math.IsInf(v, 1):
		return append(dst, `"Infinity"`...)
	case math.IsInf(v, -1):
		return append(dst, `"-Infinity"`...)
	}
	format := byte('f')
	if abs := math.Abs(v); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(dst, v, format, -1, precision)
}

func appendInt(dst []byte, key string, v int64) []byte {
	return strconv.AppendInt(appendKey(dst, key), v, 10)
}

func appendBool(dst []byte, key string, v bool) []byte {
	return strconv.AppendBool(appendKey(dst, key), v)
}

// appendWord appends a member whose value needs no escaping.
func appendWord(dst []byte, key, v string) []byte {
	return append(append(append(appendKey(dst, key), '"'), v...), '"')
}

func appendHex(dst []byte, key string, v []byte) []byte {
	return append(hex.AppendEncode(append(appendKey(dst, key), '"'), v), '"')
}

// appendKey appends the name of a member, with a comma if it is not the first.
func appendKey(dst []byte, key string) []byte {
	if dst[len(dst)-1] != '{' {
		dst = append(dst, ',')
	}
	return append(append(append(dst, '"'), key...), '"', ':')
}
