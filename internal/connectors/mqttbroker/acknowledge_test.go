package mqttbroker

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"busbar/internal/connector"
)

// held starts a broker whose messages the test commits.
func held(t *testing.T) *running {
	s := newSink()
	s.hold = true
	return start(t, s, nil)
}

// ping checks that nothing is sent before the answer.
func (w *wire) ping(what string) {
	w.t.Helper()
	w.send(0xc0, nil)
	if first, body := w.next(); first != 0xd0 {
		w.t.Fatalf("%s: packet %#x % x, want PINGRESP first", what, first, body)
	}
}

// burst publishes messages with the identifiers and payloads 1 to n.
func (w *wire) burst(qos byte, n int) {
	w.t.Helper()
	var b []byte
	for i := range n {
		b = append(b, w.message("a", qos, uint16(i+1), false, fmt.Sprint(i+1))...)
	}
	w.write(b)
}

func (s *sink) expectBurst(t testing.TB, n int) []delivery {
	t.Helper()
	all := make([]delivery, n)
	for i := range all {
		all[i] = s.expect(t, "a", fmt.Sprint(i+1))
	}
	return all
}

// acks are the first octets of the acknowledgements of a QoS.
var acks = map[byte]byte{1: 0x40, 2: 0x50}

func TestAcknowledgesInOrderEachAfterItsCommit(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		for qos, ack := range acks {
			r := held(t)
			w, _ := r.signIn(t, version, "d", 60)
			const n = 100
			w.burst(qos, n)
			all := r.sink.expectBurst(t, n) // none waits for the commit of another
			w.ping("nothing is kept")
			for i := n - 1; i > 0; i-- {
				all[i].commit(nil)
			}
			w.ping("the oldest is not kept")
			all[0].commit(nil)
			for i := range n {
				w.want(ack, uint16(i+1))
			}
			w.ping("all are acknowledged")
		}
	})
}

func TestReadingStopsWhileTooManyMessagesAreOpen(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		for name, size := range map[string]int{"number": 4, "octets": 1<<20 - 100} {
			r := held(t)
			r.sink.delivered = make(chan delivery) // taken one by one
			w, _ := r.signIn(t, version, "d", 60)
			other, _ := r.signIn(t, version, "other", 60)
			limit := min(receiveMaximum, maxOpenOctets/size)
			go func() {
				for i := range limit + 2 { // what the broker does not read the system cannot all hold
					if _, err := w.conn.Write(w.message("a", 1, uint16(i+1), false, strings.Repeat("x", size))); err != nil {
						return // the end of the test
					}
				}
			}()
			var open []delivery
			for range limit {
				open = append(open, next(t, "message", r.sink.delivered))
			}
			other.publish("b", 1, 1, false, "1")
			if d := next(t, "message", r.sink.delivered); d.topic != "b" {
				t.Fatalf("%s: message to %s beyond the limit", name, d.topic)
			}
			for i := range 2 {
				open[i].commit(nil)
				w.want(0x40, uint16(i+1))
				if d := next(t, "message", r.sink.delivered); d.topic != "a" {
					t.Fatalf("message to %s, want the next one", d.topic)
				} else {
					open = append(open, d)
				}
			}
			for _, d := range open[2:] {
				d.commit(nil)
			}
			for i := range limit {
				w.want(0x40, uint16(i+3))
			}
		}
	})
}

// end reads DISCONNECT, which MQTT 5 has, and the end of the connection.
func (w *wire) end(reason byte) {
	w.t.Helper()
	if w.version == 5 {
		if first, body := w.next(); first != 0xe0 || len(body) < 1 || body[0] != reason {
			w.t.Fatalf("packet %#x % x, want DISCONNECT with %#x", first, body, reason)
		}
	}
	if first, body, err := w.read(); err == nil {
		w.t.Fatalf("packet %#x % x after the end", first, body)
	}
}

