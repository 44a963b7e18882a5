package mqtt

import (
	"time"

	"busbar/internal/connector"
)

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
