package mqttbroker

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// eachVersion runs a test with clients of both versions of MQTT.
func eachVersion(t *testing.T, test func(t *testing.T, version string)) {
	t.Parallel()
	for _, version := range []string{"5", "3.1.1"} {
		t.Run("MQTT "+version, func(t *testing.T) {
			t.Parallel()
			test(t, version)
		})
	}
}

func TestEveryQoS(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		r := start(t, newSink(), nil)
		d := r.device(t, version, options{id: "d"})
		for i := range 20 {
			for qos := range byte(3) {
				topic, payload := fmt.Sprintf("q/%d", qos), fmt.Sprint(i)
				if err := d.publish(topic, qos, payload); err != nil {
					t.Fatal(err)
				}
				if got := r.sink.expect(t, topic, payload); (got.commit == nil) != (qos == 0) {
					t.Errorf("%s: a commit is wanted with QoS 1 and 2 only", topic)
				}
			}
		}
	})
}

func TestAcknowledgesOnlyWhatIsKept(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		for _, qos := range []byte{1, 2} {
			s := newSink()
			s.hold = true
			r := start(t, s, nil)
			d := r.device(t, version, options{id: "d"})
			done := make(chan error, 1)
			go func() { done <- d.publish("a", qos, "1") }()
			got := s.expect(t, "a", "1")
			// Another client is served meanwhile, so that an acknowledgement would have come.
			other := r.device(t, version, options{id: "other"})
			if err := other.publish("b", 0, "2"); err != nil {
				t.Fatal(err)
			}
			s.expect(t, "b", "2")
			select {
			case err := <-done:
				t.Fatalf("QoS %d: acknowledged (%v) before it was kept", qos, err)
			default:
			}
			got.commit(nil)
			if err := next(t, "acknowledgement", done); err != nil {
				t.Errorf("QoS %d: %v", qos, err)
			}
		}
	})
}

func TestClosesInsteadOfAcknowledging(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		for _, qos := range []byte{1, 2} {
			for _, early := range []bool{false, true} {
				s := newSink()
				s.hold = true
				if early {
					closed := errors.New("image: closed")
					s.failure.Store(&closed)
				}
				r := start(t, s, nil)
				d := r.device(t, version, options{id: "d"})
				done := make(chan error, 1)
				go func() { done <- d.publish("a", qos, "1") }()
				if !early {
					s.expect(t, "a", "1").commit(errors.New("disk full"))
				}
				if err := next(t, "end of the connection", done); err == nil {
					t.Errorf("QoS %d, early %v: acknowledged though it was not kept", qos, early)
				}
				if got := r.figure(t, "mqtt_broker_rejected_messages_total"); got != 1 {
					t.Errorf("QoS %d, early %v: %v rejected messages counted, want 1", qos, early, got)
				}
			}
		}
	})
}

func TestMessagesWithoutAcknowledgementAreLostQuietly(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		s := newSink()
		r := start(t, s, nil)
		d := r.device(t, version, options{id: "d"})
		full := errors.New("journal full")
		s.failure.Store(&full)
		if err := d.publish("a", 0, "1"); err != nil {
			t.Fatal(err)
		}
		until(t, "state", func() bool { return next(t, "state", s.states) == "degraded: message not kept: journal full" })
		s.failure.Store(nil)
		if err := d.publish("a", 1, "2"); err != nil {
			t.Errorf("the connection has not outlived a message that was not kept: %v", err)
		}
		s.expect(t, "a", "2")
		if got := next(t, "state", s.states); got != "up: " {
			t.Errorf("state %q, want up", got)
		}
	})
}

func TestEndsWhileAMessageIsNotKept(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		s := newSink()
		s.hold = true
		r := start(t, s, nil)
		d := r.device(t, version, options{id: "d"})
		done := make(chan error, 1)
		go func() { done <- d.publish("a", 1, "1") }()
		s.expect(t, "a", "1")
		r.stop()
		if err := next(t, "end of the connection", done); err == nil {
			t.Error("acknowledged though it was not kept")
		}
	})
}

