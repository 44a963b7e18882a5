package plant_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/plant"
)

// sameInParts decodes a file as a whole and in parts of some sizes, from one
// point in each to all in one, and compares the results.
func sameInParts(t *testing.T, name, text string, kinds plant.Kinds) {
	t.Helper()
	want, wrong := plant.DecodeInParts(name, text, kinds, secrets(), 0)
	for _, size := range []int{1, 100, 1 << 20} {
		got, problems := plant.DecodeInParts(name, text, kinds, secrets(), size)
		if diff := cmp.Diff(wrong, problems); diff != "" {
			t.Errorf("%s: problems in parts of %d octets (-whole +parts):\n%s\n%s", name, size, diff, text)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: plant in parts of %d octets (-whole +parts):\n%s\n%s", name, size, diff, text)
		}
	}
}

func TestPartsGiveWhatTheWholeFileGives(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.[yj]*")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if ext := filepath.Ext(file); ext != ".want" {
			sameInParts(t, "f"+ext, readFile(t, filepath.Base(file)), kinds(t))
		}
	}
	const head = "version: 1\nconnectors:\n  a: {kind: mqtt, url: mqtt://h}\n  b: {kind: iec104-server, listen: x}\n"
	const point = "{type: int, from: {connector: a, topic: t, value: v}}\n"
	for name, rest := range map[string]string{
		"points first":               "commands: {}\npoints:\n  z: " + point + "  y: " + point,
		"points in the middle":       "points:\n\n  # about\n  z: " + point + "# far left\n\n  y: " + point + "commands: {}\n",
		"no newline at the end":      "points:\n  z: " + point + "  y: {type: int}",
		"empty":                      "points:\n",
		"empty before a key":         "points:\ncommands: {}\n",
		"nothing but a comment":      "points: # none\n  # yet\n",
		"windows":                    "points:\r\n  z: {type: int}\r\n\r\n  y: {type: int}\r\n",
		"mac":                        "points:\n  z: {type: int}\r  y: {type: int}\n",
		"other line breaks":          "points:\n  z: {type: int}\u2028  y: {type: int}\n",
		"flow map":                   "points: {z: {type: int}}\n",
		"flow map below":             "points:\n  {z: {type: int},\n  y: {type: int}}\n",
		"list":                       "points:\n  - z\n  - y\n",
		"list far left":              "points:\n- z\n- y\n",
		"value far left":             "points:\n  z:\n   {type: int,\n  unit: V}\n  y: {type: int}\n",
		"list at its key":            "points:\n  z:\n    type: int\n    to:\n    - {connector: b, ca: 1, ioa: 1, as: M_ME_NC_1}\n  y:\n  - 1\n",
		"quotes over lines":          "points:\n  z: {type: int, name: \"a\n  y: b\"}\n  x: {type: int}\n",
		"quotes never closed":        "points:\n  z: {type: int, name: \"a}\n  y: {type: int}\n",
		"block scalar":               "points:\n  z:\n    description: |+\n      a\n\n\n    type: int\n  y:\n    type: int\n    description: >\n\n      y: 1\n  x: {type: int}\n",
		"block scalar at the end":    "points:\n  z:\n    type: int\n    description: |+\n      a\n\n\n  y:\n    type: int\n",
		"keys apart":                 "points:\n  ? z\n  : {type: int}\n  y: {type: int}\n",
		"quoted ids":                 "points:\n  \"z\": {type: int}\n  'y': {type: int}\n",
		"null":                       "points:\n  z:\n  y: ~\n",
		"scalar":                     "points:\n  z\n",
		"scalar over lines":          "points:\n  z\n  y: {type: int}\n",
		"tabs":                       "points:\n  z:\n  \ttype: int\n",
		"unlike indentation":         "points:\n    z: {type: int}\n  y: {type: int}\n",
		"anchor inside":              "points:\n  z: &z {type: int}\n  y: *z\n",
		"anchor in one point":        "points:\n  z:\n    name: &n N\n    unit: *n\n    type: int\n",
		"anchor above":               "points:\n  z: {<<: *none}\n",
		"anchor for below":           "points:\n  z: {type: int, name: &n N}\ncommands: {x: *n}\n",
		"merge":                      "points:\n  <<: {z: {type: int}}\n  y: {type: int}\n",
		"tag":                        "points:\n  z: !!map {type: int}\n  y: {type: !!str int}\n",
		"twice":                      "points:\n  z: {type: int}\n  y: {type: int}\n  z: {type: text, unti: V}\n",
		"a key of a point twice":     "points:\n  z: {type: int, type: int}\n",
		"points twice":               "points:\n  z: {type: int}\npoints:\n  y: {type: int}\n",
		"second document":            "points:\n  z: {type: int}\n---\nversion: 1\n",
		"end of document":            "points:\n  z: {type: int}\n...\n",
		"points within quotes":       "commands: {x: \"\npoints:\n  z: {type: int}\n\"}\n",
		"points within, then points": "commands: {x: \"\npoints:\n  z: {type: int}\n\"}\npoints:\n",
		"cross problems":             "points:\n  z: {type: int, to: [{connector: b, ca: 1, ioa: 7, as: M_ME_NC_1}]}\n  y: {type: int, to: [{connector: b, ca: 1, ioa: 7, as: M_ME_NC_1}]}\n",
		"no UTF-8":                   "points:\n  z: {type: int, name: \xff}\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sameInParts(t, "f.yaml", head+rest, kinds(t))
		})
	}
	for name, points := range map[string]string{
		"spread": "{\n \"z\" : {\"type\": \"int\"} ,\n\"y\":{\"type\":\"int\"}\n}", "empty": "{ }", "not a map": "[1]", "null": "null",
		"comma at the end": `{"z":{"type":"int"},}`, "comma alone": `{,}`, "two commas": `{"z":{"type":"int"},,"y":{}}`,
		"no comma": `{"z":{"type":"int"} "y":{}}`, "no colon": `{"z" {"type":"int"}}`, "no value": `{"z":,"y":{}}`,
		"wrong bracket": `{"z":{"type":"int"}]`, "crossed brackets": `{"z":[{"a":1]},"y":{}}`, "too many brackets": `{"z":{}}}`,
		"never closed": `{"z":{"type":"int"}`, "quote never closed": `{"z":{"type":"int}}`, "brackets in text": `{"z":{"type":"int","name":"}\"]{"}}`,
		"twice": `{"z":{"type":"int"},"y":{"type":"int"},"z":{"type":"int"}}`, "a key of a point twice": `{"z":{"type":"int","type":"int"}}`,
		"control character": "{\"z\":{\"type\":\"i\tnt\"}}", "not UTF-8": "{\"z\":{\"name\":\"\xff\"}}", "words": `{"z":{"type":int}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sameInParts(t, "f.json", `{"version":1,"points":`+points+`,"connectors":{}}`, kinds(t))
			sameInParts(t, "f.json", `{"version":1,"points":`+points, kinds(t))
		})
	}
}

func TestLargeYAMLInParts(t *testing.T) {
	t.Parallel()
	const points = 100
	var b strings.Builder
	b.WriteString("version: 1\npoints:\n")
	for i := range points {
		fmt.Fprintf(&b, "  p%d:\n    description: %s\n    type: float\n", points-i, strings.Repeat("x", 250))
	}
	p, problems := plant.DecodeLarge("f.yaml", b.String(), kinds(t))
	if len(problems) > 0 {
		t.Fatal(problems[0])
	}
	if len(p.Points) != points || p.Points[0].ID != "p1" || p.Points[1].ID != "p10" {
		t.Errorf("%d points, first %s and %s", len(p.Points), p.Points[0].ID, p.Points[1].ID)
	}
	for line, want := range map[string]string{
		"  p0: {type: int\n":                          "f.yaml:303:3: not YAML: did not find expected ',' or '}'",
		"  p1: {type: int}\n":                         "f.yaml:303:3: points.p1: occurs twice, first in line 300",
		"  p0: {type: int, name: &n x, unit: *n}\n":   "f.yaml:303:37: points.p0.unit: alias *n, want none in a file that is larger than 64 MiB",
		"  <<: {p0: {type: int}}\n  q: {type: int}\n": "f.yaml:303:7: points: merge key, want none in a file that is larger than 64 MiB",
	} {
		_, problems := plant.DecodeLarge("f.yaml", b.String()+line, kinds(t))
		if len(problems) != 1 || problems[0].String() != want {
			t.Errorf("%s: problems %v, want %s", line, problems, want)
		}
	}
}

func FuzzParts(f *testing.F) {
	files, err := filepath.Glob("testdata/*.[yj]*")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		if filepath.Ext(file) == ".want" {
			continue
		}
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data), filepath.Ext(file) == ".json")
	}
	kinds := kinds(f)
	f.Fuzz(func(t *testing.T, text string, json bool) {
		name := "f.yaml"
		if json {
			name = "f.json"
		}
		sameInParts(t, name, text, kinds)
	})
}
