package commandlog

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/connector"
	"busbar/internal/point"
)

// at is a time on the day of the tests.
func at(clock string) point.Instant {
	t, err := time.Parse(time.RFC3339Nano, "2026-03-04T"+clock+"Z")
	if err != nil {
		panic(err)
	}
	return point.InstantOf(t)
}

var exact = cmp.AllowUnexported(point.Value{})

// switching is the record of an order that was received.
func switching(id string) connector.CommandRecord {
	return connector.CommandRecord{
		Order: point.Order{
			ID: id, Command: "ons4711/q0/switch", Value: point.DoubleValue(point.DoubleOn), Qualifier: 1,
			Issued: at("04:06:07.089"), Expires: at("04:06:17.1"),
			Requester: point.Requester{Connector: "scada", Peer: "10.0.0.1:40000", Originator: 5},
		},
		Executor: "sensors", Terminates: true, Received: at("04:06:07.100000001"),
	}
}

const (
	head = `"command":"ons4711/q0/switch","type":"double","value":"on","qualifier":1,` +
		`"requester":{"connector":"scada","peer":"10.0.0.1:40000","originator":5},"executor":"sensors"`
	times = `"issued":"2026-03-04T04:06:07.089Z","expires":"2026-03-04T04:06:17.1Z","received":"2026-03-04T04:06:07.100000001Z"`
)

// vectors are lines, written by hand, and their records. They begin with
// {"time":"2026-03-04T04:06:09Z","id":"A",
func vectors() map[string]struct {
	text   string
	record connector.CommandRecord
} {
	change := func(f func(*connector.CommandRecord)) connector.CommandRecord {
		r := switching("A")
		f(&r)
		return r
	}
	type vector = struct {
		text   string
		record connector.CommandRecord
	}
	return map[string]vector{
		"of a certificate": {`"stage":"received",` + strings.Replace(head, `,"originator"`, `,"certificate":"CN=scada1,O=Plant","originator"`, 1) +
			`,"terminates":true,` + times + `}`, change(func(r *connector.CommandRecord) { r.Order.Requester.Certificate = "CN=scada1,O=Plant" })},
		"received": {`"stage":"received",` + head + `,"terminates":true,` + times + `}`, switching("A")},
		"confirmed": {`"stage":"confirmed","positive":true,` + head + `,"terminates":true,` + times +
			`,"accepted":"2026-03-04T04:06:07.2Z","replied":"2026-03-04T04:06:08Z","confirmed":"2026-03-04T04:06:08.000001Z"}`,
			change(func(r *connector.CommandRecord) {
				r.Accepted, r.Replied, r.Confirmed = at("04:06:07.2"), at("04:06:08"), at("04:06:08.000001")
				r.Confirmation = point.Result{Stage: point.Confirmed, Positive: true}
			})},
		"refused by the device": {`"stage":"confirmed","positive":false,"reason":"refused by the device: reply {\"a\":\"<&>\"}",` + head + `,` + times +
			`,"confirmed":"2026-03-04T04:06:09Z"}`,
			change(func(r *connector.CommandRecord) {
				r.Terminates, r.Confirmed = false, at("04:06:09")
				r.Confirmation = point.Result{Stage: point.Confirmed, Reason: `refused by the device: reply {"a":"<&>"}`}
			})},
		"terminated negatively, operated late": {`"stage":"terminated","positive":false,"reason":"no feedback within 30s","unknown":true,` + head + `,"terminates":true,` + times +
			`,"confirmed":"2026-03-04T04:06:08Z","terminated":"2026-03-04T04:06:38Z","late":"2026-03-04T04:06:39Z"}`,
			change(func(r *connector.CommandRecord) {
				r.Confirmed, r.Terminated, r.Late, r.Unknown = at("04:06:08"), at("04:06:38"), at("04:06:39"), true
				r.Confirmation = point.Result{Stage: point.Confirmed, Positive: true}
				r.Termination = point.Result{Stage: point.Terminated, Reason: "no feedback within 30s"}
			})},
		"failed after its confirmation": {`"stage":"confirmed","positive":true,` + head + `,"failure":"has stopped",` + times + `,"confirmed":"2026-03-04T04:06:08Z"}`,
			change(func(r *connector.CommandRecord) {
				r.Terminates, r.Confirmed, r.Failure = false, at("04:06:08"), "has stopped"
				r.Confirmation = point.Result{Stage: point.Confirmed, Positive: true}
			})},
		"selected": {`"stage":"confirmed","positive":true,"command":"q","type":"single","value":"off","qualifier":0,"select":true,` +
			`"requester":{"connector":"scada","peer":"","originator":0},"received":"2026-03-04T04:06:08Z","confirmed":"2026-03-04T04:06:08Z"}`,
			connector.CommandRecord{
				Order:  point.Order{ID: "A", Command: "q", Value: point.SingleValue(false), Requester: point.Requester{Connector: "scada"}},
				Select: true, Received: at("04:06:08"), Confirmed: at("04:06:08"), Confirmation: point.Result{Stage: point.Confirmed, Positive: true},
			}},
		"refused by its connector": {`"stage":"confirmed","positive":false,"reason":"no such object","command":"","qualifier":3,` +
			`"requester":{"connector":"scada","peer":"10.0.0.1","originator":5},"skipped":7,"received":"2026-03-04T04:06:08Z"}`,
			connector.CommandRecord{
				Order:   point.Order{ID: "A", Qualifier: 3, Requester: point.Requester{Connector: "scada", Peer: "10.0.0.1", Originator: 5}},
				Skipped: 7, Received: at("04:06:08"), Confirmation: point.Result{Stage: point.Confirmed, Reason: "no such object"},
			}},
	}
}

