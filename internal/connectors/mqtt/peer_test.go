package mqtt

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// peer is a broker that does what the test says, octet by octet.
type peer struct {
	t    *testing.T
	conn net.Conn
}

// frame is a control packet with its body.
type frame struct {
	kind byte
	body []byte
}

// next reads a packet of less than 128 octets, or of 16383 octets at most.
func (p *peer) next() (frame, error) {
	one := func() (byte, error) {
		var b [1]byte
		_, err := io.ReadFull(p.conn, b[:])
		return b[0], err
	}
	first, err := one()
	if err != nil {
		return frame{}, err
	}
	length, err := one()
	if err != nil {
		return frame{}, err
	}
	n := int(length & 0x7f)
	if length >= 0x80 {
		more, err := one()
		if err != nil {
			return frame{}, err
		}
		n |= int(more) << 7
	}
	body := make([]byte, n)
	_, err = io.ReadFull(p.conn, body)
	return frame{first >> 4, body}, err
}

// nextButPing is next without PINGREQ, which a client may send at any time.
func (p *peer) nextButPing() (frame, error) {
	for {
		if f, err := p.next(); err != nil || f.kind != pingreq {
			return f, err
		}
	}
}

// drain reads what comes, so that the client does not wait to send it.
func (p *peer) drain() { _, _ = io.Copy(io.Discard, p.conn) }

// The types of control packets that only a client sends, or both sides.
const (
	connect   = 1
	subscribe = 8
	pingreq   = 12
)

// unhex reads hexadecimal octets with spaces between them.
func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// script runs a connector whose connections arrive at the returned channel. It
// must be called in a synctest bubble.
func script(t *testing.T, s *sink, change func(*Settings)) (*runner, <-chan *peer) {
	settings := defaults()
	settings.URL, settings.Version = "mqtt://broker", "3.1.1"
	if change != nil {
		change(&settings)
	}
	made, err := New(settings, s.env(t))
	if err != nil {
		t.Fatal(err)
	}
	c := made.(*Connector)
	peers := make(chan *peer)
	var mu sync.Mutex
	var open []net.Conn
	c.dial = func(ctx context.Context, _ Settings) (net.Conn, error) {
		ours, theirs := net.Pipe()
		select {
		case peers <- &peer{t: t, conn: theirs}:
			mu.Lock()
			defer mu.Unlock()
			open = append(open, theirs)
			return ours, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	r := run(t, c, s)
	t.Cleanup(func() {
		// What says goodbye holds a lock while it writes; time stands still behind one.
		mu.Lock()
		defer mu.Unlock()
		for _, conn := range open {
			go func() { _, _ = io.Copy(io.Discard, conn) }()
		}
	})
	return r, peers
}

func (p *peer) send(hex string) {
	p.t.Helper()
	if _, err := p.conn.Write(unhex(p.t, hex)); err != nil {
		p.t.Fatalf("send %s: %v", hex, err)
	}
}

// expect reads a packet of this type.
func (p *peer) expect(kind byte) frame {
	p.t.Helper()
	get := p.nextButPing
	if kind == pingreq {
		get = p.next
	}
	f, err := get()
	if err != nil {
		p.t.Fatalf("waiting for packet type %d: %v", kind, err)
	}
	if f.kind != kind {
		p.t.Fatalf("packet type %d % x, want type %d", f.kind, f.body, kind)
	}
	return f
}

// expectFor reads a packet of this type for this packet identifier.
func (p *peer) expectFor(kind byte, id uint16) {
	p.t.Helper()
	if f := p.expect(kind); len(f.body) < 2 || bytes.Trim(f.body[2:], "\x00") != nil || binary.BigEndian.Uint16(f.body) != id {
		p.t.Fatalf("packet type %d for % x, want for %d", kind, f.body, id)
	}
}

// welcome5 is welcome with MQTT 5.
func (p *peer) welcome5(present string) {
	p.t.Helper()
	p.expect(connect)
	p.send("20 03 " + present + " 00 00")
	f := p.expect(subscribe)
	p.send("90 04 " + hex.EncodeToString(f.body[:2]) + " 00 01")
}

// welcome accepts the connection and its one SUBSCRIBE, with MQTT 3.1.1.
func (p *peer) welcome(present string) {
	p.t.Helper()
	p.expect(connect)
	p.send("20 02 " + present + " 00")
	f := p.expect(subscribe)
	p.send("90 03 " + hex.EncodeToString(f.body[:2]) + " 01")
}

// silent checks that nothing is sent for a while.
func (p *peer) silent(d time.Duration) {
	p.t.Helper()
	if err := p.conn.SetReadDeadline(time.Now().Add(d)); err != nil {
		p.t.Fatal(err)
	}
	if f, err := p.nextButPing(); err == nil {
		p.t.Fatalf("packet type %d % x, want none", f.kind, f.body)
	}
	if err := p.conn.SetReadDeadline(time.Time{}); err != nil {
		p.t.Fatal(err)
	}
}
