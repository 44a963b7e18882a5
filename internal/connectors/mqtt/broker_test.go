package mqtt

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// eachVersion runs a test with both versions of MQTT.
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
		m := broker(t)
		s := newSink(Source{Topic: "q/0", QoS: "0"}, Source{Topic: "q/1", QoS: "1"}, Source{Topic: "q/2", QoS: "2"})
		r := start(t, m.settings(version), s)
		s.state(t, "up: ")
		p := m.publisher()
		for i := range 3 {
			for qos := range byte(3) {
				topic, payload := fmt.Sprintf("q/%d", qos), fmt.Sprint(i)
				p.publish(topic, 2, payload)
				d := s.expect(t, topic, payload)
				if d.retained || (d.commit == nil) != (qos == 0) {
					t.Errorf("%s: %+v", topic, d)
				}
			}
		}
		r.stop()
		if got := r.figure(t, "mqtt_messages_total"); got != 9 {
			t.Errorf("%v messages counted, want 9", got)
		}
		if got := r.figure(t, "mqtt_acknowledgements_total"); got != 6 {
			t.Errorf("%v acknowledgements counted, want 6", got)
		}
		s2 := newSink(Source{Topic: "q/+"})
		start(t, m.settings(version), s2)
		if got := next(t, "presence", s2.presence); got != "back lossless" {
			t.Errorf("presence %q, want the session to be kept", got)
		}
		s2.state(t, "up: ")
		p.publish("q/1", 1, "last")
		s2.expect(t, "q/1", "last")
	})
}

func TestWildcardsAndRetainedMessages(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		m := broker(t)
		p := m.publisher()
		p.retain("ons/1/sensors", "stored")
		s := newSink(Source{Topic: "ons/+/sensors"}, Source{Topic: "deep/#"})
		start(t, m.settings(version), s)
		if d := s.expect(t, "ons/1/sensors", "stored"); !d.retained {
			t.Error("a stored message is not marked as retained")
		}
		s.state(t, "up: ")
		p.publish("ons/2/other", 1, "no")
		p.publish("deep", 1, "a")
		p.publish("deep/er/still", 1, "b")
		p.retain("ons/2/sensors", "c")
		s.expect(t, "deep", "a")
		s.expect(t, "deep/er/still", "b")
		if d := s.expect(t, "ons/2/sensors", "c"); d.retained {
			t.Error("a message that is published now is marked as retained")
		}
	})
}

func TestANewProcessGetsRetainedMessagesAgain(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		m := broker(t)
		m.publisher().retain("a", "stored")
		for range 2 {
			s := newSink(Source{Topic: "a"})
			r := start(t, m.settings(version), s)
			s.expect(t, "a", "stored")
			s.state(t, "up: ")
			r.stop()
		}
	})
}

func TestBrokerHoldsWhatIsNotKept(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		for _, qos := range []byte{1, 2} {
			m := broker(t)
			settings := m.settings(version)
			settings.QoS = int(qos)
			s := newSink(Source{Topic: "a"})
			s.hold = true
			r := start(t, settings, s)
			s.state(t, "up: ")
			p := m.publisher()
			for i := range 5 {
				p.publish("a", qos, fmt.Sprint(i))
				d := s.expect(t, "a", fmt.Sprint(i))
				if i < 2 {
					d.commit(nil)
				}
			}
			r.stop()

			s = newSink(Source{Topic: "a"})
			r = start(t, settings, s)
			if got := next(t, "presence", s.presence); got != "back lossless" {
				t.Errorf("presence %q, want the session to be kept", got)
			}
			for i := 2; i < 5; i++ {
				s.expect(t, "a", fmt.Sprint(i))
			}
			p.publish("a", qos, "next")
			s.expect(t, "a", "next")
			r.stop()
			s.quiet(t)
		}
	})
}

func TestBrokerSendsAgainWhatCouldNotBeKept(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		m := broker(t)
		s := newSink(Source{Topic: "a"})
		s.hold = true
		start(t, m.settings(version), s)
		s.state(t, "up: ")
		p := m.publisher()
		p.publish("a", 1, "1")
		p.publish("a", 1, "2")
		first := s.expect(t, "a", "1")
		s.expect(t, "a", "2").commit(nil)
		first.commit(fmt.Errorf("disk full"))
		s.state(t, "degraded: message not kept: disk full")
		s.expect(t, "a", "1").commit(nil)
		s.expect(t, "a", "2").commit(nil)
	})
}

func TestSessionOutlivesBrokerAndConnector(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		m := broker(t)
		s := newSink(Source{Topic: "a"})
		r := start(t, m.settings(version), s)
		s.state(t, "up: ")
		m.publisher().publish("a", 1, "before")
		s.expect(t, "a", "before")
		r.stop()

		p := m.publisher()
		for i := range 10 {
			p.publish("a", 1, fmt.Sprint(i))
		}
		m.save(p)
		m.kill()
		m.start()
		s = newSink(Source{Topic: "a"})
		start(t, m.settings(version), s)
		if got := next(t, "presence", s.presence); got != "back lossless" {
			t.Errorf("presence %q, want the session to be kept", got)
		}
		for i := range 10 {
			s.expect(t, "a", fmt.Sprint(i))
		}
	})
}

