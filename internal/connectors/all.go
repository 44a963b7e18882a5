// Package connectors lists the kinds of connectors of Busbar.
package connectors

import (
	"busbar/internal/connector"
	"busbar/internal/connectors/iec104client"
	"busbar/internal/connectors/iec104server"
	"busbar/internal/connectors/mqtt"
	"busbar/internal/connectors/mqttbroker"
)

// All returns every kind of connector. To add a protocol, add its folder next
// to this file and one line here.
func All() []connector.Kind {
	return []connector.Kind{
		iec104client.Kind(),
		iec104server.Kind(),
		mqtt.Kind(),
		mqttbroker.Kind(),
	}
}
