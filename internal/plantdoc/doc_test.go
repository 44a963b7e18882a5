package plantdoc_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/plantdoc"
)

// plantFiles returns the plant files of the repository and the examples of its
// documentation by name.
func plantFiles(tb testing.TB) map[string][]byte {
	tb.Helper()
	files := map[string][]byte{}
	for _, pattern := range []string{"../plant/testdata/*.yaml", "../plant/testdata/*.json", "../cli/testdata/*.yaml", "../cli/demo/*.yaml"} {
		names, err := filepath.Glob(pattern)
		if err != nil || len(names) == 0 {
			tb.Fatalf("%s: %d files, %v", pattern, len(names), err)
		}
		for _, name := range names {
			files[name] = read(tb, name)
		}
	}
	examples := regexp.MustCompile("(?s)```yaml\n(.*?)```")
	for _, pattern := range []string{"../../docs/*.md", "../../docs/*/*.md"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			tb.Fatal(err)
		}
		for _, name := range names {
			for i, m := range examples.FindAllSubmatch(read(tb, name), -1) {
				files[name+strings.Repeat("'", i)+".yaml"] = m[1]
			}
		}
	}
	if len(files) < 30 {
		tb.Fatalf("%d plant files, want those of the tests and of the documentation", len(files))
	}
	return files
}

func read(tb testing.TB, name string) []byte {
	tb.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

// mustParse parses a plant that has no fault of syntax.
func mustParse(tb testing.TB, name, text string) []plantdoc.Object {
	tb.Helper()
	objs, problems := plantdoc.Parse(name, []byte(text))
	if len(problems) > 0 {
		tb.Fatalf("problems:\n%v", problems)
	}
	return objs
}

// sameObjects checks that the objects of a plant file are those of what is written of them.
func sameObjects(t *testing.T, name string, data []byte) {
	t.Helper()
	objs, problems := plantdoc.Parse(name, data)
	if len(problems) > 0 {
		return
	}
	document := plantdoc.JSON(objs)
	again, problems := plantdoc.Parse("p.json", document)
	if diff := cmp.Diff(objs, again); len(problems) > 0 || diff != "" {
		t.Fatalf("%s: objects of the JSON (-want +got):\n%s%v", name, diff, problems)
	}
	text, err := plantdoc.YAML(objs)
	if err != nil {
		if strings.Contains(err.Error(), "too long") {
			return
		}
		t.Fatalf("%s: %v", name, err)
	}
	again, problems = plantdoc.Parse("p.yaml", text)
	if diff := cmp.Diff(objs, again); len(problems) > 0 || diff != "" {
		t.Fatalf("%s: objects of the YAML (-want +got):\n%s%v\n%s", name, diff, problems, text)
	}
}

func TestWhatIsWrittenIsReadAgain(t *testing.T) {
	t.Parallel()
	for name, data := range plantFiles(t) {
		sameObjects(t, name, data)
	}
}

func FuzzParse(f *testing.F) {
	for name, data := range plantFiles(f) {
		f.Add(data, strings.HasSuffix(name, ".json"))
	}
	f.Add([]byte("version: 1\npoints: {a: {name: .5, unit: 007, type: int, k: [~, Null, yes, 1.10, 1e3, '1', \"\\x07\", é, \"\\u2028\"]}}"), false)
	f.Fuzz(func(t *testing.T, data []byte, json bool) {
		name := "f.yaml"
		if json {
			name = "f.json"
		}
		sameObjects(t, name, data)
	})
}

func TestScalarsKeepTheirMeaning(t *testing.T) {
	t.Parallel()
	const text = `version: 1
points:
  a: {b: true, c: "true", d: yes, e: 1.10, f: "1.10", g: 007, h: .5, i: ~, j: "", k: 1e3, l: 0x10, m: -0, n: [a, {z: 1, y: 2}], o: "é\n\"\u0001"}
`
	want := []plantdoc.Object{{Section: plantdoc.Points, ID: "a", Body: []byte(
		`{"b":true,"c":"true","d":"yes","e":1.10,"f":"1.10","g":"007","h":".5","i":null,"j":"","k":1e3,"l":"0x10","m":-0,` +
			`"n":["a",{"y":2,"z":1}],"o":"é\n\"\u0001"}`)}}
	if diff := cmp.Diff(want, mustParse(t, "p.yaml", text)); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
}

func TestParseReportsFaults(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"version: 1\npoints: {a: {}, a: {}}\n":        "p.yaml:2:17: points.a: occurs twice, first in line 2",
		"version: 2\n":                                "p.yaml:1:10: version: is 2, want 1",
		"points: {}\n":                                "p.yaml:1:1: version: is missing, want version: 1",
		"version: 1\npionts: {}\n":                    "p.yaml:2:1: pionts: unknown key; did you mean points?",
		"version: 1\npoints: [a]\n":                   "p.yaml:2:9: points: is a list, want a map of ids",
		"version: 1\ntemplates: {}\n":                 "p.yaml:2:12: templates: not supported by this version",
		"[]\n":                                        "p.yaml:1:1: is a list, want a map",
		"version: 1\npoints:\n  a: {}\n  b: {c: }}\n": "p.yaml:4:3: not YAML: did not find expected key",
	} {
		objs, problems := plantdoc.Parse("p.yaml", []byte(text))
		if len(problems) == 0 || len(objs) > 0 || problems[0].String() != want {
			t.Errorf("%q: %d objects, problems\n%v\nwant\n%s", text, len(objs), problems, want)
		}
	}
}

