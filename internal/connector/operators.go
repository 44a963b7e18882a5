package connector

import (
	"crypto/rand"
	"time"

	"busbar/internal/plant"
	"busbar/internal/point"
)

// Operators is where orders go that come through the API. They are treated like those of
// connectors, as of a connector [plant.APIConnector]: every command may be ordered, whatever its
// `from`, and has to be selected first if all entries of that demand it. An order has to be like
// what its requester has selected. The methods may be called from any goroutine.
type Operators struct {
	requester *requester
}

// Operators returns where orders of the API go.
func (m *Manager) Operators() *Operators {
	return &Operators{&requester{router: m.router, connector: plant.APIConnector, exact: true}}
}

// Type returns the type of the values of a command; false if there is no such command.
func (p *Operators) Type(command string) (point.Type, bool) {
	r := p.requester.router
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.commands[command]
	if c == nil {
		return 0, false
	}
	return c.Type, true
}

// Select selects a command for the requester of the order, see [Commands]. until is when
// the selection ends by itself; it is zero if the record says that it was refused.
func (p *Operators) Select(o point.Order) (record CommandRecord, until time.Time) {
	record, h := p.requester.hold(o)
	if h != nil {
		until = h.until
	}
	return record, until
}

// Release ends the selection of a command for a requester, equal in Requester and Link
// to that of the order that selected it. It reports whether there was one.
func (p *Operators) Release(command string, by point.Requester, link uint64) bool {
	r := p.requester.router
	by.Connector = plant.APIConnector
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.holder(command)
	if h == nil || !h.of(&point.Order{Requester: by, Link: link}) {
		return false
	}
	delete(r.held, command)
	return true
}

// Issued is an order that was taken for execution, or refused.
type Issued struct {
	// ID is that of its record. If it is another than that of the order, an order with
	// that id was given before, and this one is refused.
	ID string
	// Recorded is closed when the order is recorded or refused.
	Recorded <-chan struct{}
	// Ended is closed when there is nothing more to be told of the order in time, see
	// [CommandRecord.Ended]. Then the next order of the command may be given.
	Ended <-chan struct{}
}

// Issue takes an order for execution and returns at once. It is carried out, or
// not, whoever waits for it.
func (p *Operators) Issue(o point.Order) Issued {
	if o.ID == "" {
		o.ID = rand.Text()
	}
	recorded, ended := make(chan struct{}), make(chan struct{})
	x := &execution{order: o, recorded: func() { close(recorded) }}
	x.report = func(r point.Result) {
		if x.last(r) {
			close(ended)
		}
	}
	return Issued{ID: p.requester.issue(x), Recorded: recorded, Ended: ended}
}