// save makes the broker store everything. It works on one thing at a time, so
// that it has stored when it answers what was sent afterwards.
func (m *mosquitto) save(p *publisher) {
	m.t.Helper()
	if err := m.cmd.Process.Signal(syscall.SIGUSR1); err != nil {
		m.t.Fatal(err)
	}
	until(m.t, "storing", m.lines, func(line string) bool { return strings.Contains(line, "Saving in-memory database") })
	p.publish("nobody", 1, "")
}

func TestReconnects(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		m := broker(t)
		s := newSink(Source{Topic: "a"})
		r := start(t, m.settings(version), s)
		s.state(t, "up: ")
		m.save(m.publisher())
		for i := range 3 {
			m.kill()
			until(t, "leave", s.presence, func(got string) bool { return got == "away: connection to the broker lost" })
			m.start()
			s.state(t, "up: ")
			until(t, "return", s.presence, func(got string) bool { return got == "back lossless" })
			m.publisher().publish("a", 1, fmt.Sprint(i))
			s.expect(t, "a", fmt.Sprint(i))
			if got := r.figure(t, "mqtt_reconnects_total"); got != float64(i+1) {
				t.Errorf("%v reconnects counted, want %d", got, i+1)
			}
		}
	})
}

func TestRunsAgain(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		m := broker(t)
		s := newSink(Source{Topic: "a"})
		r := start(t, m.settings(version), s)
		for i := range 3 {
			s.state(t, "up: ")
			m.publisher().publish("a", 2, fmt.Sprint(i))
			s.expect(t, "a", fmt.Sprint(i))
			r.stop()
			r = run(t, r.Connector, s)
		}
		until(t, "return", s.presence, func(got string) bool { return got == "back lossless" })
	})
}

func TestBrokerThatIsNotThereIsShown(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		s := newSink(Source{Topic: "a"})
		settings := defaults()
		settings.URL, settings.Version = "mqtt://127.0.0.1:"+freePort(t), version
		start(t, settings, s)
		until(t, "reason", s.states, func(got string) bool {
			return strings.HasPrefix(got, "connecting: ") && strings.Contains(got, "connection refused")
		})
	})
}

func TestCredentials(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		dir := t.TempDir()
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, "passwd")
		// The password is "right": PBKDF2 of mosquitto_passwd.
		passwd(t, file)
		m := broker(t, "password_file "+file)
		settings := m.settings(version)
		settings.Username, settings.Password = "station", "wrong"
		s := newSink(Source{Topic: "a"})
		start(t, settings, s)
		until(t, "reason", s.states, func(got string) bool {
			return strings.HasPrefix(got, "connecting: broker refuses the connection: not authorized")
		})
		settings.Password = "right"
		s = newSink(Source{Topic: "a"})
		start(t, settings, s)
		s.state(t, "up: ")
		m.publisher(func(o *paho.ClientOptions) { o.SetUsername("station").SetPassword("right") }).publish("a", 1, "1")
		s.expect(t, "a", "1")
	})
}

func TestOverlappingFilters(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		m := broker(t)
		s := newSink(Source{Topic: "a/#"}, Source{Topic: "a/b"}, Source{Topic: "a/+"})
		r := start(t, m.settings(version), s)
		s.state(t, "up: ")
		p := m.publisher()
		for i := range 10 {
			p.publish("a/b", byte(i%3), "same")
		}
		p.publish("a/b", 1, "end")
		for range 10 {
			s.expect(t, "a/b", "same")
		}
		s.expect(t, "a/b", "end")
		r.stop()
		s.quiet(t)
	})
}

func TestFiltersThatOverlapInPart(t *testing.T) {
	t.Parallel()
	m := broker(t)
	s := newSink(Source{Topic: "a/+/c"}, Source{Topic: "a/b/+"}, Source{Topic: "+/b/c"})
	r := start(t, m.settings("5"), s)
	s.state(t, "up: ")
	p := m.publisher()
	for i := range 10 {
		p.publish("a/b/c", byte(i%3), "same")
		p.publish("a/x/c", 1, "same")
	}
	p.publish("a/b/x", 1, "end")
	for range 10 {
		s.expect(t, "a/b/c", "same")
		s.expect(t, "a/x/c", "same")
	}
	s.expect(t, "a/b/x", "end")
	r.stop()
	s.quiet(t)
	if got := r.figure(t, "mqtt_copies_total"); got != 20 {
		t.Errorf("%v copies counted, want 20: this broker sends one per subscription", got)
	}
}

