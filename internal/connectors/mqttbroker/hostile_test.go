package mqttbroker

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"
)

func TestClientsThatDoNotSayConnectAreClosed(t *testing.T) {
	t.Parallel()
	r := startTimed(t, newSink(), slog.NewTextHandler(io.Discard, nil), times{connect: time.Second, write: patience}, nil)
	w, _ := r.signIn(t, "3.1.1", "d", 60) // may be silent longer
	var silent []*wire
	for _, octets := range []string{"", "10", "10ff", "100d00044d5154540402003c0001"} {
		s := r.dial(t)
		s.write(unhex(t, octets))
		silent = append(silent, s)
	}
	for _, s := range silent {
		s.wantEnd("silent connection")
	}
	w.publish("a", 1, 1, false, "1")
	w.want(0x40, 1)
}

func TestSilentConnectionsTakePlacesOnlyForAWhile(t *testing.T) {
	t.Parallel()
	r := startTimed(t, newSink(), slog.NewTextHandler(io.Discard, nil), times{connect: 50 * time.Millisecond, write: patience},
		func(s *Settings) { s.Clients = 3 })
	for range 50 {
		r.dial(t)
	}
	until(t, "a place", func() bool {
		_, err := r.connect(t, "5", options{id: "d"})
		return err == nil
	})
	if got := r.figure(t, "mqtt_broker_refused_connections_total"); got < 1 {
		t.Errorf("%v refused connections counted, want some", got)
	}
}

func TestTopicsThatNobodyMayPublishTo(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		r := start(t, newSink(), nil)
		for _, topic := range []string{"a/+", "a/#", "$SYS/broker/uptime", "$sys/x", strings.Repeat("a/", maxLevels), ""} {
			for qos := range byte(3) {
				w, _ := r.signIn(t, version, "d", 60)
				w.publish(topic, qos, uint16(qos), false, "1")
				w.wantEnd(fmt.Sprintf("topic %.20q with QoS %d", topic, qos))
			}
		}
		w, _ := r.signIn(t, version, "d", 60)
		w.publish("$mine", 1, 5, false, "1")
		if version == "3.1.1" {
			w.wantEnd("$ topic")
		} else if first, body := w.next(); first != 0x40 || body[2] != 0x87 {
			t.Errorf("packet %#x % x, want PUBACK with not authorised", first, body)
		}
		if len(r.sink.delivered) > 0 {
			t.Errorf("message %v", <-r.sink.delivered)
		}
		if got := r.figure(t, "mqtt_broker_rejected_messages_total"); got != 16 { // all but those without topic, which are no messages
			t.Errorf("%v rejected messages counted, want 16", got)
		}
		r.alive(t)
	})
}

func TestWillsThatNobodyMayLeave(t *testing.T) {
	t.Parallel()
	r := start(t, newSink(), nil)
	for _, topic := range []string{"a/+", "#", "$SYS/a", "$mine", strings.Repeat("a/", maxLevels)} {
		w := r.dial(t)
		body := append([]byte{0, 4, 'M', 'Q', 'T', 'T', 4, 0x06, 0, 60}, text("d")...)
		w.send(0x10, append(append(body, text(topic)...), text("gone")...))
		w.wantEnd("will to " + topic[:min(20, len(topic))])
	}
	r.alive(t)
}

func TestEmptyPayload(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		r := start(t, newSink(), nil)
		d := r.device(t, version, options{id: "d"})
		for qos := range byte(3) {
			if err := d.publish("a", qos, ""); err != nil {
				t.Fatal(err)
			}
			r.sink.expect(t, "a", "")
		}
	})
}

func TestRetainedMessagesAreLimited(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		r := start(t, newSink(), func(s *Settings) { s.Retained = 2 })
		d := r.device(t, version, options{id: "d", retain: true})
		send := func(topic, payload string) {
			t.Helper()
			if err := d.publish(topic, 1, payload); err != nil {
				t.Fatal(err)
			}
			r.sink.expect(t, topic, payload) // taken, be it retained or not
		}
		send("a", "1")
		send("b", "1")
		send("c", "too many")
		send("a", "2") // replaces
		send("b", "")  // removes
		send("none", "")
		send("d", "1")
		send("e", "too many")
		w, _ := r.signIn(t, "3.1.1", "look", 60)
		w.send(0x82, append(be(1), append(text("#"), 1)...))
		w.want(0x90, 1)
		seen := map[string]string{}
		for len(seen) < 2 {
			first, body := w.next()
			if first == 0x30 && string(body) == "\x00\x01etoo many" {
				continue // a subscriber may come between the acknowledgement and the hand-over
			}
			if first != 0x31 {
				t.Fatalf("packet %#x, want a retained message with QoS 0", first)
			}
			n := 2 + int(body[1])
			seen[string(body[2:n])] = string(body[n:])
		}
		if seen["a"] != "2" || seen["d"] != "1" {
			t.Errorf("retained %v, want a and d", seen)
		}
		until(t, "two messages counted as not retained", func() bool {
			return r.figure(t, "mqtt_broker_unretained_messages_total") == 2
		})
	})
}

