// Package rig starts the peers of the end-to-end tests: a real MQTT broker,
// Busbar in the process of the test or as the binary, and a controlling
// station that shares no code with Busbar. Everything ends with its test, and
// every wait is for something that happens, bounded by [Patience].
package rig
