package mqtt

import (
	"context"
	"encoding/hex"
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"busbar/internal/connector"
)

func TestAcknowledgesInOrderAfterTheCommit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSink(Source{Topic: "a"})
		s.hold = true
		_, peers := script(t, s, nil)
		p := <-peers
		p.welcome("00")
		p.send("32 06 0001 61 0001 31" + "34 06 0001 61 0002 32" + "32 06 0001 61 0003 33")
		first, second, third := s.expect(t, "a", "1"), s.expect(t, "a", "2"), s.expect(t, "a", "3")
		p.silent(time.Second)
		third.commit(nil)
		second.commit(nil)
		p.silent(time.Second)
		first.commit(nil)
		p.expectFor(puback, 1)
		p.expectFor(pubrec, 2)
		p.expectFor(puback, 3)
		p.send("62 02 0002")
		p.expectFor(pubcomp, 2)
	})
}

func TestMessageOfQoS2ThatWasKeptIsNotDeliveredAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSink(Source{Topic: "a"})
		_, peers := script(t, s, func(s *Settings) { s.Version = "5" })
		p := <-peers
		p.welcome5("00")
		p.send("34 07 0001 61 0007 00 31")
		s.expect(t, "a", "1")
		p.expectFor(pubrec, 7)
		if err := p.conn.Close(); err != nil { // PUBREC was lost, so to say
			t.Fatal(err)
		}
		p = <-peers
		p.welcome5("01")
		p.send("3c 07 0001 61 0007 00 31")
		p.expectFor(pubrec, 7)
		p.send("62 02 0007")
		p.expectFor(pubcomp, 7)
		s.quiet(t)
		p.send("34 07 0001 61 0007 00 32") // the identifier is free for another message
		p.expectFor(pubrec, 7)
		s.expect(t, "a", "2")
		go p.drain()
	})
}

func TestNewSessionForgetsIdentifiers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSink(Source{Topic: "a"})
		_, peers := script(t, s, func(s *Settings) { s.Version = "5" })
		p := <-peers
		p.welcome5("00")
		p.send("34 07 0001 61 0007 00 31")
		p.expectFor(pubrec, 7)
		s.expect(t, "a", "1")
		if err := p.conn.Close(); err != nil {
			t.Fatal(err)
		}
		p = <-peers
		p.welcome5("00")
		p.send("34 07 0001 61 0007 00 32")
		p.expectFor(pubrec, 7)
		s.expect(t, "a", "2")
		go p.drain()
	})
}

func TestMessageThatIsNotKeptClosesTheConnection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSink(Source{Topic: "a"})
		s.hold = true
		_, peers := script(t, s, nil)
		p := <-peers
		p.welcome("00")
		p.send("32 06 0001 61 0001 31" + "32 06 0001 61 0002 32")
		s.expect(t, "a", "1")
		d := s.expect(t, "a", "2")
		d.commit(errors.New("disk full"))
		if f, err := p.nextButPing(); err == nil {
			t.Fatalf("packet type %d, want the end of the connection", f.kind)
		}
		s.state(t, "degraded: message not kept: disk full")
		p = <-peers
		p.welcome("01")
	})
}

func TestTooManyOpenMessagesHoldUpTheBroker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSink(Source{Topic: "a"})
		s.hold = true
		_, peers := script(t, s, func(s *Settings) { s.ReceiveMaximum = 2 })
		p := <-peers
		p.welcome("00")
		p.send("32 06 0001 61 0001 31" + "32 06 0001 61 0002 32" + "32 06 0001 61 0003 33")
		first := s.expect(t, "a", "1")
		s.expect(t, "a", "2")
		synctest.Wait()
		s.quiet(t)
		first.commit(nil)
		p.expectFor(puback, 1)
		s.expect(t, "a", "3").commit(nil)
	})
}

func TestKeepAlive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSink(Source{Topic: "a"})
		_, peers := script(t, s, nil)
		p := <-peers
		p.welcome("00")
		began := time.Now()
		p.expect(pingreq)
		if d := time.Since(began); d > 30*time.Second {
			t.Errorf("PINGREQ after %v, want it within the keep-alive time of 30 s", d)
		}
		p.send("d0 00")
		answered := time.Now()
		p.expect(pingreq)
		if _, err := p.nextButPing(); err == nil {
			t.Fatal("another packet, want the end of the connection")
		}
		if d := time.Since(answered); d < 45*time.Second || d > 47*time.Second {
			t.Errorf("silent broker was given up after %v, want 1.5 times the keep-alive time of 30 s", d)
		}
		s.state(t, "connecting: broker is silent beyond the keep-alive time")
	})
}

func TestBrokerThatDoesNotAnswerIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSink(Source{Topic: "a"})
		_, peers := script(t, s, nil)
		p := <-peers
		p.expect(connect)
		s.state(t, "connecting: no CONNACK within 10s")
		p = <-peers
		p.expect(connect)
		p.send("20 02 00 00")
		p.expect(subscribe)
		s.state(t, "connecting: subscribe: broker does not answer a subscription")
	})
}

func TestBackOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSink(Source{Topic: "a"})
		_, peers := script(t, s, nil)
		var last time.Time
		for i := range 12 {
			p := <-peers
			if high := min(backOffMin<<max(i-1, 0), backOffMax); i > 0 {
				if d := time.Since(last); d < high/2 || d > high {
					t.Errorf("attempt %d after %v, want %v to %v", i, d, high/2, high)
				}
			}
			if err := p.conn.Close(); err != nil {
				t.Fatal(err)
			}
			last = time.Now()
		}
		p := <-peers // a connection that holds begins anew
		p.welcome("00")
		p.expect(pingreq)
		p.send("d0 00")
		p.expect(pingreq)
		if err := p.conn.Close(); err != nil {
			t.Fatal(err)
		}
		last = time.Now()
		<-peers
		if d := time.Since(last); d > backOffMin {
			t.Errorf("attempt %v after a connection that held, want at most %v", d, backOffMin)
		}
	})
}

func TestEndOfRunTakesLeave(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSink(Source{Topic: "a"})
		r, peers := script(t, s, nil)
		p := <-peers
		p.welcome("00")
		s.state(t, "up: ")
		go r.stop()
		p.expect(disconnect)
		if got := next(t, "presence", s.presence); got != "back" {
			t.Errorf("presence %q, want back", got)
		}
		if got := next(t, "presence", s.presence); got != "away: the connector stops" {
			t.Errorf("presence %q, want away", got)
		}
	})
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, version, connack, want string }{
		{"3.1.1 credentials", "3.1.1", "20 02 00 04", "connecting: broker refuses the connection: bad user name or password"},
		{"3.1.1 authorisation", "3.1.1", "20 02 00 05", "connecting: broker refuses the connection: not authorized"},
		{"3.1.1 unknown code", "3.1.1", "20 02 00 63", "connecting: broker refuses the connection: return code 99"},
		{"3.1.1 malformed", "3.1.1", "20 01 00", "connecting: CONNACK: want two octets"},
		{"5 credentials", "5", "20 03 00 86 00", "connecting: broker refuses the connection: bad user name or password"},
		{"5 with a text", "5", "20 0a 00 87 07 1f 0004 6e6f7065", "connecting: broker refuses the connection: not authorized (nope)"},
		{"5 unknown code", "5", "20 03 00 f0 00", "connecting: broker refuses the connection: reason code 0xf0"},
		{"not a CONNACK", "5", "d0 00", "connecting: waiting for CONNACK: broker sent packet type 13"},
		{"no MQTT at all", "5", "48545450", "connecting: waiting for CONNACK: broker sent packet type 4"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newSink(Source{Topic: "a"})
				_, peers := script(t, s, func(s *Settings) { s.Version = tt.version })
				p := <-peers
				p.expect(connect)
				p.send(tt.connack)
				if err := p.conn.Close(); err != nil {
					t.Fatal(err)
				}
				s.state(t, tt.want)
			})
		})
	}
}

func TestBadPacketsCloseTheConnection(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, version, packet, want string }{
		{"QoS", "3.1.1", "36 05 0001 61 0001", "broker sent a malformed packet: PUBLISH with QoS 3"},
		{"topic beyond the end", "3.1.1", "32 04 0009 6161", "broker sent a malformed packet: "},
		{"topic beyond the end", "5", "32 04 0009 6161", "broker sent a malformed packet: "},
		{"topic alias", "5", "30 06 0000 03 230001", "broker sent a malformed packet: PUBLISH without topic"},
		{"unknown property", "5", "30 06 0001 61 02 7f00", "broker sent a malformed packet: invalid Prop type 127"},
		{"two return codes for one filter", "3.1.1", "90 04 0001 0101", "broker sent a malformed packet: SUBACK not for one filter"},
		{"long packet", "5", "90 ffff7f", "broker announces a packet of type 9 with 2097151 octets, want at most "},
		{"SUBSCRIBE", "3.1.1", "82 02 0001", "broker sent a packet of type 8, which it must not"},
		{"short PUBREC", "5", "50 01 00", "broker sent a malformed packet: PUBREC of 1 octets"},
		{"long PUBACK", "3.1.1", "40 03 000100", "broker sent a malformed packet: PUBACK of 3 octets"},
		{"short PUBACK", "5", "40 01 00", "broker sent a malformed packet: PUBACK of 1 octets"},
		{"DISCONNECT", "3.1.1", "e0 00", "broker sent a packet of type 14, which it must not"},
		{"second CONNACK", "5", "20 03 00 00 00", "broker sent a packet of type 2, which it must not"},
		{"AUTH", "5", "f0 00", "broker sent a packet of type 15, which it must not"},
		{"length", "5", "30 ffffffff01", "broker sent a malformed packet: length of more than four octets"},
		{"end within a packet", "3.1.1", "30 05", "unexpected EOF"},
		{"end", "3.1.1", "", "broker closed the connection"},
	}
	for _, tt := range tests {
		t.Run(tt.name+" with "+tt.version, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newSink(Source{Topic: "a"})
				_, peers := script(t, s, func(s *Settings) { s.Version = tt.version })
				p := <-peers
				if tt.version == "5" {
					p.welcome5("00")
				} else {
					p.welcome("00")
				}
				go p.drain()
				s.state(t, "up: ")
				if tt.packet != "" {
					p.send(tt.packet)
				}
				if strings.Contains(tt.want, "EOF") || tt.packet == "" {
					if err := p.conn.Close(); err != nil {
						t.Fatal(err)
					}
				}
				until(t, "state "+tt.want, s.states, func(got string) bool { return strings.HasPrefix(got, "connecting: "+tt.want) })
			})
		})
	}
}

