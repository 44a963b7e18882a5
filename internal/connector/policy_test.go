package connector

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"busbar/internal/plant"
	"busbar/internal/point"
)

func policy(confirm plant.Confirm, terminate plant.Terminate) func(*plant.Command) {
	return func(c *plant.Command) {
		c.Confirm, c.Terminate = confirm, terminate
		if terminate == plant.TerminateFeedback {
			c.Feedback = "double"
		}
	}
}

// TestTheRequesterLearnsWhatIsNotKnown lets a device tell that it does not know, too.
func TestTheRequesterLearnsWhatIsNotKnown(t *testing.T) {
	t.Parallel()
	const refused = "refused by the device: blocked"
	con := func(reason string, unknown bool) point.Result {
		return point.Result{Stage: point.Confirmed, Positive: reason == "", Reason: reason, Unknown: unknown}
	}
	term := func(unknown bool) point.Result {
		return point.Result{Stage: point.Terminated, Reason: refused, Unknown: unknown}
	}
	perhaps := denied
	perhaps.Unknown = true
	for _, c := range []struct {
		name string
		do   behaviour
		want []point.Result
	}{
		{"done", steps(accepted, done), []point.Result{con("", false), {Stage: point.Terminated, Positive: true}}},
		{"refused", steps(denied), []point.Result{con(refused, false)}},
		{"perhaps done", steps(perhaps), []point.Result{con(refused, true)}},
		{"refused after it was confirmed", steps(accepted, denied), []point.Result{con("", false), term(false)}},
		{"perhaps done after it was confirmed", steps(accepted, perhaps), []point.Result{con("", false), term(true)}},
		{"no answer", waiting(), []point.Result{con("no answer within 10s", true)}},
		{"not handed over", steps(errors.New("away")), []point.Result{con("connector device: away", false)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				x := newControl(t, c.do, policy(plant.ConfirmAccepted, plant.TerminateReplied))
				var got []point.Result
				x.commands("desk").Issue(order(), func(r point.Result) { got = append(got, r) })
				x.after(time.Minute)
				if !slices.Equal(got, c.want) {
					t.Errorf("told %+v, want %+v", got, c.want)
				}
				if r := x.record(); r.Unknown != c.want[len(c.want)-1].Unknown {
					t.Errorf("the record says unknown %t", r.Unknown)
				}
			})
		})
	}
}

// TestPolicies gives one order to a device that does as scripted, and compares
// everything that the requester hears in two minutes.
func TestPolicies(t *testing.T) {
	t.Parallel()
	errLost := errors.New("not connected")
	accept, reply := plant.ConfirmAccepted, plant.ConfirmReplied
	none, replied := plant.TerminateNone, plant.TerminateReplied
	tests := []struct {
		name      string
		confirm   plant.Confirm
		terminate plant.Terminate
		do        behaviour
		want      []string
		unknown   bool
		late      uint64
	}{
		{"accepted", accept, none, steps(time.Second, accepted), []string{"1s +con"}, false, 0},
		{"accepted is confirmed once", accept, none, steps(accepted, accepted, done), []string{"0s +con"}, false, 0},
		{"reply that comes before it was accepted", accept, none, steps(time.Second, done), []string{"1s +con"}, false, 0},
		{"not handed over", accept, none, steps(time.Second, errLost), []string{"1s -con: connector device: not connected"}, false, 0},
		{"executor that says nothing", accept, none, steps(time.Second), []string{"1s -con: connector device got no answer"}, true, 0},
		{"executor that waits for ever", accept, none, waiting(), []string{"10s -con: no answer within 10s"}, true, 0},
		{"not handed over when the time had passed", accept, none, func(ctx context.Context, _ point.Order, _ func(Progress)) error {
			<-ctx.Done()
			return errLost
		}, []string{"10s -con: no answer within 10s"}, false, 0},
		{"gave up when the time had passed", accept, none, func(ctx context.Context, _ point.Order, _ func(Progress)) error {
			<-ctx.Done()
			return ctx.Err()
		}, []string{"10s -con: no answer within 10s"}, true, 0},
		{"accepted too late", accept, none, deaf(11*time.Second, accepted), []string{"10s -con: no answer within 10s"}, true, 1},
		{"denied instead of accepted", accept, none, steps(denied), []string{"0s -con: refused by the device: blocked"}, false, 0},
		{"denied after it was confirmed", accept, none, steps(accepted, time.Second, denied), []string{"0s +con"}, false, 0},
		{"panic", accept, none, func(context.Context, point.Order, func(Progress)) error { panic("oops") },
			[]string{"0s -con: connector device: panic: oops"}, true, 0},

		{"replied", reply, none, waiting(accepted, 2*time.Second, done), []string{"2s +con"}, false, 0},
		{"replied no", reply, none, waiting(accepted, 2*time.Second, denied), []string{"2s -con: refused by the device: blocked"}, false, 0},
		{"replied twice", reply, none, steps(done, denied), []string{"0s +con"}, false, 0},
		{"not handed over, reply wanted", reply, none, steps(errLost), []string{"0s -con: connector device: not connected"}, false, 0},
		{"no reply", reply, none, waiting(accepted), []string{"10s -con: no answer within 10s"}, true, 0},
		{"executor that gives up before the reply", reply, none, steps(accepted, time.Second), []string{"1s -con: connector device got no answer"}, true, 0},
		{"reply too late, executor still there", reply, none, deaf(12*time.Second, done), []string{"10s -con: no answer within 10s"}, false, 1},
		{"denial too late", reply, none, deaf(12*time.Second, denied), []string{"10s -con: no answer within 10s"}, false, 0},

		{"terminated by the reply", accept, replied, waiting(accepted, 2*time.Second, done), []string{"0s +con", "2s +term"}, false, 0},
		{"confirmed and terminated by the reply", reply, replied, waiting(accepted, 2*time.Second, done), []string{"2s +con", "2s +term"}, false, 0},
		{"terminated by a reply that says no", accept, replied, waiting(accepted, 2*time.Second, denied),
			[]string{"0s +con", "2s -term: refused by the device: blocked"}, false, 0},
		{"no reply to terminate", accept, replied, waiting(accepted), []string{"0s +con", "10s -term: no answer within 10s"}, true, 0},
		{"error before the reply to terminate", accept, replied, steps(accepted, time.Second, errLost),
			[]string{"0s +con", "1s -term: connector device: not connected"}, true, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newControl(t, tt.do, policy(tt.confirm, tt.terminate))
				c.issue(order())
				c.after(2 * time.Minute)
				c.wantResults(tt.want...)
				c.wantExecuted(1)
				if got := c.record().Unknown; got != tt.unknown {
					t.Errorf("outcome unknown %t, want %t", got, tt.unknown)
				}
				if got := c.router.counts.late.Load(); got != tt.late || (c.record().Late != 0) != (tt.late > 0) {
					t.Errorf("%d operated late, at %v, want %d", got, c.record().Late, tt.late)
				}
				if got := c.router.counts.running.Load(); got != 0 {
					t.Errorf("%d orders under way, want none", got)
				}
			})
		})
	}
}