func TestLastWillIsAMessage(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		r := start(t, newSink(), nil)
		d := r.device(t, version, options{id: "d", will: "d/state", delay: 3600})
		if err := d.publish("d/state", 1, "here"); err != nil {
			t.Fatal(err)
		}
		r.sink.expect(t, "d/state", "here")
		d.close() // its session ends with the connection, and no will outlives its session
		r.sink.expect(t, "d/state", "gone")
	})
}

func TestOwnEndIsNoLastWill(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		r := start(t, newSink(), nil)
		d := r.device(t, version, options{id: "d", will: "d/state"})
		if err := d.publish("d/state", 1, "here"); err != nil {
			t.Fatal(err)
		}
		r.sink.expect(t, "d/state", "here")
		r.stop()
		select {
		case got := <-r.sink.delivered:
			t.Errorf("message %v: the end of the broker says nothing of its clients", got)
		default:
		}
		if got := next(t, "presence", r.sink.presence); got != "back" {
			t.Errorf("presence %q, want back", got)
		}
		if got := next(t, "presence", r.sink.presence); got != "away" {
			t.Errorf("presence %q, want away", got)
		}
	})
}

func TestUsers(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		r := start(t, newSink(), func(s *Settings) {
			s.Users = map[string]secret{"station": "right"}
		})
		for _, o := range []options{
			{id: "a"}, {id: "b", user: "station", password: "wrong"}, {id: "d", user: "other", password: "right"},
		} {
			if _, err := r.connect(t, version, o); err == nil {
				t.Errorf("%+v is let in", o)
			}
		}
		d := r.device(t, version, options{id: "e", user: "station", password: "right"})
		if err := d.publish("a", 1, "1"); err != nil {
			t.Fatal(err)
		}
		if got := r.figure(t, "mqtt_broker_unauthorised_total"); got != 3 {
			t.Errorf("%v unauthorised clients counted, want 3", got)
		}
	})
}

func TestPortInUseIsAFailure(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	settings := defaults()
	settings.Listen = l.Addr().String()
	s := newSink()
	made, err := build(settings, envOf(t, s))
	if err != nil {
		t.Fatal(err)
	}
	if err := made.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "port already in use") {
		t.Errorf("Run = %v, want the port to be in use", err)
	}
	if len(s.presence) > 0 {
		t.Errorf("presence %q though it never listened", <-s.presence)
	}
}

func TestLimitOfConnections(t *testing.T) {
	t.Parallel()
	r := start(t, newSink(), func(s *Settings) { s.Clients = 2 })
	r.device(t, "5", options{id: "a"})
	b := r.device(t, "5", options{id: "b"})
	if _, err := r.connect(t, "5", options{id: "c"}); err == nil {
		t.Error("a third client is let in")
	}
	if got := r.figure(t, "mqtt_broker_refused_connections_total"); got != 1 {
		t.Errorf("%v refused connections counted, want 1", got)
	}
	b.close()
	r.clients(t, 1)
	until(t, "a place for another client", func() bool {
		d, err := r.connect(t, "5", options{id: "c"})
		if err == nil {
			d.close()
		}
		return err == nil
	})
}

func TestGarbageClosesThatConnectionOnly(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	r := startLogged(t, newSink(), slog.NewTextHandler(&synced{w: &log}, &slog.HandlerOptions{Level: slog.LevelDebug}),
		func(s *Settings) { s.MaxPacket = 2048 })
	d := r.device(t, "5", options{id: "d"})
	connect := "101400044d5154540402003c0001780001750006" // and a password
	for name, octets := range map[string]string{
		"no MQTT":                "474554202f20485454502f312e310d0a0d0a",
		"length of five octets":  "10ffffffffff",
		"packet beyond limit":    "10ffff7f",
		"CONNECT cut short":      "100400044d51",
		"PUBLISH first":          "30050003612f6231",
		"two CONNECTs":           "101a00044d51545404c2003c00017800017500077365637265743121" + "101a00044d51545404c2003c00017800017500077365637265743121",
		"PUBLISH to wildcard":    "100d00044d5154540402003c000178" + "30050003612f23",
		"reserved packet type":   "100d00044d5154540402003c000178" + "f000",
		"SUBSCRIBE without body": "100d00044d5154540402003c000178" + "8200",
		"half a CONNECT":         connect,
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("tcp", r.addr)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Write(unhex(t, octets)); err != nil {
				t.Fatal(err)
			}
			if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			if _, err := new(bytes.Buffer).ReadFrom(conn); err != nil && !errors.Is(err, errReset) {
				t.Fatal(err)
			}
			if err := conn.Close(); err != nil {
				t.Fatal(err)
			}
			if err := d.publish("a", 1, name); err != nil {
				t.Fatal(err)
			}
			r.sink.expect(t, "a", name)
		})
	}
	r.stop()
	if strings.Contains(log.String(), "secret1!") || strings.Contains(log.String(), "736563726574") ||
		strings.Contains(log.String(), "115 101 99 114 101 116") {
		t.Errorf("the log shows a password:\n%s", log.String())
	}
}

