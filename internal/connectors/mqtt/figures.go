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
