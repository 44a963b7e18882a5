package mqtt

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Limits of the pause before a topic that the broker refuses is tried again.
const (
	retryMin = time.Second
	retryMax = 30 * time.Second
)

// refusal is a topic that the broker refuses: what goes there is held, in order, and
// tried again, while other topics go on.
type refusal struct {
	code    byte
	since   time.Time
	next    time.Time // when it is tried again
	pause   time.Duration
	probing bool    // a message is on its way
	held    []event // in order of their numbers
	told    bool    // it was logged that some of it was dropped
}

// retry lets a topic be tried at once.
func (r *refusal) retry(now time.Time) { r.next, r.probing = now, false }

// refuse takes the refusal of a message. The caller holds mu.
func (b *outbox) refuse(m *letter, code byte) {
	t, now := m.topic, time.Now()
	b.figures.refusals.Add(1)
	r := t.refusal
	if r == nil {
		r = &refusal{since: now, probing: true}
		t.refusal = r
		b.refused = append(b.refused, t)
		b.env.Log.Warn("broker refuses messages on a topic, they are tried again", "topic", t.name, "reason", pubackReason(code))
	}
	r.code = code
	if r.probing { // otherwise it was sent before the refusal
		r.probing = false
		r.pause = min(max(2*r.pause, retryMin), retryMax)
		r.next = now.Add(r.pause)
	}
	b.hold(t, m.events)
	m.events = m.events[:0]
	if now.Sub(r.since) >= b.settings.RefusedFor {
		b.giveUp(t)
	}
	b.show()
	b.signal()
}

// hold puts events among those that are held of a topic. The caller holds mu.
func (b *outbox) hold(t *topic, events []event) {
	r := t.refusal
	b.held += len(events)
	if len(r.held) > 0 && len(events) > 0 && events[len(events)-1].seq < r.held[0].seq {
		r.held = slices.Concat(events, r.held)
		return
	}
	r.held = append(r.held, events...)
	slices.SortStableFunc(r.held, func(a, b event) int { return cmp.Compare(a.seq, b.seq) })
}

// giveUp drops what is held of a topic that was refused for so long, and came so
// long ago. The caller holds mu.
func (b *outbox) giveUp(t *topic) {
	r, n := t.refusal, 0
	limit := b.env.Now().Add(-b.settings.RefusedFor)
	for n < len(r.held) && (n == 0 || !r.held[n].arrival.Time().After(limit)) {
		n++
	}
	b.cut(r, n)
	b.figures.givenUp.Add(uint64(n))
	if !r.told {
		r.told = true
		b.env.Log.Warn("broker refuses a topic for too long, events dropped", "topic", t.name, "reason", pubackReason(r.code), "events", n)
	}
}

// cut drops the first n events that are held of a topic.
func (b *outbox) cut(r *refusal, n int) {
	for i := range r.held[:n] {
		b.backlog.forget(&r.held[i])
	}
	r.held = slices.Delete(r.held, 0, n)
	b.held -= n
}

// dropHeld drops up to n events of topics that the broker refuses, and returns how
// many. The caller holds mu.
func (b *outbox) dropHeld(n int) (dropped int) {
	for _, t := range b.refused {
		k := min(n-dropped, len(t.refusal.held))
		b.cut(t.refusal, k)
		dropped += k
	}
	return dropped
}

// accepted notes that the broker has taken a message of a topic up to an event. The
// caller holds mu.
func (b *outbox) accepted(t *topic, e *event) {
	r := t.refusal
	if r == nil {
		return
	}
	t.passed = max(t.passed, e.seq)
	if r.probing { // otherwise it was sent before the refusal
		b.env.Log.Info("broker takes messages on a topic again", "topic", t.name)
		b.release(t)
	}
}

// release lets a topic go on, from what is held of it. The caller holds mu.
func (b *outbox) release(t *topic) {
	b.held -= len(t.refusal.held)
	b.backlog.restore(t.refusal.held, b.table.latest)
	t.refusal = nil
	b.refused = slices.DeleteFunc(b.refused, func(o *topic) bool { return o == t })
	b.show()
	b.signal()
}

// probe returns the oldest message of a topic that is to be tried again; nil: none
// is due. The caller holds mu.
func (b *outbox) probe(now time.Time) *letter {
	for _, t := range b.refused {
		r := t.refusal
		if r.probing || len(r.held) == 0 || now.Before(r.next) {
			continue
		}
		n := min(max(1, t.batch.Count), len(r.held))
		m := b.blank(t)
		m.events = append(m.events, r.held[:n]...)
		r.held = slices.Delete(r.held, 0, n)
		b.held -= n
		r.probing = true
		return m
	}
	return nil
}

// show shows what the broker does not take. The caller holds mu.
func (b *outbox) show() {
	text := ""
	switch {
	case len(b.refused) > 0:
		t := b.refused[0]
		text = fmt.Sprintf("broker refuses messages on %s: %s", t.name, pubackReason(t.refusal.code))
		if more := len(b.refused) - 1; more > 0 {
			text += fmt.Sprintf(", and on %d more topics", more)
		}
	case b.out != nil && len(b.table.rows) > 0:
		text = b.lacks()
	}
	if text != b.complaint {
		b.complaint = text
		b.complain(text)
	}
}

// lacks returns what the targets want and the broker does not have.
func (b *outbox) lacks() string {
	for _, t := range b.table.topics {
		switch {
		case t.qos > b.caps.qos:
			return fmt.Sprintf("broker takes messages with QoS %d at most: more are published with that", b.caps.qos)
		case t.retain && !b.caps.retain:
			return "broker retains no messages: they are published without"
		}
	}
	return ""
}
