package mqttbroker

import (
	"errors"
	"fmt"
	"testing"

	broker "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

func message(qos byte, id uint16, octets int) *packets.Packet {
	return &packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: qos}, PacketID: id, TopicName: "a", Payload: make([]byte, octets-1),
	}
}

func newWindow() *window {
	return &window{due: make(chan struct{}, 1), room: make(chan struct{}, 1)}
}

// enterAll admits messages, and returns what settles them.
func enterAll(t *testing.T, w *window, session *broker.Inflight, messages ...*packets.Packet) []func(error) {
	t.Helper()
	var settles []func(error)
	for _, m := range messages {
		settle, v := w.tryEnter(session, m)
		if v != admitted {
			t.Fatalf("message %d: verdict %v, want it to be admitted", m.PacketID, v)
		}
		settles = append(settles, settle)
	}
	return settles
}

func TestWindowIsBounded(t *testing.T) {
	t.Parallel()
	session := broker.NewInflights()
	for name, size := range map[string]int{"number": 1, "octets": maxOpenOctets / 4, "one long message": 2 * maxOpenOctets} {
		t.Run(name, func(t *testing.T) {
			w := newWindow()
			limit := max(1, min(receiveMaximum, maxOpenOctets/size))
			var settles []func(error)
			for i := range limit {
				settles = append(settles, enterAll(t, w, session, message(1, uint16(i+1), size))...)
			}
			if _, v := w.tryEnter(session, message(1, 7, 1)); v != crowded {
				t.Fatalf("verdict %v about one more, want it to wait", v)
			}
			settles[0](nil)
			var b batch
			w.take(&b, session)
			if _, v := w.tryEnter(session, message(1, 7, 1)); v != crowded {
				t.Fatalf("verdict %v before the acknowledgement is written, want it to wait", v)
			}
			w.release(&b)
			enterAll(t, w, session, message(1, 7, 1))
		})
	}
}

func TestWindowEndsWithARefusal(t *testing.T) {
	t.Parallel()
	session, w, full := broker.NewInflights(), newWindow(), errors.New("full")
	settles := enterAll(t, w, session, message(2, 1, 10), message(1, 2, 10), message(1, 3, 10), message(2, 4, 10), message(2, 5, 10))
	for i, err := range []error{nil, nil, full, nil} {
		settles[i](err)
	}
	settles[2](nil) // once is enough
	var b batch
	w.take(&b, session)
	if got, want := fmt.Sprintf("%x", b.acks), "50020001"+"40020002"; got != want {
		t.Errorf("acknowledgements %s, want %s", got, want)
	}
	if b.count != 4 || b.failed != 1 || !errors.Is(b.err, full) {
		t.Errorf("%d messages, %d failed, %v; want 4, 1, full", b.count, b.failed, b.err)
	}
	for id, want := range map[uint16]bool{1: true, 2: false, 3: false, 4: true, 5: false} {
		if _, noted := session.Get(id); noted != want {
			t.Errorf("message %d is noted in the session: %v, want %v", id, noted, want)
		}
	}
	if _, v := w.tryEnter(session, message(1, 6, 10)); v != shut {
		t.Errorf("verdict %v, want it to be shut", v)
	}
	if w.holds(4) || !w.holds(5) {
		t.Error("want message 5 to be the only open one of QoS 2")
	}
}

func TestWindowAllocatesNothingPerMessage(t *testing.T) {
	session, w := broker.NewInflights(), newWindow()
	m := message(1, 1, 100)
	var b batch
	if n := testing.AllocsPerRun(1000, func() {
		settle, _ := w.tryEnter(session, m)
		settle(nil)
		w.take(&b, session)
		w.release(&b)
	}); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}
