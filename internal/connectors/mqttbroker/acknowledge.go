package mqttbroker

import (
	"errors"
	"time"

	broker "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"busbar/internal/connector"
)

var errBroken = errors.New("broken off")

// admit lets a message of QoS 1 or 2 in, and ends the connection of a client
// that has begun too many. settle is what is to be called with its outcome; nil if
// the message is not to be handed on.
func (h *ingest) admit(cl *broker.Client, pk *packets.Packet) (settle func(error)) {
	c := connOf(cl)
	w := &c.window
	if w.done == nil {
		w.done = make(chan struct{})
		w.due, w.room = make(chan struct{}, 1), make(chan struct{}, 1)
		go h.acknowledge(cl)
	}
	settle, v := w.enter(h.ctx, cl.State.Inflight, pk)
	if v == exceeding {
		h.figures.rejected.Add(1)
		h.warn("mqtt packet refused, connection closed", "client", shown(cl.ID), "peer", cl.Net.Remote,
			"reason", "more messages of QoS 2 than the receive maximum")
		c.end(packets.ErrReceiveMaximum)
	}
	return settle
}

// acknowledge writes the acknowledgements of a connection, as many at once as
// are due. It goes on after the connection until every message is settled, or the
// run ends.
func (h *ingest) acknowledge(cl *broker.Client) {
	c := connOf(cl)
	w := &c.window
	defer close(w.done)
	var b batch
	for {
		select {
		case <-w.due:
		case <-h.ctx.Done():
			return
		}
		w.take(&b, cl.State.Inflight)
		if b.count > 0 {
			h.answer(c, &b)
		}
		if w.release(&b) {
			return
		}
	}
}

func (h *ingest) answer(c *conn, b *batch) {
	h.took(b.err)
	if len(b.acks) > 0 && !c.failed.Load() {
		c.send(b.acks)
	}
	if b.err == nil {
		return
	}
	h.figures.rejected.Add(uint64(b.failed))
	if h.ctx.Err() == nil {
		h.warn("mqtt message not taken", "client", shown(c.client.ID), "error", b.err)
	}
	c.end(reasonOf(b.err))
}

// reasonOf is what a client is told about a message that was not kept.
func reasonOf(err error) packets.Code {
	switch {
	case errors.Is(err, connector.ErrFull):
		return packets.ErrQuotaExceeded
	case errors.Is(err, connector.ErrStopped):
		return packets.ErrServerShuttingDown
	default:
		return packets.ErrUnspecifiedError
	}
}

// appendAck appends PUBACK or PUBREC with success, which is the same in every
// version.
func appendAck(dst []byte, qos byte, id uint16) []byte {
	kind := packets.Puback
	if qos == 2 {
		kind = packets.Pubrec
	}
	return append(dst, kind<<4, 2, byte(id>>8), byte(id))
}

// received is what the session holds of a message of QoS 2 from PUBREC to
// PUBREL: the library takes no other message with its identifier meanwhile.
func received(id uint16) packets.Packet {
	return packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Pubrec}, PacketID: id, Created: time.Now().Unix()}
}
