package mqtt

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	"busbar/internal/dispatch"
)

const (
	// maxSlots is how many commands are on their way to the broker at a time.
	maxSlots = 100
	// atOnce is how long a command may wait until it can be sent: what it was
	// checked against, such as an interlock, is no older then.
	atOnce = 2 * time.Second
)

// link is one connection, as commands see it.
type link struct {
	ctx   context.Context // ends with the connection
	out   *outflow
	slots chan struct{} // has an element for each command that is not acknowledged

	mu      sync.Mutex
	closed  bool
	sending sync.WaitGroup    // commands that are not acknowledged
	granted *filters          // subscriptions; nil: not known yet
	refused map[string]string // filter -> reason
	changed chan struct{}     // closed when granted or refused change
}

func newLink(ctx context.Context, out *outflow) *link {
	return &link{ctx: ctx, out: out, slots: make(chan struct{}, maxSlots), changed: make(chan struct{})}
}

// end waits until nothing uses the connection any more, which has been lost.
func (l *link) end() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.out.close()
	l.sending.Wait()
}

// grant notes which subscriptions the broker has granted.
func (l *link) grant(subscribed map[string]subscription, refused map[string]string) {
	granted := filtersOf(maps.Keys(subscribed))
	l.mu.Lock()
	defer l.mu.Unlock()
	l.granted, l.refused = granted, refused
	close(l.changed)
	l.changed = make(chan struct{})
}

// listens waits until replies on a topic would be heard.
func (l *link) listens(ctx context.Context, topic string) error {
	for {
		l.mu.Lock()
		granted, refused, changed := l.granted, l.refused[topic], l.changed
		l.mu.Unlock()
		switch {
		case refused != "":
			return notSent{fmt.Errorf("broker refuses the subscription to the reply topic %s: %s", topic, refused)}
		case granted.matches(topic):
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return notSent{errors.New("broker has not granted the subscription to the reply topic " + topic)}
		case <-l.ctx.Done():
			return notSent{errOffline}
		}
	}
}

// send publishes an order and waits for PUBACK, or for the reply where that is
// earlier. A PUBACK that comes after ctx has ended is reported, too.
func (l *link) send(ctx context.Context, e *Executor, o *dispatch.Order) error {
	answer := make(waiting, 1)
	id, err := l.ready(ctx, e, o, answer)
	if err != nil {
		return err
	}
	left, ok := o.Left()
	if !ok || ctx.Err() != nil {
		l.release(id)
		return notSent{dispatch.ErrExpired}
	}
	m := &outgoing{topic: e.Topic, qos: 1, payload: o.Payload, correlation: o.ID, expiry: left, isJSON: json.Valid(o.Payload)}
	if !strings.Contains(e.Reply.Topic, "+") {
		m.answer = e.Reply.Topic
	}
	acked := make(chan error, 1)
	if !l.publish(id, m, o, answer, acked) {
		l.release(id)
		return notSent{errOffline}
	}
	select {
	case err := <-acked:
		if errors.Is(err, errGone) {
			return errBroken
		}
		return err
	case <-o.Replied():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ready waits until an order can be sent: its reply would be heard, and the broker
// takes it. It has taken a slot then, and a packet identifier.
func (l *link) ready(ctx context.Context, e *Executor, o *dispatch.Order, answer receipt) (uint16, error) {
	ctx, cancel := context.WithTimeout(ctx, atOnce)
	defer cancel()
	if o.Answers() {
		if err := l.listens(ctx, e.Reply.Topic); err != nil {
			return 0, err
		}
	}
	select {
	case l.slots <- struct{}{}:
	case <-ctx.Done():
		return 0, errUnacknowledged
	case <-l.ctx.Done():
		return 0, notSent{errOffline}
	}
	id, err := l.out.await(ctx, l.ctx, answer)
	if err != nil {
		<-l.slots
	}
	return id, err
}

var errUnacknowledged = notSent{errors.New("broker acknowledges no commands")}

// await is begin for a command, but waits until there is an identifier, until ctx
// ends or the connection.
func (o *outflow) await(ctx, connection context.Context, r receipt) (uint16, error) {
	for {
		if id := o.begin(1, r, true); id != 0 {
			signal(o.room) // somebody else may wait for the next
			return id, nil
		}
		select {
		case <-o.room:
		case <-ctx.Done():
			return 0, errUnacknowledged
		case <-connection.Done():
			return 0, notSent{errOffline}
		}
	}
}

// release gives back what ready has taken for an order that was not sent.
func (l *link) release(id uint16) {
	l.out.cancel(id)
	<-l.slots
}

// publish publishes an order in a goroutine, which also sees a PUBACK that comes
// late. It returns false if the connection has been lost.
func (l *link) publish(id uint16, m *outgoing, o *dispatch.Order, answer <-chan byte, acked chan<- error) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	l.sending.Go(func() {
		defer func() { <-l.slots }()
		err := l.out.publish(l.ctx, id, m, answer)
		if err == nil {
			o.Sent()
		}
		acked <- err
	})
	return true
}