func TestSlowSubscriberDoesNotHoldUpPublishers(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		const messages = 3000
		s := newSink()
		r := start(t, s, nil)
		slow, _ := r.signIn(t, "3.1.1", "slow", 0) // never reads, and may be silent for ever
		if err := slow.conn.(*net.TCPConn).SetReadBuffer(4096); err != nil {
			t.Fatal(err)
		}
		slow.send(0x82, append(be(1), append(text("#"), 2)...))
		slow.want(0x90, 1)
		d := r.device(t, version, options{id: "d"})
		payload := strings.Repeat("x", 10_000)
		done := make(chan error, 1)
		go func() {
			for i := range messages {
				if err := d.publish("a", byte(i%3), payload); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
		for range messages {
			s.expect(t, "a", payload)
		}
		if err := next(t, "end of the publisher", done); err != nil {
			t.Error(err)
		}
		began := time.Now()
		r.stop() // while the broker still writes to the slow one
		if d := time.Since(began); d > r.times.write/2 {
			t.Errorf("ended after %v, so it waited for the subscriber", d)
		}
	})
}

func TestSubscriberThatTakesNothingIsDisconnected(t *testing.T) {
	t.Parallel()
	s := newSink()
	r := startTimed(t, s, slog.NewTextHandler(io.Discard, nil), times{connect: patience, write: 50 * time.Millisecond}, nil)
	slow, _ := r.signIn(t, "3.1.1", "slow", 0)
	if err := slow.conn.(*net.TCPConn).SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	slow.send(0x82, append(be(1), append(text("#"), 0)...))
	slow.want(0x90, 1)
	d := r.device(t, "3.1.1", options{id: "d"})
	payload := strings.Repeat("x", 100_000)
	until(t, "end of the slow one", func() bool {
		if err := d.publish("a", 1, payload); err != nil {
			t.Fatal(err)
		}
		s.expect(t, "a", payload)
		return r.figure(t, "mqtt_broker_clients") == 1
	})
}

func TestClientThatDiesWithinAPacket(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		r := start(t, newSink(), nil)
		probe, _ := r.signIn(t, version, "probe", 60)
		whole := probe.message("a", 1, 1, false, "23.5")
		for n := 1; n < len(whole); n++ {
			w, _ := r.signIn(t, version, "d", 60)
			w.write(whole[:n])
			if err := w.conn.(*net.TCPConn).SetLinger(0); err != nil { // a reset, as when the process is killed
				t.Fatal(err)
			}
			if err := w.conn.Close(); err != nil {
				t.Fatal(err)
			}
			r.clients(t, 1)
		}
		if len(r.sink.delivered) > 0 {
			t.Errorf("message %v of half a packet", <-r.sink.delivered)
		}
		r.alive(t)
	})
}

func TestWarningsAreLimited(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	r := startLogged(t, newSink(), slog.NewTextHandler(&synced{w: &log}, nil), func(s *Settings) {
		s.Users = map[string]secret{"station": "right-secret"}
	})
	for range 20 {
		if _, err := r.connect(t, "3.1.1", options{id: "d", user: "station", password: "guessed-secret"}); err == nil {
			t.Fatal("let in")
		}
	}
	d := r.device(t, "3.1.1", options{id: "d", user: "station", password: "right-secret"})
	if err := d.publish("$mine", 1, "1"); err == nil {
		t.Error("a $ topic is taken")
	}
	r.stop()
	if got := strings.Count(log.String(), "wrong user name or password"); got != 1 {
		t.Errorf("%d warnings, want 1:\n%s", got, log.String())
	}
	if strings.Contains(log.String(), "secret") {
		t.Errorf("the log shows a password:\n%s", log.String())
	}
}
