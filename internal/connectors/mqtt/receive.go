package mqtt

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"busbar/internal/connector"
)

// receiver hands the messages of one connection to the host, in the one
// goroutine in which the library calls it.
type receiver struct {
	c      *Connector
	ctx    context.Context // of the connection
	ready  chan struct{}   // closed when the connection was taken up
	acks   *acks
	copies *copies
	fail   func(error)
	due    []acker    // of acknowledge
	busy   sync.Mutex // held while a message is handed on
}

// receive handles one message.
func (r *receiver) receive(m *message) {
	reply, request := r.c.desk.Expects(m.topic), r.c.counter.has(m.topic)
	if m.qos == 0 && !reply && !request {
		r.c.lossy.Store(true)
	}
	select {
	case <-r.ready:
	case <-r.ctx.Done():
	}
	r.busy.Lock()
	defer r.busy.Unlock()
	if r.ctx.Err() != nil {
		return // the broker sends it again
	}
	if m.topic == "" {
		r.fail(fmt.Errorf("%w: PUBLISH without topic", errMalformed))
		return
	}
	fig := &r.c.figures
	fig.messages.Add(1)
	var commit func(error)
	if m.qos > 0 {
		if commit = r.acks.wait(r.ctx, m.acker); commit == nil {
			return
		}
	}
	if m.subscription != 0 && !m.retained && r.copies.isCopy(m.topic, m.payload, m.subscription) {
		fig.copies.Add(1)
		accept(commit)
		return
	}
	if len(m.payload) > maxPayload {
		fig.cut.Add(1)
		m.payload = m.payload[:maxPayload+1]
	}
	if request {
		r.c.env.Messages.Received(m.topic, m.payload, "request of a command")
		r.c.counter.take(m, r.c.shared.Load().matches(m.topic), commit)
		return
	}
	if r.concerns(m, reply) {
		accept(commit)
		return
	}
	err := r.c.env.Sink.Deliver(r.ctx, connector.Message{Selector: m.topic, Payload: m.payload, Retained: m.retained}, commit)
	if m.qos == 0 || err == nil {
		r.c.took(err)
		return
	}
	r.fail(notKept(err))
}

// concerns hands on a message of the alive topic, or a reply, and reports whether no
// point has to do with it.
func (r *receiver) concerns(m *message, reply bool) bool {
	if m.topic == r.c.settings.Alive.Topic {
		r.c.alive.heard(r.c.env.Sink, r.c.settings.Alive, m)
		if !r.c.aliveWanted.Load() {
			r.c.env.Messages.Received(m.topic, m.payload, "state of the source")
			return true
		}
	}
	if !reply {
		return false
	}
	if !m.retained { // a stored one answers nothing that is asked now
		r.c.desk.Hear(m.topic, m.payload, string(m.correlation))
	}
	if r.c.points.Load().matches(m.topic) {
		return false
	}
	r.c.env.Messages.Received(m.topic, m.payload, "reply to a command")
	return true
}

// acknowledge acknowledges messages that were kept, until the connection ends.
func (r *receiver) acknowledge() {
	for {
		select {
		case <-r.acks.due:
			r.flush()
		case <-r.ctx.Done():
			return
		}
	}
}

// finish is the end of acknowledge: it waits for the message that is just handed on.
func (r *receiver) finish() {
	r.busy.Lock()
	defer r.busy.Unlock()
	r.flush()
}

func (r *receiver) flush() {
	r.due = r.acks.take(r.due[:0])
	for i, m := range r.due {
		m.Ack()
		r.due[i] = nil
	}
	r.c.figures.acknowledged.Add(uint64(len(r.due)))
}

// accept acknowledges a message that the host has nothing to do with.
func accept(commit func(error)) {
	if commit != nil {
		commit(nil)
	}
}

// errNotKept ends a connection: the broker then sends the message again.
var errNotKept = errors.New("message not kept")

func notKept(err error) error { return fmt.Errorf("%w: %w", errNotKept, err) }
