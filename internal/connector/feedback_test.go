package connector

import (
	"testing"
	"testing/synctest"
	"time"

	"busbar/internal/plant"
	"busbar/internal/point"
)

// set publishes a state of a point, as its source would.
func (c *control) set(id string, v point.Value, q point.Quality, flags ...point.Flags) {
	c.t.Helper()
	p, ok := c.image.Lookup(id)
	if !ok {
		c.t.Fatalf("point %s is not in the image", id)
	}
	now := point.InstantOf(time.Now())
	u := point.Update{Value: v, Time: now, Arrival: now, Point: p, Quality: q}
	for _, f := range flags {
		u.Flags |= f
	}
	if err := c.image.Publish(c.t.Context(), []point.Update{u}, nil); err != nil {
		c.t.Fatal(err)
	}
	synctest.Wait()
}

func double(d point.DoubleState) point.Value { return point.DoubleValue(d) }

// seen is a state of the feedback point at a time after the order.
type seen struct {
	at      time.Duration
	state   point.DoubleState
	quality point.Quality
}

func TestFeedbackTerminates(t *testing.T) {
	t.Parallel()
	byFeedback := policy(plant.ConfirmAccepted, plant.TerminateFeedback)
	withReply := policy(plant.ConfirmReplied, plant.TerminateFeedback)
	const on, off, moving = point.DoubleOn, point.DoubleOff, point.Intermediate
	s := time.Second
	tests := []struct {
		name   string
		policy func(*plant.Command)
		do     behaviour
		before point.DoubleState
		seen   []seen
		want   []string
	}{
		{"reached", byFeedback, steps(accepted), off, []seen{{2 * s, moving, 0}, {5 * s, on, 0}}, []string{"0s +con", "5s +term"}},
		{"missing", byFeedback, steps(accepted), off, []seen{{2 * s, moving, 0}}, []string{"0s +con", "30s -term: no feedback within 30s"}},
		{"not good", byFeedback, steps(accepted), off, []seen{{2 * s, on, point.Invalid}, {3 * s, on, point.NotTopical}},
			[]string{"0s +con", "30s -term: no feedback within 30s"}},
		{"good at last", byFeedback, steps(accepted), off, []seen{{2 * s, on, point.Invalid}, {3 * s, on, 0}}, []string{"0s +con", "3s +term"}},
		{"too late", byFeedback, steps(accepted), off, []seen{{31 * s, on, 0}}, []string{"0s +con", "30s -term: no feedback within 30s"}},
		{"there already", byFeedback, steps(s, accepted), on, nil, []string{"1s +con", "1s +term"}},
		{"before the confirmation", withReply, waiting(accepted, 5*s, done), off, []seen{{2 * s, on, 0}}, []string{"5s +con", "5s +term"}},
		{"before the confirmation, and gone again", withReply, waiting(accepted, 5*s, done), off, []seen{{2 * s, on, 0}, {3 * s, off, 0}},
			[]string{"5s +con", "5s +term"}},
		{"before a confirmation that never comes", withReply, waiting(accepted), off, []seen{{2 * s, on, 0}}, []string{"10s -con: no answer within 10s"}},
		{"denied before the feedback", byFeedback, steps(accepted, s, denied), off, []seen{{2 * s, on, 0}},
			[]string{"0s +con", "1s -term: refused by the device: blocked"}},
		{"executor waits no longer", byFeedback, steps(accepted), off, []seen{{20 * s, on, 0}}, []string{"0s +con", "20s +term"}},
		{"order expires before the feedback", byFeedback, waiting(accepted), off, []seen{{20 * s, on, 0}}, []string{"0s +con", "20s +term"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newControl(t, tt.do, tt.policy)
				c.set("double", double(tt.before), 0)
				c.issue(order())
				for _, s := range tt.seen {
					c.after(s.at - time.Since(c.begin))
					c.set("double", double(s.state), s.quality)
				}
				c.after(2 * time.Minute)
				c.wantResults(tt.want...)
			})
		})
	}
}

// TestFeedbackOfThePast gives the feedback point a change that is older than
// its state.
func TestFeedbackOfThePast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newControl(t, steps(accepted), policy(plant.ConfirmAccepted, plant.TerminateFeedback))
		c.set("double", double(point.DoubleOff), 0)
		c.issue(order())
		synctest.Wait()
		p, _ := c.image.Lookup("double")
		old := point.InstantOf(time.Now().Add(-time.Minute))
		late := point.Update{Value: double(point.DoubleOn), Time: old, Arrival: old, Point: p}
		if err := c.image.Publish(t.Context(), []point.Update{late}, nil); err != nil {
			t.Fatal(err)
		}
		c.wantResults("0s +con")
		c.after(time.Minute)
		c.wantResults("0s +con", "30s -term: no feedback within 30s")
	})
}

