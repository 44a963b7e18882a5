package capture

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"
)

const patience = 10 * time.Second

// pair returns both ends of a connection through a new proxy.
func pair(t *testing.T) (p *Proxy, client, server *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	p = Start(t, l.Addr().String())
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	for _, conn := range []net.Conn{c, s} {
		t.Cleanup(func() { conn.Close() })
		if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
	}
	return p, c.(*net.TCPConn), s.(*net.TCPConn)
}

func send(t *testing.T, to net.Conn, octets []byte) {
	t.Helper()
	if _, err := to.Write(octets); err != nil {
		t.Fatal(err)
	}
}

func expect(t *testing.T, from net.Conn, want []byte) {
	t.Helper()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(from, got); err != nil {
		t.Fatalf("read %d of %d octets: %v", n, len(want), err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("got % x, want % x", got, want)
	}
}

func TestProxyRelaysAndRecordsBothDirections(t *testing.T) {
	t.Parallel()
	p, client, server := pair(t)
	send(t, client, []byte("act"))
	expect(t, server, []byte("act"))
	send(t, server, []byte("con"))
	expect(t, client, []byte("con"))
	server.Close()
	if _, err := client.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Fatalf("read after the server closed: %v, want EOF", err)
	}
	var got []string
	for _, s := range p.Segments() {
		if s.Kind == Data {
			arrow := "> "
			if s.ToClient {
				arrow = "< "
			}
			got = append(got, arrow+string(s.Octets))
		}
	}
	if len(got) != 2 || got[0] != "> act" || got[1] != "< con" {
		t.Errorf("recorded %q, want the act, then the con", got)
	}
}

func TestSplitWritesSingleOctets(t *testing.T) {
	t.Parallel()
	p, client, server := pair(t)
	p.Disturb(Fault{Split: true})
	send(t, client, []byte("abcdef"))
	expect(t, server, []byte("abcdef"))
	for _, s := range p.Segments() {
		if s.Kind == Data && len(s.Octets) != 1 {
			t.Errorf("a segment of %d octets, want 1", len(s.Octets))
		}
	}
}

func TestDelayHoldsBackEachSegment(t *testing.T) {
	t.Parallel()
	p, client, server := pair(t)
	const delay = 50 * time.Millisecond
	p.Disturb(Fault{Delay: delay})
	start := time.Now()
	send(t, client, []byte("x"))
	expect(t, server, []byte("x"))
	if took := time.Since(start); took < delay {
		t.Errorf("arrived after %v, want %v or more", took, delay)
	}
}

func TestHoldKeepsSocketsOpenAndReleasePassesWhatWasHeld(t *testing.T) {
	t.Parallel()
	p, client, server := pair(t)
	p.Hold()
	send(t, client, []byte("held"))
	if err := server.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := server.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("read %d octets, %v while held, want nothing until the deadline", n, err)
	}
	if err := server.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	p.Release()
	expect(t, server, []byte("held"))
}

func TestResetAllBreaksBothSides(t *testing.T) {
	t.Parallel()
	p, client, server := pair(t)
	send(t, client, []byte("x"))
	expect(t, server, []byte("x"))
	p.ResetAll()
	for _, conn := range []net.Conn{client, server} {
		if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("read after the reset: %v, want connection reset", err)
		}
	}
}
