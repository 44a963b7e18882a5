package mqttbroker

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

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
	if !hand(server, e.message(order, left)) {
		order.Drop()
		return errNobody
	}
	defer order.Close()
	order.Sent()
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

// hand writes a message to every client that is connected and has subscribed to
// its topic. It returns whether there was one. A connection of which a write
// fails is closed in the middle of the message, so that the client has none.
func hand(server *broker.Server, p packets.Packet) bool {
	subscribers := server.Topics.Subscribers(p.TopicName)
	subscribers.SelectShared()
	subscribers.MergeSharedSelected()
	handed := false
	for id, sub := range subscribers.Subscriptions {
		cl, ok := server.Clients.Get(id)
		if !ok || cl.Closed() || cl.Net.Conn == nil {
			continue
		}
		out := p
		for _, identifier := range sub.Identifiers {
			out.Properties.SubscriptionIdentifier = append(out.Properties.SubscriptionIdentifier, identifier)
		}
		handed = cl.WritePacket(out) == nil || handed
	}
	return handed
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