func TestBrokerWithoutWildcardsIsShown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSink(Source{Topic: "a"}, Source{Topic: "b/#"})
		_, peers := script(t, s, func(s *Settings) { s.Version = "5" })
		p := <-peers
		p.expect(connect)
		p.send("20 05 00 00 02 2800")
		f := p.expect(subscribe)
		p.send("90 04 " + hex.EncodeToString(f.body[:2]) + " 00 01")
		go p.drain()
		s.state(t, "degraded: broker refuses the subscription to b/#: wildcard subscriptions not supported")
	})
}

func TestBrokerTellsWhyItDisconnects(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSink()
		_, peers := script(t, s, func(s *Settings) { s.Version = "5" })
		p := <-peers
		p.expect(connect)
		p.send("20 03 00 00 00")
		go p.drain()
		s.state(t, "up: ")
		p.send("e0 02 8e 00")
		s.state(t, "connecting: broker closes the connection: another client uses the same client id")
	})
}

func TestLosslessOnlyIfNothingCanHaveBeenLost(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name            string
		qos             string
		message, answer string // before the connection is lost
		present         string
		want            string
	}{
		{"session kept", "1", "", "", "01", "back lossless"},
		{"session lost", "1", "", "", "00", "back"},
		{"subscribed with QoS 0", "0", "", "", "01", "back"},
		{"published with QoS 0", "1", "30 04 0001 61 31", "", "01", "back"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newSink(Source{Topic: "a", QoS: tt.qos})
				_, peers := script(t, s, nil)
				p := <-peers
				p.welcome("00")
				if tt.message != "" {
					p.send(tt.message)
					s.expect(t, "a", "1")
				}
				if err := p.conn.Close(); err != nil {
					t.Fatal(err)
				}
				(<-peers).welcome(tt.present)
				next(t, "presence", s.presence)
				next(t, "presence", s.presence)
				if got := next(t, "presence", s.presence); got != tt.want {
					t.Errorf("presence %q after the connection came back, want %q", got, tt.want)
				}
			})
		})
	}
}

func TestFailureOfTheSinkClosesTheConnection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSink(Source{Topic: "a"})
		made, err := New(Settings{URL: "mqtt://broker", Version: "3.1.1", KeepAlive: time.Minute, ReceiveMaximum: 1}, s.env(t))
		if err != nil {
			t.Fatal(err)
		}
		c := made.(*Connector)
		c.env.Sink = failing{s}
		ours, theirs := net.Pipe()
		c.dial = func(context.Context, Settings) (net.Conn, error) { return ours, nil }
		run(t, c, s)
		p := &peer{t: t, conn: theirs}
		p.welcome("00")
		p.send("32 06 0001 61 0001 31")
		if f, err := p.nextButPing(); err == nil {
			t.Fatalf("packet type %d, want the end of the connection", f.kind)
		}
		s.state(t, "degraded: message not kept: image: closed")
	})
}

// failing is a sink that keeps nothing.
type failing struct{ *sink }

func (failing) Deliver(context.Context, connector.Message, func(error)) error {
	return errors.New("image: closed")
}

func TestRefusedMessagesWithoutAcknowledgementLeaveTheConnection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSink(Source{Topic: "a"})
		_, peers := script(t, s, nil)
		s.refuse(errors.New("journal full"))
		p := <-peers
		p.welcome("00")
		s.state(t, "up: ")
		p.send("30 04 0001 61 31" + "30 04 0001 61 32")
		s.state(t, "degraded: message not kept: journal full")
		synctest.Wait()
		s.refuse(nil)
		p.send("30 04 0001 61 33")
		s.expect(t, "a", "3")
		s.state(t, "up: ")
		// With an acknowledgement it is another matter: the broker has a copy.
		s.refuse(errors.New("journal full"))
		p.send("32 06 0001 61 0001 31")
		if f, err := p.nextButPing(); err == nil {
			t.Fatalf("packet type %d, want the end of the connection", f.kind)
		}
		s.state(t, "degraded: message not kept: journal full")
		s.refuse(nil)
		p = <-peers
		p.welcome("01")
		p.send("32 06 0001 61 0001 31")
		s.expect(t, "a", "1")
		p.expectFor(puback, 1)
	})
}