func TestReplyAfterTheExecutorReturnedIsLate(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		confirm   plant.Confirm
		terminate plant.Terminate
		want      []string
		late      uint64
	}{
		{"after a negative confirmation", plant.ConfirmReplied, plant.TerminateNone, []string{"10s -con: no answer within 10s"}, 1},
		{"after a negative termination", plant.ConfirmAccepted, plant.TerminateReplied, []string{"0s +con", "10s -term: no answer within 10s"}, 1},
		{"after a positive confirmation", plant.ConfirmAccepted, plant.TerminateNone, []string{"0s +con"}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var hear func(Progress)
				c := newControl(t, func(ctx context.Context, _ point.Order, report func(Progress)) error {
					hear = report
					report(accepted)
					<-ctx.Done()
					return nil
				}, policy(tt.confirm, tt.terminate))
				c.issue(order())
				c.after(time.Hour)
				hear(done)
				hear(done) // one alarm is enough
				c.wantResults(tt.want...)
				if got := c.router.counts.late.Load(); got != tt.late {
					t.Errorf("%d operated late, want %d", got, tt.late)
				}
				if r := c.record(); tt.late > 0 && (r.Late.Time().Sub(c.begin) != time.Hour || r.Unknown) {
					t.Errorf("late after %v, outcome unknown %t, want 1h and known", r.Late.Time().Sub(c.begin), r.Unknown)
				}
			})
		})
	}
}

func TestHungExecutorKeepsItsCommand(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newControl(t, deaf(time.Minute, accepted))
		c.issue(order())
		c.after(20 * time.Second)
		c.issue(order())
		c.after(50 * time.Second)
		c.issue(order())
		c.after(time.Second)
		c.wantResults("10s -con: no answer within 10s", "20s -con: another order of this command is under way")
		c.wantExecuted(2)
		c.after(time.Minute)
	})
}

func TestOneOrderAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newControl(t, waiting(accepted))
		for range 100 {
			go c.issue(order())
		}
		c.after(time.Second)
		c.wantExecuted(1)
		if got := c.router.counts.refused.Load(); got != 99 {
			t.Errorf("%d orders refused, want 99", got)
		}
		c.after(10 * time.Second)
		c.issue(order())
		c.wantExecuted(2)
	})
}

func TestOrdersStayOutOfTheImage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newControl(t, steps(accepted, done), policy(plant.ConfirmReplied, plant.TerminateReplied))
		before := c.image.Seq()
		c.issue(order())
		c.wantResults("0s +con", "0s +term")
		if after := c.image.Seq(); after != before {
			t.Errorf("the change log grew from %d to %d, want no change", before, after)
		}
	})
}

// TestNextOrderMayFollowTheResultAtOnce gives the next order while the result
// of the one before is being told.
func TestNextOrderMayFollowTheResultAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newControl(t, func(_ context.Context, _ point.Order, report func(Progress)) error {
			report(done)
			time.Sleep(handover / 4) // the executor tidies up
			return nil
		}, policy(plant.ConfirmReplied, plant.TerminateNone))
		c.commands("desk").Issue(order(), func(r point.Result) {
			c.note(r)
			c.issue(order())
		})
		c.after(time.Second)
		c.wantResults("25ms +con", "50ms +con")
		c.wantExecuted(2)
	})
}
