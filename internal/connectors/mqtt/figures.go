package mqtt

import (
	"sync/atomic"

	"busbar/internal/connector"
)

// figures are what the connector counts. They may be read at any time.
type figures struct {
	messages, bytes, acknowledged, connects, reconnects, copies, cut atomic.Uint64
	subscriptions, refused                                           atomic.Int64

	acks atomic.Pointer[acks] // while connected

	out sending
}

// sending counts what is published from points.
type sending struct {
	events, published, acknowledged, superseded, removed, gaps atomic.Uint64
	dropped, refusals, givenUp, unsendable                     atomic.Uint64
}

// collect emits the figures of what is published.
func (f *sending) collect(emit func(connector.Metric)) {
	for _, m := range []struct {
		name, help string
		value      *atomic.Uint64
	}{
		{"mqtt_publish_events_total", "Changes of points that are to be published.", &f.events},
		{"mqtt_published_messages_total", "Messages sent to the broker, repeated ones included.", &f.published},
		{"mqtt_published_acknowledged_total", "Published messages that the broker has acknowledged.", &f.acknowledged},
		{"mqtt_publish_superseded_total", "Changes not published as a newer one came, of targets with keep: latest.", &f.superseded},
		{"mqtt_publish_removed_total", "Changes not published as their target was removed.", &f.removed},
		{"mqtt_publish_gaps_total", "Changes lost before they reached the connector.", &f.gaps},
		{"mqtt_publish_dropped_total", "Changes dropped as the buffer was full.", &f.dropped},
		{"mqtt_publish_refusals_total", "Messages that the broker has refused.", &f.refusals},
		{"mqtt_publish_given_up_total", "Changes dropped as the broker has refused them for too long.", &f.givenUp},
		{"mqtt_publish_unsendable_total", "Changes that could not be made a message.", &f.unsendable},
	} {
		emit(connector.Metric{Name: m.name, Help: m.help, Counter: true, Value: float64(m.value.Load())})
	}
}

// Collect implements [connector.Collector].
func (c *Connector) Collect(emit func(connector.Metric)) {
	f := &c.figures
	for _, m := range []struct {
		name, help string
		value      *atomic.Uint64
	}{
		{"mqtt_messages_total", "Messages received from the broker, copies included.", &f.messages},
		{"mqtt_received_bytes_total", "Octets received from the broker, before TLS.", &f.bytes},
		{"mqtt_acknowledgements_total", "Messages acknowledged to the broker after they were kept.", &f.acknowledged},
		{"mqtt_reconnects_total", "Connections to the broker after the first.", &f.reconnects},
		{"mqtt_copies_total", "Messages dropped because they came for another subscription already.", &f.copies},
		{"mqtt_cut_messages_total", "Messages that were longer than 1 MiB.", &f.cut},
	} {
		emit(connector.Metric{Name: m.name, Help: m.help, Counter: true, Value: float64(m.value.Load())})
	}
	f.out.collect(emit)
	if b := c.outbox.Load(); b != nil {
		b.measure(emit)
	}
	c.counter.collect(emit)
	c.desk.Collect("mqtt_", emit)
	if c.settings.secure() {
		c.tls.Collect(emit)
	}
	var connected, open, subscriptions, refused int64
	if acks := f.acks.Load(); acks != nil {
		connected, open = 1, int64(acks.count())
		subscriptions, refused = f.subscriptions.Load(), f.refused.Load()
	}
	for _, m := range []struct {
		name, help string
		value      int64
	}{
		{"mqtt_connected", "1 while the broker has accepted the connection.", connected},
		{"mqtt_unacknowledged_messages", "Messages received and not yet acknowledged.", open},
		{"mqtt_subscriptions", "Filters that the broker granted.", subscriptions},
		{"mqtt_refused_subscriptions", "Filters that the broker refused.", refused},
	} {
		emit(connector.Metric{Name: m.name, Help: m.help, Value: float64(m.value)})
	}
}

// measure emits the figures of what waits to be published.
func (b *outbox) measure(emit func(connector.Metric)) {
	b.mu.Lock()
	waiting := b.held + b.backlog.waiting() + b.backlog.latest.len + b.backlog.states.len
	flying, refused := len(b.flights), len(b.refused)
	b.mu.Unlock()
	for _, m := range []struct {
		name, help string
		value      int
	}{
		{"mqtt_publish_waiting", "Changes that wait to be published.", waiting},
		{"mqtt_publish_in_flight", "Published messages that the broker has not acknowledged.", flying},
		{"mqtt_publish_refused_topics", "Topics that the broker refuses.", refused},
	} {
		emit(connector.Metric{Name: m.name, Help: m.help, Value: float64(m.value)})
	}
}
