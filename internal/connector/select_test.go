package connector

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"busbar/internal/plant"
	"busbar/internal/point"
)

// from is an order of another controlling station.
func from(peer string, originator uint8) point.Order {
	o := order()
	o.Requester.Peer, o.Requester.Originator = peer, originator
	return o
}

func (c *control) sel(o point.Order, reason string) (release func()) {
	c.t.Helper()
	r, release := c.commands("desk").Select(o)
	if r.Reason != reason || r.Positive != (reason == "") || r.Stage != point.Confirmed {
		c.t.Errorf("Select = %+v, want the reason %q", r, reason)
	}
	c.wantExecuted(len(c.orders)) // it never operates
	return release
}

func (c *control) wantCheck(o point.Order, reason string) {
	c.t.Helper()
	if got := c.commands("desk").Check(o).Reason; got != reason {
		c.t.Errorf("Check = %q, want %q", got, reason)
	}
}

func selectOnly(c *plant.Command) { c.From[0].Direct = false }

func TestSelectNeverOperates(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newControl(t, steps(accepted))
		before := c.image.Seq()
		c.sel(order(), "")
		c.after(time.Hour)
		c.wantExecuted(0)
		c.wantResults()
		if r := c.record(); !r.Select || !r.Confirmation.Positive || r.Executor != "device" || r.Accepted != 0 {
			t.Errorf("record %+v, want that of a selection", r)
		}
		if c.image.Seq() != before {
			t.Error("the change log grew")
		}
	})
}

func TestSelectionHolds(t *testing.T) {
	t.Parallel()
	const by1 = "is selected by 10.0.0.1 at desk, originator 3"
	synctest.Test(t, func(t *testing.T) {
		c := newControl(t, steps(accepted), selectOnly)
		c.issue(order())
		c.wantResults("0s -con: is not selected")
		release := c.sel(order(), "")
		c.sel(from("10.0.0.2", 3), by1)
		c.sel(from("10.0.0.1", 4), by1)
		c.issue(from("10.0.0.2", 3))
		c.wantResults("0s -con: is not selected", "0s -con: "+by1)
		c.issue(order())
		c.wantResults("0s -con: is not selected", "0s -con: "+by1, "0s +con")
		c.issue(order()) // a selection is for one order
		c.wantResults("0s -con: is not selected", "0s -con: "+by1, "0s +con", "0s -con: is not selected")
		release() // late: nothing is selected
		second := c.sel(from("10.0.0.2", 3), "")
		release()
		c.wantCheck(order(), "is selected by 10.0.0.2 at desk, originator 3")
		second()
		second()
		c.wantCheck(order(), "")
	})
}

func TestSelectionEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newControl(t, steps(accepted), selectOnly)
		c.sel(order(), "")
		c.after(9 * time.Second)
		c.sel(order(), "") // the time begins anew
		c.after(9 * time.Second)
		c.wantCheck(from("10.0.0.2", 3), "is selected by 10.0.0.1 at desk, originator 3")
		c.after(time.Second)
		c.wantCheck(from("10.0.0.2", 3), "")
		c.issue(order())
		c.wantResults("19s -con: is not selected")
		c.sel(order(), "")
		c.mustApply(controlPlant())
		c.mustApply(controlPlant(commandOf("c")))
		c.wantCheck(from("10.0.0.2", 3), "")
	})
}

func TestSelectionEndsWhereTheExecuteWouldDoSomethingElse(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(*plant.Plant)
		want   string
	}{
		{"same plant", func(*plant.Plant) {}, "0s +con"},
		{"another command beside it", func(p *plant.Plant) { p.Commands = append(p.Commands, commandOf("d", selectOnly)) }, "0s +con"},
		{"another device", func(p *plant.Plant) { p.Commands[0].To.End = &deviceEnd{Output: 2} }, "0s -con: is not selected"},
		{"another range", func(p *plant.Plant) { p.Commands[0].Range = &plant.Range{High: 1} }, "0s -con: is not selected"},
		{"another interlock", func(p *plant.Plant) { p.Commands[0].Interlock = "true" }, "0s -con: is not selected"},
		{"executor replaced", func(p *plant.Plant) { p.Connectors[2].Settings = &fakeSettings{Name: "changed"} }, "0s -con: is not selected"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newControl(t, steps(accepted), selectOnly)
				c.sel(order(), "")
				p := controlPlant(commandOf("c", selectOnly))
				tt.change(p)
				c.mustApply(p)
				synctest.Wait()
				c.issue(order())
				c.wantResults(tt.want)
			})
		})
	}
}

func TestExecuteOfALostSelectionIsNoDirectOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newControl(t, steps(accepted))
		execute := order()
		execute.Selected = true
		c.sel(order(), "")
		c.issue(execute)
		c.wantResults("0s +con")
		c.sel(order(), "")
		p := controlPlant(commandOf("c"))
		p.Commands[0].Interlock = "true"
		c.mustApply(p)
		c.issue(execute)
		c.wantResults("0s +con", "0s -con: is not selected")
		c.issue(order()) // direct
		c.wantResults("0s +con", "0s -con: is not selected", "0s +con")
		c.wantExecuted(2)
	})
}