func TestSubscriptionsFollowThePoints(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		m := broker(t)
		s := newSink(Source{Topic: "a"})
		r := start(t, m.settings(version), s)
		s.state(t, "up: ")
		p := m.publisher()
		p.retain("b", "stored")
		s.setSources(Source{Topic: "b"})
		s.expect(t, "b", "stored")
		s.state(t, "up: ")
		p.publish("a", 1, "nobody wants it")
		p.publish("b", 1, "1")
		s.expect(t, "b", "1")
		if got := r.figure(t, "mqtt_subscriptions"); got != 1 {
			t.Errorf("%v subscriptions, want 1", got)
		}
		// Every topic on its own, then one filter for all of them.
		var many []Source
		for i := range 300 {
			many = append(many, Source{Topic: fmt.Sprintf("many/%d", i)})
		}
		s.setSources(many...)
		s.state(t, "up: ")
		if got := r.figure(t, "mqtt_subscriptions"); got != 300 {
			t.Errorf("%v subscriptions, want 300", got)
		}
		p.publish("many/299", 1, "2")
		s.expect(t, "many/299", "2")
		s.setSources(append(many, Source{Topic: "many/#"})...)
		s.state(t, "up: ")
		if got := r.figure(t, "mqtt_subscriptions"); got != 1 {
			t.Errorf("%v subscriptions, want 1", got)
		}
		p.publish("many/299", 1, "3")
		s.expect(t, "many/299", "3")
		if got := r.figure(t, "mqtt_reconnects_total"); got != 0 {
			t.Errorf("%v reconnects, want none", got)
		}
	})
}

func TestAliveTopic(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		m := broker(t)
		settings := m.settings(version)
		settings.Alive = Alive{Topic: "gw/state", Online: "on", Offline: "off"}
		s := newSink(Source{Topic: "gw/temp"})
		r := start(t, settings, s)
		s.state(t, "up: ")
		presence := func(want string) {
			t.Helper()
			if got := next(t, "presence", s.presence); got != want {
				t.Fatalf("presence %q, want %q", got, want)
			}
		}
		presence("back")
		gateway := m.publisher(func(o *paho.ClientOptions) { o.SetWill("gw/state", "off", 1, true) })
		gateway.retain("gw/state", "on")
		gateway.publish("gw/temp", 1, "1")
		s.expect(t, "gw/temp", "1")

		p := m.publisher()
		p.retain("gw/state", "off")
		presence("gone: source reports that it is off")
		p.retain("gw/state", "off?")
		p.retain("gw/state", "on")
		presence("back")
		r.stop()
		presence("away: the connector stops")

		// The session was kept, and the retained message confirms the source.
		r = start(t, settings, s)
		presence("back lossless")
		r.stop()
		presence("away: the connector stops")

		// The same, but the source has gone meanwhile.
		p.retain("gw/state", "off")
		r = start(t, settings, s)
		presence("gone: source reports that it is off") // of the session or stored, or both
		r.stop()
		until(t, "leave", s.presence, func(got string) bool { return got == "away: the connector stops" })

		// The same, but the source never said anything that was stored.
		settings.Alive.Topic, settings.ClientID = "gw/other", "other"
		r = start(t, settings, s)
		presence("back")
		s.state(t, "up: ")
		r.stop()
		presence("away: the connector stops")
		start(t, settings, s)
		presence("back")
		s.quiet(t)
	})
}

func TestAliveTopicMayBeAPoint(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		m := broker(t)
		settings := m.settings(version)
		settings.Alive.Topic = "gw/state"
		s := newSink(Source{Topic: "gw/+"})
		start(t, settings, s)
		s.state(t, "up: ")
		m.publisher().publish("gw/state", 1, "offline")
		s.expect(t, "gw/state", "offline")
		until(t, "presence", s.presence, func(got string) bool { return got == "gone: source reports that it is offline" })
	})
}

func TestTenThousandMessagesInOrder(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		const n = 10000
		m := broker(t)
		s := newSink(Source{Topic: "a"})
		r := start(t, m.settings(version), s)
		s.state(t, "up: ")
		p := m.publisher()
		var tokens []paho.Token
		for i := range n {
			tokens = append(tokens, p.client.Publish("a", 1, false, fmt.Sprint(i)))
		}
		for i := range n {
			s.expect(t, "a", fmt.Sprint(i))
		}
		for _, token := range tokens {
			p.done(token)
		}
		r.stop()
		if got := r.figure(t, "mqtt_acknowledgements_total"); got != n {
			t.Errorf("%v acknowledgements, want %d", got, n)
		}
	})
}

func TestLongPayloadIsCutAndAcknowledged(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		m := broker(t)
		s := newSink(Source{Topic: "a"})
		r := start(t, m.settings(version), s)
		s.state(t, "up: ")
		p := m.publisher()
		for _, size := range []int{maxPayload, maxPayload + 1, 5 << 20} {
			p.publish("a", 1, strings.Repeat("x", size))
			d := next(t, "long message", s.delivered)
			if want := min(size, maxPayload+1); len(d.payload) != want {
				t.Errorf("payload of %d octets came with %d, want %d", size, len(d.payload), want)
			}
		}
		p.publish("a", 1, "next")
		s.expect(t, "a", "next")
		r.stop()
		if got := r.figure(t, "mqtt_cut_messages_total"); got != 2 {
			t.Errorf("%v messages counted as cut, want 2", got)
		}
		s = newSink(Source{Topic: "a"})
		start(t, m.settings(version), s)
		s.state(t, "up: ")
		p.publish("a", 1, "last")
		s.expect(t, "a", "last") // nothing was left at the broker
	})
}
