package mapping

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/plant"
	"busbar/internal/point"
)

func TestPath(t *testing.T) {
	t.Parallel()
	doc := `{"a":{"b":[{"c":1},{"c":2,"c":20}],"x.y":3,"":0,"@this":4,"#":5,"*":6,"a|b":7,"back\\slash":8,"ca\u0066\u00e9":9},
		"0":{"1":10}, "a.b":11, "@":12,"list":[[13,14],[15]], "t\"\\" : {"q\\" : "}]"}, "empty":{},"none":[]}`
	for path, want := range map[string]string{
		`a.b.0.c`:       "1",
		`a.b.1.c`:       "2", // of equal keys the first
		`a.b.2.c`:       "",
		`a.b.-1.c`:      "",
		`a.b.00.c`:      "", // no index
		`a.b.#`:         "",
		`a.x\.y`:        "3",
		`a.x.y`:         "",
		`a.@this`:       "4",
		`a.#`:           "5",
		`a.*`:           "6",
		`a.a|b`:         "7",
		`a.back\\slash`: "8",
		`a.café`:        "9",
		`0.1`:           "10",
		`a\.b`:          "11",
		`\@`:            "12",
		`list.0.1`:      "14",
		`list.1.0`:      "15",
		`list.1`:        "[15]",
		`t"\\.q\\`:      `"}]"`,
		`empty.x`:       "",
		`none.0`:        "",
		`empty`:         "{}",
	} {
		l := newLayout([]string{path})
		m := message{doc: doc}
		m.find(l)
		if got := m.values[0]; got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}

func TestPathsShareOneWalk(t *testing.T) {
	t.Parallel()
	// An object, parts of it, and the whole payload at once.
	l := newLayout([]string{"@", "a.b", "a", "a.c.0", "z"})
	m := message{doc: `{"x":[1,2],"a":{"c":["first"],"b":true},"a":{"b":false}}`}
	m.find(l)
	want := []string{m.doc, "true", `{"c":["first"],"b":true}`, `"first"`, ""}
	if diff := cmp.Diff(want, m.values); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
}

func TestBadPaths(t *testing.T) {
	t.Parallel()
	for _, path := range []string{".", "a.", ".a", "a..b", `a\`, `a.\`} {
		for _, src := range []plant.Source{{Value: path}, {Time: path}, {Quality: &plant.QualityMap{Value: path}}} {
			if faults := Check(Input{Type: point.Int, Selector: "t", Source: &src}); len(faults) != 1 {
				t.Errorf("path %s: faults %v, want one", path, faults)
			}
		}
	}
}

// TestWalkAgreesWithDecoder compares with the decoder of the standard library.
func TestWalkAgreesWithDecoder(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		doc := randomJSON(r, 0)
		var paths []string
		for range 5 {
			var keys []string
			for range 1 + r.IntN(3) {
				keys = append(keys, randomKey(r))
			}
			if path := strings.Join(keys, "."); !slices.Contains(paths, path) {
				paths = append(paths, path)
			}
		}
		checkWalk(t, doc, paths)
	}
}

// checkWalk fails if the walker finds other values than the standard decoder.
func checkWalk(t *testing.T, doc string, paths []string) {
	t.Helper()
	m := message{doc: strings.TrimSpace(doc)}
	m.find(newLayout(paths))
	for i, path := range paths {
		keys, err := parsePath(path)
		if err != nil {
			t.Fatalf("path %q: %v", path, err)
		}
		want := lookup(json.RawMessage(doc), keys)
		if got := m.values[i]; got != strings.TrimSpace(string(want)) {
			t.Errorf("%s of %s: %q, want %q", path, doc, got, want)
		}
	}
}

// lookup returns what a path leads to, by way of the first of equal keys that
// leads there; nil if nothing.
func lookup(doc json.RawMessage, keys []string) json.RawMessage {
	if len(keys) == 0 {
		return doc
	}
	for _, m := range members(doc, keys[0]) {
		if v := lookup(m, keys[1:]); v != nil {
			return v
		}
	}
	return nil
}

// members returns what a key leads to in an object or array.
func members(doc json.RawMessage, key string) (found []json.RawMessage) {
	var list []json.RawMessage
	if json.Unmarshal(doc, &list) == nil {
		if i, err := strconv.Atoi(key); err == nil && strconv.Itoa(i) == key && i >= 0 && i < len(list) {
			return list[i : i+1]
		}
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(doc))
	if tok, err := d.Token(); err != nil || tok != json.Delim('{') {
		return nil
	}
	for d.More() {
		name, err := d.Token()
		var value json.RawMessage
		if err != nil || d.Decode(&value) != nil {
			return nil
		}
		if name == key {
			found = append(found, value)
		}
	}
	return found
}

func randomKey(r *rand.Rand) string {
	return []string{"a", "b", "0", "1", "2", "é", "long key"}[r.IntN(7)]
}

func randomJSON(r *rand.Rand, depth int) string {
	space := strings.Repeat(" ", r.IntN(2)) + strings.Repeat("\n\t", r.IntN(2))
	var parts []string
	kind := r.IntN(8)
	if depth > 4 {
		kind %= 5
	}
	switch kind {
	case 0:
		return space + strconv.Itoa(r.IntN(1000)-500) + space
	case 1:
		return space + []string{"true", "false", "null", "1.5e-3"}[r.IntN(4)] + space
	case 2, 3, 4:
		return space + []string{`""`, `"\"}]{[,:\\"`, `"plain"`, `"\u00e9"`}[r.IntN(4)] + space
	case 5:
		for range r.IntN(4) {
			parts = append(parts, randomJSON(r, depth+1))
		}
		return space + "[" + space + strings.Join(parts, ",") + "]" + space
	default:
		for range r.IntN(6) {
			key, _ := json.Marshal(randomKey(r))
			if r.IntN(5) == 0 {
				key = fmt.Appendf(nil, `"\u%04x"`, "ab"[r.IntN(2)])
			}
			parts = append(parts, space+string(key)+space+":"+randomJSON(r, depth+1))
		}
		return space + "{" + space + strings.Join(parts, ",") + "}" + space
	}
}
