package mqtt

// liveness is what is known of the source behind the broker, from the
// connection and from the alive topic. It belongs to the goroutine of Run.
type liveness struct {
	offline bool // the alive topic said so last
	// pending: the broker has kept everything, so nothing was lost if the alive
	// topic says that the source still lives. It may have gone while we were away.
	pending bool
}

// up is called with a new connection; lossless tells that the broker has kept
// everything.
func (a *liveness) up(c *Connector, lossless bool) {
	a.pending = lossless && !a.offline && c.settings.Alive.Topic != ""
	if !a.offline && !a.pending {
		c.env.Sink.Back(lossless)
	}
}

// heard takes a message of the alive topic. The answer to the subscription, a
// retained message, tells how the source is now; other messages may be as old as
// the session.
func (a *liveness) heard(c *Connector, m *message) {
	switch state := string(m.payload); {
	case state == c.settings.Alive.Offline:
		a.offline, a.pending = true, false
		c.env.Sink.Away("source reports that it is "+state, true)
	case state != c.settings.Alive.Online:
	case a.offline:
		a.offline = false
		c.env.Sink.Back(false)
	case a.pending && m.retained && !m.repeated:
		a.pending = false
		c.env.Sink.Back(true)
	}
}

// settled is called when the broker has answered all subscriptions: if the
// alive topic says nothing, the connection decides.
func (a *liveness) settled(c *Connector) {
	if a.pending {
		a.pending = false
		c.env.Sink.Back(false)
	}
}
