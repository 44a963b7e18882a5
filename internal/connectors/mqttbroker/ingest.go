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
// calls it from the goroutine of each client, before it acknowledges.
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

	waits    sync.Pool   // of chan error with one place
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
	h.waits.New = func() any { return make(chan error, 1) }
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

// OnPublish implements [broker.Hook]. It returns when the host has kept the
// message; then the library acknowledges it. If the host has not, there is no
// acknowledgement and the connection is closed, so that the client sends the
// message again; one of QoS 0 is lost.
func (h *ingest) OnPublish(cl *broker.Client, pk packets.Packet) (packets.Packet, error) {
	if h.desk.Expects(pk.TopicName) {
		h.desk.Hear(pk.TopicName, pk.Payload, string(pk.Properties.CorrelationData))
		if !h.wanted(pk.TopicName) {
			h.figures.messages.Add(1)
			h.figures.octets.Add(uint64(len(pk.Payload)))
			pk.FixedHeader.Retain = false // it answers nothing that is asked later
			return pk, nil
		}
	}
	if err := h.deliver(pk.TopicName, pk.Payload, pk.FixedHeader.Qos > 0); err != nil {
		if h.ctx.Err() == nil {
			h.warn("mqtt message not taken", "client", shown(cl.ID), "error", err)
		}
		if pk.FixedHeader.Qos > 0 { // otherwise the client would not send it again
			connOf(cl).fail()
		}
		return pk, packets.ErrRejectPacket
	}
	pk.FixedHeader.Retain = pk.FixedHeader.Retain && h.mayRetain(pk.TopicName, pk.Payload)
	return pk, nil
}

// OnWill implements [broker.Hook]: the host gets a will like any message, but not
// because the broker itself has closed the connections to stop.
func (h *ingest) OnWill(cl *broker.Client, will broker.Will) (broker.Will, error) {
	if h.ctx.Err() != nil {
		return will, nil
	}
	if err := h.deliver(will.TopicName, will.Payload, false); err != nil {
		h.warn("mqtt will not taken", "client", shown(cl.ID), "error", err)
	}
	will.Retain = will.Retain && h.mayRetain(will.TopicName, will.Payload)
	return will, nil
}

// deliver hands a message on and, if wait is set, returns when it is kept.
func (h *ingest) deliver(topic string, payload []byte, wait bool) error {
	h.figures.messages.Add(1)
	h.figures.octets.Add(uint64(len(payload)))
	m := connector.Message{Selector: topic, Payload: payload}
	err := h.keep(m, wait)
	if err != nil {
		h.figures.rejected.Add(1)
	}
	if h.ctx.Err() == nil {
		h.took(err)
	}
	return err
}

// took shows whether the host takes messages.
func (h *ingest) took(err error) {
	if err == nil && !h.refusing.Load() {
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

func (h *ingest) keep(m connector.Message, wait bool) error {
	if !wait {
		return h.env.Sink.Deliver(h.ctx, m, nil)
	}
	kept := h.waits.Get().(chan error)
	if err := h.env.Sink.Deliver(h.ctx, m, func(err error) { kept <- err }); err != nil {
		return err // whether kept is used any more is not known: it is not put back
	}
	select {
	case err := <-kept:
		h.waits.Put(kept)
		return err
	case <-h.ctx.Done():
		return h.ctx.Err()
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
