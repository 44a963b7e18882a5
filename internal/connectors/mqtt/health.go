package mqtt

import (
	"sync"
	"sync/atomic"

	"busbar/internal/connector"
)

// health is what there is to complain of while the connection is up.
type health struct {
	losing atomic.Bool // unkept is not empty

	mu        sync.Mutex
	connected bool
	filters   string // subscriptions that the broker refuses
	unkept    string // why messages of QoS 0 are not kept
	untaken   string // what the broker does not take of what is published
}

// connected shows that the subscriptions are made, and which the broker refuses.
func (c *Connector) connected(filters string) {
	h := &c.health
	h.mu.Lock()
	defer h.mu.Unlock()
	h.connected, h.filters = true, filters
	h.report(c.env.Report)
}

// disconnected ends what connected began.
func (c *Connector) disconnected() {
	c.health.mu.Lock()
	defer c.health.mu.Unlock()
	c.health.connected = false
}

// took shows whether the host takes messages of which the broker keeps no copy.
// Those that it does not take are lost, and another connection would not help.
func (c *Connector) took(err error) {
	h := &c.health
	if err == nil && !h.losing.Load() {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	was := h.unkept
	h.unkept = ""
	if err != nil {
		h.unkept = notKept(err).Error()
	}
	h.losing.Store(err != nil)
	if h.connected && h.unkept != was {
		h.report(c.env.Report)
	}
}

// complains shows what the broker does not take of what is published.
func (c *Connector) complains(text string) {
	h := &c.health
	h.mu.Lock()
	defer h.mu.Unlock()
	h.untaken = text
	if h.connected {
		h.report(c.env.Report)
	}
}

func (h *health) report(report func(connector.State, string)) {
	switch {
	case h.unkept != "":
		report(connector.Degraded, h.unkept)
	case h.filters != "":
		report(connector.Degraded, h.filters)
	case h.untaken != "":
		report(connector.Degraded, h.untaken)
	default:
		report(connector.Up, "")
	}
}
