package mqtt

import (
	"sync"
	"time"

	"busbar/internal/connector"
)

// aliveWait is how long the stored message of the alive topic is waited for
// after the subscription. It is no longer than the usual hold time, so that
// values that come meanwhile do not lose their quality.
const aliveWait = 2 * time.Second

// liveness is what is known of the source behind the broker, from the
// connection and from the alive topic.
type liveness struct {
	mu      sync.Mutex
	up      bool // connected
	offline bool // the alive topic said so last
	// pending: the broker has kept everything, so nothing was lost if the alive
	// topic says that the source still lives. It may have gone while we were away.
	pending bool
	timer   *time.Timer // ends pending
}

// connected is called with a new connection; lossless tells that the broker has
// kept everything.
func (l *liveness) connected(sink connector.Sink, lossless, topic bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.up, l.pending = true, lossless && !l.offline && topic
	if !l.offline && !l.pending {
		sink.Back(lossless)
	}
}

// lost is called when the connection is lost, or given up, for a reason.
func (l *liveness) lost(sink connector.Sink, reason string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.up, l.pending = false, false
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
	sink.Away(reason, false)
}

// heard takes a message of the alive topic. The answer to the subscription, a
// retained message, tells how the source is now; other messages may be as old as
// the session.
func (l *liveness) heard(sink connector.Sink, s Alive, m *message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.up {
		return
	}
	switch state := string(m.payload); {
	case state == s.Offline:
		l.offline, l.pending = true, false
		sink.Away("source reports that it is "+state, true)
	case state != s.Online:
	case l.offline:
		l.offline = false
		sink.Back(false)
	case l.pending && m.retained && !m.repeated:
		l.pending = false
		sink.Back(true)
	}
}

// settled is called when the broker has answered all subscriptions: if the
// alive topic then says nothing, the connection decides.
func (l *liveness) settled(sink connector.Sink) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.pending || l.timer != nil {
		return
	}
	l.timer = time.AfterFunc(aliveWait, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.pending {
			l.pending = false
			sink.Back(false)
		}
	})
}