func TestLines(t *testing.T) {
	t.Parallel()
	for name, v := range vectors() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := `{"time":"2026-03-04T04:06:09Z","id":"A",` + v.text
			got, err := decode([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(v.record, got, exact); diff != "" {
				t.Errorf("decode (-want +got):\n%s", diff)
			}
			line, err := encode(&v.record, at("04:06:09").Time())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(text+"\n", string(line)); diff != "" {
				t.Errorf("encode (-want +got):\n%s", diff)
			}
		})
	}
}

func TestValues(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text string
		value      point.Value
	}{
		{"none", `"command":"ons4711/q0/switch","qualifier"`, point.Value{}},
		{"single on", `"type":"single","value":"on",`, point.SingleValue(true)},
		{"double off", `"type":"double","value":"off",`, point.DoubleValue(point.DoubleOff)},
		{"double that cannot be ordered", `"type":"double","value":"indeterminate",`, point.DoubleValue(point.Indeterminate)},
		{"lower", `"type":"step","value":-1,`, point.StepValue(-1, false)},
		{"bits", `"type":"bits","value":4294967295,`, point.BitsValue(math.MaxUint32)},
		{"int", `"type":"int","value":-9223372036854775808,`, point.IntValue(math.MinInt64)},
		{"counter", `"type":"counter","value":9223372036854775807,`, point.CounterValue(math.MaxInt64)},
		{"float", `"type":"float","value":49.5,`, point.FloatValue(49.5)},
		{"negative zero", `"type":"float","value":-0,`, point.FloatValue(math.Copysign(0, -1))},
		{"NaN", `"type":"float","value":"NaN",`, point.FloatValue(math.NaN())},
		{"infinite", `"type":"float","value":"Infinity",`, point.FloatValue(math.Inf(1))},
		{"negative infinite", `"type":"float","value":"-Infinity",`, point.FloatValue(math.Inf(-1))},
		{"text", `"type":"text","value":"ä\n\"",`, point.TextValue("ä\n\"")},
	}
	for _, tt := range tests {
		r := switching("A")
		r.Order.Value = tt.value
		line, err := encode(&r, time.Now())
		if err != nil || !strings.Contains(string(line), tt.text) {
			t.Errorf("%s: encode = %s, %v, want %s in it", tt.name, line, err, tt.text)
			continue
		}
		if got, err := decode(line); err != nil || !got.Order.Value.Equal(tt.value) {
			t.Errorf("%s: decode = %v, %v, want %v", tt.name, got.Order.Value, err, tt.value)
		}
	}
}

