package mapping

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"busbar/internal/plant"
	"busbar/internal/point"
)

func TestTime(t *testing.T) {
	t.Parallel()
	half := time.Date(2026, 1, 15, 10, 30, 0, 0, time.UTC)
	milli := half.Add(123 * time.Millisecond)
	nano := half.Add(123456789)
	for _, tt := range []struct {
		name, payload string
		want          time.Time // zero: the arrival
		quality       point.TimeQuality
		reason        Reason
	}{
		{"RFC 3339", `{"t":"2026-01-15T10:30:00Z"}`, half, 0, 0},
		{"RFC 3339 with a fraction", `{"t":"2026-01-15T10:30:00.123456789Z"}`, nano, 0, 0},
		{"RFC 3339 with a zone", `{"t":"2026-01-15T12:15:00+01:45"}`, half, 0, 0},
		{"seconds", `{"t":1768473000}`, half, 0, 0},
		{"seconds with decimals", `{"t":1768473000.123}`, milli, 0, 0},
		{"seconds with more decimals than nanoseconds", `{"t":1768473000.1234567899}`, nano, 0, 0},
		{"milliseconds", `{"t":1768473000123}`, milli, 0, 0},
		{"milliseconds with decimals", `{"t":1768473000123.456789}`, nano, 0, 0},
		{"microseconds", `{"t":1768473000123456}`, half.Add(123456 * time.Microsecond), 0, 0},
		{"nanoseconds", `{"t":1768473000123456789}`, nano, 0, 0},
		{"exponent", `{"t":1.768473e9}`, half, 0, 0},
		{"milliseconds with an exponent", `{"t":1.768473000123e+12}`, milli, 0, 0},
		{"number in a string", `{"t":" 1768473000123 "}`, milli, 0, 0},
		{"absent", `{}`, time.Time{}, point.TimeSubstituted, 0},
		{"null", `{"t":null}`, time.Time{}, point.TimeSubstituted, 0},
		{"10 min ahead", `{"t":"2026-01-15T12:10:00Z"}`, half.Add(100 * time.Minute), 0, 0},
		{"more than 10 min ahead", `{"t":"2026-01-15T12:10:00.000000001Z"}`, time.Time{}, point.TimeInvalid, BadTime},
		{"without a zone", `{"t":"2026-01-15T10:30:00"}`, time.Time{}, point.TimeInvalid, BadTime},
		{"empty", `{"t":""}`, time.Time{}, point.TimeInvalid, BadTime},
		{"word", `{"t":"now"}`, time.Time{}, point.TimeInvalid, BadTime},
		{"boolean", `{"t":true}`, time.Time{}, point.TimeInvalid, BadTime},
		{"object", `{"t":{}}`, time.Time{}, point.TimeInvalid, BadTime},
		{"zero", `{"t":0}`, time.Time{}, point.TimeInvalid, BadTime},
		{"negative", `{"t":-1768473000}`, time.Time{}, point.TimeInvalid, BadTime},
		{"uptime", `{"t":86400}`, time.Time{}, point.TimeInvalid, BadTime},
		{"before 2000", `{"t":"1999-12-31T23:59:59Z"}`, time.Time{}, point.TimeInvalid, BadTime},
		{"year 9999", `{"t":"9999-12-31T23:59:59Z"}`, time.Time{}, point.TimeInvalid, BadTime},
		{"year 0", `{"t":"0000-01-01T00:00:00Z"}`, time.Time{}, point.TimeInvalid, BadTime},
		{"too many digits", `{"t":99999999999999999999}`, time.Time{}, point.TimeInvalid, BadTime},
		{"largest integer", `{"t":9223372036854775807}`, time.Time{}, point.TimeInvalid, BadTime},
		{"infinite", `{"t":1e999}`, time.Time{}, point.TimeInvalid, BadTime},
		{"signs", `{"t":"1.-5"}`, time.Time{}, point.TimeInvalid, BadTime},
	} {
		s := compile(t, Input{Type: point.Float, Selector: "t", Source: &plant.Source{Value: "v", Time: "t", Missing: plant.MissingInvalid}})
		got, out := s.Map(nil, "t", []byte(tt.payload), noon, false)
		want := noon
		if !tt.want.IsZero() {
			want = point.InstantOf(tt.want)
		}
		if got[0].Time != want || got[0].TimeQuality != tt.quality || got[0].Arrival != noon {
			t.Errorf("%s: %v with quality %d, want %v with %d", tt.name, got[0].Time.Time(), got[0].TimeQuality, want.Time(), tt.quality)
		}
		if got := out.Count(BadTime); (got == 1) != (tt.reason == BadTime) {
			t.Errorf("%s: %d bad times", tt.name, got)
		}
	}
}

func TestTimeIsOfEachPoint(t *testing.T) {
	t.Parallel()
	s := compile(t,
		Input{Index: 0, Type: point.Int, Selector: "t", Source: &plant.Source{Value: "0.v", Time: "0.t"}},
		Input{Index: 1, Type: point.Int, Selector: "t", Source: &plant.Source{Value: "1.v", Time: "1.t"}},
		Input{Index: 2, Type: point.Int, Selector: "t", Source: &plant.Source{Value: "1.v", Time: "0.t"}},
		Input{Index: 3, Type: point.Int, Selector: "t", Source: &plant.Source{Value: "1.v"}},
	)
	got, _ := s.Map(nil, "t", []byte(`[{"v":1,"t":1768473000},{"v":2,"t":1768473001}]`), noon, false)
	first := point.InstantOf(time.Unix(1768473000, 0))
	for i, want := range []point.Instant{first, first + 1e9, first, noon} {
		if got[i].Time != want {
			t.Errorf("point %d: time %v, want %v", i, got[i].Time.Time(), want.Time())
		}
	}
	if got[3].TimeQuality != point.TimeSubstituted {
		t.Errorf("time quality %d of a point without a time, want substituted", got[3].TimeQuality)
	}
}

// Every form in which a time may be written is read as the same time.
func TestTimeForms(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		at := earliest + point.Instant(r.Int64N(int64(noon-earliest)))
		s, n := at/1e9, at%1e9
		for _, form := range []string{
			fmt.Sprintf("%d.%09d", s, n),
			fmt.Sprintf("%d%03d.%06d", s, n/1e6, n%1e6),
			fmt.Sprintf("%d%06d.%03d", s, n/1e3, n%1e3),
			fmt.Sprintf("%d%09d", s, n),
			at.Time().Format(time.RFC3339Nano),
			at.Time().In(time.FixedZone("", -12*3600-45*60)).Format(time.RFC3339Nano),
		} {
			if got, ok := stampOf(token{kind: text, text: form}, noon); !ok || got.time != at {
				t.Errorf("%s: %d, %t, want %d", form, got.time, ok, at)
			}
		}
	}
}
