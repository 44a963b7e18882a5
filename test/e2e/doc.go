// Package e2e tests Busbar from end to end with real peers: mosquitto in front,
// a controlling station behind, and tshark as the judge of what is on the wire.
package e2e
