package iec104server

import (
	"math"
	"testing"
	"time"

	"busbar/iec104/asdu"
	"busbar/internal/connector"
	"busbar/internal/point"
)

var identity = connector.Linear{Scale: 1}

func percent(low, high float64) connector.Linear {
	return connector.Linear{Scale: 1, Low: low, High: high}
}

func TestConversion(t *testing.T) {
	f32 := func(f float32) uint32 { return math.Float32bits(f) }
	i32 := func(i int32) uint32 { return uint32(i) }
	tests := []struct {
		name    string
		value   point.Value
		as      asdu.TypeID
		convert connector.Linear
		want    uint32
		quality asdu.Quality
	}{
		{"single off", point.SingleValue(false), asdu.M_SP_TB_1, identity, 0, 0},
		{"single on", point.SingleValue(true), asdu.M_SP_NA_1, identity, 1, 0},
		{"single off as double", point.SingleValue(false), asdu.M_DP_TB_1, identity, 1, 0},
		{"single on as double", point.SingleValue(true), asdu.M_DP_NA_1, identity, 2, 0},
		{"single on as float", point.SingleValue(true), asdu.M_ME_TF_1, identity, f32(1), 0},
		{"single on as scaled", point.SingleValue(true), asdu.M_ME_NB_1, identity, 1, 0},
		{"single on as protection event", point.SingleValue(true), asdu.M_EP_TD_1, identity, 2, asdu.EI},
		{"single on as start event", point.SingleValue(true), asdu.M_EP_TE_1, identity, 1, asdu.EI},
		{"single on as output circuit", point.SingleValue(true), asdu.M_EP_TF_1, identity, 1, asdu.EI},
		{"double keeps intermediate", point.DoubleValue(point.Intermediate), asdu.M_DP_TB_1, identity, 0, 0},
		{"double keeps indeterminate", point.DoubleValue(point.Indeterminate), asdu.M_DP_NA_1, identity, 3, 0},
		{"double on as single", point.DoubleValue(point.DoubleOn), asdu.M_SP_TB_1, identity, 1, 0},
		{"double intermediate has no single", point.DoubleValue(point.Intermediate), asdu.M_SP_TB_1, identity, 0, asdu.IV},
		{"double indeterminate has no single", point.DoubleValue(point.Indeterminate), asdu.M_SP_NA_1, identity, 0, asdu.IV},
		{"double off as protection event", point.DoubleValue(point.DoubleOff), asdu.M_EP_TD_1, identity, 1, asdu.EI},
		{"step", point.StepValue(-64, false), asdu.M_ST_TB_1, identity, i32(-64), 0},
		{"step as scaled", point.StepValue(-5, true), asdu.M_ME_TE_1, identity, i32(-5), 0},
		{"bits", point.BitsValue(0xDEADBEEF), asdu.M_BO_TB_1, identity, 0xDEADBEEF, 0},
		{"bits as 16 single points", point.BitsValue(0x1234ABCD), asdu.M_PS_NA_1, identity, 0xABCD, 0},
		{"bits as start events", point.BitsValue(0xFF), asdu.M_EP_TE_1, identity, 0x3F, asdu.EI},
		{"bits as output circuits", point.BitsValue(0xFF), asdu.M_EP_TF_1, identity, 0x0F, asdu.EI},
		{"int 1 as single", point.IntValue(1), asdu.M_SP_TB_1, identity, 1, 0},
		{"int 2 as single", point.IntValue(2), asdu.M_SP_TB_1, identity, 0, asdu.IV},
		{"int −1 as single", point.IntValue(-1), asdu.M_SP_TB_1, identity, 0, asdu.IV},
		{"int 3 as double", point.IntValue(3), asdu.M_DP_TB_1, identity, 3, 0},
		{"int 4 as double", point.IntValue(4), asdu.M_DP_TB_1, identity, 0, asdu.IV},
		{"int above step", point.IntValue(64), asdu.M_ST_NA_1, identity, 63, asdu.OV},
		{"int below step", point.IntValue(-65), asdu.M_ST_NA_1, identity, i32(-64), asdu.OV},
		{"int as bits", point.IntValue(math.MaxUint32), asdu.M_BO_NA_1, identity, math.MaxUint32, 0},
		{"int beyond bits", point.IntValue(1 << 32), asdu.M_BO_NA_1, identity, 0, asdu.IV},
		{"negative int has no bits", point.IntValue(-1), asdu.M_BO_NA_1, identity, 0, asdu.IV},
		{"int as counter", point.IntValue(-1), asdu.M_IT_NA_1, identity, math.MaxUint32, 0},
		{"scaled rounds half away from zero", point.FloatValue(2.5), asdu.M_ME_TE_1, identity, 3, 0},
		{"scaled rounds negative half away from zero", point.FloatValue(-2.5), asdu.M_ME_TE_1, identity, i32(-3), 0},
		{"scale and offset", point.FloatValue(23.54), asdu.M_ME_NB_1, connector.Linear{Scale: 10, Offset: 5}, 240, 0},
		{"scaled at the top", point.FloatValue(32767.4), asdu.M_ME_NB_1, identity, 32767, 0},
		{"scaled above", point.FloatValue(32767.5), asdu.M_ME_NB_1, identity, 32767, asdu.OV},
		{"scaled below", point.FloatValue(-1e300), asdu.M_ME_NB_1, identity, i32(-32768), asdu.OV},
		{"scaled infinite", point.FloatValue(math.Inf(1)), asdu.M_ME_NB_1, identity, 32767, asdu.OV},
		{"scaled NaN", point.FloatValue(math.NaN()), asdu.M_ME_NB_1, identity, 0, asdu.IV},
		{"large int scaled", point.IntValue(math.MinInt64), asdu.M_ME_NB_1, identity, i32(-32768), asdu.OV},
		{"fraction", point.FloatValue(0.5), asdu.M_ME_TD_1, identity, 16384, 0},
		{"fraction −1", point.FloatValue(-1), asdu.M_ME_TD_1, identity, i32(-32768), 0},
		{"fraction below −1", point.FloatValue(-1.000001), asdu.M_ME_TD_1, identity, i32(-32768), asdu.OV},
		{"fraction just below 1", point.FloatValue(32767.4 / 32768), asdu.M_ME_TD_1, identity, 32767, 0},
		{"fraction 1 cannot be expressed", point.FloatValue(1), asdu.M_ME_TD_1, identity, 32767, asdu.OV},
		{"fraction NaN", point.FloatValue(math.NaN()), asdu.M_ME_NA_1, identity, 0, asdu.IV},
		{"lower end of range", point.FloatValue(-20), asdu.M_ME_NA_1, percent(-20, 140), i32(-32768), 0},
		{"middle of range", point.FloatValue(60), asdu.M_ME_NA_1, percent(-20, 140), 0, 0},
		{"upper end of range", point.FloatValue(140), asdu.M_ME_NA_1, percent(-20, 140), 32767, 0},
		{"above the range", point.FloatValue(140.1), asdu.M_ME_NA_1, percent(-20, 140), 32767, asdu.OV},
		{"below the range", point.FloatValue(-20.1), asdu.M_ME_NA_1, percent(-20, 140), i32(-32768), asdu.OV},
		{"int in range", point.IntValue(25), asdu.M_ME_NA_1, percent(0, 100), i32(-16384), 0},
		{"float", point.FloatValue(23.5), asdu.M_ME_TF_1, identity, f32(23.5), 0},
		{"float −0", point.FloatValue(math.Copysign(0, -1)), asdu.M_ME_NC_1, identity, 0x80000000, 0},
		{"float above", point.FloatValue(1e39), asdu.M_ME_NC_1, identity, f32(math.MaxFloat32), asdu.OV},
		{"float −infinite", point.FloatValue(math.Inf(-1)), asdu.M_ME_NC_1, identity, f32(-math.MaxFloat32), asdu.OV},
		{"float that rounds to infinite", point.FloatValue(math.MaxFloat32 * 1.0000001), asdu.M_ME_NC_1, identity, f32(math.MaxFloat32), asdu.OV},
		{"float NaN", point.FloatValue(math.NaN()), asdu.M_ME_NC_1, identity, 0, asdu.IV},
		{"float denormal", point.FloatValue(1e-45), asdu.M_ME_NC_1, identity, 1, 0},
		{"float as step", point.FloatValue(6.6), asdu.M_ST_TB_1, identity, 7, 0},
		{"counter", point.CounterValue(1234567), asdu.M_IT_TB_1, identity, 1234567, 0},
		{"counter beyond 32 bits", point.CounterValue(1<<32 + 7), asdu.M_IT_TB_1, identity, 7, 0},
		{"negative counter", point.CounterValue(-7), asdu.M_IT_NA_1, identity, i32(-7), 0},
		{"scaled counter", point.CounterValue(12345), asdu.M_IT_NA_1, connector.Linear{Scale: 0.1}, 1235, 0},
		{"scaled counter beyond 32 bits", point.CounterValue(1 << 33), asdu.M_IT_NA_1, connector.Linear{Scale: 1, Offset: 3}, 3, 0},
		{"counter as float", point.CounterValue(100), asdu.M_ME_NC_1, identity, f32(100), 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			enc := newEncoder(time.UTC)
			r := rule{as: tt.as, family: forms[tt.as].family, convert: tt.convert}
			s := sampleOf(1, &point.Update{Value: tt.value, Time: 1})
			var o asdu.Object
			ok := enc.encode(&o, tt.as, 100, &s, &r)
			if !ok || o.Value != tt.want || o.Quality != tt.quality || o.IOA != 100 {
				t.Errorf("encode = %v: ioa %d value %d (%#x) quality %b, want %d (%#x) quality %b",
					ok, o.IOA, int32(o.Value), o.Value, o.Quality, int32(tt.want), tt.want, tt.quality)
			}
		})
	}
}

