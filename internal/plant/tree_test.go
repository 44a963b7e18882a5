package plant_test

import (
	"fmt"
	"strings"
	"testing"

	"busbar/internal/plant"
)

// onlyProblem decodes a file with one problem and returns it.
func onlyProblem(t *testing.T, name, data string) string {
	t.Helper()
	_, problems := plant.Decode(name, []byte(data), kinds(t), plant.Options{})
	if len(problems) != 1 {
		t.Fatalf("%d problems, want 1:\n%v", len(problems), problems)
	}
	return problems[0].String()
}

func TestDepthIsLimited(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"f.yaml", "f.json"} {
		deep := strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000)
		if got := onlyProblem(t, name, `{"version": 1, "connectors": `+deep+"}"); !strings.HasPrefix(got, name+":1:") {
			t.Errorf("%s: %s", name, got)
		}
	}
	nested := strings.Repeat("[", 80) + strings.Repeat("]", 80)
	_, problems := plant.Decode("f.yaml", []byte("version: 1\nconnectors: {x: {kind: mqtt, url: mqtt://h, headers: {a: "+nested+"}}}"), kinds(t), plant.Options{})
	if len(problems) == 0 || !strings.Contains(problems.Error(), "nested too deep, want at most 64 levels") {
		t.Errorf("problems: %v", problems)
	}
}

func TestTreesAreLimited(t *testing.T) {
	t.Parallel()
	many := `"p": [` + strings.Repeat("1,", 1000) + "1]"
	if problems := plant.PartWith(1100, many); len(problems) > 0 {
		t.Errorf("a part of 1002 nodes: %v", problems)
	}
	if problems := plant.PartWith(1000, many); len(problems) != 1 || !strings.Contains(problems.Error(), "want at most 8000000 lists, maps and values") {
		t.Errorf("a part of too many nodes: %v", problems)
	}
	_, problems := plant.Tree("f.yaml", []byte("["+strings.Repeat("1,", 4_000_001)+"1]"))
	if len(problems) != 1 || !strings.Contains(problems.Error(), "more than 4000000 commas and lines") {
		t.Errorf("a document of too many nodes: %v", problems)
	}
}

func TestAliasesDoNotExplode(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("version: 1\nconnectors:\n  a0: &a0 {kind: mqtt, url: mqtt://h}\n")
	for i := 1; i <= 40; i++ {
		fmt.Fprintf(&b, "  a%d: &a%d {kind: mqtt, url: mqtt://h, headers: {a: [*a%d, *a%d]}}\n", i, i, i-1, i-1)
	}
	_, problems := plant.Decode("f.yaml", []byte(b.String()), kinds(t), plant.Options{})
	if got := strings.Count(problems.Error(), "aliases stand for too much, want at most 4000000 nodes in all"); got != 1 {
		t.Errorf("%d problems of aliases, want 1:\n%v", got, problems)
	}
}

func TestMergedKeysGiveWayToOwn(t *testing.T) {
	t.Parallel()
	p := mustDecode(t, "f.yaml", `
version: 1
connectors:
  a: &a {kind: mqtt, url: mqtt://a, qos: 0}
  b: &b {<<: *a, url: mqtt://b}
  c: {username: own, <<: [{username: merged}, *b, *a]}
`)
	got := p.Connectors[2].Settings.(*mqttSettings)
	if got.URL != "mqtt://b" || got.Username != "own" || got.QoS != 0 {
		t.Errorf("settings %+v", got)
	}
}

