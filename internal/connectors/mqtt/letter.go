package mqtt

import (
	"slices"
	"time"
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
