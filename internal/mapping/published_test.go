package mapping

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/plant"
	"busbar/internal/point"
)

func TestWhatBusbarHasPublished(t *testing.T) {
	t.Parallel()
	from := &plant.Source{Busbar: true, Value: "value", Time: "time", Quality: &plant.QualityMap{Value: "quality"}}
	at := point.InstantOf(time.Date(2026, 1, 15, 10, 30, 0, 123456789, time.UTC))
	for _, tt := range []struct {
		name, payload string
		typ           point.Type
		want          point.Update
		reasons       string
	}{
		{
			"good", `{"value":true,"quality":[],"time":"2026-01-15T10:30:00.123456789Z"}`, point.Single,
			point.Update{Value: point.SingleValue(true), Time: at}, "",
		},
		{
			"time invalid", `{"value":5,"quality":["overflow"],"time":"2026-01-15T10:30:00.123456789Z","timeInvalid":true}`, point.Int,
			point.Update{Value: point.IntValue(5), Time: at, TimeQuality: point.TimeInvalid, Quality: point.Overflow}, "",
		},
		{
			"time of arrival at the first", `{"value":5,"quality":[],"time":"2026-01-15T10:30:00.123456789Z","timeSubstituted":true}`, point.Int,
			point.Update{Value: point.IntValue(5), Time: at, TimeQuality: point.TimeSubstituted}, "",
		},
		{
			"invalid time from long ahead", `{"value":5,"quality":[],"time":"2031-01-15T10:30:00Z","timeInvalid":true}`, point.Int,
			point.Update{Value: point.IntValue(5), Time: point.InstantOf(time.Date(2031, 1, 15, 10, 30, 0, 0, time.UTC)), TimeQuality: point.TimeInvalid}, " [bad_time]",
		},
		{
			"in transit", `{"value":-64,"transient":true,"quality":[]}`, point.Step,
			point.Update{Value: point.StepValue(-64, true), Time: noon, TimeQuality: point.TimeSubstituted}, "",
		},
		{
			"invalid with its value", `{"value":"off","quality":["invalid","not-topical"]}`, point.Double,
			point.Update{Value: point.DoubleValue(point.DoubleOff), Time: noon, TimeQuality: point.TimeSubstituted, Quality: point.Invalid | point.NotTopical}, "",
		},
		{
			"never received", `{"value":null,"quality":["invalid","not-topical"]}`, point.Counter,
			point.Update{Time: noon, TimeQuality: point.TimeSubstituted, Quality: point.Invalid | point.NotTopical, Flags: point.KeepValue}, " [null]",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.want.Arrival, tt.want.Source = noon, 7
			got, _ := compile(t, Input{Type: tt.typ, Selector: "a", Source: from}).Map(nil, "a", []byte(tt.payload), noon, false)
			if diff := cmp.Diff([]point.Update{tt.want}, got, equalValues); diff != "" {
				t.Errorf("updates (-want +got):\n%s", diff)
			}
		})
	}
}
