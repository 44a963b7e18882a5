package mqttbroker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	v5 "github.com/eclipse/paho.golang/paho"

	"busbar/internal/connector"
)

// moody is a sink that keeps and refuses groups of messages by chance, a while
// after it has got them.
type moody struct {
	*sink
	mu      sync.Mutex
	rnd     *rand.Rand
	waiting []taken
	kept    map[string]int // by payload
}

type taken struct {
	payload   string
	committed func(error)
}

func (m *moody) Deliver(_ context.Context, msg connector.Message, committed func(error)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.rnd.IntN(200) == 0 {
		err := errors.New("refused at once")
		committed(err)
		return err
	}
	if m.rnd.IntN(5) == 0 { // as when no point has its topic
		m.kept[string(msg.Payload)]++
		committed(nil)
		return nil
	}
	m.waiting = append(m.waiting, taken{string(msg.Payload), committed})
	if len(m.waiting) == 1 {
		time.AfterFunc(time.Duration(m.rnd.IntN(1000))*time.Microsecond, m.commit)
	}
	return nil
}

func (m *moody) commit() {
	m.mu.Lock()
	defer m.mu.Unlock()
	var err error
	if m.rnd.IntN(20) == 0 {
		err = errors.New("refused")
	}
	for _, h := range m.waiting {
		if err == nil {
			m.kept[h.payload]++
		}
		h.committed(err)
	}
	m.waiting = m.waiting[:0]
}

func (m *moody) count(payload string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.kept[payload]
}

// untiring is a client that sends what is not acknowledged again, over as many
// connections as it takes, and breaks some off itself.
type untiring struct {
	*running
	t       *testing.T
	version string
	id      string
	sink    *moody
	rnd     *rand.Rand
	open    map[uint16]byte // identifiers that are not complete, with their QoS
	acked   map[uint16]bool // of these: PUBREC has come
	sent    bool            // everything was sent once
}

func (u *untiring) payload(id uint16) string { return fmt.Sprint(u.id, " ", id) }

// attempt sends everything that is not complete over one connection, and
// returns when that is over or everything is complete.
func (u *untiring) attempt() {
	w, _ := u.signIn(u.t, u.version, u.id, 60)
	defer func() { _ = w.conn.Close() }()
	for id := uint16(1); id <= 200; id++ {
		qos, open := u.open[id]
		if !open {
			continue
		}
		b := w.message("a", qos, id, u.sent, u.payload(id))
		if u.acked[id] {
			b = packet(0x62, be(id))
		}
		if _, err := w.conn.Write(b); err != nil {
			return
		}
	}
	u.sent = true
	breakOff := -1
	if u.rnd.IntN(2) == 0 {
		breakOff = u.rnd.IntN(100)
	}
	for n := 0; len(u.open) > 0 && n != breakOff; n++ {
		first, body, err := w.read()
		if err != nil || first == 0xe0 {
			return
		}
		u.heard(w, first, uint16(body[0])<<8|uint16(body[1]))
	}
}

// heard takes an acknowledgement.
func (u *untiring) heard(w *wire, first byte, id uint16) {
	if n := u.sink.count(u.payload(id)); n == 0 {
		u.t.Errorf("packet %#x for message %d, which is not kept", first, id)
	}
	switch first {
	case 0x40, 0x70:
		delete(u.open, id)
	case 0x50:
		u.acked[id] = true
		_, _ = w.conn.Write(packet(0x62, be(id))) // again, if the connection breaks
	}
}

func TestEveryMessageIsKeptInTheEnd(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		m := &moody{sink: newSink(), rnd: rand.New(rand.NewPCG(1, 2)), kept: make(map[string]int)}
		go func() {
			for range m.states { //nolint:revive // it is only emptied
			}
		}()
		r := startSink(t, m, m.sink, slog.NewTextHandler(io.Discard, nil), times{connect: patience, write: patience}, nil)
		t.Cleanup(func() {
			r.stop()
			close(m.states)
		})
		var running sync.WaitGroup
		for i := range 10 {
			u := &untiring{
				running: r, t: t, version: version, id: fmt.Sprint("client ", i), sink: m, rnd: rand.New(rand.NewPCG(3, uint64(i))),
				open: make(map[uint16]byte), acked: make(map[uint16]bool),
			}
			for id := uint16(1); id <= 200; id++ {
				u.open[id] = byte(1 + id%2)
			}
			running.Go(func() {
				for len(u.open) > 0 && !t.Failed() {
					u.attempt()
				}
			})
		}
		running.Wait()
		m.mu.Lock()
		defer m.mu.Unlock()
		if len(m.kept) != 10*200 {
			t.Errorf("%d messages are kept, want %d", len(m.kept), 10*200)
		}
		for payload, n := range m.kept {
			var client, id int
			if _, err := fmt.Sscanf(payload, "client %d %d", &client, &id); err != nil {
				t.Fatal(err)
			}
			if exactlyOnce := id%2 == 1; exactlyOnce && n != 1 {
				t.Errorf("message %q of QoS 2 is kept %d times", payload, n)
			}
		}
	})
}

// TestUsualClientsSendWithoutWaiting has the libraries that others use.
func TestUsualClientsSendWithoutWaiting(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		k := &keeping{sink: newSink(), each: time.Millisecond, notes: true}
		r := startSink(t, k, k.sink, slog.NewTextHandler(io.Discard, nil), times{connect: patience, write: patience}, nil)
		d := r.device(t, version, options{id: "d"})
		const n = 500
		publish := func(i int) (wait func()) { return nil }
		switch d := d.(type) {
		case *device3:
			publish = func(i int) func() {
				token := d.client.Publish("a", byte(1+i%2), false, fmt.Sprint(i))
				return func() {
					if !token.WaitTimeout(patience) || token.Error() != nil {
						t.Errorf("message %d: %v", i, token.Error())
					}
				}
			}
		case *device5:
			publish = func(i int) func() {
				_, err := d.client.PublishWithOptions(t.Context(), &v5.Publish{Topic: "a", QoS: byte(1 + i%2), Payload: fmt.Append(nil, i)},
					v5.PublishOptions{Method: v5.PublishMethod_AsyncSend})
				if err != nil {
					t.Errorf("message %d: %v", i, err)
				}
				return func() {}
			}
		}
		var waits []func()
		for i := range n {
			waits = append(waits, publish(i))
		}
		for _, wait := range waits {
			wait()
		}
		for i := range n {
			r.sink.expect(t, "a", fmt.Sprint(i))
		}
		if err := d.publish("a", 1, "last"); err != nil { // its acknowledgement follows those of all
			t.Error(err)
		}
	})
}