func TestFeedbackIsSeenThroughAFlood(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newControl(t, steps(accepted), policy(plant.ConfirmAccepted, plant.TerminateFeedback))
		c.set("double", double(point.DoubleOff), 0)
		c.issue(order())
		synctest.Wait()
		f, _ := c.image.Lookup("float")
		d, _ := c.image.Lookup("double")
		now := point.InstantOf(time.Now())
		batch := []point.Update{{Point: d, Value: double(point.DoubleOn), Time: now, Arrival: now}}
		for i := range 5000 { // more than the image keeps
			batch = append(batch, point.Update{Point: f, Value: point.FloatValue(float64(i)), Time: now, Arrival: now})
		}
		if err := c.image.Publish(t.Context(), batch, nil); err != nil {
			t.Fatal(err)
		}
		c.wantResults("0s +con", "0s +term")
	})
}

func TestFeedbackShowsTheOrder(t *testing.T) {
	t.Parallel()
	up, down := point.StepValue(1, false), point.StepValue(-1, false)
	tests := []struct {
		name                 string
		order, before, after point.Value
		tolerance            float64
		want                 bool
	}{
		{"double by double", double(point.DoubleOn), point.Value{}, double(point.DoubleOn), 0, true},
		{"double by single", double(point.DoubleOff), point.Value{}, point.SingleValue(false), 0, true},
		{"single by double", point.SingleValue(true), point.Value{}, double(point.DoubleOn), 0, true},
		{"single by double on the way", point.SingleValue(true), point.Value{}, double(point.Intermediate), 0, false},
		{"single by the other state", point.SingleValue(true), point.Value{}, point.SingleValue(false), 0, false},
		{"bits", point.BitsValue(5), point.Value{}, point.BitsValue(5), 0, true},
		{"other bits", point.BitsValue(5), point.Value{}, point.BitsValue(4), 0, false},
		{"step higher", up, point.StepValue(3, false), point.StepValue(4, false), 0, true},
		{"step higher in transit", up, point.StepValue(3, false), point.StepValue(4, true), 0, false},
		{"step higher, went lower", up, point.StepValue(3, false), point.StepValue(2, false), 0, false},
		{"step lower", down, point.StepValue(-3, false), point.StepValue(-4, false), 0, true},
		{"step that did not move", down, point.StepValue(-3, false), point.StepValue(-3, false), 0, false},
		{"step that was never known", up, point.Value{}, point.StepValue(4, false), 0, false},
		{"float as a controlling station sends it", point.FloatValue(float64(float32(23.4))), point.Value{}, point.FloatValue(23.4), 0, true},
		{"float beside", point.FloatValue(23.4), point.Value{}, point.FloatValue(23.41), 0, false},
		{"float within the tolerance", point.FloatValue(23.4), point.Value{}, point.FloatValue(23.41), 0.02, true},
		{"int by float", point.IntValue(7), point.Value{}, point.FloatValue(7), 0, true},
		{"int by step", point.IntValue(7), point.Value{}, point.StepValue(7, false), 0, true},
		{"zero", point.FloatValue(0), point.Value{}, point.FloatValue(0), 0, true},
		{"number by text", point.FloatValue(0), point.Value{}, point.TextValue("0"), 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := feedback{order: tt.order, before: tt.before, tolerance: tt.tolerance}
			if got := f.reached(tt.after); got != tt.want {
				t.Errorf("reached(%v) = %t, want %t", tt.after, got, tt.want)
			}
		})
	}
}

func TestTolerance(t *testing.T) {
	t.Parallel()
	span := &plant.Range{Low: 0, High: 3276.8}
	tests := []struct {
		name    string
		command plant.Command
		point   plant.Point
		want    float64
	}{
		{"none", plant.Command{}, plant.Point{}, 0},
		{"dead band", plant.Command{}, plant.Point{Deadband: plant.Deadband{Value: 2}}, 2},
		{"dead band in percent", plant.Command{}, plant.Point{Deadband: plant.Deadband{Value: 5, Percent: true}, Range: &plant.Range{Low: 0, High: 10}}, 0.5},
		{"range of the command", plant.Command{Range: span}, plant.Point{}, 0.1},
		{"larger of both", plant.Command{Range: span}, plant.Point{Deadband: plant.Deadband{Value: 0.05}}, 0.1},
	}
	for _, tt := range tests {
		if got := tolerance(&tt.command, &tt.point); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}
