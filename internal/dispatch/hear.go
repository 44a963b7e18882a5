package dispatch

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"busbar/internal/connector"
)

// maxReason is how much of a reply is shown as the reason of a refusal.
const maxReason = 200

// Await waits for the reply of an order that may have been sent, until its
// time is over or ctx ends. lost says why it is not certain that it was sent;
// nil: it is. It returns nil at once if the device does not answer.
func (o *Order) Await(ctx context.Context, lost error) error {
	if o.route.ok == nil {
		return lost
	}
	timer := time.NewTimer(o.route.timeout)
	defer timer.Stop()
	select {
	case <-o.replied:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		if lost != nil {
			return lost
		}
		return fmt.Errorf("no reply within %v: %w", o.route.timeout, connector.ErrOutcomeUnknown)
	}
}

// Replied is closed with the last reply.
func (o *Order) Replied() <-chan struct{} { return o.replied }

// Answers reports whether the device answers.
func (o *Order) Answers() bool { return o.route.ok != nil }

// Sent counts an order that was accepted by whom it was handed to, and reports
// it, unless the device itself tells that it has accepted it, or its reply was
// faster: after a refusal it would look as if the order had been handed over late.
func (o *Order) Sent() {
	o.desk.sent.Add(1)
	o.telling.Lock()
	defer o.telling.Unlock()
	if o.route.confirmed == nil && !o.answered {
		o.accept()
	}
}

// Hear takes a message on a topic of replies. correlation is what the protocol
// itself says of the order that it answers; it counts where the payload does
// not say it.
func (d *Desk) Hear(topic string, text []byte, correlation string) {
	d.replies.Add(1)
	doc, err := decode(text)
	if err != nil {
		d.odd(&d.malformed, "reply to a command is not understood", topic, err)
		return
	}
	o := d.find(topic, doc, correlation)
	if o == nil {
		d.odd(&d.unknown, "reply to no known command", topic, nil)
		return
	}
	said, err := o.route.read(doc)
	if err != nil {
		d.odd(&d.malformed, "reply to a command is not understood", topic, err)
		return
	}
	o.tell(said, text)
}

// said is what a reply says.
type said struct{ ok, confirmed, unknown bool }

func (r *route) read(doc any) (s said, err error) {
	if s.ok, err = r.ok.of(doc); err != nil {
		return s, err
	}
	if s.confirmed, err = r.confirmed.of(doc); err != nil || s.ok {
		return s, err
	}
	s.unknown, err = r.unknown.of(doc)
	return s, err
}

// tell reports what a reply says, unless there is nothing new in it, as a broker
// may deliver it twice. It ends Await after the report, so that an executor does
// not return before it has reported.
func (o *Order) tell(s said, text []byte) {
	o.telling.Lock()
	defer o.telling.Unlock()
	switch {
	case s.ok && s.confirmed && !o.done:
		o.accept()
		return
	case s.ok && s.confirmed, o.answered && (o.done == s.ok || s.unknown):
		return
	}
	p := connector.Progress{Replied: true, OK: s.ok, Unknown: s.unknown}
	if !s.ok {
		p.Reason = shown(text)
	}
	o.report(p)
	if !o.answered {
		close(o.replied)
	}
	o.answered, o.done = true, s.ok
}

// accept reports once that the order will be carried out. The caller holds telling.
func (o *Order) accept() {
	if !o.accepted {
		o.accepted = true
		o.report(connector.Progress{})
	}
}

// find returns the order that a reply on a topic belongs to, nil if there is none.
func (d *Desk) find(topic string, doc any, correlation string) *Order {
	d.mu.Lock()
	defer d.mu.Unlock()
	for text, p := range d.paths {
		id, ok := p.find(doc)
		if o := d.orders[id]; ok && o.answers(topic) && o.route.idText == text {
			return o
		}
	}
	o := d.orders[correlation]
	if !o.answers(topic) {
		return nil
	}
	if _, other := o.route.id.find(doc); other && o.route.id != nil {
		return nil // it answers another order
	}
	return o
}

// answers reports whether the reply to an order, which may be nil, may come on
// a topic.
func (o *Order) answers(topic string) bool {
	return o != nil && o.route.ok != nil && o.route.topic.holds(topic)
}

func (d *Desk) odd(count interface{ Add(uint64) uint64 }, message, topic string, err error) {
	if count.Add(1) == 1 {
		d.log.Warn(message+", further ones are only counted", "topic", topic, "error", err) //nolint:sloglint // each caller has a constant message
	}
}

// shown is the beginning of a reply.
func shown(text []byte) string {
	s := strings.ToValidUTF8(string(text[:min(len(text), maxReason)]), "")
	return "reply " + s
}

// ErrExpired is why an order is not sent any more.
var ErrExpired = errors.New("has expired")

// Collect hands on the figures of a desk, with a prefix before their names.
func (d *Desk) Collect(prefix string, emit func(connector.Metric)) {
	for _, m := range []struct {
		name, help string
		value      uint64
	}{
		{"commands_sent_total", "Commands that were handed over.", d.sent.Load()},
		{"commands_unsent_total", "Commands that were certainly not handed over.", d.unsent.Load()},
		{"command_replies_total", "Messages on topics of replies.", d.replies.Load()},
		{"command_unknown_replies_total", "Replies that belong to no known command.", d.unknown.Load()},
		{"command_malformed_replies_total", "Replies that were not understood.", d.malformed.Load()},
	} {
		emit(connector.Metric{Name: prefix + m.name, Help: m.help, Counter: true, Value: float64(m.value)})
	}
}