func TestQualityIsNeverBetterOnTheWire(t *testing.T) {
	for f := single; f < families; f++ {
		for q := range 256 {
			out, ok := descriptors[f].of(asdu.Quality(q))
			doubtful := q&int(asdu.IV|asdu.OV) != 0 || f != total && q&int(asdu.NT) != 0 || f == total && q&int(asdu.BL) != 0
			shown := out&(asdu.IV|asdu.NT|asdu.OV) != 0
			if f != bare && doubtful && !shown {
				t.Errorf("%s: quality %08b is sent as %08b", f, q, out)
			}
			if f == bare && q&int(asdu.IV|asdu.NT|asdu.OV) != 0 && ok {
				t.Errorf("%s: quality %08b is sent without quality", f, q)
			}
			if q&int(asdu.IV) == 0 && out&asdu.IV != 0 && q&int(descriptors[f].doubt) == 0 {
				t.Errorf("%s: quality %08b is sent as %08b, with IV for no reason", f, q, out)
			}
		}
	}
}

func TestCounterWithoutNTBitShowsIV(t *testing.T) {
	for _, tt := range []struct{ in, want asdu.Quality }{
		{asdu.NT, asdu.IV}, {asdu.OV, asdu.IV}, {asdu.SB, asdu.CA}, {asdu.BL, asdu.IV}, {asdu.CY | asdu.CA, asdu.CY | asdu.CA},
	} {
		if got, _ := descriptors[total].of(tt.in); got != tt.want {
			t.Errorf("quality %08b of a counter is sent as %08b, want %08b", tt.in, got, tt.want)
		}
	}
}

