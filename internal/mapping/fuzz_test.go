package mapping

import (
	"bytes"
	"encoding/json"
	"math"
	"testing"
	"unicode/utf8"

	"busbar/internal/plant"
	"busbar/internal/point"
)

// FuzzMap maps arbitrary payloads by arbitrary paths for points of every type
// with and without the optional steps. Whatever comes, what is good is a
// finite value of the type of the point, and nothing refers to the payload.
func FuzzMap(f *testing.F) {
	for _, payload := range []string{
		`{"a":{"b":[1,2.5,"x"]},"t":"2026-01-15T10:30:00Z","q":"good"}`, `{"a":{"b":null},"t":1768473000123}`,
		`NaN`, `1e999`, `"\ud800"`, `{"a":"\u0000"}`, `[[[[`, `{"a":{"b":1}`, "\xff", ` `, `-`, `{"\u0061":{"b":9007199254740993}}`,
		`{"t":99999999999999999999.999999999999}`, `"on"`, `{"a":{"b":true},"q":192.0}`, `{"a.b":1,"@":2,"\\":3}`,
	} {
		for _, path := range []string{"a.b", "a.b.0", "@", `a\.b`, `\\`, "t"} {
			f.Add([]byte(payload), path)
		}
	}
	f.Fuzz(func(t *testing.T, payload []byte, path string) {
		inputs := fuzzInputs(path)
		s, problems := Compile(inputs, Options{})
		if len(problems) > 0 {
			if _, err := parsePath(path); err == nil || path == "" {
				t.Fatalf("problems %v with path %q", problems, path)
			}
			return
		}
		updates, out := s.Map(nil, "t", payload, noon, true)
		text := out.Text()
		var before []string
		for _, u := range updates {
			checkUpdate(t, inputs[u.Point], u)
			before = append(before, u.Value.String())
		}
		if len(updates) < len(inputs) && out.Clean() {
			t.Errorf("%d updates of %d without a reason", len(updates), len(inputs))
		}
		if utf8.Valid(payload) && json.Valid(payload) && utf8.ValidString(path) && path != whole && path != "" && !bytes.Contains(payload, []byte(`\u`)) {
			checkWalk(t, string(payload), []string{path})
		}
		clear(payload)
		for i, u := range updates {
			if u.Value.String() != before[i] || out.Text() != text {
				t.Fatal("an update or the outcome refers to the payload")
			}
		}
	})
}

// fuzzInputs are points of every type, plain and with every step that the type
// allows, one after the other.
func fuzzInputs(path string) []Input {
	var inputs []Input
	quality := &plant.QualityMap{Value: "q", Map: map[string]point.Quality{"bad": point.Invalid, "null": 0}}
	for typ := point.Single; typ <= point.Text; typ++ {
		more := plant.Source{Value: path, Time: "t", Quality: quality, Missing: plant.MissingInvalid}
		var limits *plant.Limits
		switch typ {
		case point.Text:
			more.Expr = "trim(value)"
		case point.Single, point.Double:
			more.Invert, more.Expr = true, "value > 0.5"
		default:
			more.Scale, more.Offset, more.Expr = 1e10, -1, "value * value"
			limits = &plant.Limits{Low: -10, High: 1e300, Clamp: typ != point.Bits}
		}
		for _, in := range []Input{
			{Source: &plant.Source{Value: path}}, {Source: &plant.Source{Value: whole, Time: path}}, {Source: &more, Limits: limits},
		} {
			in.Index, in.Type, in.Selector = point.Index(len(inputs)), typ, "t"
			inputs = append(inputs, in)
		}
	}
	return inputs
}

func checkUpdate(t *testing.T, in Input, u point.Update) {
	t.Helper()
	if u.Flags&point.Retained == 0 || u.Arrival != noon {
		t.Errorf("update %+v lacks what all of the message have", u)
	}
	if u.TimeQuality != 0 && u.Time != noon || u.Time < earliest || u.Time > noon+maxAhead {
		t.Errorf("time %v with quality %d", u.Time.Time(), u.TimeQuality)
	}
	if u.Flags&point.KeepValue != 0 {
		if u.Value.Type() != 0 || u.Quality&point.Invalid == 0 {
			t.Errorf("update %+v keeps the value, want it without one and IV", u)
		}
		return
	}
	if u.Value.Type() != in.Type {
		t.Fatalf("value %v of type %v, want %v", u.Value, u.Value.Type(), in.Type)
	}
	switch in.Type {
	case point.Float:
		if v := u.Value.Float(); math.IsNaN(v) || math.IsInf(v, 0) {
			t.Errorf("value %v", v)
		}
	case point.Step:
		if v, _ := u.Value.Step(); v < point.StepMin || v > point.StepMax {
			t.Errorf("step position %d", v)
		}
	case point.Text:
		if v := u.Value.Text(); !utf8.ValidString(v) || len(v) > maxText {
			t.Errorf("text %q", v)
		}
	}
}

// FuzzTime reads arbitrary strings as times. What is taken as one lies in the
// range of times that are; what is not becomes the arrival.
func FuzzTime(f *testing.F) {
	for _, s := range []string{"1768473000", "1768473000.5", "1768473000123", "1768473000123456", "1768473000123456789", "2026-01-15T10:30:00Z", "1e9", "-1", ".5", "1."} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		at, ok := stampOf(token{kind: text, text: s}, noon)
		if ok != (at.quality == 0) || !ok && at.time != noon || at.time > noon+maxAhead || at.time < earliest {
			t.Errorf("%q: %+v, %t", s, at, ok)
		}
	})
}
