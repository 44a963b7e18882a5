// Package bench measures the whole way from an MQTT message to an I frame,
// beside a bare MQTT subscriber with the same broker and publisher.
package bench
