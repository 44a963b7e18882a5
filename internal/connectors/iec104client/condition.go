package iec104client

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"busbar/iec104"
	"busbar/internal/connector"
	"busbar/internal/point"
)

// condition is the state of the connections, and what the operator is told of it.
type condition struct {
	report    func(connector.State, string)
	system    func(string, point.Value)
	addresses []string
	standbys  bool   // each address has a connection
	awaits    string // what is waited for before anything was lost; empty: nothing is

	state  sync.Mutex // of what follows
	links  []link     // by address
	active int        // place of the address with data transfer, −1: none
	conn   uint64     // its connection
	began  time.Time  // the run
	loss   string     // why there is none
	faults []fault    // in order of occurrence
	misfit string     // what is severe of what does not fit on the link; empty: nothing
	shown  shown
}

// link is the connection to one address.
type link struct {
	up  bool
	err string
}

// fault is something that works in part only.
type fault struct{ what, text string }

// shown is what was reported last.
type shown struct {
	state  connector.State
	reason string
}

func newCondition(s *Settings, env connector.Env) condition {
	addresses, awaits := s.Addresses, ""
	if s.listens() {
		addresses = []string{env.ID} // a name only: it may come from anywhere
		awaits = "waiting for the station on " + s.Listen
	}
	return condition{
		report: env.Report, system: env.System, addresses: addresses, standbys: !s.Single, awaits: awaits,
		active: -1, links: make([]link, len(addresses)),
	}
}

// begin forgets an earlier run.
func (c *condition) begin() {
	c.state.Lock()
	defer c.state.Unlock()
	clear(c.links)
	c.began = time.Now()
	c.active, c.loss, c.faults, c.misfit, c.shown = -1, "", nil, "", shown{}
	c.show()
	for i := range c.links {
		c.system(linkName(i), point.SingleValue(false))
	}
	c.system("active", point.IntValue(0))
	c.system("interrogated", point.SingleValue(false))
}

func linkName(i int) string { return fmt.Sprintf("links/%d/up", i+1) }

// note takes an event of a connection. started tells that data transfer has begun,
// stopped that it has ended.
func (c *condition) note(e *iec104.LinkEvent) (started, stopped bool) {
	c.state.Lock()
	defer c.state.Unlock()
	i := slices.Index(c.addresses, e.Addr)
	l := &c.links[i]
	l.up = e.State != iec104.LinkDown
	if e.Err != nil {
		l.err = e.Err.Error()
	}
	c.system(linkName(i), point.SingleValue(l.up))
	switch {
	case e.State == iec104.LinkStarted:
		c.active, c.conn, started = i, e.Conn, true
		c.system("active", point.IntValue(int64(i+1)))
	case i == c.active:
		c.active, stopped = -1, true
		c.faults, c.loss = nil, "data transfer has ended"
		c.system("active", point.IntValue(0))
	}
	if c.active < 0 && e.Err != nil {
		c.loss = strings.TrimPrefix(e.Err.Error(), "iec104: ")
	}
	c.show()
	return started, stopped
}

// started reports whether there is data transfer.
func (c *condition) started() bool {
	c.state.Lock()
	defer c.state.Unlock()
	return c.active >= 0
}

// start returns when the run began.
func (c *condition) start() time.Time {
	c.state.Lock()
	defer c.state.Unlock()
	return c.began
}

// present returns the address with data transfer; empty: there is none.
func (c *condition) present() string {
	c.state.Lock()
	defer c.state.Unlock()
	if c.active < 0 {
		return ""
	}
	return c.addresses[c.active]
}

// connection returns the number of the connection with data transfer.
func (c *condition) connection() uint64 {
	c.state.Lock()
	defer c.state.Unlock()
	return c.conn
}

// fault tells that something works in part only; without a text, that it works again.
func (c *condition) fault(what, text string) {
	c.state.Lock()
	defer c.state.Unlock()
	i := slices.IndexFunc(c.faults, func(f fault) bool { return f.what == what })
	switch {
	case i < 0 && text == "":
		return
	case i < 0:
		c.faults = append(c.faults, fault{what, text})
	case text == "":
		c.faults = slices.Delete(c.faults, i, i+1)
	default:
		c.faults[i].text = text
	}
	c.show()
}

// severe tells what is severe of what does not fit on the link; empty: nothing.
func (c *condition) severe(problem string) {
	c.state.Lock()
	defer c.state.Unlock()
	c.misfit = problem
	c.show()
}

// turnedAway tells that a connection was refused.
func (c *condition) turnedAway(text string) {
	c.state.Lock()
	defer c.state.Unlock()
	if c.active < 0 {
		c.loss = text
		c.show()
	}
}

// forget takes back the faults whose name begins with a prefix.
func (c *condition) forget(prefix string) {
	c.state.Lock()
	defer c.state.Unlock()
	n := len(c.faults)
	c.faults = slices.DeleteFunc(c.faults, func(f fault) bool { return strings.HasPrefix(f.what, prefix) })
	if len(c.faults) != n {
		c.show()
	}
}

// show reports the state, if it is another one. The lock is held.
func (c *condition) show() {
	now := c.own()
	switch {
	case c.misfit == "":
	case now.reason == "":
		now.reason = c.misfit
	default:
		now.reason += "; " + c.misfit
	}
	if c.misfit != "" && now.state == connector.Up {
		now.state = connector.Degraded
	}
	if now != c.shown {
		c.shown = now
		c.report(now.state, now.reason)
	}
}

// own is the state without what does not fit on the link.
func (c *condition) own() shown {
	if c.active < 0 {
		return shown{connector.Connecting, cmp.Or(c.loss, c.awaits)}
	}
	if len(c.faults) > 0 {
		text := c.faults[0].text
		if n := len(c.faults) - 1; n > 0 {
			text += fmt.Sprintf(", and %d more", n)
		}
		return shown{connector.Degraded, text}
	}
	if down := c.down(); down != "" {
		return shown{connector.Degraded, "no standby: " + down}
	}
	return shown{connector.Up, ""}
}

// down returns the addresses that should have a standby connection and do not, once
// they were tried.
func (c *condition) down() string {
	var down []string
	for i, l := range c.links {
		if c.standbys && !l.up && l.err != "" {
			down = append(down, c.addresses[i]+": "+strings.TrimPrefix(l.err, "iec104: "))
		}
	}
	return strings.Join(down, "; ")
}

// systemPoints declares the system points.
func systemPoints() []connector.SystemPoint {
	return []connector.SystemPoint{
		{Name: "links/*/up", Type: point.Single, Doc: "there is a connection to the address with this number"},
		{Name: "active", Type: point.Int, Doc: "number of the address with data transfer, from 1; 0: none"},
		{Name: "interrogated", Type: point.Single, Doc: "all common addresses have answered the general interrogation since data transfer began"},
		{Name: "clock-offset", Type: point.Float, Unit: "s", Doc: "how far the clock of the station is behind"},
	}
}
