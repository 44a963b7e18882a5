package mqttbroker

import (
	"context"
	"log/slog"
	"sync/atomic"

	"busbar/internal/connector"
)

// figures are what the connector counts. They may be read at any time.
type figures struct {
	messages, octets, rejected, unretained, unauthorised, refused atomic.Uint64
	clients                                                       atomic.Int64
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
	} {
		emit(connector.Metric{Name: m.name, Help: m.help, Counter: true, Value: float64(m.value.Load())})
	}
	emit(connector.Metric{Name: "mqtt_broker_clients", Help: "Clients connected.", Value: float64(f.clients.Load())})
}

// quiet makes debug records of what the library logs: it has no limit for what
// a faulty client can make it say, and what matters is logged and counted here.
type quiet struct{ slog.Handler }

func (q quiet) Enabled(ctx context.Context, _ slog.Level) bool {
	return q.Handler.Enabled(ctx, slog.LevelDebug)
}

func (q quiet) Handle(ctx context.Context, r slog.Record) error {
	r.Level = slog.LevelDebug
	return q.Handler.Handle(ctx, r)
}

func (q quiet) WithAttrs(attrs []slog.Attr) slog.Handler { return quiet{q.Handler.WithAttrs(attrs)} }

func (q quiet) WithGroup(name string) slog.Handler { return quiet{q.Handler.WithGroup(name)} }
