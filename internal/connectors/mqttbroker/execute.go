package mqttbroker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"

	broker "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"busbar/internal/connector"
	"busbar/internal/dispatch"
	"busbar/internal/point"
)

var (
	errStopped = errors.New("the broker does not run")
	errNobody  = errors.New("no connected client has subscribed to the topic of the command")
)

// Execute implements [connector.Executor]. It writes the order to the
// connections of those who have subscribed now, with QoS 0: nobody gets it twice,
// and nobody gets it later.
func (c *instance) Execute(ctx context.Context, o point.Order, end any, report func(connector.Progress)) error {
	e := end.(*Executor)
	server := c.server.Load()
	if server == nil {
		return errStopped
	}
	order, err := c.desk.Open(&o, e.end(), report)
	if err != nil {
		return err
	}
	left, ok := order.Left()
	if !ok || ctx.Err() != nil {
		order.Drop()
		return dispatch.ErrExpired
	}
	become := hand(ctx, server, e.message(order, left), order)
	c.env.Messages.Sent(e.Topic, order.Payload, "command", become.err())
	switch become {
	case failed:
		order.Drop()
		return errNobody
	case late:
		order.Close()
		return ctx.Err()
	}
	defer order.Close()
	return order.Await(ctx, nil)
}

// message is an order as it is sent.
func (e *Executor) message(o *dispatch.Order, expiry uint32) packets.Packet {
	p := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish}, TopicName: e.Topic, Payload: o.Payload}
	p.Properties.MessageExpiryInterval = expiry
	p.Properties.CorrelationData = []byte(o.ID)
	if !strings.Contains(e.Reply.Topic, "+") {
		p.Properties.ResponseTopic = e.Reply.Topic
	}
	if json.Valid(o.Payload) {
		p.Properties.ContentType = "application/json"
		p.Properties.PayloadFormat, p.Properties.PayloadFormatFlag = 1, true
	}
	return p
}

// outcome is what became of handing over an order.
type outcome int

const (
	handed outcome = iota // to one client at least
	failed                // certainly to nobody
	late                  // its time was over before that was known
)

// err is what the outcome is for those who look at messages.
func (o outcome) err() error {
	switch o {
	case failed:
		return errNobody
	case late:
		return dispatch.ErrExpired
	default:
		return nil
	}
}

// hand writes a message to every client that is connected and has subscribed to
// its topic, at the same time, as one that takes nothing must not hold up the
// others. It returns with the first that has it. A connection of which a write
// fails is closed in the middle of the message, so that the client has none.
func hand(ctx context.Context, server *broker.Server, p packets.Packet, o *dispatch.Order) outcome {
	subscribers := server.Topics.Subscribers(p.TopicName)
	subscribers.SelectShared()
	subscribers.MergeSharedSelected()
	var sent sync.Once
	results := make(chan error, len(subscribers.Subscriptions))
	writing := 0
	for id, sub := range subscribers.Subscriptions {
		cl, ok := server.Clients.Get(id)
		if !ok || cl.Closed() || cl.Net.Conn == nil {
			continue
		}
		out := p
		for _, identifier := range sub.Identifiers {
			out.Properties.SubscriptionIdentifier = append(out.Properties.SubscriptionIdentifier, identifier)
		}
		writing++
		go func() {
			err := write(cl, out, o)
			if err == nil {
				sent.Do(o.Sent)
			}
			results <- err
		}()
	}
	for ; writing > 0; writing-- {
		select {
		case err := <-results:
			if err == nil {
				return handed
			}
		case <-ctx.Done():
			return late
		}
	}
	return failed
}

// write writes an order to the connection of a client, before it expires or not
// at all. The library itself might keep it behind other messages.
func write(cl *broker.Client, p packets.Packet, o *dispatch.Order) error {
	p.ProtocolVersion, p.Mods.AllowResponseInfo = cl.Properties.ProtocolVersion, true
	var text bytes.Buffer
	if err := p.PublishEncode(&text); err != nil {
		return err
	}
	if most := cl.Properties.Props.MaximumPacketSize; most > 0 && text.Len() > int(most) {
		return packets.ErrPacketTooLarge
	}
	cl.Lock() // that of writing
	defer cl.Unlock()
	if _, ok := o.Left(); !ok {
		return dispatch.ErrExpired
	}
	_, err := connOf(cl).writeBefore(o.Expires, text.Bytes())
	return err
}

// sourceFilters are the filters of the points of a broker, kept until they change.
type sourceFilters struct {
	topics  []string
	changed <-chan struct{}
}

// wanted reports whether a point has a topic on which replies come.
func (h *ingest) wanted(topic string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	stale := h.sources == nil
	if !stale {
		select {
		case <-h.sources.changed:
			stale = true
		default:
		}
	}
	if stale {
		ends, changed := h.env.Sink.Sources()
		h.sources = &sourceFilters{changed: changed}
		for _, end := range ends {
			h.sources.topics = append(h.sources.topics, end.(*Source).Topic)
		}
	}
	for _, filter := range h.sources.topics {
		if matches(filter, topic) {
			return true
		}
	}
	return false
}

// matches reports whether a filter matches a topic.
func matches(filter, topic string) bool {
	for {
		want, filters, deeper := strings.Cut(filter, "/")
		if want == "#" {
			return true
		}
		name, topics, more := strings.Cut(topic, "/")
		switch {
		case want != "+" && want != name:
			return false
		case !more:
			return !deeper || filters == "#"
		case !deeper:
			return false
		}
		filter, topic = filters, topics
	}
}
