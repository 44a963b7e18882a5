package mapping

import (
	"math"
	"slices"
	"strings"
	"testing"

	"busbar/internal/plant"
	"busbar/internal/point"
)

func TestProblems(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		in   Input
		path string
		text string // part of it
	}{
		{"filter", Input{Selector: "a/b#", Type: point.Int}, "", "topic filter a/b#"},
		{"filter in the middle", Input{Selector: "a/#/b", Type: point.Int}, "", "topic filter"},
		{"plus beside text", Input{Selector: "a/b+", Type: point.Int}, "", "topic filter"},
		{"map to no state", Input{Type: point.Double, Source: &plant.Source{Map: map[string]string{"open up": "opened"}}}, `map."open up"`, "want off, on, intermediate or indeterminate"},
		{"map to no number", Input{Type: point.Float, Source: &plant.Source{Map: map[string]string{"x": "on"}}}, "map.x", "want a number"},
		{"invert a number", Input{Type: point.Float, Source: &plant.Source{Invert: true}}, "invert", "scale: -1"},
		{"scale a text", Input{Type: point.Text, Source: &plant.Source{Scale: 2}}, "scale", "no meaning for type text"},
		{"offset a text", Input{Type: point.Text, Source: &plant.Source{Offset: 2}}, "offset", "no meaning for type text"},
		{"infinite scale", Input{Type: point.Float, Source: &plant.Source{Scale: math.Inf(1)}}, "scale", "finite"},
		{"NaN offset", Input{Type: point.Float, Source: &plant.Source{Offset: math.NaN()}}, "offset", "finite"},
		{"syntax", Input{Type: point.Float, Source: &plant.Source{Expr: "value +"}}, "expr", "unexpected token"},
		{"unknown name", Input{Type: point.Float, Source: &plant.Source{Expr: "v + 1"}}, "expr", "unknown name v"},
		{"number from a text expression", Input{Type: point.Float, Source: &plant.Source{Expr: `"a"`}}, "expr", "yields string, want a number or a boolean"},
		{"text from a number expression", Input{Type: point.Text, Source: &plant.Source{Expr: `1`}}, "expr", "yields int, want a string"},
		{"loop", Input{Type: point.Float, Source: &plant.Source{Expr: `sum(1..1000000)`}}, "expr", "has a loop or a range"},
		{"predicate", Input{Type: point.Single, Source: &plant.Source{Expr: `all([1, 2], # > value)`}}, "expr", "has a loop or a range"},
		{"too large", Input{Type: point.Float, Source: &plant.Source{Expr: "value" + strings.Repeat(" + value", 1000)}}, "expr", "exceeds maximum allowed nodes"},
		{"limits of a state", Input{Type: point.Single, Limits: &plant.Limits{Low: 0, High: 1}}, "", "no meaning for type single"},
		{"limits upside down", Input{Type: point.Float, Limits: &plant.Limits{Low: 1, High: 0}}, "", "low <= high"},
		{"limits without an integer", Input{Type: point.Int, Limits: &plant.Limits{Low: 0.2, High: 0.8}}, "", "leave no value"},
		{"NaN limit", Input{Type: point.Float, Limits: &plant.Limits{Low: math.NaN(), High: 1}}, "", "leave no value"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			good := Input{Type: point.Float, Selector: "t", Source: &plant.Source{}}
			if tt.in.Source == nil {
				tt.in.Source = &plant.Source{}
			}
			s, problems := Compile([]Input{good, tt.in}, Options{})
			if s != nil || len(problems) != 1 || problems[0].Input != 1 {
				t.Fatalf("Compile = %v, %v, want one problem of input 1", s, problems)
			}
			if p := problems[0]; p.Path != tt.path || !strings.Contains(p.Text, tt.text) {
				t.Errorf("problem %s: %s, want %s: …%s…", p.Path, p.Text, tt.path, tt.text)
			}
			if faults := Check(tt.in); len(faults) != 1 || faults[0].Text != problems[0].Text {
				t.Errorf("Check = %v, want the same as Compile", faults)
			}
		})
	}
}

