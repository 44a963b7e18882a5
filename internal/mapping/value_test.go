package mapping

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"busbar/internal/plant"
	"busbar/internal/point"
)

// mapped maps one message for one point and tells the update in words: the
// value or "keep", the quality unless good, and the first reason in brackets;
// "nothing" is no update.
func mapped(t testing.TB, in Input, payload string) string {
	t.Helper()
	if in.Source == nil {
		in.Source = &plant.Source{}
	}
	in.Selector = "t"
	got, out := compile(t, in).Map(nil, "t", []byte(payload), noon, false)
	var words []string
	switch {
	case len(got) == 0:
		words = append(words, "nothing")
	case len(got) > 1:
		t.Fatalf("%d updates for one point", len(got))
	case got[0].Flags&point.KeepValue != 0:
		words = append(words, "keep")
		if got[0].Value.Type() != 0 {
			t.Errorf("value %v in an update that keeps it", got[0].Value)
		}
	default:
		words = append(words, got[0].Value.String())
		if got[0].Value.Type() != in.Type {
			t.Errorf("value of type %v for a point of type %v", got[0].Value.Type(), in.Type)
		}
	}
	if len(got) == 1 && !got[0].Quality.Good() {
		words = append(words, got[0].Quality.String())
	}
	if r, _ := out.First(); r != 0 {
		words = append(words, "["+r.String()+"]")
	}
	return strings.Join(words, " ")
}

// TestConversion checks every cell of the table of conversions in the
// documentation, by a path and as the whole payload.
func TestConversion(t *testing.T) {
	t.Parallel()
	columns, rows := conversions(t)
	for _, row := range rows {
		payload := strings.Trim(row[0], "`")
		for i, want := range row[1:] {
			typ, ok := point.ParseType(columns[i+1])
			if !ok {
				t.Fatalf("column %q is no type", columns[i+1])
			}
			if got := cell(mapped(t, Input{Type: typ, Source: &plant.Source{Value: "v"}}, `{"v":`+payload+`}`)); got != want {
				t.Errorf("%s by path to %s: %q, want %q", payload, typ, got, want)
			}
			if got := cell(mapped(t, Input{Type: typ}, " "+payload+"\n")); got != want {
				t.Errorf("%s as whole payload to %s: %q, want %q", payload, typ, got, want)
			}
		}
	}
}

// cell returns an update in the words of the documentation.
func cell(words string) string {
	words, _, _ = strings.Cut(words, " [")
	return strings.NewReplacer("keep invalid", "IV", "overflow", "OV").Replace(words)
}

// conversions reads the table of conversions from docs/values.md.
func conversions(t *testing.T) (columns []string, rows [][]string) {
	t.Helper()
	doc, err := os.ReadFile(filepath.Join("..", "..", "docs", "values.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(doc), "<!-- readings -->\n")
	table, _, ok := strings.Cut(table, "\n<!-- end -->")
	if !ok {
		t.Fatal("docs/values.md has no table of readings")
	}
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, cells)
	}
	if len(rows) < 20 || len(rows[0]) != 9 {
		t.Fatalf("%d rows and %d columns of readings, want more than 18 payloads and 8 types", len(rows), len(rows[0]))
	}
	return rows[0], rows[2:]
}

func TestConversionIsExact(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		typ     point.Type
		payload string
		want    string
	}{
		{point.Int, "9007199254740993", "9007199254740993"},
		{point.Int, `"9007199254740993"`, "9007199254740993"},
		{point.Counter, "9223372036854775807", "9223372036854775807"},
		{point.Int, "-9223372036854775808", "-9223372036854775808"},
		{point.Int, "9223372036854775808", "9223372036854775807 overflow [out_of_range]"},
		{point.Int, "-9223372036854775809", "-9223372036854775808 overflow [out_of_range]"},
		{point.Counter, "-9223372036854776832", "-9223372036854775808 overflow [out_of_range]"},
		{point.Counter, "-1e19", "-9223372036854775808 overflow [out_of_range]"},
		{point.Int, "9223372036854775807.0", "9223372036854775807 overflow [out_of_range]"},
		{point.Int, "-0", "0"},
		{point.Int, "2.5", "3"},
		{point.Int, "-2.5", "-3"},
		{point.Int, "1e3", "1000"},
		{point.Bits, "4294967295", "0xffffffff"},
		{point.Bits, "4294967296", "0xffffffff overflow [out_of_range]"},
		{point.Step, "-64", "-64"},
		{point.Step, "-65", "-64 overflow [out_of_range]"},
		{point.Float, "9007199254740993", "9.007199254740992e+15"},
		{point.Float, "-0", "-0"},
		{point.Float, "1.7976931348623157e308", "1.7976931348623157e+308"},
		{point.Float, "5e-324", "5e-324"},
		{point.Float, "1e-400", "0"},
	} {
		if got := mapped(t, Input{Type: tt.typ}, tt.payload); got != tt.want {
			t.Errorf("%s from %s: %q, want %q", tt.typ, tt.payload, got, tt.want)
		}
	}
}

