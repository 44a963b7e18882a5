package linkbook

import (
	"time"

	"busbar/iec104"
	"busbar/internal/connector"
)

// Link returns an entry as it is shown.
func (e *Entry) Link() connector.Link {
	l := connector.Link{
		ID: e.ID, Conn: e.Conn, Local: e.Local, Peer: e.Peer, Certificate: e.Certificate, PeerKey: e.Key,
		Since: e.Since, StateSince: e.Since, Reconnects: e.Reconnects,
	}
	if !e.Synced.IsZero() {
		at, ms := e.Synced, connector.Milliseconds(e.Offset)
		l.Clock = &connector.LinkClock{Synchronised: &at, OffsetMs: &ms}
	}
	if !e.Ended.IsZero() {
		l.State, l.Reason, l.StateSince = connector.LinkClosed, e.Reason, e.Ended
	}
	return l
}

// Describe adds what is known of a connection by its protocol.
func Describe(l *connector.Link, i *iec104.ConnInfo, p iec104.Params) {
	if l.State == "" {
		l.State, l.StateSince = stateOf(i.State), i.StateSince
		l.T1Ms, l.T2Ms, l.T3Ms = ms(i.Timers.T1), ms(i.Timers.T2), ms(i.Timers.T3)
		l.Testing = i.Testing
	}
	l.SendNumber, l.ReceiveNumber, l.Acknowledged = i.VS, i.VR, i.Acknowledged
	l.Unacknowledged, l.Owed, l.K, l.W = i.Outstanding, i.Owed, p.K, p.W
	l.RoundTripMs = connector.Milliseconds(i.RoundTrip)
	l.Received = connector.FrameCounts{I: i.ReceivedI, S: i.ReceivedS, U: i.ReceivedU, Octets: i.ReceivedOctets}
	l.Sent = connector.FrameCounts{I: i.SentI, S: i.SentS, U: i.SentU, Octets: i.SentOctets}
	if g := &i.Interrogation; !g.Begun.IsZero() {
		l.Interrogation = &connector.Interrogation{
			CommonAddress: g.CA, Qualifier: g.Qualifier, Begun: g.Begun, TookMs: connector.Milliseconds(g.Took), Objects: g.Objects, Result: g.Result,
		}
	}
}

// ms rounds up, so that a time that runs is never 0.
func ms(d time.Duration) int64 { return int64((d + time.Millisecond - 1) / time.Millisecond) }

func stateOf(state string) connector.LinkState {
	if state == "stopped" {
		return connector.LinkStopped
	}
	return connector.LinkState(state)
}

// mostAddresses is how many common addresses are listed.
const mostAddresses = 64

// Addresses sets the common addresses of a link.
func Addresses(l *connector.Link, all []uint16) {
	l.CommonAddressNumber = len(all)
	l.CommonAddresses = all[:min(len(all), mostAddresses)]
}
