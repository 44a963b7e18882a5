package connectors_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"busbar/internal/connector"
	"busbar/internal/plant"
	"busbar/internal/plantdoc"
)

// validators are the schemas of the entries of a plant, compiled by a library that knows
// nothing of ours.
type validators struct {
	connector, point, system, command *jsonschema.Schema
}

func compile(tb testing.TB, s connector.Schema) *jsonschema.Schema {
	tb.Helper()
	text, err := json.Marshal(s)
	if err != nil {
		tb.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		tb.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	if err := c.AddResource("schema.json", doc); err != nil {
		tb.Fatal(err)
	}
	compiled, err := c.Compile("schema.json")
	if err != nil {
		tb.Fatalf("%v\n%s", err, text)
	}
	return compiled
}

func newValidators(tb testing.TB, r *connector.Registry) *validators {
	tb.Helper()
	s, err := r.PlantSchemas()
	if err != nil {
		tb.Fatal(err)
	}
	return &validators{compile(tb, s.Connector), compile(tb, s.Point), compile(tb, s.SystemPoint), compile(tb, s.Command)}
}

// wrong returns why the objects do not fit their schemas.
func (v *validators) wrong(objs []plantdoc.Object) error {
	for _, o := range objs {
		schema := v.point
		switch {
		case o.Section == plantdoc.Connectors:
			schema = v.connector
		case o.Section == plantdoc.Commands:
			schema = v.command
		case plant.IsSystem(o.ID):
			schema = v.system
		}
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(o.Body))
		if err != nil {
			return err
		}
		if err := schema.Validate(value); err != nil {
			return fmt.Errorf("%s %s: %w\n%s", o.Section, o.ID, err, o.Body)
		}
	}
	return nil
}

func TestRightPlantsFitTheirSchemas(t *testing.T) {
	t.Parallel()
	r := registry(t)
	v := newValidators(t, r)
	fit := 0
	for name, data := range plantFiles(t) {
		if _, problems := plant.Decode(name, data, r, anySecret()); len(problems) > 0 {
			continue
		}
		objs, problems := plantdoc.Parse(name, data)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		if err := v.wrong(objs); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		fit++
	}
	if fit < 8 {
		t.Errorf("%d plants are right, want 8 or more", fit)
	}
}

// TestMutatedPlantsFitTheirSchemas changes one value after the other of plants that
// are right. What is decoded has to fit; what is refused should mostly not.
func TestMutatedPlantsFitTheirSchemas(t *testing.T) {
	t.Parallel()
	r := registry(t)
	v := newValidators(t, r)
	random := rand.New(rand.NewPCG(1, 2))
	refused, seen := 0, 0
	for name, data := range plantFiles(t) {
		if _, problems := plant.Decode(name, data, r, anySecret()); len(problems) > 0 {
			continue
		}
		objs, _ := plantdoc.Parse(name, data)
		for range 400 {
			i := random.IntN(len(objs))
			changed := slices.Clone(objs)
			changed[i].Body = mutate(t, random, objs[i].Body)
			_, problems := plant.Decode("p.json", plantdoc.JSON(changed), r, anySecret())
			err := v.wrong(changed)
			switch {
			case len(problems) == 0 && err != nil:
				t.Fatalf("%s: is decoded, but does not fit: %v", name, err)
			case len(problems) > 0 && strings.HasPrefix(problems[0].Path, string(objs[i].Section)):
				refused++
				if err != nil {
					seen++
				}
			}
		}
	}
	if refused < 500 || seen*100 < refused*70 {
		t.Errorf("%d of %d refused plants do not fit, want 70 %% or more of 500 or more", seen, refused)
	}
	t.Logf("%d of %d refused plants do not fit their schemas", seen, refused)
}

// mutate changes one value of an object.
func mutate(t *testing.T, random *rand.Rand, body []byte) []byte {
	t.Helper()
	var object any
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&object); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(change(random, object))
	if err != nil {
		t.Fatal(err)
	}
	canonical, err := plantdoc.Canonical(out)
	if err != nil {
		t.Fatal(err)
	}
	return canonical
}

func change(random *rand.Rand, v any) any {
	values := []any{
		nil, true, false, 0, 1, -1, 7, 300, 70000, 1 << 30, 0.5, 1e300, json.Number("1.10"), "", "x", "on", "off", "5", "true", "10s", "-3s", "0",
		"1h", "99999h", "5%", "M_ME_TF_1", 36, "C_SC_NA_1", "0.225", "0.0.100", "utc", "any", []any{}, []any{1}, []any{"any"}, []any{1, 16}, map[string]any{},
		map[string]any{"low": 1, "high": 2}, map[string]any{"x": 1},
	}
	switch v := v.(type) {
	case map[string]any:
		keys := make([]string, 0, len(v))
		for key := range v {
			keys = append(keys, key)
		}
		slices.Sort(keys)
		switch n := random.IntN(12); {
		case n == 0 && len(keys) > 0:
			delete(v, keys[random.IntN(len(keys))])
			return v
		case n == 1:
			v["unknown"] = 1
			return v
		case n == 2:
			more := []string{"deadband", "limits", "range", "validity", "hold", "scale", "offset", "missing", "invert", "report", "keep", "k", "t1", "as", "groups", "qos"}
			v[more[random.IntN(len(more))]] = values[random.IntN(len(values))]
			return v
		case len(keys) > 0:
			key := keys[random.IntN(len(keys))]
			v[key] = change(random, v[key])
			return v
		}
	case []any:
		if len(v) > 0 && random.IntN(4) > 0 {
			i := random.IntN(len(v))
			v[i] = change(random, v[i])
			return v
		}
	}
	return values[random.IntN(len(values))]
}