func TestValueNeverReceivedIsInvalid(t *testing.T) {
	enc := newEncoder(time.UTC)
	for i := range forms {
		as := asdu.TypeID(i)
		f := forms[as].family
		if f == noFamily {
			continue
		}
		s := sample{quality: point.Invalid | point.NotTopical}
		var o asdu.Object
		ok := enc.encode(&o, as, 1, &s, &rule{as: as, family: f})
		if f == bare {
			if ok {
				t.Errorf("%s: a value that was never received is sent", as)
			}
			continue
		}
		if !ok || o.Quality&asdu.IV == 0 || o.Value != 0 {
			t.Errorf("%s: value %d quality %b ok %v, want 0 with IV", as, o.Value, o.Quality, ok)
		}
		if forms[as].tagged && !o.Time.Invalid() {
			t.Errorf("%s: time tag %v is valid", as, o.Time)
		}
	}
}

func TestTimeTag(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	at := func(s string) point.Instant {
		t.Helper()
		v, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			t.Fatal(err)
		}
		return point.InstantOf(v)
	}
	tests := []struct {
		name string
		zone *time.Location
		time point.Instant
		q    point.TimeQuality
		want asdu.Clock
	}{
		{"utc truncates to milliseconds", time.UTC, at("2026-01-15T10:30:59.9999Z"), 0,
			asdu.Clock{Year: 26, Month: 1, Day: 15, Weekday: 4, Hour: 10, Minute: 30, Millisecond: 59999}},
		{"winter", berlin, at("2026-01-15T10:30:00Z"), 0,
			asdu.Clock{Year: 26, Month: 1, Day: 15, Weekday: 4, Hour: 11, Minute: 30}},
		{"summer sets SU", berlin, at("2026-07-19T22:30:00Z"), 0,
			asdu.Clock{Year: 26, Month: 7, Day: 20, Weekday: 1, Hour: 0, Minute: 30, Summer: true}},
		{"ambiguous hour, first time", berlin, at("2026-10-25T00:30:00Z"), 0,
			asdu.Clock{Year: 26, Month: 10, Day: 25, Weekday: 7, Hour: 2, Minute: 30, Summer: true}},
		{"ambiguous hour, second time", berlin, at("2026-10-25T01:30:00Z"), 0,
			asdu.Clock{Year: 26, Month: 10, Day: 25, Weekday: 7, Hour: 2, Minute: 30}},
		{"invalid", time.UTC, at("2026-01-15T10:30:00Z"), point.TimeInvalid,
			asdu.Clock{Year: 26, Month: 1, Day: 15, Weekday: 4, Hour: 10, Minute: 30, Invalid: true}},
		{"time of arrival", time.UTC, at("2026-01-15T10:30:00Z"), point.TimeSubstituted,
			asdu.Clock{Year: 26, Month: 1, Day: 15, Weekday: 4, Hour: 10, Minute: 30, Substituted: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			enc := newEncoder(tt.zone)
			s := sampleOf(1, &point.Update{Value: point.FloatValue(1), Time: tt.time, TimeQuality: tt.q})
			var o asdu.Object
			enc.encode(&o, asdu.M_ME_TF_1, 1, &s, &rule{as: asdu.M_ME_TF_1, family: float})
			if got := o.Time.Clock(); got != tt.want {
				t.Errorf("time tag %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestEncodingAllocatesNothing(t *testing.T) {
	enc := newEncoder(time.UTC)
	s := sampleOf(1, &point.Update{Value: point.FloatValue(1.5), Time: 1e18})
	r := rule{as: asdu.M_ME_TF_1, family: float, convert: identity}
	var o asdu.Object
	if n := testing.AllocsPerRun(100, func() { enc.encode(&o, r.as, 1, &s, &r) }); n != 0 {
		t.Errorf("%v allocations per object, want 0", n)
	}
}

func BenchmarkEncode(b *testing.B) {
	enc := newEncoder(time.UTC)
	s := sampleOf(1, &point.Update{Value: point.FloatValue(1.5), Time: 1e18})
	r := rule{as: asdu.M_ME_TF_1, family: float, convert: identity}
	var o asdu.Object
	b.ReportAllocs()
	for b.Loop() {
		enc.encode(&o, r.as, 1, &s, &r)
	}
}