func TestIdsThatOccurTwiceInPartsAreFound(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("version: 1\npoints:\n  a: {type: int}\n")
	for i := range 100 {
		b.WriteString("  p" + strings.Repeat("x", i) + ": {description: " + strings.Repeat("y", 3000) + "}\n")
	}
	b.WriteString("  a: {type: int}\n")
	_, problems := plantdoc.Parse("p.yaml", []byte(b.String()))
	if len(problems) != 1 || problems[0].String() != "p.yaml:104:3: points.a: occurs twice, first in line 3" {
		t.Errorf("problems %v", problems)
	}
}

func TestParseObject(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"type: int\nto: [{ca: 1.10}]": `{"to":[{"ca":1.10}],"type":"int"}`,
		"{}":                          `{}`,
		"[1]":                         "o.yaml:1:1: want a map of keys",
		"a: {b: 1, b: 2}":             "o.yaml:1:11: a.b: occurs twice, first in line 1",
		"":                            "o.yaml:1:1: is empty, want version: 1",
	} {
		got, err := plantdoc.ParseObject("o.yaml", []byte(text))
		if err != nil {
			got = []byte(err.Error())
		}
		if string(got) != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func TestYAMLIsForPeople(t *testing.T) {
	t.Parallel()
	const text = `version: 1
connectors:
  scada:
    kind: iec104-server
    listen: "127.0.0.1:2404"
    allow: ["10.0.0.0/8"]
    t1: 15s
points:
  ons4711/t1/oil-temperature:
    type: float
    name: "12"
    unit: °C
    range: {low: -40, high: 120}
    deadband: 0.5
    from: {connector: sensors, topic: ons/4711/sensors, value: data.temperature, time: timestamp, map: {"1": off, "a b: c": on}}
    to:
      - {connector: scada, ca: 225, ioa: 100, as: M_ME_TF_1, cyclic: 10s}
      - {connector: other, ca: "0.225", ioa: 1}
commands:
  c: {}
`
	got, err := plantdoc.YAML(mustParse(t, "p.yaml", text))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(text, string(got)); diff != "" {
		t.Errorf("YAML (-want +got):\n%s", diff)
	}
}

func TestDiff(t *testing.T) {
	t.Parallel()
	before := mustParse(t, "p.yaml", "version: 1\nconnectors: {a: {k: 1}, b: {k: 1}}\npoints: {a: {k: 1}, c: {}}\n")
	after := mustParse(t, "p.yaml", "version: 1\npoints: {b: {}, a: {k: 2}, c: {}}\ncommands: {d: {}}\n")
	want := []plantdoc.Change{
		{Section: plantdoc.Connectors, ID: "a", Before: []byte(`{"k":1}`)},
		{Section: plantdoc.Connectors, ID: "b", Before: []byte(`{"k":1}`)},
		{Section: plantdoc.Points, ID: "a", Before: []byte(`{"k":1}`), After: []byte(`{"k":2}`)},
		{Section: plantdoc.Points, ID: "b", After: []byte(`{}`)},
		{Section: plantdoc.Commands, ID: "d", After: []byte(`{}`)},
	}
	if diff := cmp.Diff(want, plantdoc.Diff(before, after)); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	if got := plantdoc.Diff(after, after); got != nil {
		t.Errorf("changes to itself %v", got)
	}
}
