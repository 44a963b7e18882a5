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

	"busbar/internal/connector"
	"busbar/internal/dispatch"
	"busbar/internal/point"
)

var (
	errOffline = errors.New("not connected to the broker")
	errNobody  = errors.New("nobody has subscribed to the topic of the command")
	errBroken  = fmt.Errorf("connection lost before the broker acknowledged the command: %w", connector.ErrOutcomeUnknown)
)

// Execute implements [connector.Executor]. The order is published on the present
// connection or not at all.
func (c *Connector) Execute(ctx context.Context, o point.Order, end any, report func(connector.Progress)) error {
	e := end.(*Executor)
	l := c.link.Load()
	if l == nil {
		return errOffline
	}
	order, err := c.desk.Open(&o, e.end(), report)
	if err != nil {
		return err
	}
	err = l.send(ctx, e, order)
	if none, ok := errors.AsType[notSent](err); ok {
		order.Drop()
		return none.error
	}
	defer order.Close()
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return order.Await(ctx, err)
}

const (
	// maxSlots is how many commands are on their way to the broker at a time.
	maxSlots = 100
	// atOnce is how long a command may wait until it can be sent: what it was
	// checked against, such as an interlock, is no older then.
	atOnce = 2 * time.Second
)

// link is one connection, as commands see it.
type link struct {
	ctx    context.Context // ends with the connection
	client client
	slots  chan struct{} // has an element for each command that is not acknowledged

	mu      sync.Mutex
	closed  bool
	sending sync.WaitGroup    // commands that are not acknowledged
	granted *filters          // subscriptions; nil: not known yet
	refused map[string]string // filter -> reason
	changed chan struct{}     // closed when granted or refused change
}

func newLink(ctx context.Context, cl client, slots int) *link {
	return &link{ctx: ctx, client: cl, slots: make(chan struct{}, slots), changed: make(chan struct{})}
}

// end waits until nothing uses the connection any more, which has been lost.
func (l *link) end() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
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
	if err := l.ready(ctx, e, o); err != nil {
		return err
	}
	left, ok := o.Left()
	if !ok || ctx.Err() != nil {
		<-l.slots
		return notSent{dispatch.ErrExpired}
	}
	m := &outgoing{topic: e.Topic, payload: o.Payload, correlation: o.ID, expiry: left, isJSON: json.Valid(o.Payload)}
	if !strings.Contains(e.Reply.Topic, "+") {
		m.answer = e.Reply.Topic
	}
	acked := make(chan error, 1)
	if !l.publish(m, o, acked) {
		<-l.slots
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
// takes it. It has taken a slot then.
func (l *link) ready(ctx context.Context, e *Executor, o *dispatch.Order) error {
	ctx, cancel := context.WithTimeout(ctx, atOnce)
	defer cancel()
	if o.Answers() {
		if err := l.listens(ctx, e.Reply.Topic); err != nil {
			return err
		}
	}
	select {
	case l.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return notSent{errors.New("broker acknowledges no commands")}
	case <-l.ctx.Done():
		return notSent{errOffline}
	}
}

// publish publishes an order in a goroutine, which also sees a PUBACK that comes
// late. It returns false if the connection has been lost.
func (l *link) publish(m *outgoing, o *dispatch.Order, acked chan<- error) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	l.sending.Go(func() {
		defer func() { <-l.slots }()
		err := l.client.publish(l.ctx, m)
		if err == nil {
			o.Sent()
		}
		acked <- err
	})
	return true
}
