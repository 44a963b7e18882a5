package connector

import (
	"fmt"
	"math"
	"slices"

	"busbar/internal/plant"
	"busbar/internal/point"
)

// admit returns the command of an order, and why the order is refused; empty if
// it is not. The caller holds mu.
func (q *requester) admit(o *point.Order) (c *command, reason string) {
	if q.left.Load() {
		return nil, "its connector has stopped"
	}
	c = q.commands[o.Command]
	if c == nil || !c.requested[o.Requester.Connector] {
		return nil, "there is no such command at this connector"
	}
	for _, check := range []func(*command, *point.Order) string{
		q.repeated, unfit, q.expired, q.taken, q.local, q.unauthorised, q.interlocked, unreachable,
	} {
		if reason := check(c, o); reason != "" {
			return c, reason
		}
	}
	return c, ""
}

// unfit reports a value or qualifier that the command does not take.
func unfit(c *command, o *point.Order) string {
	if o.Value.Type() != c.Type {
		return "the value is not of type " + c.Type.String()
	}
	if !slices.Contains(c.Qualifiers, o.Qualifier) {
		return fmt.Sprintf("qualifier %d is not accepted", o.Qualifier)
	}
	number, _ := o.Value.Number()
	switch c.Type {
	case point.Double:
		if d := o.Value.Double(); d != point.DoubleOff && d != point.DoubleOn {
			return "state " + d.String() + " cannot be ordered"
		}
	case point.Step:
		if number != -1 && number != 1 {
			return "want one step lower (−1) or higher (1)"
		}
	case point.Int, point.Float:
		if math.IsNaN(number) || math.IsInf(number, 0) {
			return "the value is no number"
		}
		if c.Range != nil && (number < c.Range.Low || number > c.Range.High) {
			return fmt.Sprintf("%v is beyond the range %v … %v", o.Value, c.Range.Low, c.Range.High)
		}
	}
	return ""
}

func (r *router) expired(_ *command, o *point.Order) string {
	if o.Expires != 0 && point.InstantOf(r.now()) >= o.Expires {
		return "has expired"
	}
	return ""
}

// GivenBefore is the reason for which an order is refused whose id was used before. What
// became of that one it does not say.
const GivenBefore = "an order with this id was given before"

func (r *router) repeated(_ *command, o *point.Order) string {
	if o.ID != "" && r.book.knows(o.ID) {
		return GivenBefore
	}
	return ""
}

// taken reports that another order is under way, or another requester has
// selected the command.
func (r *router) taken(c *command, o *point.Order) string {
	if r.busy[c.ID] {
		return "another order of this command is under way"
	}
	if h := r.holder(c.ID); h != nil && !h.of(o) {
		return "is selected by " + requesterName(h.by)
	}
	return ""
}

// holder returns the selection of a command, nil if there is none any more.
func (r *router) holder(command string) *selection {
	h := r.held[command]
	if h != nil && !r.now().Before(h.until) {
		delete(r.held, command)
		return nil
	}
	return h
}

// unselected reports an order for a command that the requester had to select
// and has not, or had selected before the plant has changed.
func (q *requester) unselected(c *command, o *point.Order) string {
	h := q.holder(c.ID)
	switch selected := h != nil && h.of(o); {
	case selected && q.exact && (h.value != o.Value || h.qualifier != o.Qualifier):
		return "differs from what was selected"
	case !selected && (o.Selected || !c.direct[o.Requester.Connector]):
		return "is not selected"
	}
	return ""
}

func (r *router) local(c *command, _ *point.Order) string {
	if c.local == point.None {
		return ""
	}
	v, reason := r.good(c.local, c.Local)
	if reason != "" {
		return reason
	}
	if state(v) != point.DoubleOff {
		return "control is local: " + c.Local + " is " + v.String()
	}
	return ""
}

func (r *router) unauthorised(c *command, o *point.Order) string {
	return r.unmet(c.authority, "authority", "somebody else has the authority", o.Requester)
}

func (r *router) interlocked(c *command, o *point.Order) string {
	return r.unmet(c.interlock, "interlock", "is interlocked", o.Requester)
}

// unmet reports why a condition does not hold, if that is so.
func (r *router) unmet(c *condition, name, not string, by point.Requester) string {
	if c == nil {
		return ""
	}
	values := make([]point.Value, len(c.points))
	for i, p := range c.points {
		v, reason := r.good(p, c.Points()[i])
		if reason != "" {
			return name + ": " + reason
		}
		values[i] = v
	}
	holds, err := c.Holds(values, by)
	switch {
	case err != nil:
		return name + ": " + err.Error()
	case !holds:
		return not
	}
	return ""
}

// good returns the value of a point that is good, otherwise why it is not.
func (r *router) good(p point.Index, id string) (point.Value, string) {
	s, ok := r.img.State(p)
	switch {
	case !ok:
		return point.Value{}, "point " + id + " is not there any more"
	case s.Value.Type() == 0:
		return point.Value{}, "point " + id + " has no value"
	case !s.Quality.Good():
		return point.Value{}, "point " + id + " is " + s.Quality.String()
	}
	return s.Value, ""
}

// unreachable reports that the executor cannot carry out anything now.
func unreachable(c *command, _ *point.Order) string {
	s := c.executor.track.get()
	if s.State == Up || s.State == Degraded {
		return ""
	}
	reason := "connector " + s.ID + " is " + s.State.String()
	if s.Reason != "" {
		reason += ": " + s.Reason
	}
	return reason
}

// requesterName says who a requester is, for logs and reasons.
func requesterName(r point.Requester) string {
	name := r.Peer
	if r.Certificate != "" {
		name += " " + r.Certificate
	}
	if r.Connector == plant.APIConnector {
		return name + " through the API"
	}
	return fmt.Sprintf("%s at %s, originator %d", name, r.Connector, r.Originator)
}
