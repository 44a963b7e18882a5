package mqttbroker

import (
	"errors"
	"fmt"
	"net"
	"os"
	"testing"
	"time"
)

// brokenConnects are CONNECT packets that no client should send.
var brokenConnects = map[string]string{
	"nothing in it":            "1000",
	"flags in the first octet": "1f0d00044d5154540402003c000178",
	"name cut short":           "100400044d51",
	"name of 65535 octets":     "1006ffff4d515454",
	"another name":             "100d000458585858" + "0402003c000178",
	"version 0":                "100d00044d5154540002003c000178",
	"version 9":                "100d00044d5154540902003c000178",
	"version 255":              "100d00044d515454ff02003c000178",
	"reserved flag":            "100d00044d5154540403003c000178",
	"will QoS 3":               "101300044d515454041e003c00017800017700" + "0178",
	"will without topic":       "100d00044d5154540406003c000178",
	"will retain without will": "100d00044d5154540422003c000178",
	"user flag without user":   "100d00044d5154540482003c000178",
	"password cut short":       "101200044d51545404c2003c00017800017500" + "ff",
	"id that is no UTF-8":      "100d00044d5154540402003c0001ff",
	"id with NUL":              "100d00044d5154540402003c000100",
	"no id in a session":       "100c00044d5154540400003c0000",
	"no keep alive":            "100800044d5154540402",
	"v5 no properties":         "100a00044d5154540502003c",
	"v5 properties too long":   "100e00044d5154540502003cff" + "000178",
	"v5 unknown property":      "100f00044d5154540502003c02f000" + "0178",
	"v5 property cut short":    "100f00044d5154540502003c021100" + "0178",
	"v5 length never ends":     "101000044d5154540502003cffffffff" + "ff7f",
	"v5 user property cut":     "101000044d5154540502003c0326ffff" + "0178",
}

func TestBrokenConnects(t *testing.T) {
	t.Parallel()
	r := start(t, newSink(), nil)
	for name, octets := range brokenConnects {
		t.Run(name, func(t *testing.T) {
			w := r.dial(t)
			w.write(unhex(t, octets))
			if err := w.conn.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			if first, body, err := w.read(); err == nil {
				if first != 0x20 || len(body) < 2 || body[1] == 0 {
					t.Errorf("packet %#x % x, want none or CONNACK with failure", first, body)
				}
				w.wantEnd(name)
			}
		})
	}
	r.alive(t)
	if got := r.figure(t, "mqtt_broker_panics_total"); got != 0 {
		t.Errorf("%v panics", got)
	}
}

// cutSubscribe is a client of MQTT 5 whose SUBSCRIBE ends before the options of
// its filter.
const cutSubscribe = "100e00044d5154540502003c00000178" + "8206000100000178"

// TestPacketThatTheLibraryTripsOver costs the connection that sent it.
func TestPacketThatTheLibraryTripsOver(t *testing.T) {
	t.Parallel()
	r := start(t, newSink(), nil)
	for range 3 {
		w := r.dial(t)
		w.write(unhex(t, cutSubscribe))
		if first, _, err := w.read(); err != nil || first != 0x20 {
			t.Fatalf("packet %#x, %v, want CONNACK", first, err)
		}
		w.wantEnd("SUBSCRIBE cut short")
	}
	r.alive(t)
}

// FuzzConnection gives a broker the octets of a client, and looks whether it
// still serves others. The library panics on some, such as a SUBSCRIBE that is
// cut short; that may cost the connection, and nothing else.
func FuzzConnection(f *testing.F) {
	for _, octets := range brokenConnects {
		f.Add(unhex(f, octets))
	}
	f.Add(unhex(f, cutSubscribe))
	for _, v := range []byte{4, 5} {
		connect := append([]byte{0, 4, 'M', 'Q', 'T', 'T', v, 2, 0, 60}, text("x")...)
		if v == 5 {
			connect = append(append([]byte{0, 4, 'M', 'Q', 'T', 'T', v, 2, 0, 60}, 0), text("x")...)
		}
		w := &wire{version: v}
		in := packet(0x10, connect)
		f.Add(append(append([]byte{}, in...), w.message("a", 2, 1, false, "1")...))
		f.Add(append(append([]byte{}, in...), packet(0x82, append(be(1), append(text("#"), 2)...))...))
		f.Add(append(append([]byte{}, in...), packet(0xa2, append(be(1), text("#")...))...))
		for kind := range byte(16) {
			f.Add(append(append([]byte{}, in...), packet(kind<<4, be(1))...))
			f.Add(append(append([]byte{}, in...), packet(kind<<4|2, append(be(1), 0, 0))...))
		}
	}
	s := newSink()
	go func() {
		for range s.delivered { //nolint:revive // it is only emptied
		}
	}()
	r := start(f, s, nil)
	f.Fuzz(func(t *testing.T, octets []byte) {
		conn, err := net.Dial("tcp", r.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		w := &wire{t: t, conn: conn}
		if _, err := conn.Write(octets); err == nil {
			_ = conn.(*net.TCPConn).CloseWrite() // it may be closed already
		}
		var rest [4096]byte
		for {
			if _, err := w.conn.Read(rest[:]); err != nil {
				if errors.Is(err, os.ErrDeadlineExceeded) {
					t.Fatal("the connection stays open after its client has ended it")
				}
				break
			}
		}
		other, _ := r.signIn(t, "3.1.1", "other", 60)
		other.publish("other", 1, 7, false, "1")
		other.want(0x40, 7)
		_ = other.conn.Close() // it has served
	})
}

// TestPanicIsKeptToItsConnection provokes a panic in the goroutine of a client.
func TestPanicIsKeptToItsConnection(t *testing.T) {
	t.Parallel()
	s := newSink()
	r := start(t, s, nil)
	s.panics.Store(true)
	w, _ := r.signIn(t, "5", "d", 60)
	w.publish("a", 1, 1, false, "1")
	w.wantEnd("panic")
	s.panics.Store(false)
	r.clients(t, 0)
	until(t, "panic to be counted", func() bool { return r.figure(t, "mqtt_broker_panics_total") == 1 })
	for i := range 3 {
		again, _ := r.signIn(t, "5", "d", 60) // the session of the one that panicked
		again.publish("a", 1, uint16(i+2), false, fmt.Sprint(i))
		again.want(0x40, uint16(i+2))
		s.expect(t, "a", fmt.Sprint(i))
	}
	r.alive(t)
}
