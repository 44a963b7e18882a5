package mqttbroker

import (
	"context"
	"crypto/sha256"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	broker "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"busbar/internal/connector"
	"busbar/internal/dispatch"
)

// ingest is the hook that hands published messages to the host. The library
// calls it from the goroutine of each client.
type ingest struct {
	broker.HookBase
	ctx         context.Context // of the run; ends before connections are closed
	server      *broker.Server
	env         connector.Env
	figures     *figures
	desk        *dispatch.Desk
	users       map[string][sha256.Size]byte // hashes of the passwords; empty: nobody needs to sign in
	retained    int
	maxPacket   uint32
	maxSessions int

	refusing atomic.Bool // the last message was not taken

	mu      sync.Mutex
	warned  map[string]time.Time      // by message
	clients map[string]*broker.Client // connected, by their name
	sources *sourceFilters            // nil: not looked for yet
}

func newIngest(ctx context.Context, c *instance, server *broker.Server) *ingest {
	h := &ingest{
		ctx: ctx, server: server, env: c.env, figures: &c.figures, desk: c.desk,
		users:    make(map[string][sha256.Size]byte),
		retained: c.settings.Retained, maxPacket: uint32(c.settings.MaxPacket), maxSessions: 2 * c.settings.Clients,
		warned: make(map[string]time.Time), clients: make(map[string]*broker.Client),
	}
	for name, password := range c.settings.Users {
		h.users[name] = sha256.Sum256([]byte(password))
	}
	return h
}

// ID implements [broker.Hook].
func (h *ingest) ID() string { return "ingest" }

// Provides implements [broker.Hook].
func (h *ingest) Provides(b byte) bool {
	switch b {
	case broker.OnConnect, broker.OnConnectAuthenticate, broker.OnSessionEstablish, broker.OnClientExpired,
		broker.OnPacketRead, broker.OnPacketEncode, broker.OnACLCheck, broker.OnSubscribe, broker.OnPublish, broker.OnWill:
		return true
	default:
		return false
	}
}

// warnEvery is the least time between two warnings of the same kind about clients.
const warnEvery = time.Minute

func (h *ingest) warn(message string, args ...any) {
	h.mu.Lock()
	now := time.Now()
	last, known := h.warned[message]
	due := !known || now.Sub(last) >= warnEvery
	if due {
		h.warned[message] = now
	}
	h.mu.Unlock()
	if due {
		h.env.Log.WarnContext(h.ctx, message, args...) //nolint:sloglint // each caller has a constant message
	}
}

// OnACLCheck implements [broker.Hook]: everybody who is signed in may publish
// and subscribe, but not publish what belongs to the broker.
func (h *ingest) OnACLCheck(_ *broker.Client, topic string, write bool) bool {
	if write && strings.HasPrefix(topic, "$") {
		h.figures.rejected.Add(1)
		return false
	}
	return true
}

// OnPublish implements [broker.Hook]. It hands a message to the host, in the
// order in which they come, and does not wait until it is kept: then it is
// acknowledged. If it is not kept the connection is closed, so that the client
// sends it again; one of QoS 0 is lost.
func (h *ingest) OnPublish(cl *broker.Client, pk packets.Packet) (packets.Packet, error) {
	var settle func(error)
	if pk.FixedHeader.Qos > 0 {
		if settle = h.admit(cl, &pk); settle == nil {
			return pk, packets.ErrRejectPacket
		}
	} else if connOf(cl).window.shut() { // it must not overtake what is sent again
		return pk, packets.ErrRejectPacket
	}
	if err := h.take(&pk, settle); err != nil {
		if settle == nil && h.ctx.Err() == nil {
			h.warn("mqtt message not taken", "client", shown(cl.ID), "error", err)
		}
		return pk, packets.ErrRejectPacket
	}
	// The library would acknowledge it at once. Subscribers get QoS 0 anyway.
	pk.FixedHeader.Qos = 0
	return pk, nil
}

// take hands a message to whom it concerns. settle, if not nil, is called with
// its outcome, then or later.
func (h *ingest) take(pk *packets.Packet, settle func(error)) error {
	err := errBroken
	defer func() {
		if err != nil && settle != nil {
			settle(err)
		}
	}()
	if h.desk.Expects(pk.TopicName) {
		h.desk.Hear(pk.TopicName, pk.Payload, string(pk.Properties.CorrelationData))
		if !h.wanted(pk.TopicName) {
			h.env.Messages.Received(pk.TopicName, pk.Payload, "reply to a command")
			h.figures.messages.Add(1)
			h.figures.octets.Add(uint64(len(pk.Payload)))
			if settle != nil {
				settle(nil)
			}
			pk.FixedHeader.Retain = false // it answers nothing that is asked later
			err = nil
			return nil
		}
	}
	if err = h.deliver(pk.TopicName, pk.Payload, settle); err == nil {
		pk.FixedHeader.Retain = pk.FixedHeader.Retain && h.mayRetain(pk.TopicName, pk.Payload)
	}
	return err
}

// OnWill implements [broker.Hook]: the host gets a will like any message, but not
// because the broker itself has closed the connections to stop.
func (h *ingest) OnWill(cl *broker.Client, will broker.Will) (broker.Will, error) {
	if h.ctx.Err() != nil {
		return will, nil
	}
	if err := h.deliver(will.TopicName, will.Payload, nil); err != nil {
		h.warn("mqtt will not taken", "client", shown(cl.ID), "error", err)
	}
	will.Retain = will.Retain && h.mayRetain(will.TopicName, will.Payload)
	return will, nil
}

// deliver hands a message to the host, which calls settle, if not nil, when it is
// kept or not.
func (h *ingest) deliver(topic string, payload []byte, settle func(error)) error {
	h.figures.messages.Add(1)
	h.figures.octets.Add(uint64(len(payload)))
	err := h.env.Sink.Deliver(h.ctx, connector.Message{Selector: topic, Payload: payload}, settle)
	if settle == nil {
		if err != nil {
			h.figures.rejected.Add(1)
		}
		h.took(err)
	}
	return err
}

// took shows whether the host takes messages.
func (h *ingest) took(err error) {
	if err == nil && !h.refusing.Load() || h.ctx.Err() != nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.refusing.Store(err != nil); err != nil {
		h.env.Report(connector.Degraded, "message not kept: "+err.Error())
	} else {
		h.env.Report(connector.Up, "")
	}
}

// mayRetain keeps the number of retained messages within its limit, which
// clients that publish at the same moment may exceed by one each. An empty message
// removes the retained one.
func (h *ingest) mayRetain(topic string, payload []byte) bool {
	kept := h.server.Topics.Retained
	if len(payload) == 0 || kept.Len() < h.retained {
		return true
	}
	if _, known := kept.Get(topic); known {
		return true
	}
	h.figures.unretained.Add(1)
	return false
}
