package mqttbroker

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"strings"
	"sync"
	"time"

	broker "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"busbar/internal/connector"
)

// ingest is the hook that hands published messages to the host. The library
// calls it from the goroutine of each client, before it acknowledges.
type ingest struct {
	broker.HookBase
	ctx      context.Context // of the run; ends before the broker is closed
	env      connector.Env
	figures  *figures
	users    map[string][sha256.Size]byte // hashes of the passwords; empty: nobody needs to sign in
	retained int

	waits sync.Pool // of chan error with one place

	mu     sync.Mutex
	warned time.Time
	topics map[string]struct{} // retained
}

func newIngest(ctx context.Context, c *instance) *ingest {
	h := &ingest{
		ctx: ctx, env: c.env, figures: &c.figures, retained: c.settings.Retained,
		users: make(map[string][sha256.Size]byte), topics: make(map[string]struct{}),
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
	case broker.OnConnectAuthenticate, broker.OnACLCheck, broker.OnPublish, broker.OnSessionEstablished, broker.OnDisconnect:
		return true
	default:
		return false
	}
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

// warnEvery is the least time between two warnings about clients.
const warnEvery = time.Minute

func (h *ingest) warn(message string, args ...any) {
	h.mu.Lock()
	now := time.Now()
	due := now.Sub(h.warned) >= warnEvery
	if due {
		h.warned = now
	}
	h.mu.Unlock()
	if due {
		h.env.Log.WarnContext(h.ctx, message, args...) //nolint:sloglint // each caller has a constant message
	}
}

// OnACLCheck implements [broker.Hook]: everybody who is signed in may publish
// and subscribe, but not publish what belongs to the broker.
func (h *ingest) OnACLCheck(cl *broker.Client, topic string, write bool) bool {
	if write {
		return !strings.HasPrefix(topic, "$")
	}
	return cl.State.Subscriptions.Len() < maxSubscriptions
}

// OnSessionEstablished implements [broker.Hook].
func (h *ingest) OnSessionEstablished(*broker.Client, packets.Packet) { h.figures.clients.Add(1) }

// OnDisconnect implements [broker.Hook].
func (h *ingest) OnDisconnect(*broker.Client, error, bool) { h.figures.clients.Add(-1) }

// OnPublish implements [broker.Hook]. It returns when the host has kept the
// message; then the library acknowledges it. If the host has not, the
// connection is closed without acknowledgement, so that the client sends the
// message again.
func (h *ingest) OnPublish(cl *broker.Client, pk packets.Packet) (packets.Packet, error) {
	h.figures.messages.Add(1)
	h.figures.octets.Add(uint64(len(pk.Payload)))
	if err := h.deliver(&pk); err != nil {
		h.figures.rejected.Add(1)
		if h.ctx.Err() == nil {
			h.warn("mqtt message not taken, connection closed", "client", cl.ID, "error", err)
		}
		cl.Stop(err)
		return pk, packets.ErrRejectPacket
	}
	if pk.FixedHeader.Retain && !h.mayRetain(pk.TopicName, len(pk.Payload) > 0) {
		pk.FixedHeader.Retain = false
		h.figures.unretained.Add(1)
	}
	return pk, nil
}

// deliver hands a message on and, with QoS 1 and 2, waits until it is kept.
func (h *ingest) deliver(pk *packets.Packet) error {
	m := connector.Message{Selector: pk.TopicName, Payload: pk.Payload}
	if pk.FixedHeader.Qos == 0 {
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

// mayRetain keeps the number of retained messages within its limit. An empty
// message removes the retained one.
func (h *ingest) mayRetain(topic string, full bool) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !full {
		delete(h.topics, topic)
		return true
	}
	if _, known := h.topics[topic]; known {
		return true
	}
	if len(h.topics) >= h.retained {
		return false
	}
	h.topics[topic] = struct{}{}
	return true
}
