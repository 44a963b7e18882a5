package connector

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"busbar/internal/plant"
	"busbar/internal/point"
)

// alice is an order of the user alice, on the connection 1.
func alice() point.Order {
	o := order()
	o.Requester, o.Link = point.Requester{Peer: "alice@10.0.0.9"}, 1
	return o
}

func with(o point.Order, change func(*point.Order)) point.Order {
	change(&o)
	return o
}

// operate issues an order through the API, and returns its record once it has ended.
func (c *control) operate(o point.Order) CommandRecord {
	c.t.Helper()
	issued := c.Operators().Issue(o)
	<-issued.Ended
	select {
	case <-issued.Recorded:
	default:
		c.t.Error("the order has ended and is not recorded")
	}
	r, ok := c.CommandRecord(issued.ID)
	if !ok || !r.Ended() {
		c.t.Errorf("record %+v, %t, want one that has ended", r, ok)
	}
	return r
}

func (c *control) wantOperated(o point.Order, reason string) {
	c.t.Helper()
	r := c.operate(o)
	if r.Confirmation.Reason != reason || r.Confirmation.Positive != (reason == "") {
		c.t.Errorf("confirmation %+v, want the reason %q", r.Confirmation, reason)
	}
	if r.Order.Requester.Connector != "api" {
		c.t.Errorf("requester %+v, want the API", r.Order.Requester)
	}
}

func TestOrdersThroughTheAPI(t *testing.T) {
	t.Parallel()
	nowhere := func(c *plant.Command) { c.From = nil }
	mixed := func(c *plant.Command) {
		c.From = []plant.Request{{Connector: "desk", Select: true, End: &deskEnd{1}}, {Connector: "desk-2", Direct: true, End: &deskEnd{1}}}
	}
	authority := func(source string) func(*plant.Command) { return func(c *plant.Command) { c.Authority = source } }
	tests := []struct {
		name   string
		plant  func(*plant.Command)
		order  func(*point.Order)
		reason string // empty: it is taken
	}{
		{"taken", func(*plant.Command) {}, nil, ""},
		{"command without a requester", nowhere, nil, ""},
		{"command of another connector", func(c *plant.Command) { c.From[0].Connector = "desk-2" }, nil, ""},
		{"no such command", nowhere, func(o *point.Order) { o.Command = "d" }, "there is no such command at this connector"},
		{"all demand select", selectOnly, nil, "is not selected"},
		{"one permits direct", mixed, nil, ""},
		{"as selected, and it is not", nowhere, func(o *point.Order) { o.Selected = true }, "is not selected"},
		{"type", nowhere, func(o *point.Order) { o.Value = point.SingleValue(true) }, "the value is not of type double"},
		{"qualifier", nowhere, func(o *point.Order) { o.Qualifier = 1 }, "qualifier 1 is not accepted"},
		{"expired", nowhere, func(o *point.Order) { o.Expires = point.InstantOf(time.Now()) }, "has expired"},
		{"interlock", func(c *plant.Command) { c.Interlock = `point("single") == "on"` }, nil, "is interlocked"},
		{"local", func(c *plant.Command) { c.Local = "double" }, nil, "control is local: double is on"},
		{"authority of the API", authority(`connector == "api"`), nil, ""},
		{"authority of a connector", authority(`connector == "desk"`), nil, "somebody else has the authority"},
		{"authority of the user", authority(`connector == "api" and peer startsWith "alice@"`), nil, ""},
		{"authority of another user", authority(`connector == "api" and peer startsWith "bob@"`), nil, "somebody else has the authority"},
		{"authority of a person through the API only", authority(`connector != "api" or peer endsWith "@10.0.0.9"`), nil, ""},
		{"no originator", authority(`originator == 0`), func(o *point.Order) { o.Requester.Connector = "desk" }, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newControl(t, steps(accepted), tt.plant)
				c.set("single", point.SingleValue(false), 0)
				c.set("double", point.DoubleValue(point.DoubleOn), 0)
				o := alice()
				if tt.order != nil {
					tt.order(&o)
				}
				c.wantOperated(o, tt.reason)
				c.wantExecuted(map[bool]int{true: 1}[tt.reason == ""])
			})
		})
	}
}

func TestSelectThroughTheAPI(t *testing.T) {
	t.Parallel()
	off := func(o *point.Order) { o.Value = point.DoubleValue(point.DoubleOff) }
	elsewhere := func(o *point.Order) { o.Link = 2 }
	bob := func(o *point.Order) { o.Requester.Peer = "bob@10.0.0.9" }
	for _, tt := range []struct {
		name   string
		do     func(c *control)
		order  func(*point.Order)
		reason string
	}{
		{"as selected", func(*control) {}, func(*point.Order) {}, ""},
		{"and says so", func(*control) {}, func(o *point.Order) { o.Selected = true }, ""},
		{"another value", func(*control) {}, off, "differs from what was selected"},
		{"another user", func(*control) {}, bob, "is selected by alice@10.0.0.9 through the API"},
		{"another session", func(*control) {}, elsewhere, "is selected by alice@10.0.0.9 through the API"},
		{"too late", func(c *control) { c.after(10 * time.Second) }, func(*point.Order) {}, "is not selected"},
		{"just in time", func(c *control) { c.after(10*time.Second - 1) }, func(*point.Order) {}, ""},
		{"used up", func(c *control) { c.wantOperated(alice(), "") }, func(*point.Order) {}, "is not selected"},
		{"used up by another value", func(c *control) { c.operate(with(alice(), off)) }, func(*point.Order) {}, "is not selected"},
		{"released", func(c *control) {
			if !c.Operators().Release("c", alice().Requester, 1) || c.Operators().Release("c", alice().Requester, 1) {
				c.t.Error("want that it is released once")
			}
		}, func(*point.Order) {}, "is not selected"},
		{"released by another", func(c *control) {
			if c.Operators().Release("c", alice().Requester, 2) || c.Operators().Release("d", alice().Requester, 1) {
				c.t.Error("released what is not selected")
			}
		}, func(*point.Order) {}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newControl(t, steps(accepted), selectOnly)
				r, until := c.Operators().Select(alice())
				if !r.Confirmation.Positive || !r.Select || r.Order.ID == "" || r.Order.Requester.Connector != "api" || until.Sub(c.begin) != 10*time.Second {
					t.Fatalf("selection %+v until %v, want a positive one for 10s", r, until)
				}
				c.wantCheck(order(), "is selected by alice@10.0.0.9 through the API")
				tt.do(c)
				c.wantOperated(with(alice(), tt.order), tt.reason)
			})
		})
	}
}

func TestSelectThroughTheAPIIsRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newControl(t, steps(accepted))
		c.sel(order(), "")
		r, until := c.Operators().Select(alice())
		if want := "is selected by 10.0.0.1 at desk, originator 3"; r.Confirmation.Positive || r.Confirmation.Reason != want || !until.IsZero() {
			t.Errorf("selection %+v until %v, want it refused: %s", r.Confirmation, until, want)
		}
		if c.Operators().Release("c", point.Requester{Peer: "10.0.0.1", Originator: 3}, 0) {
			t.Error("the API has released the selection of a control centre")
		}
	})
}

func TestOrderThroughTheAPIGoesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newControl(t, steps(accepted, time.Second, done), policy(plant.ConfirmAccepted, plant.TerminateReplied))
		first := c.Operators().Issue(with(alice(), func(o *point.Order) { o.ID = "one" }))
		<-first.Recorded
		synctest.Wait()
		if r, _ := c.CommandRecord(first.ID); first.ID != "one" || !r.Confirmation.Positive || r.Ended() {
			t.Errorf("record %+v of order %s, want one that is confirmed and goes on", r, first.ID)
		}
		again := c.Operators().Issue(with(alice(), func(o *point.Order) { o.ID = "one" }))
		<-again.Ended
		if r, _ := c.CommandRecord(again.ID); again.ID == "one" || r.Confirmation.Reason != GivenBefore {
			t.Errorf("record %+v of order %s, want that it was given before, under an id of its own", r, again.ID)
		}
		<-first.Ended
		if r, _ := c.CommandRecord("one"); !r.Termination.Positive {
			t.Errorf("record %+v, want that it has terminated", r)
		}
		c.wantOperated(alice(), "") // it is free
		c.wantExecuted(2)
	})
}

func TestOrderThroughTheAPIWhileBusbarStops(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newControl(t, steps(accepted))
		c.router.close(time.Second)
		c.wantOperated(alice(), stopping)
		c.wantExecuted(0)
	})
}

func TestTypeOfACommand(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newControl(t, steps(accepted))
		if typ, ok := c.Operators().Type("c"); typ != point.Double || !ok {
			t.Errorf("Type = %v, %t, want double", typ, ok)
		}
		if _, ok := c.Operators().Type("d"); ok {
			t.Error("there is a command d")
		}
	})
}

func TestStagesOfCommands(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newControl(t, func(_ context.Context, _ point.Order, report func(Progress)) error {
			report(done)
			return nil
		})
		begin := c.LastCommandStage()
		list, lost, more := c.CommandStages(begin)
		if len(list) > 0 || lost {
			t.Fatalf("%d stages, lost %t, want none yet", len(list), lost)
		}
		id := c.operate(alice()).Order.ID
		<-more
		list, lost, _ = c.CommandStages(begin)
		if len(list) != 2 || lost || list[0].Record.Confirmation.Stage != 0 || !list[1].Record.Confirmation.Positive {
			t.Fatalf("stages %+v, lost %t, want received and confirmed", list, lost)
		}
		for i, s := range list {
			if s.Number != begin+uint64(i)+1 || s.Record.Order.ID != id {
				t.Errorf("stage %d of order %s, want %d of %s", s.Number, s.Record.Order.ID, begin+uint64(i)+1, id)
			}
		}
		for range RecordLength/2 + 1 {
			c.operate(alice())
		}
		list, lost, _ = c.CommandStages(begin)
		if len(list) != RecordLength || !lost || list[0].Number != 5 || list[len(list)-1].Number != c.LastCommandStage() {
			t.Errorf("%d stages from %d on, lost %t, want the newest %d, from 5 on", len(list), list[0].Number, lost, RecordLength)
		}
		if list, lost, _ = c.CommandStages(4); len(list) != RecordLength || lost {
			t.Errorf("%d stages after the fourth, lost %t, want all", len(list), lost)
		}
		if list, lost, _ = c.CommandStages(c.LastCommandStage() + 1); len(list) != RecordLength || !lost {
			t.Errorf("%d stages after one to come, lost %t, want all that are kept", len(list), lost)
		}
		if list, lost, _ = c.CommandStages(c.LastCommandStage()); len(list) != 0 || lost {
			t.Errorf("%d stages after the newest, lost %t, want none", len(list), lost)
		}
	})
}

func TestRecordOfTwoOrdersWithOneID(t *testing.T) {
	t.Parallel()
	b := newBook()
	for n := range 2 * RecordLength {
		b.add(CommandRecord{Order: point.Order{ID: map[bool]string{true: "one"}[n == 1 || n == 3], Qualifier: uint8(n)}})
		r, ok := b.find("one")
		if want := n >= 1 && n < RecordLength+1; ok != want || ok && r.Order.Qualifier != 1 {
			t.Fatalf("after %d records: %+v, %t, want the first, %t", n+1, r, ok, want)
		}
	}
}