func TestAllProblemsAreReported(t *testing.T) {
	t.Parallel()
	bad := Input{Type: point.Float, Selector: "#/", Source: &plant.Source{
		Value: "a..b", Time: ".", Invert: true, Expr: ")", Map: map[string]string{"b": "x", "a": "y"},
	}}
	_, problems := Compile([]Input{bad, bad}, Options{})
	var got []string
	for _, p := range problems {
		got = append(got, p.Path)
	}
	want := []string{"", "value", "time", "invert", "map.a", "map.b", "expr"}
	if want = append(want, want...); !slices.Equal(got, want) {
		t.Errorf("problems of %q, want %q", got, want)
	}
}

func TestOutcome(t *testing.T) {
	t.Parallel()
	s := compile(t,
		Input{Index: 1, Type: point.Float, Selector: "t", Source: &plant.Source{Value: "absent"}},
		Input{Index: 2, Type: point.Float, Selector: "t", Source: &plant.Source{Value: "good"}},
		Input{Index: 3, Type: point.Float, Selector: "t", Source: &plant.Source{Value: "bad.word", Time: "when"}},
		Input{Index: 4, Type: point.Float, Selector: "t", Source: &plant.Source{Value: "bad.word", Time: "when"}},
		Input{Index: 5, Type: point.Float, Selector: "t", Source: &plant.Source{Value: "bad.list"}},
	)
	payload := []byte(`{"good":1,"bad":{"word":"abc","list":[` + strings.Repeat("1,", 100) + `1]},"when":"never"}`)
	got, out := s.Map(nil, "t", payload, noon, false)
	clear(payload) // nothing refers to it
	if len(got) != 4 {
		t.Errorf("%d updates, want 4", len(got))
	}
	counts := map[Reason]int{Missing: 1, BadTime: 1, WrongType: 3}
	for _, r := range Reasons() {
		if out.Count(r) != counts[r] {
			t.Errorf("%v counted %d times, want %d", r, out.Count(r), counts[r])
		}
	}
	if r, p := out.First(); r != BadTime || p != 3 || out.Clean() {
		t.Errorf("first reason %v at point %d, want %v at 3", r, p, BadTime)
	}
	if got, want := out.Text(), `when: bad time: "never"`; got != want {
		t.Errorf("Text() = %s, want %s", got, want)
	}
	_, out = s.Map(nil, "t", []byte(`{"good":1}`), noon, false)
	if got, want := out.Text(), "absent: missing"; got != want {
		t.Errorf("Text() = %s, want %s", got, want)
	}
	_, out = s.Map(nil, "t", []byte(strings.Repeat("x", 100)), noon, false)
	if got, want := out.Text(), `not json: "`+strings.Repeat("x", maxExcerpt)+`"`; got != want {
		t.Errorf("Text() = %s, want %s", got, want)
	}
}

func TestPayloadLimit(t *testing.T) {
	t.Parallel()
	in := Input{Type: point.Text, Selector: "t", Source: &plant.Source{}}
	s, _ := Compile([]Input{in}, Options{Payload: 8, Nesting: 2})
	for payload, want := range map[string]Reason{"12345678": 0, "123456789": TooLong, "[[1]]": 0, "[[[1]]]": TooDeep, `["[[["]`: 0} {
		got, out := s.Map(nil, "t", []byte(payload), noon, false)
		if r, _ := out.First(); r != want || len(got) != 1 || (got[0].Quality == point.Invalid) != (want != 0) {
			t.Errorf("%s: %v, %+v, want %v", payload, r, got, want)
		}
	}
}

func TestMapIsSafeForManyGoroutines(t *testing.T) {
	t.Parallel()
	s := compile(t,
		Input{Type: point.Float, Selector: "t", Source: &plant.Source{Value: "a", Time: "t", Expr: "value * 2"}},
		Input{Type: point.Float, Selector: "+", Source: &plant.Source{Value: "b"}},
	)
	for range 4 {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			var got []point.Update
			for range 1000 {
				got, _ = s.Map(got[:0], "t", []byte(`{"a":1,"b":3,"t":1768473000}`), noon, false)
				if len(got) != 2 || got[0].Value.Float() != 2 || got[1].Value.Float() != 3 {
					t.Fatalf("updates %+v, want 2 and 3", got)
				}
			}
		})
	}
}