func TestRefusalEndsTheConnectionInItsTurn(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		for _, tt := range []struct {
			err    error
			reason byte
		}{
			{fmt.Errorf("journal: %w", connector.ErrFull), 0x97},
			{errors.New("journal: failed"), 0x80},
			{connector.ErrStopped, 0x8b},
		} {
			for qos, ack := range acks {
				r := held(t)
				w, _ := r.signIn(t, version, "d", 60)
				other, _ := r.signIn(t, version, "other", 60)
				w.burst(qos, 5)
				all := r.sink.expectBurst(t, 5)
				all[2].commit(tt.err)
				other.publish("b", qos, 7, false, "1") // goes on
				r.sink.expect(t, "b", "1").commit(nil)
				other.want(ack, 7)
				w.publish("a", 0, 0, false, "late") // must not overtake what is sent again
				w.publish("a", qos, 8, false, "late")
				w.ping("the first two are not yet kept")
				all[0].commit(nil)
				w.want(ack, 1)
				all[1].commit(nil)
				w.want(ack, 2)
				w.end(tt.reason)
				all[3].commit(tt.err)
				all[4].commit(tt.err)
				r.clients(t, 1)
				if len(r.sink.delivered) > 0 {
					t.Errorf("message %v after one that was refused", <-r.sink.delivered)
				}
				if got := r.figure(t, "mqtt_broker_rejected_messages_total"); got != 3 {
					t.Errorf("%v messages counted as rejected, want 3", got)
				}
				other.ping("the other client is not disturbed")
			}
		}
	})
}

func TestNothingIsAcknowledgedToALaterConnection(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		for _, leaves := range []bool{true, false} { // or is taken over
			r := held(t)
			w, _ := r.signIn(t, version, "d", 60)
			for i := range uint16(10) {
				w.publish("a", byte(1+i%2), i+1, false, fmt.Sprint(i+1))
			}
			all := r.sink.expectBurst(t, 10)
			if leaves {
				if err := w.conn.Close(); err != nil {
					t.Fatal(err)
				}
			}
			back := make(chan *wire)
			go func() {
				again, _ := r.signIn(t, version, "d", 60)
				back <- again
			}()
			r.clients(t, 2) // the later one waits until it is known what is kept
			if !leaves {
				w.end(0x8e)
			}
			for _, i := range []int{5, 0, 1, 9, 8, 7, 2, 3, 4} {
				all[i].commit(nil)
			}
			all[6].commit(errors.New("disk full"))
			again := next(t, "later connection", back)
			noted := make(map[byte]bool)
			for range 5 { // the library repeats what the session holds, in any order
				first, body := again.next()
				if first != 0x50 {
					t.Fatalf("packet %#x % x, want PUBREC", first, body)
				}
				noted[body[1]] = true
			}
			for id := byte(2); id <= 10; id += 2 {
				if !noted[id] {
					t.Errorf("message %d is kept and not in the session", id)
				}
			}
			again.ping("a message of QoS 1 is sent again by its client")
			r.clients(t, 1)
		}
	})
}

func TestRepetitionOfAnOpenMessageOfQoS2(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		r := held(t)
		w, _ := r.signIn(t, version, "d", 60)
		w.publish("a", 2, 9, false, "1")
		open := r.sink.expect(t, "a", "1")
		w.publish("a", 2, 9, true, "1")
		w.publish("a", 2, 9, false, "1")
		w.ping("it is not kept")
		open.commit(nil)
		w.want(0x50, 9)
		w.publish("a", 2, 9, true, "1")
		w.want(0x50, 9)
		w.send(0x62, be(9))
		w.want(0x70, 9)
		w.ping("it is complete")
		w.publish("a", 2, 9, false, "2")
		r.sink.expect(t, "a", "2").commit(nil)
		w.want(0x50, 9)
		if len(r.sink.delivered) > 0 {
			t.Errorf("message %v a second time", <-r.sink.delivered)
		}
	})
}

