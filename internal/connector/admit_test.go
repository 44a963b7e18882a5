package connector

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	"busbar/internal/plant"
	"busbar/internal/point"
)

func TestOrdersThatAreRefused(t *testing.T) {
	t.Parallel()
	typed := func(typ point.Type) func(*plant.Command) { return func(c *plant.Command) { c.Type = typ } }
	span := func(c *plant.Command) { c.Type, c.Range = point.Float, &plant.Range{Low: 0, High: 100} }
	qualifiers := func(c *plant.Command) { c.Qualifiers = []uint8{1, 2} }
	value := func(v point.Value) func(*point.Order) { return func(o *point.Order) { o.Value = v } }
	tests := []struct {
		name   string
		plant  func(*plant.Command)
		order  func(*point.Order)
		reason string // empty: it is taken
	}{
		{"taken", nil, nil, ""},
		{"unknown command", nil, func(o *point.Order) { o.Command = "d" }, "there is no such command at this connector"},
		{"command of another connector", func(c *plant.Command) { c.From[0].Connector = "desk-2" }, nil, "there is no such command at this connector"},
		{"wrong type", nil, value(point.SingleValue(true)), "the value is not of type double"},
		{"no value", nil, value(point.Value{}), "the value is not of type double"},
		{"double 0", nil, value(double(point.Intermediate)), "state intermediate cannot be ordered"},
		{"double 3", nil, value(double(point.Indeterminate)), "state indeterminate cannot be ordered"},
		{"step 0", typed(point.Step), value(point.StepValue(0, false)), "want one step lower (−1) or higher (1)"},
		{"step 2", typed(point.Step), value(point.StepValue(2, false)), "want one step lower (−1) or higher (1)"},
		{"step lower", typed(point.Step), value(point.StepValue(-1, false)), ""},
		{"NaN", typed(point.Float), value(point.FloatValue(math.NaN())), "the value is no number"},
		{"infinite", typed(point.Float), value(point.FloatValue(math.Inf(-1))), "the value is no number"},
		{"above the range", span, value(point.FloatValue(100.1)), "100.1 is beyond the range 0 … 100"},
		{"below the range", span, value(point.FloatValue(-0.1)), "-0.1 is beyond the range 0 … 100"},
		{"end of the range", span, value(point.FloatValue(100)), ""},
		{"qualifier", nil, func(o *point.Order) { o.Qualifier = 1 }, "qualifier 1 is not accepted"},
		{"qualifier that is accepted", qualifiers, func(o *point.Order) { o.Qualifier = 2 }, ""},
		{"qualifier 0 where it is not accepted", qualifiers, nil, "qualifier 0 is not accepted"},
		{"expired", nil, func(o *point.Order) { o.Expires = point.InstantOf(time.Now()) }, "has expired"},
		{"expires soon", nil, func(o *point.Order) { o.Expires = point.InstantOf(time.Now().Add(time.Second)) }, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newControl(t, steps(accepted), func(c *plant.Command) {
					if tt.plant != nil {
						tt.plant(c)
					}
				})
				o := order()
				if tt.order != nil {
					tt.order(&o)
				}
				c.wantDecision(o, tt.reason)
			})
		})
	}
}

// wantDecision checks that Check and Issue take an order, or refuse it for a
// reason.
func (c *control) wantDecision(o point.Order, reason string) {
	c.t.Helper()
	want, executed := "0s +con", 1
	if reason != "" {
		want, executed = "0s -con: "+reason, 0
	}
	if got := c.commands("desk").Check(o); got.Reason != reason || got.Positive != (reason == "") || got.Stage != point.Confirmed {
		c.t.Errorf("Check = %+v, want the reason %q", got, reason)
	}
	c.issue(o)
	c.wantResults(want)
	c.wantExecuted(executed)
	if r := c.record(); r.Confirmation.Reason != reason || r.Received == 0 || r.Confirmed == 0 {
		c.t.Errorf("record %+v, want the reason %q", r, reason)
	}
}