// badLines are no records.
var badLines = map[string]string{
	"empty":              ``,
	"zeros":              "\x00\x00\x00",
	"no object":          `[]`,
	"half":               `{"id":"A","stage":"received","qualifier":1`,
	"two":                `{"id":"A","stage":"received"}{"id":"B","stage":"received"}`,
	"no id":              `{"stage":"received"}`,
	"no stage":           `{"id":"A"}`,
	"unknown stage":      `{"id":"A","stage":"lost","positive":true}`,
	"no result":          `{"id":"A","stage":"confirmed"}`,
	"result too early":   `{"id":"A","stage":"received","positive":true}`,
	"no such time":       `{"id":"A","stage":"received","received":"2026-02-30T00:00:00Z"}`,
	"time too far":       `{"id":"A","stage":"received","received":"2300-01-01T00:00:00Z"}`,
	"qualifier too big":  `{"id":"A","stage":"received","qualifier":256}`,
	"no such type":       `{"id":"A","stage":"received","type":"triple","value":"on"}`,
	"no value":           `{"id":"A","stage":"received","type":"int"}`,
	"null":               `{"id":"A","stage":"received","type":"int","value":null}`,
	"fraction":           `{"id":"A","stage":"received","type":"int","value":1.5}`,
	"no such state":      `{"id":"A","stage":"received","type":"double","value":"open"}`,
	"state of a single":  `{"id":"A","stage":"received","type":"single","value":"intermediate"}`,
	"state as a number":  `{"id":"A","stage":"received","type":"single","value":1}`,
	"step out of range":  `{"id":"A","stage":"received","type":"step","value":64}`,
	"bits out of range":  `{"id":"A","stage":"received","type":"bits","value":-1}`,
	"word for a number":  `{"id":"A","stage":"received","type":"float","value":"many"}`,
	"float out of range": `{"id":"A","stage":"received","type":"float","value":1e999}`,
}

func TestBadLines(t *testing.T) {
	t.Parallel()
	for name, text := range badLines {
		if got, err := decode([]byte(text)); err == nil {
			t.Errorf("%s: decode = %+v, want an error", name, got)
		}
	}
}

func TestLinesOfANewerVersionAreRead(t *testing.T) {
	t.Parallel()
	got, err := decode([]byte(`{"id":"A","stage":"received","mood":{"good":true},"qualifier":3}`))
	if err != nil || got.Order.ID != "A" || got.Order.Qualifier != 3 {
		t.Errorf("decode = %+v, %v, want A with qualifier 3", got, err)
	}
}

func TestRecordsThatDoNotFit(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*connector.CommandRecord)
		want   string // in the line; empty: refused
	}{
		{"no id", func(r *connector.CommandRecord) { r.Order.ID = "" }, ""},
		{"id that would change", func(r *connector.CommandRecord) { r.Order.ID = "\xff" }, ""},
		{"peer without end", func(r *connector.CommandRecord) { r.Order.Requester.Peer = strings.Repeat("x", maxLine) }, ""},
		{"long reason", func(r *connector.CommandRecord) {
			r.Confirmation = point.Result{Stage: point.Confirmed, Reason: strings.Repeat("ä", maxLine)}
		}, `"reason":"` + strings.Repeat("ä", maxReason/2) + `"`},
		{"long failure", func(r *connector.CommandRecord) { r.Failure = "x" + strings.Repeat("ä", maxLine) }, `"failure":"x` + strings.Repeat("ä", maxReason/2-1) + `"`},
	}
	for _, tt := range tests {
		r := switching("A")
		tt.change(&r)
		line, err := encode(&r, time.Now())
		switch {
		case tt.want == "" && err == nil:
			t.Errorf("%s: encode = %.100s, want an error", tt.name, line)
		case tt.want != "" && (err != nil || !strings.Contains(string(line), tt.want)):
			t.Errorf("%s: encode = %.300s, %v, want %.50s… in it", tt.name, line, err, tt.want)
		}
	}
}

func FuzzDecodeLine(f *testing.F) {
	for _, v := range vectors() {
		f.Add(`{"time":"2026-03-04T04:06:09Z","id":"A",` + v.text)
	}
	for _, text := range badLines {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		first, err := decode([]byte(text))
		if err != nil {
			return
		}
		line, err := encode(&first, at("04:06:09").Time())
		if err != nil {
			if len(text) < maxLine/6 { // an octet may become \u0000
				t.Fatalf("encode: %v", err)
			}
			return
		}
		second, err := decode(line)
		if err != nil {
			t.Fatalf("decode %s: %v", line, err)
		}
		first.Confirmation.Reason, first.Termination.Reason = cut(first.Confirmation.Reason), cut(first.Termination.Reason)
		first.Failure = cut(first.Failure)
		if diff := cmp.Diff(first, second, exact); diff != "" {
			t.Fatalf("read back (-want +got):\n%s", diff)
		}
	})
}
