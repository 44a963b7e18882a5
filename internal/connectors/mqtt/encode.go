package mqtt

import (
	"fmt"
)

// encode appends the PUBLISH of a message; nothing if it cannot be sent. The caller
// holds mu.
func (b *outbox) encode(dst []byte, o *outflow, m *letter, qos byte, id uint16) []byte {
	t, at := m.topic, len(dst)
	b.payload, b.user = b.payload[:0], b.user[:0]
	if t.batch.Count > 0 {
		b.payload = append(b.payload, '[')
	}
	isJSON, old, n := true, false, 0
	for i := range m.events {
		e := &m.events[i]
		r := b.table.row(e.target)
		if r == nil {
			b.figures.removed.Add(1)
			continue
		}
		if n++; n > 1 {
			b.payload = append(b.payload, ',')
		}
		isJSON = isJSON && r.payload == nil
		old = e.kind&late != 0 || t.passed > e.seq
		if err := b.appendPayload(r, e); err != nil {
			b.unsendable(m, err)
			return dst
		}
		if t.user && t.batch.Count == 0 {
			b.user = appendUserProperties(b.user, r.about.Point, e.seq)
		}
	}
	if t.batch.Count > 0 {
		b.payload = append(b.payload, ']')
	}
	if n == 0 {
		return dst // all its targets were removed
	}
	b.scratch = outgoing{
		topic: t.name, payload: b.payload, qos: qos, retain: t.retain && b.caps.retain && !old, expiry: t.expiry, isJSON: isJSON, user: b.user,
	}
	dst = appendPublish(dst, o.v5, id, &b.scratch)
	if len(dst)-at > o.longest {
		b.unsendable(m, fmt.Errorf("is a packet of %d octets, the broker takes %d", len(dst)-at, o.longest))
		return dst[:at]
	}
	b.env.Messages.Sent(b.scratch.topic, b.scratch.payload, "values of points", nil)
	return dst
}

// unsendable counts a message that can never be sent. The caller holds mu.
func (b *outbox) unsendable(m *letter, err error) {
	n := uint64(len(m.events))
	if b.figures.unsendable.Add(n) == n {
		b.env.Log.Warn("message cannot be published, further ones are only counted", "topic", m.topic.name, "error", err)
	}
}

// discard gives up a message that was not sent. The caller holds mu.
func (b *outbox) discard(m *letter, o *outflow, id uint16) {
	if id != 0 {
		o.cancel(id)
	}
	if r := m.topic.refusal; r != nil {
		r.probing = false
	}
	b.recycle(m)
}

// appendPayload appends the payload of one event to that of its message.
func (b *outbox) appendPayload(r *row, e *event) (err error) {
	v := reading{
		about: r.about, value: b.backlog.value(e), time: e.time, arrival: e.arrival, quality: e.quality, timeQ: e.timeQ, seq: e.seq, convert: r.convert,
	}
	if r.payload == nil {
		b.payload = appendJSON(b.payload, &v)
		return nil
	}
	b.payload, err = appendTemplate(b.payload, r.payload, &v)
	return err
}