func TestLargeMapsFindKeysThatOccurTwice(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"f.yaml", "f.json"} {
		var b strings.Builder
		b.WriteString("{\"version\": 1,\n\"points\": {\n")
		for i := range 100 {
			fmt.Fprintf(&b, "\"p%d\": {\"type\": \"int\"},\n", i)
		}
		b.WriteString("\"p16\": {\"type\": \"int\"}\n}}")
		if got, want := onlyProblem(t, name, b.String()), name+":103:1: points.p16: occurs twice, first in line 19"; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestJSONSyntax(t *testing.T) {
	t.Parallel()
	tests := []struct{ text, want string }{
		{``, `f.json:1:1: not JSON: found the end of the file, want {"version":1}`},
		{`{`, `f.json:1:2: not JSON: found the end of the file, want a key in quotes`},
		{`{"version"`, `f.json:1:11: version: not JSON: found the end of the file, want a colon after the key`},
		{`{"version":`, `f.json:1:12: version: not JSON: found the end of the file, want a value`},
		{`{"version":1,}`, `f.json:1:14: not JSON: found '}', want a key in quotes`},
		{`{"version":1]`, `f.json:1:13: not JSON: found ']', want a comma or }`},
		{`{"points":[1,]}`, `f.json:1:14: points[1]: not JSON: found ']', want a value`},
		{`{"points":[1`, `f.json:1:13: points: not JSON: found the end of the file, want a comma or ]`},
		{`{"version":"1}`, `f.json:1:15: version: not JSON: found the end of the file, want a quote at the end of the text`},
		{`{"version":"\`, `f.json:1:14: version: not JSON: found the end of the file, want a quote at the end of the text`},
		{`{"version":"\x"}`, `f.json:1:12: version: not JSON: found '"', want a string with the escapes of JSON`},
		{"{\"version\":\"\n\"}", `f.json:1:13: version: not JSON: found '\n', want control characters as escapes`},
		{`{"version":-}`, `f.json:1:12: version: not JSON: found '-', want a value`},
		{`{"version":1.}`, `f.json:1:12: version: not JSON: found '1', want a value`},
		{`{"version":1e}`, `f.json:1:12: version: not JSON: found '1', want a value`},
		{`{"version":1e+5x}`, `f.json:1:12: version: not JSON: found '1', want a value`},
		{`{"version":NaN}`, `f.json:1:12: version: not JSON: found 'N', want a value`},
		{`{"version":1.5e-3}`, `f.json:1:12: version: is 1.5e-3, want 1`},
		{"\ufeff{\n\t\"ä\": 1, \"version\": true}", `f.json:2:2: "ä": unknown key, want one of commands, connectors, points, version`},
	}
	for _, tt := range tests {
		_, problems := plant.Decode("f.json", []byte(tt.text), kinds(t), plant.Options{})
		if got := problems[0].String(); got != tt.want {
			t.Errorf("%s\ngot  %s\nwant %s", tt.text, got, tt.want)
		}
	}
}

func TestJSONEscapes(t *testing.T) {
	t.Parallel()
	p := mustDecode(t, "f.json", `{"version":1,"points":{"a\/b":{"type":"text","name":"\u00e4\ud83d\ude00\t\"\\"}}}`)
	if got := p.Points[0]; got.ID != "a/b" || got.Name != "ä😀\t\"\\" {
		t.Errorf("point %+v", got)
	}
}

func TestYAMLFaultsShowTheirLine(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, text, want string }{
		{"wrong indentation", "version: 1\nconnectors:\n  a:\n    kind: mqtt\n   url: x\n  b: {}\n", "f.yaml:5:4: not YAML: did not find expected key"},
		{"open bracket", "version: 1\npoints:\n  a: {type: int\n  b: {type: int}\n", "f.yaml:3:3: not YAML: did not find expected ',' or '}'"},
		{"open quote", "version: 1\npoints:\n  a: {type: 'int}\n  b: {type: int}\n", "f.yaml:3:3: not YAML: found unexpected end of stream"},
		{"unknown anchor", "version: 1\nconnectors: *none\n", "f.yaml:2:1: not YAML: unknown anchor 'none' referenced"},
		{"no UTF-8", "version: 1\nconnectors: \xff\n", "f.yaml:2:1: not YAML: invalid leading UTF-8 octet"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := onlyProblem(t, "f.yaml", tt.text); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}
