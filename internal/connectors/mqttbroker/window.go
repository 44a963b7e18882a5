package mqttbroker

import (
	"cmp"
	"context"
	"sync"

	broker "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// window holds the messages of QoS 1 and 2 of one connection that the host has
// got and that are not yet acknowledged, in the order in which they came. Each
// is acknowledged in its turn, after its commit.
type window struct {
	due  chan struct{} // has an element when messages may have become due
	room chan struct{} // has an element when another message may be let in
	done chan struct{} // closed when nothing is acknowledged any more; nil: nothing ever was to be

	mu          sync.Mutex
	first, last *slot // oldest and newest
	free        *slot
	open        int // messages whose acknowledgement is not yet written
	octets      int // of topic and payload of these
	// exact are the identifiers of messages of QoS 2 that are not yet kept. From
	// then on until their release they are in the session.
	exact   map[uint16]struct{}
	failed  bool // a message was not kept: no later one is admitted
	closing bool // no message comes any more
}

// slot is one message. Slots are used again, together with their function.
type slot struct {
	next    *slot
	id      uint16
	qos     byte
	octets  int
	settled bool
	err     error // why it is not kept
	settle  func(error)
}

// verdict is what happens to a message that a client has sent.
type verdict int

const (
	admitted  verdict = iota
	crowded           // too many are open; it may be admitted later
	repeated          // the host has this message of QoS 2 already
	exceeding         // the client has begun too many messages of QoS 2
	shut              // an earlier message was not kept
)

// enter admits a message and returns what is to be called with its outcome. It
// waits while too many are open, so that the client is slowed down, until ctx ends.
func (w *window) enter(ctx context.Context, session *broker.Inflight, pk *packets.Packet) (settle func(error), v verdict) {
	for {
		settle, v = w.tryEnter(session, pk)
		if v != crowded {
			return settle, v
		}
		select {
		case <-w.room:
		case <-ctx.Done():
			return nil, shut
		}
	}
}

func (w *window) tryEnter(session *broker.Inflight, pk *packets.Packet) (func(error), verdict) {
	octets := len(pk.TopicName) + len(pk.Payload)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failed {
		return nil, shut
	}
	if pk.FixedHeader.Qos == 2 {
		_, open := w.exact[pk.PacketID]
		_, kept := session.Get(pk.PacketID) // since the library has looked
		switch {
		case open || kept:
			return nil, repeated
		case len(w.exact)+session.Len() >= receiveMaximum:
			return nil, exceeding
		}
	}
	if w.open >= receiveMaximum || w.open > 0 && w.octets+octets > maxOpenOctets {
		return nil, crowded
	}
	return w.add(pk.PacketID, pk.FixedHeader.Qos, octets).settle, admitted
}

// add takes a message up as the newest. The caller holds mu.
func (w *window) add(id uint16, qos byte, octets int) *slot {
	s := w.free
	if s == nil {
		s = &slot{}
		s.settle = func(err error) { w.settle(s, err) }
	} else {
		w.free = s.next
	}
	s.next, s.id, s.qos, s.octets, s.settled, s.err = nil, id, qos, octets, false, nil
	if w.first == nil {
		w.first = s
	} else {
		w.last.next = s
	}
	w.last = s
	w.open++
	w.octets += octets
	if qos == 2 {
		if w.exact == nil {
			w.exact = make(map[uint16]struct{})
		}
		w.exact[id] = struct{}{}
	}
	return s
}

// settle notes the outcome of a message, from any goroutine; it does not wait.
// After a failure no slot is used again, so that a second call has no effect then.
func (w *window) settle(s *slot, err error) {
	w.mu.Lock()
	if !s.settled {
		s.settled, s.err = true, err
		w.failed = w.failed || err != nil
	}
	due := w.first == s
	w.mu.Unlock()
	if due {
		signal(w.due)
	}
	if err != nil {
		signal(w.room)
	}
}

// batch are messages that were taken out of a window together.
type batch struct {
	acks   []byte // the packets, up to the first message that was not kept
	count  int
	octets int // of topics and payloads
	failed int // messages that were not kept
	err    error
}

// take takes out what is settled, up to the first that is not. Messages of QoS
// 2 that are kept are noted in the session, so that they are not taken again.
func (w *window) take(b *batch, session *broker.Inflight) {
	*b = batch{acks: b.acks[:0]}
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.first != nil && w.first.settled {
		s := w.first
		w.first = s.next
		s.next, w.free = w.free, s
		b.count++
		b.octets += s.octets
		if s.qos == 2 {
			delete(w.exact, s.id)
		}
		switch {
		case s.err != nil:
			b.failed++
			b.err = cmp.Or(b.err, s.err)
			continue
		case s.qos == 2:
			session.Set(received(s.id))
		}
		if b.err == nil {
			b.acks = appendAck(b.acks, s.qos, s.id)
		}
	}
}

// release makes room for as many messages as were acknowledged. It reports
// whether they were the last.
func (w *window) release(b *batch) (last bool) {
	w.mu.Lock()
	w.open -= b.count
	w.octets -= b.octets
	last = w.closing && w.open == 0
	w.mu.Unlock()
	signal(w.room)
	return last
}

// close returns when every message is settled and noted in the session, or the
// run has ended. Nothing may be admitted any more.
func (w *window) close() {
	if w.done == nil {
		return
	}
	w.mu.Lock()
	w.closing = true
	w.mu.Unlock()
	signal(w.due)
	<-w.done
}

// shut reports whether a message was not kept.
func (w *window) shut() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.failed
}

// holds reports whether a message of QoS 2 is not yet kept.
func (w *window) holds(id uint16) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, open := w.exact[id]
	return open
}

// signal puts an element into c unless there is one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
