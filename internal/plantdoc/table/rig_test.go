package table_test

import (
	"bytes"
	"strings"
	"testing"

	"busbar/internal/plant"
	"busbar/internal/plantdoc"
	"busbar/internal/plantdoc/table"
)

// schemas stand in for those of the kinds of a program.
func points(tb testing.TB) *table.Layout {
	tb.Helper()
	g, err := plant.Generic()
	if err != nil {
		tb.Fatal(err)
	}
	address := plant.Schema{"type": []string{"number", "string"}}
	text := plant.TextSchema()
	object := func(keys ...any) plant.Schema {
		properties, order := plant.Schema{}, []string{}
		for i := 0; i < len(keys); i += 2 {
			properties[keys[i].(string)] = keys[i+1]
			order = append(order, keys[i].(string))
		}
		return plant.Schema{"type": "object", "properties": properties, "x-order": order, "additionalProperties": false}
	}
	groups := plant.Schema{"type": "array", "items": plant.Schema{"type": "integer"}}
	targets := []plant.Schema{
		g.Target.Merge(object("ca", address, "ioa", address, "as", plant.EnumSchema("M_ME_TF_1", "36"), "groups", groups)),
		g.Target.Merge(object("topic", text, "retain", plant.Schema{"type": "boolean"})),
	}
	p := g.Point.With("from", g.Source.Merge(object("topic", text))).
		With("to", plant.Schema{"type": "array", "items": plant.Schema{"anyOf": targets}})
	return table.NewLayout(plantdoc.Points, p, g.SystemPoint)
}

// objects parses the points of a plant file in YAML.
func objects(tb testing.TB, yaml string) []plantdoc.Object {
	tb.Helper()
	objs, problems := plantdoc.Parse("p.yaml", []byte("version: 1\npoints:\n"+yaml))
	if len(problems) > 0 {
		tb.Fatal(problems)
	}
	return objs
}

// existing looks objects up.
func existing(objs []plantdoc.Object) func(id string) ([]byte, bool) {
	bodies := make(map[string][]byte, len(objs))
	for _, o := range objs {
		bodies[o.ID] = o.Body
	}
	return func(id string) ([]byte, bool) {
		body, ok := bodies[id]
		return body, ok
	}
}

func csvOf(tb testing.TB, text string) table.Reader {
	tb.Helper()
	r, err := table.ReadCSV(strings.NewReader(text))
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func merge(tb testing.TB, l *table.Layout, r table.Reader, objs []plantdoc.Object) *table.Import {
	tb.Helper()
	m, err := l.Merge(r, existing(objs))
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

// bodies shows rows as "id action body", or "id fault".
func shown(m *table.Import) []string {
	var list []string
	for _, f := range m.Faults {
		list = append(list, f.String())
	}
	for _, r := range m.Rows {
		for _, f := range r.Faults {
			list = append(list, f.String())
		}
		if len(r.Faults) == 0 {
			list = append(list, r.ID+" "+string(r.Action)+" "+string(r.Body))
		}
	}
	return list
}

func xlsxOf(tb testing.TB, data []byte) table.Reader {
	tb.Helper()
	r, err := table.ReadXLSX(bytes.NewReader(data), "Points")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := r.Close(); err != nil {
			tb.Error(err)
		}
	})
	return r
}

// canonical checks that a body is canonical JSON.
func canonical(tb testing.TB, body []byte) {
	tb.Helper()
	if got, err := plantdoc.Canonical(body); err != nil || !bytes.Equal(got, body) {
		tb.Fatalf("%s is not canonical, want %s, %v", body, got, err)
	}
}
