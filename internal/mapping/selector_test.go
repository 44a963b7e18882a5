package mapping

import (
	"slices"
	"testing"

	"busbar/internal/plant"
	"busbar/internal/point"
)

func TestTopicFilters(t *testing.T) {
	t.Parallel()
	filters := []string{
		"sport/tennis/player1/#", "sport/#", "#", "sport/tennis/+", "sport/+", "+", "+/+", "/+",
		"+/tennis/#", "+/monitor/Clients", "$SYS/#", "$SYS/monitor/+", "sport/tennis/player1", "sport/+/player1",
	}
	var inputs []Input
	for i, f := range filters {
		inputs = append(inputs, Input{Index: point.Index(i), Type: point.Int, Selector: f, Source: &plant.Source{}})
	}
	s := compile(t, inputs...)
	// What matches is taken from the examples of the MQTT specification.
	for topic, want := range map[string][]string{
		"sport/tennis/player1":                 {"sport/tennis/player1/#", "sport/#", "#", "sport/tennis/+", "+/tennis/#", "sport/tennis/player1", "sport/+/player1"},
		"sport/tennis/player1/ranking":         {"sport/tennis/player1/#", "sport/#", "#", "+/tennis/#"},
		"sport/tennis/player1/score/wimbledon": {"sport/tennis/player1/#", "sport/#", "#", "+/tennis/#"},
		"sport/tennis/player2":                 {"sport/#", "#", "sport/tennis/+", "+/tennis/#"},
		"sport":                                {"sport/#", "#", "+"},
		"sport/":                               {"sport/#", "#", "sport/+", "+/+"},
		"/finance":                             {"#", "+/+", "/+"},
		"/":                                    {"#", "+/+", "/+"},
		"$SYS/monitor/Clients":                 {"$SYS/#", "$SYS/monitor/+"},
		"$SYS":                                 {"$SYS/#"},
		"$other":                               {},
		"Sport":                                {"#", "+"},
	} {
		updates, _ := s.Map(nil, topic, []byte("1"), noon, false)
		got := []string{}
		for _, u := range updates {
			got = append(got, filters[u.Point])
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s matches %q, want %q", topic, got, want)
		}
	}
}

func TestUnknownSelectorIsCounted(t *testing.T) {
	t.Parallel()
	s := compile(t, Input{Type: point.Int, Selector: "a/+", Source: &plant.Source{}})
	got, out := s.Map(nil, "a/b/c", []byte("1"), noon, false)
	if len(got) > 0 || out.Count(NoSelector) != 1 || out.Text() != `no selector: "a/b/c"` {
		t.Errorf("%d updates, outcome %q", len(got), out.Text())
	}
	if got, out = compile(t).Map(nil, "", nil, noon, false); len(got) > 0 || out.Count(NoSelector) != 1 {
		t.Errorf("%d updates of Sources without points, outcome %q", len(got), out.Text())
	}
}

// A message that the filters of two points match is read for both, with the
// exact selector first.
func TestExactSelectorComesFirst(t *testing.T) {
	t.Parallel()
	s := compile(t,
		Input{Index: 1, Type: point.Int, Selector: "#", Source: &plant.Source{Value: "a"}},
		Input{Index: 2, Type: point.Int, Selector: "x/y", Source: &plant.Source{Value: "b.c"}},
		Input{Index: 3, Type: point.Int, Selector: "x/y", Source: &plant.Source{Value: "a"}},
	)
	got, _ := s.Map(nil, "x/y", []byte(`{"a":1,"b":{"c":2}}`), noon, false)
	for i, want := range []struct {
		p point.Index
		v int64
	}{{2, 2}, {3, 1}, {1, 1}} {
		if got[i].Point != want.p || got[i].Value.Int() != want.v {
			t.Errorf("update %d: point %d = %v, want point %d = %d", i, got[i].Point, got[i].Value, want.p, want.v)
		}
	}
}