func TestPayloadThatIsNotJSON(t *testing.T) {
	t.Parallel()
	path, all := &plant.Source{Value: "a.b", Time: "t"}, &plant.Source{Value: "@", Time: "t"}
	deep := strings.Repeat("[", 65) + strings.Repeat("]", 65)
	for _, tt := range []struct {
		name    string
		typ     point.Type
		source  *plant.Source
		payload string
		want    string
	}{
		{"text with a path", point.Float, path, "23.5 degrees", "keep invalid [not_json]"},
		{"truncated", point.Float, path, `{"a":{"b":1}`, "keep invalid [not_json]"},
		{"trailing garbage", point.Float, path, `{"a":{"b":1}}}`, "keep invalid [not_json]"},
		{"NaN literal", point.Float, path, `{"a":{"b":NaN}}`, "keep invalid [not_json]"},
		{"scalar with a path", point.Float, path, `23.5`, "nothing [missing]"},
		{"bare word", point.Single, all, "ON\n", "on"},
		{"bare word of a text", point.Text, all, "hello, world", "hello, world"},
		{"bare number with a plus", point.Float, all, "+23.5", "23.5"},
		{"bare NaN", point.Float, all, "NaN", "keep invalid [wrong_type]"},
		{"bare infinity", point.Float, all, "-inf", "keep invalid [wrong_type]"},
		{"bare hexadecimal", point.Int, all, "0x10", "keep invalid [wrong_type]"},
		{"octets that are no text", point.Text, all, "\xff\xfe", "keep invalid [wrong_type]"},
		{"octets that are no text in JSON", point.Text, all, "\"\xff\"", "keep invalid [wrong_type]"},
		{"JSON as text", point.Text, all, ` {"a":[1, 2]} `, `{"a":[1, 2]}`},
		{"empty", point.Text, all, "", "nothing [empty]"},
		{"only space", point.Float, path, " \n", "nothing [empty]"},
		{"too deep", point.Text, all, deep, "keep invalid [too_deep]"},
		{"too deep with a path", point.Float, path, `{"x":` + deep + `,"a":{"b":1}}`, "keep invalid [too_deep]"},
		{"as deep as allowed", point.Text, all, deep[1 : len(deep)-1], deep[1 : len(deep)-1]},
		{"brackets in a string", point.Float, path, `{"x":"` + deep + `\"[","a":{"b":1}}`, "1"},
	} {
		if got := mapped(t, Input{Type: tt.typ, Source: tt.source}, tt.payload); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestTextIsBounded(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		length, want int
		over         bool
	}{{4096, 4096, false}, {4098, 4095, true}} {
		text := strings.Repeat("€", tt.length)[:tt.length/3*3] + strings.Repeat("x", tt.length%3)
		got, _ := compile(t, Input{Type: point.Text, Selector: "t", Source: &plant.Source{}}).Map(nil, "t", []byte(text), noon, false)
		if v := got[0].Value.Text(); len(v) != tt.want || !strings.HasPrefix(text, v) || (got[0].Quality == point.Overflow) != tt.over {
			t.Errorf("text of %d octets: %d octets, quality %v, want %d", tt.length, len(v), got[0].Quality, tt.want)
		}
	}
}

func TestPipeline(t *testing.T) {
	t.Parallel()
	limits := func(low, high float64, clamp bool) *plant.Limits {
		return &plant.Limits{Low: low, High: high, Clamp: clamp}
	}
	states := map[string]string{"open": "off", "closed": "on", "moving": "intermediate", "0": "off", "1.0": "on", "true": "on"}
	for _, tt := range []struct {
		name    string
		typ     point.Type
		source  plant.Source
		limits  *plant.Limits
		payload string
		want    string
	}{
		{"map of a string", point.Double, plant.Source{Map: states}, nil, `"open"`, "off"},
		{"map of bare text", point.Double, plant.Source{Map: states}, nil, `moving`, "intermediate"},
		{"map of a number", point.Double, plant.Source{Map: states}, nil, `0`, "off"},
		{"map of a number in another form", point.Double, plant.Source{Map: states}, nil, `10e-1`, "on"},
		{"map of a string as it stands", point.Double, plant.Source{Map: states}, nil, `"1.0"`, "on"},
		{"map of a boolean", point.Double, plant.Source{Map: states}, nil, `true`, "on"},
		{"map without null", point.Double, plant.Source{Map: states}, nil, `null`, "keep invalid [null]"},
		{"map of null", point.Double, plant.Source{Map: map[string]string{"null": "intermediate"}}, nil, `null`, "intermediate"},
		{"map of null to a text", point.Text, plant.Source{Map: map[string]string{"null": "nothing"}}, nil, `null`, "nothing"},
		{"map of null is not for an absent path", point.Double, plant.Source{Value: "x", Map: map[string]string{"null": "off"}}, nil, `{}`, "nothing [missing]"},
		{"map is case sensitive", point.Double, plant.Source{Map: states}, nil, `"OPEN"`, "keep invalid [not_in_map]"},
		{"map of an object", point.Double, plant.Source{Map: states}, nil, `{}`, "keep invalid [wrong_type]"},
		{"map to numbers, then scale", point.Float, plant.Source{Map: map[string]string{"low": "1.5"}, Scale: 10}, nil, `"low"`, "15"},
		{"map to texts", point.Text, plant.Source{Map: map[string]string{"3": "alarm"}}, nil, `3.0`, "alarm"},
		{"map to texts, unknown", point.Text, plant.Source{Map: map[string]string{"3": "alarm"}}, nil, `4`, "keep invalid [not_in_map]"},

		{"invert single", point.Single, plant.Source{Invert: true}, nil, `0`, "on"},
		{"invert what is no state", point.Single, plant.Source{Invert: true}, nil, `0.5`, "keep invalid [out_of_range]"},
		{"invert double", point.Double, plant.Source{Invert: true}, nil, `"on"`, "off"},
		{"invert double, fault", point.Double, plant.Source{Invert: true}, nil, `3`, "indeterminate"},
		{"invert bits", point.Bits, plant.Source{Invert: true}, nil, `1`, "0xfffffffe"},
		{"invert comes before scale", point.Double, plant.Source{Invert: true, Scale: -1, Offset: 3}, nil, `"on"`, "on"},

		{"scale and offset", point.Float, plant.Source{Scale: 0.1, Offset: -40}, nil, `635`, "23.5"},
		{"negative scale", point.Int, plant.Source{Scale: -1}, nil, `5`, "-5"},
		{"offset keeps integers exact", point.Int, plant.Source{Offset: -1}, nil, `9007199254740994`, "9007199254740993"},
		{"offset that overflows", point.Int, plant.Source{Offset: 1}, nil, `9223372036854775807`, "9223372036854775807 overflow [out_of_range]"},
		{"scale rounds integers", point.Int, plant.Source{Scale: 0.1}, nil, `26`, "3"},
		{"scale that overflows", point.Float, plant.Source{Scale: 1e300}, nil, `1e300`, "keep invalid [not_finite]"},
		{"0 and 1 to a double point", point.Double, plant.Source{Offset: 1}, nil, `1`, "on"},

		{"expr after offset", point.Float, plant.Source{Offset: 1, Expr: "value * value"}, nil, `2`, "9"},
		{"expr to a state", point.Single, plant.Source{Expr: "value > 30"}, nil, `37.2`, "on"},
		{"expr to a double state", point.Double, plant.Source{Expr: "value > 30"}, nil, `7`, "off"},
		{"expr of bits", point.Single, plant.Source{Expr: "bitand(int(value), 4) != 0"}, nil, `6`, "on"},
		{"expr of an integer", point.Int, plant.Source{Expr: "int(value) + 1"}, nil, `41`, "42"},
		{"expr with a condition", point.Float, plant.Source{Expr: "value < 0 ? 0 : value"}, nil, `-3`, "0"},
		{"expr that divides by zero", point.Float, plant.Source{Expr: "1 / (value - 1)"}, nil, `1`, "keep invalid [not_finite]"},
		{"expr that yields NaN", point.Float, plant.Source{Expr: "(value - 1) / (value - 1)"}, nil, `1`, "keep invalid [not_finite]"},
		{"expr that fails", point.Int, plant.Source{Expr: "int(value) % int(value - value)"}, nil, `1`, "keep invalid [bad_formula]"},
		{"expr of a text", point.Text, plant.Source{Expr: "upper(trim(value))"}, nil, `" abc "`, "ABC"},

		{"all steps", point.Float, plant.Source{Scale: 0.1, Offset: -40, Expr: "max(value, 0)"}, limits(math.Inf(-1), 100, true), `635`, "23.5"},
		{"all steps, formula", point.Float, plant.Source{Scale: 0.1, Offset: -40, Expr: "max(value, 0)"}, limits(math.Inf(-1), 100, true), `100`, "0"},
		{"all steps, limits", point.Float, plant.Source{Scale: 0.1, Offset: -40, Expr: "max(value, 0)"}, limits(math.Inf(-1), 100, true), `2000`, "100 overflow [out_of_range]"},

		{"limits clamp", point.Float, plant.Source{}, limits(-10, 10, true), `10.5`, "10 overflow [out_of_range]"},
		{"limits clamp below", point.Float, plant.Source{}, limits(-10, 10, true), `-11`, "-10 overflow [out_of_range]"},
		{"limits belong to the range", point.Float, plant.Source{}, limits(-10, 10, true), `10`, "10"},
		{"limits without clamp", point.Float, plant.Source{}, limits(-10, 10, false), `11`, "11 overflow [out_of_range]"},
		{"limits come after expr", point.Float, plant.Source{Expr: "value * 100"}, limits(-10, 10, true), `1`, "10 overflow [out_of_range]"},
		{"limits with one end", point.Float, plant.Source{}, limits(math.Inf(-1), 10, true), `-1e300`, "-1e+300"},
		{"limits of integers", point.Int, plant.Source{}, limits(0.5, 9.5, true), `9.6`, "9 overflow [out_of_range]"},
		{"limits of integers without clamp", point.Counter, plant.Source{}, limits(0, 9, false), `10`, "10 overflow [out_of_range]"},
		{"limits beyond 2^53", point.Int, plant.Source{}, limits(math.Inf(-1), 1<<53, true), `9007199254740993`, "9007199254740992 overflow [out_of_range]"},
		{"limits of steps without clamp", point.Step, plant.Source{}, limits(-10, 10, false), `70`, "63 overflow [out_of_range]"},

		{"missing is ignored", point.Float, plant.Source{Value: "x"}, nil, `{"y":1}`, "nothing [missing]"},
		{"missing is invalid", point.Float, plant.Source{Value: "x", Missing: plant.MissingInvalid}, nil, `{"y":1}`, "keep invalid [missing]"},
		{"missing in a scalar", point.Float, plant.Source{Value: "x.y"}, nil, `{"x":1}`, "nothing [missing]"},
		{"null is not missing", point.Float, plant.Source{Value: "x"}, nil, `{"x":null}`, "keep invalid [null]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := mapped(t, Input{Type: tt.typ, Source: &tt.source, Limits: tt.limits}, tt.payload); got != tt.want {
				t.Errorf("%s: %q, want %q", tt.payload, got, tt.want)
			}
		})
	}
}

