package e2e

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"busbar/test/capture"
)

// reading is one object in monitor direction, in words that tshark, the JSON of
// Busbar and the tests can all be brought to.
type reading struct {
	Type, CA, IOA, Cause int
	Value                string // normalised values as the 16-bit number
	Quality              string // words of the quality, sorted
	Transient            bool
	Sequence             int    // of a counter
	Time                 string // of the source, "" without time tag
	TimeInvalid          bool
	TimeSubstituted      bool
}

// jsonObject is the JSON of one object.
type jsonObject struct {
	CA, IOA, TypeID, CotID int
	Type, Cot              string
	Negative, Test         bool
	Value                  json.RawMessage
	Quality                []string
	Time                   string
	TimeInvalid            bool
	TimeSubstituted        bool
	SummerTime             bool
	Transient              bool
	Counter                struct {
		Sequence                 int
		Carry, Adjusted, Invalid bool
	}
}

// jsonReadings reads lines of JSON; those in control direction are left out.
func jsonReadings(t *testing.T, lines string) []reading {
	t.Helper()
	var out []reading
	for line := range strings.Lines(lines) {
		var o jsonObject
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if o.TypeID <= 40 {
			out = append(out, o.reading(t))
		}
	}
	return out
}

func (o jsonObject) reading(t *testing.T) reading {
	t.Helper()
	slices.Sort(o.Quality)
	r := reading{
		Type: o.TypeID, CA: o.CA, IOA: o.IOA, Cause: o.CotID, Value: strings.Trim(string(o.Value), `"`),
		Quality: strings.Join(o.Quality, " "), Transient: o.Transient, Sequence: o.Counter.Sequence,
		Time: o.Time, TimeInvalid: o.TimeInvalid, TimeSubstituted: o.TimeSubstituted,
	}
	switch o.TypeID {
	case 9, 21, 34:
		v, err := strconv.ParseFloat(r.Value, 64)
		if err != nil {
			t.Fatalf("value %s: %v", r.Value, err)
		}
		r.Value = strconv.FormatFloat(v*32768, 'f', -1, 64)
	case 13, 36:
		v, err := strconv.ParseFloat(r.Value, 32)
		if err != nil {
			t.Fatalf("value %s: %v", r.Value, err)
		}
		r.Value = floatWord(float32(v))
	}
	return r
}

func floatWord(f float32) string { return strconv.FormatFloat(float64(f), 'g', -1, 32) }

// tsharkReadings returns what tshark has read of objects in monitor direction.
func tsharkReadings(t *testing.T, d capture.Decoded) []reading {
	t.Helper()
	var out []reading
	for _, a := range d.Sent(true) {
		if a.Type > 40 {
			continue
		}
		for _, o := range a.Objects {
			r := reading{Type: a.Type, CA: a.CA, IOA: o.IOA, Cause: a.Cause}
			r.setValue(t, o)
			r.setTime(t, o)
			out = append(out, r)
		}
	}
	return out
}

var doubleWords = [...]string{"intermediate", "off", "on", "indeterminate"}

func (r *reading) setValue(t *testing.T, o capture.Object) {
	t.Helper()
	octets := func(name string) []byte { return o.Fields[name].Octets }
	switch r.Type {
	case 1, 30:
		r.Value, r.Quality = strconv.FormatBool(o.Int(t, "siq.spi") == 1), tsharkQuality(t, o, "siq", "bl", "sb", "nt", "iv")
		return
	case 3, 31:
		r.Value, r.Quality = doubleWords[o.Int(t, "diq.dpi")], tsharkQuality(t, o, "diq", "bl", "sb", "nt", "iv")
		return
	case 15, 37:
		r.Value, r.Sequence = o.Fields["bcr.count"].Show, o.Int(t, "bcr.sq")
		r.Quality = tsharkQuality(t, o, "bcr", "cy", "ca", "iv")
		return
	case 5, 32:
		r.Value, r.Transient = o.Fields["vti.v"].Show, o.Int(t, "vti.t") == 1
	case 7, 33: // tshark shows the octets in the order of the wire
		r.Value = fmt.Sprint(binary.LittleEndian.Uint32(octets("bitstring")))
	case 9, 21, 34:
		r.Value = fmt.Sprint(int16(binary.LittleEndian.Uint16(octets("normval"))))
		checkShown(t, o, "normval", float64(int16(binary.LittleEndian.Uint16(octets("normval"))))/32768)
	case 11, 35:
		r.Value = o.Fields["scalval"].Show
	case 13, 36:
		f := math.Float32frombits(binary.LittleEndian.Uint32(octets("float")))
		r.Value = floatWord(f)
		checkShown(t, o, "float", float64(f))
	default:
		t.Fatalf("type %d has no fields in tshark", r.Type)
	}
	if r.Type != 21 {
		r.Quality = tsharkQuality(t, o, "qds", "ov", "bl", "sb", "nt", "iv")
	}
}

// checkShown compares what tshark shows, in few digits, with the octets.
func checkShown(t *testing.T, o capture.Object, field string, want float64) {
	t.Helper()
	got, err := strconv.ParseFloat(o.Fields[field].Show, 64)
	if err != nil || math.Abs(got-want) > 1e-5*math.Abs(want) {
		t.Errorf("IOA %d: tshark shows %s = %s for %v", o.IOA, field, o.Fields[field].Show, want)
	}
}

var qualityWords = map[string]string{
	"ov": "overflow", "bl": "blocked", "sb": "substituted", "nt": "not-topical", "iv": "invalid",
	"cy": "carry", "ca": "adjusted",
}

func tsharkQuality(t *testing.T, o capture.Object, field string, bits ...string) string {
	t.Helper()
	var words []string
	for _, b := range bits {
		if o.Int(t, field+"."+b) == 1 {
			words = append(words, qualityWords[b])
		}
	}
	slices.Sort(words)
	return strings.Join(words, " ")
}

func (r *reading) setTime(t *testing.T, o capture.Object) {
	t.Helper()
	if _, ok := o.Fields["cp56time"]; !ok {
		return
	}
	part := func(name string) int { return o.Int(t, "cp56time."+name) }
	r.Time = fmt.Sprintf("20%02d-%02d-%02dT%02d:%02d:%02d.%03dZ", part("year"), part("month"), part("day"),
		part("hour"), part("min"), part("ms")/1000, part("ms")%1000)
	r.TimeInvalid, r.TimeSubstituted = part("iv") == 1, part("gen") == 1
	if part("su") != 0 {
		t.Errorf("IOA %d: summer time in UTC", o.IOA)
	}
}
