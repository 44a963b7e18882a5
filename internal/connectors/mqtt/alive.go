package mqtt

// liveness is what is known of the source behind the broker, from the
// connection and from the alive topic. It belongs to the goroutine of Run.
type liveness struct {
	offline bool // the alive topic said so last
	pending bool // nothing was lost, if the alive topic says that the source lives
}

// up is called with a new connection; lossless tells that the broker has kept
// everything. With an alive topic that is certain only when the topic says
// that the source lives, as it may have gone while we were away.
func (a *liveness) up(c *Connector, lossless bool) {
	watched := c.settings.Alive.Topic != ""
	a.pending = watched && lossless && !a.offline
	if !a.offline {
		c.env.Sink.Back(lossless && !watched)
	}
}

// heard takes a message of the alive topic.
func (a *liveness) heard(c *Connector, payload string) {
	switch {
	case payload == c.settings.Alive.Offline:
		a.offline, a.pending = true, false
		c.env.Sink.Away("source reports that it is "+payload, true)
	case payload != c.settings.Alive.Online:
	case a.offline:
		a.offline = false
		c.env.Sink.Back(false)
	case a.pending:
		a.pending = false
		c.env.Sink.Back(true)
	}
}
