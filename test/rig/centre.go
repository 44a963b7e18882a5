package rig

import "testing"

// Centre is a control centre: it keeps what it receives over all its
// connections, in the order in which it has received it.
type Centre struct {
	tb   testing.TB
	own  string // its address
	addr string // of the station
	legs []leg
}

// leg is what a connection receives from a moment on.
type leg struct {
	master *Master
	from   int // number of the first object
}

// NewCentre returns a control centre with an address of its own, such as
// 127.0.0.2, for the station at addr. It is not connected yet.
func NewCentre(tb testing.TB, own, addr string) *Centre { return &Centre{tb: tb, own: own, addr: addr} }

// Standby opens a connection and does not start data transfer.
func (c *Centre) Standby() *Master {
	c.tb.Helper()
	return ConnectMasterFrom(c.tb, c.own, c.addr)
}

// Connect opens a connection and starts data transfer.
func (c *Centre) Connect() *Master {
	c.tb.Helper()
	m := c.Standby()
	c.Start(m)
	return m
}

// Start starts data transfer on a connection and follows it.
func (c *Centre) Start(m *Master) {
	c.tb.Helper()
	c.Follow(m)
	m.StartDT()
}

// Follow takes what a connection receives from now on as what follows what the
// one before has received, which must be stopped or at its end before
// a [Ledger] is updated the next time.
func (c *Centre) Follow(m *Master) { c.legs = append(c.legs, leg{master: m, from: m.Received()}) }

// objects returns what came in the i-th leg, after so many objects of it.
func (c *Centre) objects(i, after int) []Object {
	l := c.legs[i]
	objects := l.master.Objects(l.from + after)
	for _, next := range c.legs[i+1:] {
		if next.master == l.master {
			return objects[:min(len(objects), next.from-l.from-after)]
		}
	}
	return objects
}
