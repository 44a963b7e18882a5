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
	if o.route.verdict == nil {
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

// Replied is closed with the first reply.
func (o *Order) Replied() <-chan struct{} { return o.replied }

// Answers reports whether the device answers.
func (o *Order) Answers() bool { return o.route.verdict != nil }

// Sent counts an order that was accepted by whom it was handed to, and reports
// it, unless the reply was faster: after a refusal it would look as if the order
// had been handed over late.
func (o *Order) Sent() {
	o.desk.sent.Add(1)
	o.telling.Lock()
	defer o.telling.Unlock()
	if !o.answered {
		o.report(connector.Progress{})
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
	done, err := o.route.verdict.of(doc)
	if err != nil {
		d.odd(&d.malformed, "reply to a command is not understood", topic, err)
		return
	}
	o.tell(done, text)
}

// tell reports what a reply says, unless there is nothing new in it, as a broker
// may deliver it twice. It ends Await after the report, so that an executor does
// not return before it has reported.
func (o *Order) tell(done bool, text []byte) {
	o.telling.Lock()
	defer o.telling.Unlock()
	if o.answered && o.done == done {
		return
	}
	p := connector.Progress{Replied: true, OK: done}
	if !done {
		p.Reason = shown(text)
	}
	o.report(p)
	if !o.answered {
		close(o.replied)
	}
	o.answered, o.done = true, done
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
	return o != nil && o.route.verdict != nil && o.route.topic.holds(topic)
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