func TestQuality(t *testing.T) {
	t.Parallel()
	words := &plant.QualityMap{Value: "q", Map: map[string]point.Quality{
		"bad": point.Invalid, "stale": point.NotTopical | point.Substituted, "192": 0, "0": point.Invalid, "true": 0,
	}}
	absent := &plant.QualityMap{Value: "q", Map: map[string]point.Quality{"null": 0}}
	for _, tt := range []struct {
		quality *plant.QualityMap
		payload string
		want    string
	}{
		{words, `{"v":1,"q":"good"}`, "1"},
		{words, `{"v":1,"q":"bad"}`, "1 invalid"},
		{words, `{"v":1,"q":"stale"}`, "1 not-topical,substituted"},
		{words, `{"v":1,"q":192}`, "1"},
		{words, `{"v":1,"q":192.0}`, "1"},
		{words, `{"v":1,"q":true}`, "1"},
		{words, `{"v":1,"q":"GOOD"}`, "1 invalid [bad_quality]"},
		{words, `{"v":1,"q":64}`, "1 invalid [bad_quality]"},
		{words, `{"v":1,"q":null}`, "1 invalid [bad_quality]"},
		{words, `{"v":1,"q":["good"]}`, "1"},
		{words, `{"v":1,"q":[]}`, "1"},
		{words, `{"v":1,"q":["overflow","not-topical"]}`, "1 not-topical,overflow"},
		{words, `{"v":1,"q":["blocked","stale"]}`, "1 not-topical,substituted,blocked"},
		{words, `{"v":1,"q":["overflow","odd"]}`, "1 invalid,overflow [bad_quality]"},
		{words, `{"v":1,"q":[1]}`, "1 invalid [bad_quality]"},
		{words, `{"v":1,"q":{"bad":1}}`, "1 invalid [bad_quality]"},
		{words, `{"v":1}`, "1 invalid [bad_quality]"},
		{words, `{"v":null,"q":"stale"}`, "keep invalid,not-topical,substituted [null]"},
		{words, `{"q":"good"}`, "nothing [missing]"},
		{absent, `{"v":1}`, "1"},
		{absent, `{"v":1,"q":null}`, "1"},
	} {
		in := Input{Type: point.Float, Source: &plant.Source{Value: "v", Quality: tt.quality}}
		if got := mapped(t, in, tt.payload); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.payload, got, tt.want)
		}
	}
}
