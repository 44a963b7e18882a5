package iec104server

import (
	"errors"
	"fmt"
	"time"

	"busbar/iec104"
	"busbar/iec104/asdu"
	"busbar/internal/connector"
	"busbar/internal/linkprofile"
	"busbar/internal/point"
)

// order is a command on its way through the desk.
type order struct {
	iec104.Command
	station *station
	owner   owner
	from    caller
	step    string // select, execute or deactivate

	// Of the object as it was when the desk looked at it.
	passed   bool // to the host, which records it
	selected bool // before it is executed
	object   *object
	end      connector.CommandEnd
	value    point.Value
	taken    uint8 // the qualifier, as the host gets it
}

func (c *order) key() objectKey { return objectKey{CommonAddress(c.CA), ObjectAddress(c.IOA)} }

// Command implements [iec104.Session].
func (s *session) Command(c iec104.Command) iec104.Verdict {
	o := order{Command: c, station: s.station, owner: owner{s.conn.ID(), c.OA}, from: s.caller, step: "execute", taken: c.Qualifier}
	switch {
	case c.Deactivate:
		o.step = "deactivate"
	case c.Select:
		o.step = "select"
	}
	return s.station.desk.take(&o)
}

// HasCommands implements [iec104.CommandTypes].
func (s *session) HasCommands(t asdu.TypeID) bool { return s.station.desk.has(t) }

// take decides on a command.
func (d *desk) take(c *order) iec104.Verdict {
	now := time.Now() // selections live by the monotonic clock
	d.mu.Lock()
	o, known := d.objects[c.key()]
	if !known || o.keys.As.TypeID != c.Type {
		var releases []func()
		if c.step == "execute" {
			// It is not what its owner selected.
			releases = d.dropAll(func(by owner) bool { return by == c.owner })
		}
		d.mu.Unlock()
		call(releases)
		d.count.unknown.Add(1)
		d.refused(c, fmt.Errorf("%w: %s at ca %d ioa %d", errUnknown, c.Type, c.CA, c.IOA))
		return iec104.UnknownObject
	}
	c.object, c.end = o, o.end
	if c.step == "deactivate" {
		dropped, err := o.cancels(c.owner, now)
		d.mu.Unlock()
		dropped.releaseIt()
		return d.verdict(c, err)
	}
	if c.Type.Time() != asdu.NoTime {
		if err := d.settings.timely(c.Time, d.zone, d.now()); err != nil {
			d.mu.Unlock()
			return d.late(c, err)
		}
	}
	var fault error
	c.value, c.taken, fault = o.order(&c.Object, &d.settings)
	if block := d.blocks.Of(c.from.String()); block != nil {
		var releases []func()
		if s := o.selection; s != nil && s.owner == c.owner {
			releases = o.drop(releases)
		}
		d.mu.Unlock()
		call(releases)
		return d.verdict(c, errors.New(block.Refusal()))
	}
	if c.Select {
		dropped, err := o.selects(c.owner, fault, now)
		d.mu.Unlock()
		return d.selects(c, dropped, err)
	}
	c.selected = o.selected(now) != nil
	dropped, err := o.executes(c.owner, &c.Object, fault, now)
	var releases []func()
	if errors.Is(err, errNotSelected) {
		// What its owner has selected is something else.
		releases = d.dropAll(func(by owner) bool { return by == c.owner })
	}
	d.mu.Unlock()
	call(releases)
	return d.executes(c, dropped, err)
}

var errUnknown = errors.New("no such object of this type")

// releaseIt tells the host that a selection is over. It may be nil.
func (s *selection) releaseIt() {
	if s != nil {
		s.release()
	}
}

// pointOrder returns the order as the host takes it.
func (c *order) pointOrder(zone *time.Location) point.Order {
	p := point.Order{
		Command: c.end.Command, Value: c.value, Qualifier: c.taken, Link: c.owner.conn, Selected: c.selected,
		Requester: point.Requester{Peer: c.from.peer.String(), Certificate: c.from.certificate, Originator: c.OA},
	}
	if issued, ok := c.Time.Date(zone); ok && c.Type.Time() != asdu.NoTime {
		p.Issued = point.InstantOf(issued)
	}
	return p
}

// selects asks the host whether an object may be selected.
func (d *desk) selects(c *order, dropped *selection, err error) iec104.Verdict {
	if err != nil {
		dropped.releaseIt()
		return d.verdict(c, err)
	}
	c.passed = true
	result, release := d.host.Select(c.pointOrder(d.zone))
	s := &selection{
		owner: c.owner, value: c.Value, qualifier: c.Qualifier,
		until: time.Now().Add(c.end.SelectTimeout), release: release,
	}
	d.mu.Lock()
	c.object.busy = false
	if d.objects[c.key()] != c.object {
		result = point.Result{Reason: "the command was removed"}
	} else if result.Positive {
		c.object.selection = s
	}
	d.mu.Unlock()
	if !result.Positive {
		release()
		dropped.releaseIt()
		return d.verdict(c, errors.New(result.Reason))
	}
	if dropped != nil && dropped.owner != c.owner {
		dropped.release() // its own time had run out
	}
	d.count.selected.Add(1)
	return d.verdict(c, nil)
}

// executes hands an order to the host.
func (d *desk) executes(c *order, dropped *selection, err error) iec104.Verdict {
	if err != nil {
		dropped.releaseIt()
		return d.verdict(c, err)
	}
	d.count.issued.Add(1)
	d.record(c, "issued", nil)
	r := d.await(c)
	d.host.Issue(c.pointOrder(d.zone), func(result point.Result) { d.report(*c, r, result) })
	dropped.releaseIt()
	return iec104.Pending
}

// report takes what the host tells of an order.
func (d *desk) report(c order, r *run, result point.Result) {
	var err error
	if !result.Positive {
		err = errors.New(result.Reason)
	}
	if result.Stage == point.Terminated {
		d.record(&c, "terminated", err)
		if d.settings.Termination == linkprofile.ByCommand {
			d.end(r, result.Positive)
		}
		return
	}
	d.mu.Lock()
	c.object.busy = false
	d.mu.Unlock()
	d.record(&c, "confirmed", err)
	if err != nil {
		d.doctor.Refused(c.owner.conn, err.Error(), false)
		c.Answer.Confirm(false)
		d.forgetRun(r)
		d.count.negative.Add(1)
		return
	}
	d.confirm(r)
	if d.settings.Termination == linkprofile.Immediately {
		c.Answer.Terminate(true)
	}
	d.count.positive.Add(1)
}
