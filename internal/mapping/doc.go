// Package mapping is the compiled plant: it makes point updates of readings
// and target values of point updates. It is pure: no clock, no goroutine, no
// I/O.
package mapping
