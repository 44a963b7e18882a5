package mqtt

import (
	"fmt"
	"slices"
	"time"

	"busbar/internal/connector"
)

// letter is one PUBLISH with the events in it.
type letter struct {
	box    *outbox
	topic  *topic
	events []event
	began  time.Time // of a batch: when the first event came into it
	done   bool      // acknowledged
}

// blank returns a letter for a topic. The caller holds mu.
func (b *outbox) blank(t *topic) *letter {
	n := len(b.spare)
	if n == 0 {
		return &letter{box: b, topic: t}
	}
	m := b.spare[n-1]
	b.spare = b.spare[:n-1]
	m.topic, m.done = t, false
	return m
}

// recycle lets a message be used again. The caller holds mu.
func (b *outbox) recycle(m *letter) {
	for i := range m.events {
		b.backlog.forget(&m.events[i])
	}
	m.events, m.topic = m.events[:0], nil
	b.spare = append(b.spare, m)
}

// answered implements receipt.
func (m *letter) answered(code byte) {
	b := m.box
	b.mu.Lock()
	defer b.mu.Unlock()
	m.done = true
	if code >= refusalCode {
		b.refuse(m, code)
	} else {
		b.figures.acknowledged.Add(1)
		b.accepted(m.topic, &m.events[len(m.events)-1])
	}
	n := 0
	for n < len(b.flights) && b.flights[n].done {
		b.recycle(b.flights[n])
		n++
	}
	clear(b.flights[:n])
	b.flights = b.flights[n:]
	if len(b.flights) == 0 && b.idle != nil {
		close(b.idle)
		b.idle = nil
	}
}

// fill appends packets with what there is to publish, as far as the window of the
// broker has room.
func (b *outbox) fill(dst []byte, o *outflow) []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.out != o {
		return dst
	}
	now := time.Now()
	for len(dst) < maxWrite {
		m := b.nextLetter(now)
		if m == nil {
			b.schedule(now)
			break
		}
		qos, id := min(m.topic.qos, b.caps.qos), uint16(0)
		if qos > 0 {
			if id = o.begin(qos, m, false); id == 0 {
				b.ready = slices.Insert(b.ready, 0, m)
				break
			}
		}
		if qos == 2 && !b.released {
			dst, b.released = appendReleases(dst), true
		}
		at := len(dst)
		dst = b.encode(dst, o, m, qos, id)
		switch {
		case len(dst) == at:
			b.discard(m, o, id)
		case qos == 0:
			b.figures.published.Add(1)
			b.recycle(m)
		default:
			b.figures.published.Add(1)
			b.flights = append(b.flights, m)
		}
	}
	return dst
}

// nextLetter returns what is to be published next; nil: nothing. The caller
// holds mu.
func (b *outbox) nextLetter(now time.Time) *letter {
	if n := len(b.ready); n > 0 {
		m := b.ready[0]
		b.ready = slices.Delete(b.ready, 0, 1)
		return m
	}
	if m := b.probe(now); m != nil {
		return m
	}
	if len(b.batching) > 0 && now.Sub(b.batching[0].open.began) >= b.batching[0].batch.Within {
		return b.closeBatch(b.batching[0])
	}
	for {
		e, ok := b.backlog.next(b.past)
		if !ok {
			return nil
		}
		r := b.table.row(e.target)
		switch {
		case r == nil:
			b.figures.removed.Add(1)
			b.backlog.forget(&e)
		case r.topic.refusal != nil:
			r.topic.refusal.held = append(r.topic.refusal.held, e)
			b.held++
		case r.topic.batch.Count > 0:
			if m := b.collect(r.topic, e, now); m != nil {
				return m
			}
		default:
			m := b.blank(r.topic)
			m.events = append(m.events, e)
			return m
		}
	}
}

// collect adds an event to the batch of its topic, and returns it when it is full.
func (b *outbox) collect(t *topic, e event, now time.Time) *letter {
	if t.open == nil {
		t.open = b.blank(t)
		t.open.began = now
		b.batching = append(b.batching, t)
	}
	t.open.events = append(t.open.events, e)
	if len(t.open.events) < t.batch.Count {
		return nil
	}
	return b.closeBatch(t)
}

// closeBatch returns the batch of a topic, to be sent.
func (b *outbox) closeBatch(t *topic) *letter {
	m := t.open
	t.open = nil
	b.batching = slices.DeleteFunc(b.batching, func(o *topic) bool { return o == t })
	return m
}

// schedule sets the timer for what is to be sent later. The caller holds mu.
func (b *outbox) schedule(now time.Time) {
	next := time.Duration(-1)
	consider := func(d time.Duration) {
		if d = max(d, time.Millisecond); next < 0 || d < next {
			next = d
		}
	}
	for _, t := range b.batching {
		consider(t.open.began.Add(t.batch.Within).Sub(now))
	}
	for _, t := range b.refused {
		if r := t.refusal; !r.probing && len(r.held) > 0 {
			consider(r.next.Sub(now))
		}
	}
	if next < 0 {
		return
	}
	if b.timer == nil {
		out := b.out
		b.timer = time.AfterFunc(next, func() { signal(out.wake) })
		return
	}
	b.timer.Reset(next)
}

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

// connect lets the outbox publish on a connection.
func (b *outbox) connect(o *outflow, w welcome) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.out, b.caps, b.timer = o, w, nil
	now := time.Now()
	for _, t := range b.refused {
		t.refusal.retry(now)
	}
	b.released = !w.present
	var lost []connector.TargetID
	for i := range b.table.rows {
		r := &b.table.rows[i]
		if r.state != 0 && !w.present {
			lost = append(lost, r.id)
		}
	}
	b.publishStates(lost)
	b.show()
	signal(o.wake)
}

// settleDown waits until the broker has acknowledged what is on its way, but not for
// long.
func (b *outbox) settleDown() {
	b.mu.Lock()
	if len(b.flights) == 0 {
		b.mu.Unlock()
		return
	}
	idle := make(chan struct{})
	b.idle = idle
	b.mu.Unlock()
	timer := time.NewTimer(farewellTimeout / 2)
	defer timer.Stop()
	select {
	case <-idle:
	case <-timer.C:
	}
}

// disconnect puts back what was on its way on a connection that is over.
func (b *outbox) disconnect() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.timer != nil {
		b.timer.Stop()
	}
	b.out = nil
	var taken []event
	take := func(m *letter) {
		if m.done {
			b.recycle(m)
			return
		}
		if t := m.topic; t.refusal != nil {
			b.hold(t, m.events)
		} else {
			taken = append(taken, m.events...)
		}
		m.events = m.events[:0]
		b.recycle(m)
	}
	for _, list := range [][]*letter{b.flights, b.ready} {
		for _, m := range list {
			take(m)
		}
	}
	for _, t := range b.batching {
		take(t.open)
		t.open = nil
	}
	b.flights, b.ready, b.batching = nil, nil, nil
	b.backlog.restore(taken, b.table.latest)
}
