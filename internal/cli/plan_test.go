package cli

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/plantdoc"
)

func TestDifferingKeys(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, before, after, want string }{
		{"same", `{"a":1,"b":[1]}`, `{"b":[1],"a":1}`, ""},
		{"value", `{"a":1}`, `{"a":2}`, "a"},
		{"number of another form", `{"a":1}`, `{"a":1.0}`, "a"},
		{"large numbers", `{"a":9007199254740993}`, `{"a":9007199254740992}`, "a"},
		{"key that is new, and one that is gone", `{"a":1}`, `{"b":1}`, "a b"},
		{"within a map", `{"from":{"topic":"x","value":"v"}}`, `{"from":{"topic":"y","value":"v"}}`, "from.topic"},
		{"within a list", `{"to":[{"ioa":1},{"ioa":2}]}`, `{"to":[{"ioa":1},{"ioa":3}]}`, "to[1].ioa"},
		{"list of another length", `{"to":[{"ioa":1}]}`, `{"to":[]}`, "to"},
		{"null and absent", `{"a":null}`, `{}`, "a"},
		{"another kind of value", `{"a":{"b":1}}`, `{"a":[1]}`, "a"},
		{"no JSON", `{`, `{}`, "all"},
	} {
		if got := strings.Join(differingKeys([]byte(tt.before), []byte(tt.after)), " "); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestPlan(t *testing.T) {
	t.Parallel()
	changes := []plantdoc.Change{
		{Section: plantdoc.Connectors, ID: "scada", After: []byte(`{"kind":"iec104-server"}`)},
		{Section: plantdoc.Points, ID: "ons4711/t1/oil", Before: []byte(`{"password":"old","to":[{"ioa":1}]}`), After: []byte(`{"password":"new","to":[{"ioa":2}]}`)},
		{Section: plantdoc.Commands, ID: "q0", Before: []byte(`{}`)},
	}
	for most, want := range map[int]string{
		100: "+ connectors.scada\n~ points.ons4711/t1/oil: password, to[0].ioa\n- commands.q0\n1 new, 1 changed, 1 removed\n",
		1:   "+ connectors.scada\n… and 2 more, --all shows them\n1 new, 1 changed, 1 removed\n",
		3:   "+ connectors.scada\n~ points.ons4711/t1/oil: password, to[0].ioa\n- commands.q0\n1 new, 1 changed, 1 removed\n",
	} {
		var b strings.Builder
		printPlan(&b, changes, most)
		if diff := cmp.Diff(want, b.String()); diff != "" {
			t.Errorf("plan of %d lines (-want +got):\n%s", most, diff)
		}
	}
}

func FuzzDifferingKeys(f *testing.F) {
	f.Add([]byte(`{"a":1,"b":[1,{"c":null}]}`), []byte(`{"a":[2]}`))
	f.Add([]byte(`{`), []byte(`"x"`))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		keys := differingKeys(a, b)
		if string(a) == string(b) && json.Valid(a) && len(keys) > 0 {
			t.Errorf("%q differs from itself in %q", a, keys)
		}
	})
}
