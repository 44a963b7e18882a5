package mqttbroker

import (
	"sync/atomic"

	"busbar/internal/connector"
)

// figures are what the connector counts. They may be read at any time.
type figures struct {
	messages, octets, rejected, unretained, unauthorised, refused, panics atomic.Uint64
	clients                                                               atomic.Int64
}

// Collect implements [connector.Collector].
func (c *instance) Collect(emit func(connector.Metric)) {
	f := &c.figures
	for _, m := range []struct {
		name, help string
		value      *atomic.Uint64
	}{
		{"mqtt_broker_messages_total", "Messages that clients published.", &f.messages},
		{"mqtt_broker_payload_bytes_total", "Octets of payload that clients published.", &f.octets},
		{"mqtt_broker_rejected_messages_total", "Messages that were not kept and not acknowledged.", &f.rejected},
		{"mqtt_broker_unretained_messages_total", "Messages not retained because there were too many.", &f.unretained},
		{"mqtt_broker_unauthorised_total", "Clients refused for their user name or password.", &f.unauthorised},
		{"mqtt_broker_refused_connections_total", "Connections refused because there were too many.", &f.refused},
		{"mqtt_broker_panics_total", "Connections closed after a panic in the MQTT library.", &f.panics},
	} {
		emit(connector.Metric{Name: m.name, Help: m.help, Counter: true, Value: float64(m.value.Load())})
	}
	c.desk.Collect("mqtt_broker_", emit)
	if c.tls != nil {
		c.tls.Collect(emit)
	}
	emit(connector.Metric{Name: "mqtt_broker_clients", Help: "Clients connected.", Value: float64(f.clients.Load())})
}