func TestTooManyMessagesOfQoS2AreBegun(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		r := held(t)
		w, _ := r.signIn(t, version, "d", 60)
		w.burst(2, receiveMaximum)
		all := r.sink.expectBurst(t, receiveMaximum)
		for _, d := range all[:receiveMaximum/2] {
			d.commit(nil)
		}
		for i := range receiveMaximum / 2 {
			w.want(0x50, uint16(i+1))
		}
		w.send(0x62, be(1)) // makes room for one
		w.want(0x70, 1)
		w.publish("a", 2, 2000, false, "more")
		more := r.sink.expect(t, "a", "more")
		w.publish("a", 2, 2001, false, "too many")
		w.end(0x93)
		for _, d := range append(all[receiveMaximum/2:], more) {
			d.commit(nil)
		}
		r.clients(t, 0)
		if len(r.sink.delivered) > 0 {
			t.Errorf("message %v beyond the limit", <-r.sink.delivered)
		}
	})
}

func TestReleaseOfAnOpenMessageClosesTheConnection(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		r := held(t)
		w, _ := r.signIn(t, version, "d", 60)
		w.publish("a", 2, 9, false, "1")
		open := r.sink.expect(t, "a", "1")
		w.send(0x62, be(9))
		w.wantEnd("PUBREL before PUBREC")
		open.commit(nil)
		r.clients(t, 0)
	})
}

func TestEndsWhileMessagesAreOpen(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		r := held(t)
		var all []delivery
		for i := range 10 {
			w, _ := r.signIn(t, version, fmt.Sprint(i), 60)
			w.burst(byte(1+i%2), 20)
			all = append(all, r.sink.expectBurst(t, 20)...)
		}
		r.stop()
		for _, d := range all {
			d.commit(nil) // the host may still call it
		}
	})
}

func TestHundredClientsSendWithoutWaiting(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		const clients, messages = 100, 100
		k := &keeping{sink: newSink(), each: time.Millisecond}
		r := startSink(t, k, k.sink, slog.NewTextHandler(io.Discard, nil), times{connect: patience, write: patience}, nil)
		var all []*wire
		for i := range clients {
			w, _ := r.signIn(t, version, fmt.Sprint(i), 60)
			all = append(all, w)
		}
		for i, w := range all {
			w.burst(byte(1+i%2), messages)
		}
		for i, w := range all {
			for n := range messages {
				w.want(acks[byte(1+i%2)], uint16(n+1))
			}
		}
		if got := r.figure(t, "mqtt_broker_messages_total"); got != clients*messages {
			t.Errorf("%v messages counted, want %d", got, clients*messages)
		}
	})
}

// TestClientWithAReceiveMaximum is one for which the library would look for
// messages to send to it, with every packet and without regard for other goroutines.
func TestClientWithAReceiveMaximum(t *testing.T) {
	t.Parallel()
	r := start(t, newSink(), nil)
	for range 5 {
		w := r.dial(t)
		w.version = 5
		body := append([]byte{0, 4, 'M', 'Q', 'T', 'T', 5, 0, 0, 60}, 8, 0x11, 0, 0, 0, 100, 0x21, 0, 10)
		w.send(0x10, append(body, text("d")...))
		if first, ack := w.next(); first != 0x20 || ack[1] != 0 {
			t.Fatalf("packet %#x % x, want CONNACK with success", first, ack)
		}
		const n = 1000
		var in []byte
		for i := range uint16(n) {
			in = append(in, w.message("a", 2, i+1, false, "1")...)
		}
		w.write(in)
		for i := range uint16(n) {
			w.want(0x50, i+1)
		}
		in = in[:0]
		for i := range uint16(n) {
			in = append(in, packet(0x62, be(i+1))...)
		}
		w.write(in)
		for i := range uint16(n) {
			w.want(0x70, i+1)
		}
		if err := w.conn.Close(); err != nil {
			t.Fatal(err)
		}
		r.clients(t, 0)
	}
}