func TestLongPacketClosesTheConnection(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		r := start(t, newSink(), func(s *Settings) { s.MaxPacket = 2048 })
		d := r.device(t, version, options{id: "d"})
		if err := d.publish("a", 1, strings.Repeat("x", 2000)); err != nil {
			t.Fatal(err)
		}
		if err := d.publish("a", 1, strings.Repeat("x", 3000)); err == nil {
			t.Error("a packet beyond the limit is acknowledged")
		}
	})
}

func TestManyClientsKeepTheirOrder(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		const clients, messages = 50, 200
		r := start(t, newSink(), nil)
		var wg sync.WaitGroup
		for i := range clients {
			d := r.device(t, version, options{id: fmt.Sprint(i)})
			wg.Go(func() {
				for n := range messages {
					if err := d.publish(fmt.Sprint("d/", i), byte(n%3), fmt.Sprint(n)); err != nil {
						t.Errorf("client %d, message %d: %v", i, n, err)
						return
					}
				}
			})
		}
		at := make(map[string]int)
		for range clients * messages {
			d := next(t, "message", r.sink.delivered)
			if want := fmt.Sprint(at[d.topic]); d.payload != want {
				t.Fatalf("%s: message %s, want %s", d.topic, d.payload, want)
			}
			at[d.topic]++
		}
		wg.Wait()
		if got := r.figure(t, "mqtt_broker_messages_total"); got != clients*messages {
			t.Errorf("%v messages counted, want %d", got, clients*messages)
		}
	})
}

func TestOneCanLook(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("mosquitto_sub")
	if err != nil {
		t.Fatal("mosquitto_sub is missing: run `make tools`")
	}
	r := start(t, newSink(), func(s *Settings) { s.Retained = 1 })
	d := r.device(t, "3.1.1", options{id: "d", retain: true})
	for _, topic := range []string{"stored", "too/many"} {
		if err := d.publish(topic, 1, "23.5"); err != nil {
			t.Fatal(err)
		}
	}
	host, port, err := net.SplitHostPort(r.addr)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(program, "-h", host, "-p", port, "-t", "#", "-v", "-C", "1", "-W", "20").CombinedOutput()
	if err != nil || string(out) != "stored 23.5\n" {
		t.Errorf("mosquitto_sub: %v: %s, want the one retained message", err, out)
	}
	if got := r.figure(t, "mqtt_broker_unretained_messages_total"); got != 1 {
		t.Errorf("%v messages counted as not retained, want 1", got)
	}
}

func TestEndDoesNotWaitForClients(t *testing.T) {
	t.Parallel()
	r := start(t, newSink(), nil)
	for _, octets := range []string{"", "10", "100d00044d5154540402003c000178"} { // before, within and after CONNECT
		conn, err := net.Dial("tcp", r.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		if _, err := conn.Write(unhex(t, octets)); err != nil {
			t.Fatal(err)
		}
	}
	// The broker takes connections up in their order.
	d := r.device(t, "5", options{id: "d"})
	if err := d.publish("a", 1, "1"); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	r.stop()
	if d := time.Since(began); d > r.times.connect/2 {
		t.Errorf("ended after %v, so it waited for clients", d)
	}
}
