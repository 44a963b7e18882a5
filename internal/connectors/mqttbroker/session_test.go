package mqttbroker

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestMessageIsSentAgainAfterARefusal(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		for qos, ack := range map[byte]byte{1: 0x40, 2: 0x50} {
			s := newSink()
			s.hold = true
			r := start(t, s, nil)
			w, _ := r.signIn(t, version, "d", 60)
			w.publish("a", qos, 9, false, "1")
			w.publish("a", qos, 10, false, "2")
			first, second := s.expect(t, "a", "1"), s.expect(t, "a", "2")
			first.commit(errors.New("disk full"))
			// One more is in the buffer of the broker by then; it must not come first.
			_, _ = w.conn.Write(w.message("a", qos, 11, false, "3"))
			second.commit(errors.New("disk full"))
			w.wantEnd("refused message")
			w, present := r.signIn(t, version, "d", 60)
			if !present {
				t.Error("the session is lost")
			}
			for i, payload := range []string{"1", "2"} {
				w.publish("a", qos, uint16(9+i), true, payload)
				s.expect(t, "a", payload).commit(nil)
				w.want(ack, uint16(9+i))
			}
			if len(s.delivered) > 0 {
				t.Errorf("QoS %d: another message %v", qos, <-s.delivered)
			}
		}
	})
}

func TestQoS2IsExactlyOnce(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		r := start(t, newSink(), nil)
		w, _ := r.signIn(t, version, "d", 60)
		w.publish("a", 2, 9, false, "1")
		w.want(0x50, 9)
		w.publish("a", 2, 9, true, "1")
		w.want(0x50, 9)
		if err := w.conn.Close(); err != nil {
			t.Fatal(err)
		}
		w, present := r.signIn(t, version, "d", 60)
		if !present {
			t.Error("the session is lost")
		}
		w.want(0x50, 9) // the broker repeats it
		w.publish("a", 2, 9, true, "1")
		w.want(0x50, 9)
		w.send(0x62, be(9))
		w.want(0x70, 9)
		// The identifier is free again.
		w.publish("a", 2, 9, false, "2")
		w.want(0x50, 9)
		w.send(0x62, be(9))
		w.want(0x70, 9)
		r.sink.expect(t, "a", "1")
		r.sink.expect(t, "a", "2")
		if len(r.sink.delivered) > 0 {
			t.Errorf("another message %v", <-r.sink.delivered)
		}
	})
}

func TestQoS2IsExactlyOnceAcrossALinkLossBeforeTheCommit(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		s := newSink()
		s.hold = true
		r := start(t, s, nil)
		w, _ := r.signIn(t, version, "d", 60)
		w.publish("a", 2, 9, false, "1")
		kept := s.expect(t, "a", "1")
		// The link is lost while the message is being kept; the client is back at once.
		if err := w.conn.Close(); err != nil {
			t.Fatal(err)
		}
		back := make(chan *wire)
		go func() {
			w, present := r.signIn(t, version, "d", 60)
			if !present {
				t.Error("the session is lost")
			}
			back <- w
		}()
		r.clients(t, 2) // it takes over
		kept.commit(nil)
		w = next(t, "second connection", back)
		w.want(0x50, 9)
		w.publish("a", 2, 9, true, "1")
		w.want(0x50, 9)
		w.send(0x62, be(9))
		w.want(0x70, 9)
		if len(s.delivered) > 0 {
			t.Errorf("message %v a second time", <-s.delivered)
		}
	})
}

func TestTakeoverEndsTheEarlierConnectionFirst(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		r := start(t, newSink(), nil)
		o := options{id: "d", will: "d/state"}
		for range 20 {
			d := r.device(t, version, o)
			if err := d.publish("d/state", 1, "here"); err != nil {
				t.Fatal(err)
			}
			r.sink.expect(t, "d/state", "here")
			r.device(t, version, o)
			// Its will does not come after what the new connection brings.
			r.sink.expect(t, "d/state", "gone")
			other := r.device(t, version, options{id: "d"})
			r.sink.expect(t, "d/state", "gone")
			other.close()
			r.clients(t, 0)
		}
	})
}

func TestWillOfAClientThatIsClosedForItsMessage(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		s := newSink()
		s.hold = true
		r := start(t, s, nil)
		d := r.device(t, version, options{id: "d", will: "d/state"})
		go func() { _ = d.publish("a", 1, "1") }()
		s.expect(t, "a", "1").commit(errors.New("disk full"))
		s.expect(t, "d/state", "gone")
	})
}

func TestSubscriptionsOfOneClientAreLimited(t *testing.T) {
	t.Parallel()
	r := start(t, newSink(), nil)
	w, _ := r.signIn(t, "3.1.1", "d", 60)
	subscribe := func(id uint16, filter string) { w.send(0x82, append(be(id), append(text(filter), 2)...)) }
	for i := range maxSubscriptions {
		subscribe(uint16(i+1), fmt.Sprint("a/", i))
		if first, body := w.next(); first != 0x90 || body[2] != 0 {
			t.Fatalf("packet %#x % x, want SUBACK with QoS 0", first, body)
		}
	}
	subscribe(5, "a/0") // known already
	w.want(0x90, 5)
	other := r.device(t, "3.1.1", options{id: "other"})
	if err := other.publish("a/7", 1, "1"); err != nil {
		t.Fatal(err)
	}
	if first, body := w.next(); first != 0x30 || string(body) != string(text("a/7"))+"1" {
		t.Fatalf("packet %#x %q, want the message: the limit is for subscriptions", first, body)
	}
	subscribe(6, "b")
	w.wantEnd("one subscription too many")
	w, _ = r.signIn(t, "3.1.1", "deep", 60)
	subscribe(6, strings.Repeat("+/", maxLevels))
	w.wantEnd("filter too deep")
}

func TestEveryKeepAliveIsKept(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		r := start(t, newSink(), nil)
		for _, seconds := range []uint16{0, 1, 43690, 43691, 65535} {
			w, _ := r.signIn(t, version, fmt.Sprint("d", seconds), seconds)
			for range 3 {
				w.send(0xc0, nil)
				if first, _ := w.next(); first != 0xd0 {
					t.Fatalf("keep alive %d s: packet %#x, want PINGRESP", seconds, first)
				}
			}
		}
	})
}

func TestSessionsThatStayAreLimited(t *testing.T) {
	t.Parallel()
	r := start(t, newSink(), func(s *Settings) { s.Clients = 2 })
	for i := range 10 {
		w, present := r.signIn(t, "3.1.1", fmt.Sprint("d", i), 60)
		if present {
			t.Error("a session that never was")
		}
		if err := w.conn.Close(); err != nil {
			t.Fatal(err)
		}
		r.clients(t, 0)
	}
	_, present := r.signIn(t, "3.1.1", "d9", 60)
	if present {
		t.Error("a session beyond the limit is kept")
	}
}