func TestConditionsOfACommand(t *testing.T) {
	t.Parallel()
	interlock := func(c *plant.Command) { c.Interlock = `point("single") == "off" and point("float") < 10` }
	local := func(c *plant.Command) { c.Local = "single" }
	byPeer := func(c *plant.Command) { c.Authority = `point("text") == peer` }
	byConnector := func(c *plant.Command) { c.Authority = `point("text") == connector` }
	byOriginator := func(c *plant.Command) { c.Authority = `point("float") == originator` }
	set := func(single bool, float float64, text string) func(*control) {
		return func(c *control) {
			c.set("single", point.SingleValue(single), 0)
			c.set("float", point.FloatValue(float), 0)
			c.set("text", point.TextValue(text), 0)
		}
	}
	bad := func(q point.Quality) func(*control) {
		return func(c *control) {
			set(false, 0, "")(c)
			c.set("single", point.SingleValue(false), q)
		}
	}
	tests := []struct {
		name   string
		plant  func(*plant.Command)
		image  func(*control)
		reason string
	}{
		{"interlock good", interlock, set(false, 9, ""), ""},
		{"interlock false", interlock, set(true, 9, ""), "is interlocked"},
		{"interlock false by the other point", interlock, set(false, 10, ""), "is interlocked"},
		{"interlock invalid", interlock, bad(point.Invalid), "interlock: point single is invalid"},
		{"interlock not topical", interlock, bad(point.NotTopical), "interlock: point single is not-topical"},
		{"interlock substituted", interlock, bad(point.Substituted), "interlock: point single is substituted"},
		{"interlock never received", interlock, func(*control) {}, "interlock: point single has no value"},
		{"remote", local, set(false, 0, ""), ""},
		{"local", local, set(true, 0, ""), "control is local: single is on"},
		{"local or not, nobody knows", local, bad(point.NotTopical), "point single is not-topical"},
		{"authority", byPeer, set(false, 0, "10.0.0.1"), ""},
		{"authority of another peer", byPeer, set(false, 0, "10.0.0.2"), "somebody else has the authority"},
		{"authority of nobody", byPeer, set(false, 0, ""), "somebody else has the authority"},
		{"authority that was never given", byPeer, func(*control) {}, "authority: point text has no value"},
		{"authority of the connector", byConnector, set(false, 0, "desk"), ""},
		{"authority of another connector", byConnector, set(false, 0, "desk-2"), "somebody else has the authority"},
		{"authority of the originator", byOriginator, set(false, 3, ""), ""},
		{"authority of another originator", byOriginator, set(false, 4, ""), "somebody else has the authority"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newControl(t, steps(accepted), tt.plant)
				tt.image(c)
				c.wantDecision(order(), tt.reason)
			})
		})
	}
}

func TestOrderIsGivenOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newControl(t, steps(accepted))
		o := order()
		o.ID = "one"
		c.issue(o)
		c.after(time.Second)
		c.issue(o)
		c.wantResults("0s +con", "1s -con: an order with this id was given before")
		c.wantExecuted(1)
		var again point.Result
		o.Expires = point.InstantOf(time.Now()) // what became of the first is not that it had expired
		c.commands("desk").Issue(o, func(r point.Result) { again = r })
		c.after(time.Second)
		if want := (point.Result{Stage: point.Confirmed, Reason: GivenBefore, Unknown: true}); again != want {
			t.Errorf("told %+v, want %+v", again, want)
		}
		records := c.CommandRecords()
		if len(records) != 3 || records[0].Order.ID != "one" || !records[0].Confirmation.Positive || records[1].Order.ID == "one" {
			t.Errorf("records %+v, want the first as it was and another for the second", records)
		}
	})
}

func TestOrderIsCompleted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newControl(t, steps(accepted))
		o := order()
		o.Requester.Connector = "desk-2" // the host knows better
		c.issue(o)
		c.wantExecuted(1)
		got := c.orders[0]
		if got.ID == "" || got.Requester.Connector != "desk" || got.Issued.Time() != c.begin.UTC() || got.Expires.Time().Sub(c.begin) != 10*time.Second {
			t.Errorf("order %+v, want an id, the desk, now and 10s from now", got)
		}
		soon, late := order(), order()
		soon.Expires = point.InstantOf(time.Now().Add(time.Second))
		late.Expires = point.InstantOf(time.Now().Add(time.Hour))
		c.issue(soon)
		c.wantExecuted(2)
		c.issue(late)
		c.wantExecuted(3)
		if c.orders[1].Expires != soon.Expires || c.orders[2].Expires.Time().Sub(c.begin) != 10*time.Second {
			t.Errorf("expire at %v and %v, want %v and 10s from now", c.orders[1].Expires, c.orders[2].Expires, soon.Expires)
		}
	})
}