func TestSelectionBelongsToAConnection(t *testing.T) {
	t.Parallel()
	const by1 = "is selected by 10.0.0.1 at desk, originator 3"
	synctest.Test(t, func(t *testing.T) {
		c := newControl(t, steps(accepted))
		over := func(link uint64) point.Order {
			o := order()
			o.Link = link
			return o
		}
		c.sel(over(1), "")
		c.sel(over(2), by1)
		c.issue(over(2))
		c.wantResults("0s -con: " + by1)
		c.issue(over(1))
		c.wantResults("0s -con: "+by1, "0s +con")
	})
}

func TestSelectIsRefusedAsAnOrderIs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newControl(t, waiting(accepted), func(c *plant.Command) { c.Local = "single" })
		c.sel(order(), "point single has no value")
		c.set("single", point.SingleValue(false), 0)
		wrong := order()
		wrong.Value = double(point.Indeterminate)
		c.sel(wrong, "state indeterminate cannot be ordered")
		c.issue(order())
		synctest.Wait()
		c.sel(from("10.0.0.2", 3), "another order of this command is under way")
		if r := c.record(); !r.Select || r.Confirmation.Positive {
			t.Errorf("record %+v, want that of a selection that was refused", r)
		}
	})
}

// recorder keeps the records that it is given.
type recorder struct {
	records chan CommandRecord
	err     error
}

func (r *recorder) Record(record CommandRecord) error {
	r.records <- record
	return r.err
}

func TestRecorderGetsWhatAConnectorHasRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newControl(t, waiting(accepted))
		r := &recorder{records: make(chan CommandRecord, 10)}
		c.RecordCommands(r)
		c.commands("desk").Refused(order(), Refusal{Reason: "not selected", Answered: true, Skipped: 2})
		unknown := order()
		unknown.Command = ""
		c.commands("desk").Refused(unknown, Refusal{Reason: "too late", Select: true})
		now := point.InstantOf(time.Now())
		for _, want := range []CommandRecord{
			{
				Order: order(), Executor: "device", Received: now, Confirmed: now, Skipped: 2,
				Confirmation: point.Result{Stage: point.Confirmed, Reason: "not selected"},
			},
			{Order: unknown, Select: true, Received: now, Confirmation: point.Result{Stage: point.Confirmed, Reason: "too late"}},
		} {
			got := <-r.records
			want.Order.ID, want.Order.Issued, want.Order.Requester.Connector = got.Order.ID, now, "desk"
			if got != want || got.Order.ID == "" || !got.Ended() {
				t.Errorf("record\n%+v, want\n%+v", got, want)
			}
		}
		c.wantExecuted(0)
		if n := len(c.CommandRecords()); n != 2 {
			t.Errorf("%d records, want 2", n)
		}
	})
}

func TestRecorderGetsEachStage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newControl(t, waiting(accepted, 2*time.Second, done), policy(plant.ConfirmAccepted, plant.TerminateReplied))
		r := &recorder{records: make(chan CommandRecord, 10)}
		c.RecordCommands(r)
		c.issue(order())
		synctest.Wait()
		first, second := <-r.records, <-r.records
		if first.Received == 0 || first.Confirmation.Stage != 0 || first.Order.Expires == 0 {
			t.Errorf("first record %+v, want that of an order that was received", first)
		}
		if !second.Confirmation.Positive || second.Accepted == 0 || second.Order.ID != first.Order.ID {
			t.Errorf("second record %+v, want that of a confirmation", second)
		}
		c.after(time.Minute)
		third := <-r.records
		if !third.Termination.Positive || third.Terminated.Time().Sub(c.begin) != 2*time.Second || third.Replied != third.Terminated {
			t.Errorf("third record %+v, want that of a termination after 2s", third)
		}
		if third != c.record() {
			t.Errorf("in memory is %+v, want %+v", c.record(), third)
		}
	})
}

func TestOrderThatCannotBeRecordedIsRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newControl(t, steps(accepted))
		c.RecordCommands(&recorder{records: make(chan CommandRecord, 10), err: errors.New("disk full")})
		c.issue(order())
		c.wantResults("0s -con: cannot be recorded")
		c.wantExecuted(0)
	})
}

func TestRecordsAreBounded(t *testing.T) {
	t.Parallel()
	b := newBook()
	for i := range 2*RecordLength + 10 {
		b.add(CommandRecord{Order: point.Order{ID: string(rune('a' + i))}, Received: point.Instant(i)})
	}
	list := b.list()
	if len(list) != RecordLength || len(b.ids) != RecordLength || list[0].Received != RecordLength+10 || list[RecordLength-1].Received != 2*RecordLength+9 {
		t.Errorf("%d records, %d ids, from %d to %d, want the newest %d", len(list), len(b.ids), list[0].Received, list[len(list)-1].Received, RecordLength)
	}
	if err := b.update(0, CommandRecord{Order: point.Order{ID: "gone"}}); err != nil || b.list()[0] != list[0] {
		t.Errorf("update of a record that is gone changed %+v to %+v", list[0], b.list()[0])
	}
}
