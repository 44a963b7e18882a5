package mapping

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/point"
)

func conditionPoints(id string) (point.Type, bool) {
	typ, ok := map[string]point.Type{
		"s": point.Single, "d/q0.a": point.Double, "f": point.Float, "i": point.Int, "t": point.Text, "b": point.Bits, "p": point.Step, "broken": 0,
	}[id]
	return typ, ok
}

func TestConditionHolds(t *testing.T) {
	t.Parallel()
	values := map[string]point.Value{
		"s": point.SingleValue(true), "d/q0.a": point.DoubleValue(point.DoubleOff), "f": point.FloatValue(1.5), "i": point.IntValue(3),
		"t": point.TextValue("10.0.0.1"), "b": point.BitsValue(6), "p": point.StepValue(-2, false),
	}
	r := point.Requester{Connector: "scada", Peer: "10.0.0.1", Originator: 3}
	tests := []struct {
		source string
		want   bool
	}{
		{`point("d/q0.a") == "off"`, true},
		{`point("d/q0.a") != "off"`, false},
		{`point("d/q0.a") in ["on", "intermediate"]`, false},
		{`point("s") == "on" and point("f") < 2 and point("s") != "off"`, true},
		{`point("i") == 4 || point("p") == -2`, true},
		{`bitand(point("b"), 2) == 2`, true},
		{`point("t") == peer && point("i") == originator && connector == "scada"`, true},
	}
	for _, tt := range tests {
		t.Run(tt.source, func(t *testing.T) {
			t.Parallel()
			c, err := CompileCondition(tt.source, true, conditionPoints)
			if err != nil {
				t.Fatal(err)
			}
			var states []point.Value
			for _, id := range c.Points() {
				states = append(states, values[id])
			}
			if got, err := c.Holds(states, r); got != tt.want || err != nil {
				t.Errorf("Holds = %t, %v, want %t", got, err, tt.want)
			}
		})
	}
}

func TestConditionNamesEachPointOnce(t *testing.T) {
	t.Parallel()
	c, err := CompileCondition(`point("s") == "on" || point("f") > 1 || point("s") == "off"`, false, conditionPoints)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"s", "f"}, c.Points()); diff != "" {
		t.Errorf("points (-want +got):\n%s", diff)
	}
}

func TestConditionIsRefused(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, source, want string }{
		{"syntax", `point("s") ==`, "unexpected token"},
		{"no such point", `point("x") == 1`, "there is no point x"},
		{"no id", `point() == 1`, "without an id"},
		{"id that is worked out", `point("s" + "d") == "on"`, "without an id"},
		{"state with a number", `point("s") == 1`, "mismatched types"},
		{"number with a state", `point("f") == "on"`, "mismatched types"},
		{"state that does not exist", `point("s") != "closed"`, `compares point s with "closed", want off or on`},
		{"state that does not exist, the other way round", `"closed" == point("d/q0.a")`, `with "closed"`},
		{"state that does not exist in a list", `point("d/q0.a") in ["off", "open"]`, `with "open"`},
		{"no boolean", `point("f") + 1`, "expected bool"},
		{"point alone", `point == 1`, "unknown name point"},
		{"requester where there is none", `peer == "x"`, "unknown name peer"},
		{"loop", `any([1, 2], # == point("i"))`, "loop or a range"},
		{"range", `point("i") in 1..10`, "loop or a range"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := CompileCondition(tt.source, false, conditionPoints)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("CompileCondition(%s) = %v, want %q", tt.source, err, tt.want)
			}
		})
	}
	if _, err := CompileCondition(`point("broken") == 1`, false, conditionPoints); err != nil {
		t.Errorf("a point whose type is not known: %v, want nil", err)
	}
}

func FuzzCompileCondition(f *testing.F) {
	f.Add(`point("s") == "on" and point("f") < 2`, true)
	f.Add(`point("t") == peer && originator in [1, 2]`, true)
	f.Add(`point(point("s"))`, false)
	f.Fuzz(func(t *testing.T, source string, requester bool) {
		c, err := CompileCondition(source, requester, conditionPoints)
		if err != nil || c.program == nil {
			return
		}
		values := make([]point.Value, len(c.Points()))
		for i, id := range c.Points() {
			typ, _ := conditionPoints(id)
			values[i] = point.Restore(typ, 0, false, "")
		}
		if _, err := c.Holds(values, point.Requester{}); err != nil && err.Error() == "" {
			t.Error("an error without a text")
		}
	})
}
