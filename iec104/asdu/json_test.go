package asdu_test

import (
	"encoding/json"
	"math"
	"testing"

	"busbar/iec104/asdu"
)

// TestJSONObject compares whole texts, so that names and order are fixed.
func TestJSONObject(t *testing.T) {
	t.Parallel()
	h := func(typ asdu.TypeID, c asdu.Cause) asdu.Header { return asdu.Header{Type: typ, Cause: c, CA: 225} }
	clock := asdu.Clock{Year: 26, Month: 1, Day: 15, Weekday: 4, Hour: 10, Minute: 30}
	tests := []struct {
		name string
		h    asdu.Header
		o    asdu.Object
		want string
	}{
		{"short float with time", h(asdu.M_ME_TF_1, asdu.Spontaneous),
			asdu.Object{IOA: 100, Value: math.Float32bits(23.5), Quality: asdu.OV, Time: clock.Time()},
			`{"ca":225,"ioa":100,"type":"M_ME_TF_1","typeId":36,"cot":"spontaneous","cotId":3,"negative":false,"test":false,"oa":0,` +
				`"value":23.5,"quality":["overflow"],"time":"2026-01-15T10:30:00.000Z","timeInvalid":false,"summerTime":false,` +
				`"timeSubstituted":false,"dayOfWeek":4}`},
		{"counter with every flag", h(asdu.M_IT_NA_1, asdu.CounterGroup1),
			asdu.Object{IOA: 1, Value: 1<<32 - 5, Sequence: 31, Quality: asdu.IV | asdu.CY | asdu.CA},
			`{"ca":225,"ioa":1,"type":"M_IT_NA_1","typeId":15,"cot":"counter-group-1","cotId":38,"negative":false,"test":false,"oa":0,` +
				`"value":-5,"quality":["invalid","carry","adjusted"],"counter":{"sequence":31,"carry":true,"adjusted":true,"invalid":true}}`},
		{"counter adjusted", h(asdu.M_IT_NA_1, asdu.Spontaneous), asdu.Object{IOA: 1, Value: 7, Quality: asdu.CA},
			`{"ca":225,"ioa":1,"type":"M_IT_NA_1","typeId":15,"cot":"spontaneous","cotId":3,"negative":false,"test":false,"oa":0,` +
				`"value":7,"quality":["adjusted"],"counter":{"sequence":0,"carry":false,"adjusted":true,"invalid":false}}`},
		{"directory entry", h(asdu.F_DR_TA_1, asdu.Request),
			asdu.Object{IOA: 1, Time: clock.Time(), Data: asdu.DirectoryEntry{Name: 1, Length: 9, Status: 3, Last: true}.Append(nil)},
			`{"ca":225,"ioa":1,"type":"F_DR_TA_1","typeId":126,"cot":"request","cotId":5,"negative":false,"test":false,"oa":0,` +
				`"time":"2026-01-15T10:30:00.000Z","timeInvalid":false,"summerTime":false,"timeSubstituted":false,"dayOfWeek":4,` +
				`"file":{"nof":1,"lof":9,"status":3,"lfd":true,"for":false,"fa":false}}`},
		{"select of a single command, refused, test, with originator",
			asdu.Header{Type: asdu.C_SC_NA_1, Cause: asdu.ActivationCon, Negative: true, Test: true, OA: 7, CA: 1},
			asdu.Object{IOA: 5000, Value: 1, Select: true, Qualifier: 3},
			`{"ca":1,"ioa":5000,"type":"C_SC_NA_1","typeId":45,"cot":"activation-con","cotId":7,"negative":true,"test":true,"oa":7,` +
				`"value":true,"select":true,"qu":3}`},
		{"without quality", h(asdu.M_ME_ND_1, asdu.Cyclic), asdu.Object{IOA: 1, Value: 8192},
			`{"ca":225,"ioa":1,"type":"M_ME_ND_1","typeId":21,"cot":"periodic","cotId":1,"negative":false,"test":false,"oa":0,"value":0.25}`},
		{"CP24 has neither hour nor date", h(asdu.M_SP_TA_1, asdu.Spontaneous),
			asdu.Object{IOA: 1, Time: asdu.Clock{Minute: 45, Millisecond: 7123}.Time()},
			`{"ca":225,"ioa":1,"type":"M_SP_TA_1","typeId":2,"cot":"spontaneous","cotId":3,"negative":false,"test":false,"oa":0,` +
				`"value":false,"quality":[],"time":"45:07.123","timeInvalid":false,"timeSubstituted":false}`},
		{"impossible CP24", h(asdu.M_SP_TA_1, asdu.Spontaneous), asdu.Object{IOA: 1, Time: 0x3C0000},
			`{"ca":225,"ioa":1,"type":"M_SP_TA_1","typeId":2,"cot":"spontaneous","cotId":3,"negative":false,"test":false,"oa":0,` +
				`"value":false,"quality":[],"time":null,"timeInvalid":true,"timeSubstituted":false,"timeOctets":"00003c"}`},
		{"E088 impossible date keeps value and quality", h(asdu.M_DP_TB_1, asdu.Spontaneous),
			asdu.Object{IOA: 1, Value: 2, Quality: asdu.NT, Time: 0x1A0D002D2D69F3},
			`{"ca":225,"ioa":1,"type":"M_DP_TB_1","typeId":31,"cot":"spontaneous","cotId":3,"negative":false,"test":false,"oa":0,` +
				`"value":"on","quality":["not-topical"],"time":null,"timeInvalid":true,"summerTime":false,"timeSubstituted":false,` +
				`"dayOfWeek":0,"timeOctets":"f3692d2d000d1a"}`},
		{"unknown type", asdu.Header{Type: 52, Cause: asdu.UnknownType, Negative: true, CA: 1}, asdu.Object{IOA: 5000, Data: []byte{1, 0xAB}},
			`{"ca":1,"ioa":5000,"type":"unknown","typeId":52,"cot":"unknown-type","cotId":44,"negative":true,"test":false,"oa":0,"raw":"01ab"}`},
		{"file octets that are not those of the type", asdu.Header{Type: asdu.F_FR_NA_1, Cause: asdu.File, CA: 1}, asdu.Object{Data: []byte{1}},
			`{"ca":1,"ioa":0,"type":"F_FR_NA_1","typeId":120,"cot":"file","cotId":13,"negative":false,"test":false,"oa":0,"raw":"01"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := tt.h.AppendJSON(nil, &tt.o, nil)
			if string(got) != tt.want {
				t.Errorf("AppendJSON\n got %s\nwant %s", got, tt.want)
			}
			if !json.Valid(got) {
				t.Error("not JSON")
			}
		})
	}
}

func TestJSONZone(t *testing.T) {
	t.Parallel()
	o := asdu.Object{IOA: 1, Time: timeV043}
	var got struct {
		Time       string
		SummerTime bool
	}
	if err := json.Unmarshal(asdu.Header{Type: asdu.M_SP_TB_1}.AppendJSON(nil, &o, zone(t, "Europe/Berlin")), &got); err != nil {
		t.Fatal(err)
	}
	if want := "2026-07-14T11:45:27.123Z"; got.Time != want || !got.SummerTime {
		t.Errorf("%+v, want %s with summer time", got, want)
	}
}

func TestJSONNumbers(t *testing.T) {
	t.Parallel()
	inf := float32(math.Inf(1))
	tests := []struct {
		v    float32
		want string
	}{
		{12.3, "12.3"}, {-273.15, "-273.15"}, {0, "0"}, {float32(math.Copysign(0, -1)), "-0"}, {100000, "100000"},
		{16777216, "16777216"}, {1e-7, "1e-07"}, {1e-45, "1e-45"}, {math.MaxFloat32, "3.4028235e+38"},
		{inf, `"Infinity"`}, {-inf, `"-Infinity"`}, {float32(math.NaN()), `"NaN"`},
	}
	for _, tt := range tests {
		o := asdu.Object{Value: math.Float32bits(tt.v)}
		var got struct{ Value json.RawMessage }
		if err := json.Unmarshal(asdu.Header{Type: asdu.M_ME_NC_1}.AppendJSON(nil, &o, nil), &got); err != nil {
			t.Fatal(err)
		}
		if string(got.Value) != tt.want {
			t.Errorf("%v is printed %s, want %s", tt.v, got.Value, tt.want)
		}
	}
}

func TestJSONOfASDU(t *testing.T) {
	t.Parallel()
	a, err := asdu.Parse(octets(t, "03 82 14 05 01 00 c8 00 00 00 02"), asdu.Sizes{})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"typeId":3,"type":"M_DP_NA_1","sq":true,"count":2,"cot":"interrogated-general","cotId":20,"negative":false,"test":false,` +
		`"oa":5,"ca":1,"objects":[` +
		`{"ca":1,"ioa":200,"type":"M_DP_NA_1","typeId":3,"cot":"interrogated-general","cotId":20,"negative":false,"test":false,"oa":5,` +
		`"value":"intermediate","quality":[]},` +
		`{"ca":1,"ioa":201,"type":"M_DP_NA_1","typeId":3,"cot":"interrogated-general","cotId":20,"negative":false,"test":false,"oa":5,` +
		`"value":"on","quality":[]}]}`
	if got := string(a.AppendJSON(nil, nil)); got != want {
		t.Errorf("AppendJSON\n got %s\nwant %s", got, want)
	}
}

func TestJSONDoesNotAllocate(t *testing.T) {
	dst := make([]byte, 0, 1024)
	o := asdu.Object{IOA: 100, Value: math.Float32bits(23.5), Quality: asdu.OV | asdu.IV, Time: timeV043}
	h := asdu.Header{Type: asdu.M_ME_TF_1, Cause: asdu.Spontaneous, CA: 225}
	if n := testing.AllocsPerRun(100, func() { h.AppendJSON(dst, &o, nil) }); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}
