package mapping

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/plant"
	"busbar/internal/point"
)

// noon is when the messages of the tests arrive.
var noon = point.InstantOf(time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC))

// compile compiles inputs that have no problem.
func compile(t testing.TB, inputs ...Input) *Sources {
	t.Helper()
	s, problems := Compile(inputs, Options{Source: 7})
	if len(problems) > 0 {
		t.Fatalf("Compile: %v", problems)
	}
	return s
}

func TestMapWorkedExample(t *testing.T) {
	t.Parallel()
	payload := `{"data":{"temperature":23.5,"humidity":61.2},"timestamp":"2026-01-15T10:30:00Z"}`
	s := compile(t,
		Input{Index: 3, Type: point.Float, Selector: "ons/4711/sensors", Source: &plant.Source{Value: "data.temperature", Time: "timestamp"}},
		Input{Index: 4, Type: point.Float, Selector: "ons/+/sensors", Source: &plant.Source{Value: "data.humidity", Time: "timestamp"}},
	)
	got, out := s.Map(nil, "ons/4711/sensors", []byte(payload), noon, true)
	at := point.InstantOf(time.Date(2026, 1, 15, 10, 30, 0, 0, time.UTC))
	want := []point.Update{
		{Point: 3, Value: point.FloatValue(23.5), Time: at, Arrival: noon, Source: 7, Flags: point.Retained},
		{Point: 4, Value: point.FloatValue(61.2), Time: at, Arrival: noon, Source: 7, Flags: point.Retained},
	}
	if diff := cmp.Diff(want, got, equalValues); diff != "" {
		t.Errorf("updates (-want +got):\n%s", diff)
	}
	if !out.Clean() {
		t.Errorf("outcome %q, want clean", out.Text())
	}
}

var equalValues = cmp.Comparer(point.Value.Equal)
