package connector

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"busbar/internal/plant"
	"busbar/internal/point"
)

func TestRecordTellsWhetherTheOrderHasEnded(t *testing.T) {
	t.Parallel()
	con := func(positive bool) point.Result { return point.Result{Stage: point.Confirmed, Positive: positive} }
	term := func(positive bool) point.Result { return point.Result{Stage: point.Terminated, Positive: positive} }
	tests := []struct {
		name string
		r    CommandRecord
		want bool
	}{
		{"received", CommandRecord{}, false},
		{"received, will terminate", CommandRecord{Terminates: true}, false},
		{"refused", CommandRecord{Confirmation: con(false)}, true},
		{"refused, would have terminated", CommandRecord{Terminates: true, Confirmation: con(false)}, true},
		{"confirmed", CommandRecord{Confirmation: con(true)}, true},
		{"confirmed, will terminate", CommandRecord{Terminates: true, Confirmation: con(true)}, false},
		{"terminated", CommandRecord{Terminates: true, Confirmation: con(true), Termination: term(true)}, true},
		{"terminated negatively", CommandRecord{Terminates: true, Confirmation: con(true), Termination: term(false)}, true},
		{"selected", CommandRecord{Select: true, Terminates: true, Confirmation: con(true)}, true},
	}
	for _, tt := range tests {
		if got := tt.r.Ended(); got != tt.want {
			t.Errorf("%s: Ended = %t, want %t", tt.name, got, tt.want)
		}
	}
}

func TestRecordSaysWhetherATerminationFollows(t *testing.T) {
	t.Parallel()
	for how, want := range map[plant.Terminate]bool{plant.TerminateNone: false, plant.TerminateReplied: true, plant.TerminateFeedback: true} {
		synctest.Test(t, func(t *testing.T) {
			c := newControl(t, steps(accepted), policy(plant.ConfirmAccepted, how))
			c.issue(order())
			if got := c.record().Terminates; got != want {
				t.Errorf("terminate %v: a termination follows: %t, want %t", how, got, want)
			}
		})
	}
}

// slowRecorder takes its time for the first record of an order.
type slowRecorder time.Duration

func (s slowRecorder) Record(r CommandRecord) error {
	if !r.Ended() {
		time.Sleep(time.Duration(s))
	}
	return nil
}

func TestOrderExpiresWhileItIsRecorded(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		takes    time.Duration
		want     string
		executed int
	}{
		{"in time", 9 * time.Second, "10s -con: no answer within 10s", 1},
		{"too late", 10 * time.Second, "10s -con: has expired before it was recorded", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newControl(t, waiting(accepted), policy(plant.ConfirmReplied, plant.TerminateNone))
				c.RecordCommands(slowRecorder(tt.takes))
				c.issue(order())
				c.after(time.Minute)
				c.wantResults(tt.want)
				c.wantExecuted(tt.executed)
			})
		})
	}
}

func TestRestoredRecordsAreKnown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &control{host: newHost(t, runUp)}
		r := &recorder{records: make(chan CommandRecord, 10)}
		c.RecordCommands(r)
		old := CommandRecord{Order: order(), Executor: "device", Unknown: true, Confirmation: point.Result{Stage: point.Confirmed, Reason: "long ago"}}
		old.Order.ID = "old"
		c.RestoreCommands([]CommandRecord{old})
		c.start(steps(accepted))
		if len(r.records) != 0 {
			t.Error("the recorder gets what was restored")
		}
		c.issue(old.Order)
		c.wantResults("0s -con: an order with this id was given before")
		c.issue(order())
		c.wantResults("0s -con: an order with this id was given before", "0s +con")
		c.wantExecuted(1)
		records := c.CommandRecords()
		if len(records) != 3 || records[0] != old {
			t.Errorf("records %+v, want the old one first, as it was, and two new ones", records)
		}
	})
}

func TestTheRequesterLearnsThatItsOrderIsRecorded(t *testing.T) {
	t.Parallel()
	for _, value := range []point.Value{point.DoubleValue(point.DoubleOn), point.SingleValue(true)} { // the second is refused
		t.Run(value.Type().String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newControl(t, steps(accepted))
				var noted []string
				var mu sync.Mutex
				note := func(what string) {
					mu.Lock()
					defer mu.Unlock()
					noted = append(noted, what)
				}
				c.RecordCommands(recording(func() { note("on disk") }))
				o := order()
				o.Value = value
				c.commands("desk").(Recording).IssueRecorded(o, func() { note("recorded") }, func(point.Result) { note("told") })
				c.after(time.Second)
				mu.Lock()
				defer mu.Unlock()
				if len(noted) < 3 || noted[0] != "on disk" || noted[1] != "recorded" || !slices.Contains(noted[2:], "told") || slices.Contains(noted[2:], "recorded") {
					t.Errorf("%v, want that it is recorded once, after the record is kept and before it is told what became of it", noted)
				}
			})
		})
	}
}

// recording is a recorder that tells of each record.
type recording func()

func (r recording) Record(CommandRecord) error {
	r()
	return nil
}
