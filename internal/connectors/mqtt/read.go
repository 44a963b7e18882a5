package mqtt

import (
	"context"
	"encoding/binary"
	"fmt"

	"busbar/internal/connector"
)

// maxNames bounds the topics whose text is kept, so that it is not made anew for
// every message.
const maxNames = 16384

// reader is what the receiving goroutine of a link keeps.
type reader struct {
	c      *Connector
	l      *link
	names  map[string]string
	copies *copies
	m      message
}

// read takes packets until the connection ends.
func (c *Connector) read(ctx context.Context, l *link) error {
	r := &reader{c: c, l: l, names: make(map[string]string), copies: newCopies()}
	for {
		f, err := l.frames.next()
		if err != nil {
			return err
		}
		if err := r.take(ctx, f); err != nil {
			return err
		}
	}
}

// take handles one packet.
func (r *reader) take(ctx context.Context, f frame) error {
	switch f.kind {
	case publish:
		if err := r.m.parse(f, r.l.v5); err != nil {
			return fmt.Errorf("broker sent a malformed packet: %w", err)
		}
		return r.deliver(ctx, &r.m)
	case pubrel:
		if len(f.body) < 2 {
			return fmt.Errorf("broker sent a malformed packet: PUBREL: %w", errTruncated)
		}
		r.l.released(binary.BigEndian.Uint16(f.body))
		return nil
	case suback, unsuback:
		if err := r.l.answered(f); err != nil {
			return fmt.Errorf("broker sent a malformed packet: %w", err)
		}
		return nil
	case pingresp:
		if r.l.settled.Load() {
			r.c.alive.settled(r.c)
		}
		return nil
	case disconnect:
		if r.l.v5 {
			return codec5{}.disconnected(f.body)
		}
	}
	return fmt.Errorf("broker sent a packet of type %d, which it must not", f.kind)
}

// deliver hands a message to the host.
func (r *reader) deliver(ctx context.Context, m *message) error {
	fig := &r.c.figures
	fig.messages.Add(1)
	if m.qos == 0 {
		r.c.lossy = true
	} else if m.qos == 2 && r.l.repeated(m.id) {
		return nil
	}
	var commit func(error)
	if m.qos > 0 {
		var err error
		if commit, err = r.l.open(ctx, m); err != nil {
			return err
		}
	}
	if len(m.subscriptions) > 0 && !m.retained && r.copies.isCopy(m.topic, m.payload, m.subscriptions) {
		fig.copies.Add(1)
		accept(commit)
		return nil
	}
	if len(m.payload) > maxPayload {
		fig.cut.Add(1)
	}
	topic := r.name(m.topic)
	if topic == r.c.settings.Alive.Topic {
		r.c.alive.heard(r.c, m)
		if !r.c.aliveWanted.Load() {
			accept(commit)
			return nil
		}
	}
	err := r.c.env.Sink.Deliver(ctx, connector.Message{Selector: topic, Payload: m.payload, Retained: m.retained}, commit)
	if err != nil {
		return fmt.Errorf("message not kept: %w", err)
	}
	return nil
}

// accept acknowledges a message that the host has nothing to do with.
func accept(commit func(error)) {
	if commit != nil {
		commit(nil)
	}
}

// name returns a topic as a string, the same one for the same topic.
func (r *reader) name(topic []byte) string {
	if name, ok := r.names[string(topic)]; ok {
		return name
	}
	if len(r.names) == maxNames {
		clear(r.names)
	}
	name := string(topic)
	r.names[name] = name
	return name
}
