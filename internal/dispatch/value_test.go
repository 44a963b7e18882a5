package dispatch

import (
	"encoding/json"
	"strings"
	"testing"

	"busbar/internal/point"
)

func TestValuesOfOrders(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		typ       point.Type
		raw, want string
	}{
		{point.Single, `true`, "on"}, {point.Single, `"off"`, "off"}, {point.Single, `1`, "want true"}, {point.Single, `null`, "want true"},
		{point.Double, `false`, "off"}, {point.Double, `"intermediate"`, "want true"},
		{point.Step, `1`, "1"}, {point.Step, `"lower"`, "-1"}, {point.Step, `2`, "want 1, -1"},
		{point.Int, `-9223372036854775808`, "-9223372036854775808"}, {point.Int, `1.5`, "want an integer"}, {point.Int, `"1"`, "want an integer"},
		{point.Bits, `4294967295`, "0xffffffff"}, {point.Bits, `-1`, "want an integer"},
		{point.Float, `1e3`, "1000"}, {point.Float, `"1"`, "want a number"}, {point.Float, `null`, "want a number"}, {point.Float, `1e999`, "want a number"}, {point.Float, ``, "is missing, want a number"},
	} {
		v, err := ParseValue(json.RawMessage(tt.raw), tt.typ)
		got := v.String()
		if err != nil {
			got = err.Error()
		}
		if err == nil && got != tt.want || err != nil && !strings.Contains(got, tt.want) {
			t.Errorf("%v %s: %s, want %s", tt.typ, tt.raw, got, tt.want)
		}
	}
}

func FuzzValue(f *testing.F) {
	for typ := range byte(6) {
		for _, seed := range []string{`true`, `"on"`, `-1`, `1.5e3`, `"higher"`, `"`, `null`, `[1]`, `"\u0000`} {
			f.Add([]byte(seed), typ)
		}
	}
	types := []point.Type{point.Single, point.Double, point.Step, point.Int, point.Float, point.Bits}
	f.Fuzz(func(t *testing.T, raw []byte, n byte) {
		typ := types[int(n)%len(types)]
		v, err := ParseValue(raw, typ)
		if err == nil && v.Type() != typ {
			t.Errorf("%q is taken as %v", raw, v)
		}
	})
}
