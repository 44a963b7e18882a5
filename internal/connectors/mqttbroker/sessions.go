package mqttbroker

import (
	"crypto/sha256"
	"crypto/subtle"
	"strings"

	broker "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// maxKeepAlive is the longest keep alive, in seconds, that the library can
// multiply by 1.5. Longer ones are as good as this: 18 hours.
const maxKeepAlive = 65535 * 2 / 3

// OnConnect implements [broker.Hook]. It takes from a client what the library
// does not do well.
func (h *ingest) OnConnect(cl *broker.Client, _ packets.Packet) error {
	cl.State.Keepalive = min(cl.State.Keepalive, maxKeepAlive)
	// An alias that was made known by a message that was dropped is unknown.
	cl.Properties.Props.TopicAliasMaximum = 0
	// A delayed will would be lost for the host.
	cl.Properties.Will.WillDelayInterval = 0
	// It gets QoS 0 only. Otherwise the library looks, with every packet, for
	// messages of QoS 1 and 2 to send, in a way that another goroutine must not disturb.
	cl.Properties.Props.ReceiveMaximum = 0
	cl.State.Inflight.ResetSendQuota(0)
	return nil
}

// OnConnectAuthenticate implements [broker.Hook].
func (h *ingest) OnConnectAuthenticate(cl *broker.Client, pk packets.Packet) bool {
	if len(h.users) == 0 {
		return true
	}
	want, known := h.users[string(pk.Connect.Username)]
	got := sha256.Sum256(pk.Connect.Password)
	if subtle.ConstantTimeCompare(want[:], got[:]) == 1 && known {
		return true
	}
	h.figures.unauthorised.Add(1)
	h.warn("mqtt client refused: wrong user name or password", "peer", cl.Net.Remote)
	return false
}

// OnSessionEstablish implements [broker.Hook]. Before a client takes over the
// session of an earlier connection of the same name, that one ends: what it has
// received is kept and noted in the session, and its will is sent, so that
// neither comes after what the new connection brings.
func (h *ingest) OnSessionEstablish(cl *broker.Client, _ packets.Packet) {
	h.mu.Lock()
	earlier := h.clients[cl.ID]
	h.clients[cl.ID] = cl
	connOf(cl).client = cl
	h.mu.Unlock()
	h.figures.clients.Add(1)
	if earlier != nil {
		connOf(earlier).end(packets.ErrSessionTakenOver)
		<-connOf(earlier).done
	}
	if h.server.Clients.Len() >= h.maxSessions {
		// The session ends with its connection.
		cl.Properties.Clean, cl.Properties.Props.SessionExpiryInterval = true, 0
	}
}

// leave forgets a client whose connection has ended, when each of its messages is
// kept or not.
func (h *ingest) leave(c *conn) {
	if c.client == nil {
		return
	}
	c.window.close()
	h.figures.clients.Add(-1)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.clients[c.client.ID] == c.client {
		delete(h.clients, c.client.ID)
	}
}

// OnClientExpired implements [broker.Hook]. The library forgets the session but
// not its subscriptions.
func (h *ingest) OnClientExpired(cl *broker.Client) { h.server.UnsubscribeClient(cl) }

// OnPacketRead implements [broker.Hook]. It refuses what the library would
// leave unanswered, or take very long for, by closing the connection.
func (h *ingest) OnPacketRead(cl *broker.Client, pk packets.Packet) (packets.Packet, error) {
	if connOf(cl).failed.Load() {
		return pk, packets.ErrRejectPacket
	}
	reason := ""
	switch pk.FixedHeader.Type {
	case packets.Connect:
		if pk.Connect.WillFlag {
			reason = checkTopic(pk.Connect.WillTopic)
			if strings.HasPrefix(pk.Connect.WillTopic, "$") {
				reason = "will to a topic of the broker"
			}
		}
	case packets.Publish:
		if reason = checkTopic(pk.TopicName); reason != "" {
			h.figures.rejected.Add(1)
		}
	case packets.Pubrel:
		if connOf(cl).window.holds(pk.PacketID) {
			reason = "message released before it was acknowledged"
		}
	case packets.Subscribe:
		reason = checkFilters(cl, pk.Filters)
	}
	if reason == "" {
		return pk, nil
	}
	h.warn("mqtt packet refused, connection closed", "client", shown(cl.ID), "peer", cl.Net.Remote, "reason", reason)
	return pk, packets.ErrRejectPacket
}

// checkTopic returns why nobody may publish to a topic; nothing if they may.
func checkTopic(topic string) string {
	switch {
	case strings.ContainsAny(topic, "+#"):
		return "wildcard in the topic of a message"
	case len(topic) >= len(broker.SysPrefix) && strings.EqualFold(topic[:len(broker.SysPrefix)], broker.SysPrefix):
		return "message to a topic of the broker"
	case strings.Count(topic, "/") >= maxLevels:
		return "topic of too many levels"
	default:
		return ""
	}
}

// checkFilters returns why a client may not subscribe.
func checkFilters(cl *broker.Client, filters packets.Subscriptions) string {
	n := cl.State.Subscriptions.Len()
	for _, f := range filters {
		if strings.Count(f.Filter, "/") >= maxLevels {
			return "filter of too many levels"
		}
		if _, known := cl.State.Subscriptions.Get(f.Filter); !known {
			n++
		}
	}
	if n > maxSubscriptions {
		return "too many subscriptions"
	}
	return ""
}

// OnSubscribe implements [broker.Hook]. Subscribers get QoS 0: the library keeps
// what it sends with QoS 1 and 2 under the same packet identifiers as what it
// receives, and makes publishers wait for slow subscribers.
func (h *ingest) OnSubscribe(_ *broker.Client, pk packets.Packet) packets.Packet {
	for i := range pk.Filters {
		pk.Filters[i].Qos = 0
	}
	return pk
}

// OnPacketEncode implements [broker.Hook].
func (h *ingest) OnPacketEncode(cl *broker.Client, pk packets.Packet) packets.Packet {
	switch {
	case pk.FixedHeader.Type == packets.Connack && cl.Properties.ProtocolVersion == 5:
		pk.Properties.MaximumPacketSize = h.maxPacket
	case pk.FixedHeader.Type == packets.Pubrec && pk.ReasonCode == packets.ErrPacketIdentifierInUse.Code:
		// The client repeats a message that is kept already: that is a success.
		pk.ReasonCode, pk.Properties.ReasonString = packets.CodeSuccess.Code, ""
	}
	return pk
}

// shown is the part of a name from outside that is logged.
func shown(name string) string { return name[:min(len(name), 100)] }
