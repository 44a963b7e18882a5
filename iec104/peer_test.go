package iec104

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"busbar/iec104/apci"
)

// The six U frames and an interrogation of common address 1, for scripts.
const (
	startDTAct = "68 04 07 00 00 00"
	startDTCon = "68 04 0b 00 00 00"
	stopDTAct  = "68 04 13 00 00 00"
	stopDTCon  = "68 04 23 00 00 00"
	testFRAct  = "68 04 43 00 00 00"
	testFRCon  = "68 04 83 00 00 00"

	giAct = "64 01 06 00 01 00 00 00 00 14"
	giCon = "64 01 07 00 01 00 00 00 00 14"
	giEnd = "64 01 0a 00 01 00 00 00 00 14"
)

// peer is the scripted other end of a connection: it sends octets as they are
// written and expects frames, octet for octet. It belongs into a synctest
// bubble: every method waits until the station has nothing more to do at the
// present (virtual) time. It reads all the time unless told otherwise.
type peer struct {
	t      *testing.T
	conn   net.Conn
	served chan error // what ServeConn returned, for a peer of a server

	vs, vr uint16 // own numbers, kept by tell and expectASDU

	mu     sync.Mutex
	got    []byte // received and not yet expected
	gone   error  // why reading ended
	paused chan struct{}
}

// newPeer returns the peer at the other end of the returned connection.
func newPeer(t *testing.T) (*peer, net.Conn) {
	t.Helper()
	near, far := net.Pipe()
	p := &peer{t: t, conn: near}
	go p.drain()
	t.Cleanup(func() { near.Close() })
	return p, far
}

// connect has the server serve a new connection and returns its peer.
func connect(t *testing.T, s *Server) *peer {
	t.Helper()
	p, far := newPeer(t)
	p.served = make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	go func() { p.served <- s.ServeConn(ctx, far) }()
	synctest.Wait()
	return p
}

// newTestServer returns a server, and fails the test if it cannot be.
func newTestServer(t *testing.T, st Station, cfg ServerConfig, opts ...Option) *Server {
	t.Helper()
	s, err := NewServer(st, cfg, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (p *peer) drain() {
	buf := make([]byte, 64<<10)
	for {
		n, err := p.conn.Read(buf)
		p.mu.Lock()
		p.got = append(p.got, buf[:n]...)
		paused := p.paused
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			p.gone = err
			p.mu.Unlock()
			return
		}
		p.mu.Unlock()
		if paused != nil {
			<-paused
		}
	}
}

// pause stops reading: whoever writes to the peer has to wait.
func (p *peer) pause() {
	p.mu.Lock()
	p.paused = make(chan struct{})
	p.mu.Unlock()
	p.deadline(time.Unix(0, 1))
	synctest.Wait()
	p.t.Cleanup(p.resume)
}

// resume goes on reading after pause.
func (p *peer) resume() {
	p.mu.Lock()
	paused := p.paused
	p.paused = nil
	p.mu.Unlock()
	if paused != nil {
		p.deadline(time.Time{})
		close(paused)
	}
}

func (p *peer) deadline(at time.Time) {
	if err := p.conn.SetReadDeadline(at); err != nil && !errors.Is(err, io.ErrClosedPipe) {
		p.t.Fatal(err)
	}
}

// octets returns the octets of hexadecimal digits with blanks.
func octets(t *testing.T, digits string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(digits, " ", ""))
	if err != nil {
		t.Fatalf("script: %q: %v", digits, err)
	}
	return b
}

// send writes the octets of all arguments in one piece.
func (p *peer) send(pieces ...string) {
	p.t.Helper()
	p.sendOctets(octets(p.t, strings.Join(pieces, "")))
}

// sendOctets writes octets in one piece. That the connection closes meanwhile
// is left to expectClosed.
func (p *peer) sendOctets(b []byte) {
	p.t.Helper()
	if _, err := p.conn.Write(b); err != nil && !errors.Is(err, io.ErrClosedPipe) {
		p.t.Fatalf("send: %v", err)
	}
	synctest.Wait()
}

// tell sends I frames with the ASDUs, in one piece, with the peer's own numbers.
func (p *peer) tell(asdus ...string) {
	p.t.Helper()
	var b []byte
	for _, a := range asdus {
		b = apci.AppendI(b, apci.Seq(p.vs), apci.Seq(p.vr), octets(p.t, a))
		p.vs = (p.vs + 1) % apci.Modulus
	}
	p.sendOctets(b)
}

// ack sends an S frame that acknowledges every I frame expected so far.
func (p *peer) ack() {
	p.t.Helper()
	p.sendOctets(apci.AppendS(nil, apci.Seq(p.vr)))
}

// start starts data transfer.
func (p *peer) start() {
	p.t.Helper()
	p.send(startDTAct)
	p.expect(startDTCon)
}

// wait lets virtual time pass.
func (p *peer) wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// next returns the next frame received, nil if there is none.
func (p *peer) next() []byte {
	p.t.Helper()
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.got) == 0 {
		return nil
	}
	_, n, err := apci.Parse(p.got)
	if err != nil || n == 0 {
		p.t.Fatalf("received no frame: % x (%v)", p.got, err)
	}
	b := p.got[:n:n]
	p.got = p.got[n:]
	return b
}

// expect checks that the next frames are these. ".." stands for any octet.
func (p *peer) expect(frames ...string) {
	p.t.Helper()
	for _, want := range frames {
		p.compare(p.next(), want)
	}
}

func (p *peer) compare(got []byte, want string) {
	p.t.Helper()
	want = strings.ToLower(strings.ReplaceAll(want, " ", ""))
	digits := hex.EncodeToString(got)
	same := len(digits) == len(want)
	for i := 0; same && i < len(want); i++ {
		same = want[i] == '.' || want[i] == digits[i]
	}
	if !same {
		p.t.Fatalf("received %q, want %q%s", digits, want, p.ending())
	}
}

// expectASDU checks that the next frames are I frames with these ASDUs, with
// N(S) in order and N(R) acknowledging everything told so far.
func (p *peer) expectASDU(asdus ...string) {
	p.t.Helper()
	for _, want := range asdus {
		p.compare(p.nextASDU(), want)
	}
}

// nextASDU returns the ASDU of the next frame, which must be an I frame with
// the right numbers; nil if there is no frame.
func (p *peer) nextASDU() []byte {
	p.t.Helper()
	b := p.next()
	if b == nil {
		return nil
	}
	f, _, err := apci.Parse(b)
	if err != nil || f.Format != apci.FormatI {
		p.t.Fatalf("received %x, want an I frame", b)
	}
	if uint16(f.NS) != p.vr || uint16(f.NR) != p.vs {
		p.t.Fatalf("received N(S) %d N(R) %d, want %d %d", f.NS, f.NR, p.vr, p.vs)
	}
	p.vr = (p.vr + 1) % apci.Modulus
	return f.ASDU
}

// expectSilence checks that nothing more was received and the connection is open.
func (p *peer) expectSilence() {
	p.t.Helper()
	if b := p.next(); b != nil {
		p.t.Fatalf("received %x, want nothing", b)
	}
	if p.closed() {
		p.t.Fatalf("connection closed%s", p.ending())
	}
}

func (p *peer) closed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.gone != nil
}

// ending tells how the connection ended, for messages.
func (p *peer) ending() string {
	if p.served == nil || !p.closed() {
		return ""
	}
	select {
	case err := <-p.served:
		p.served <- err
		return fmt.Sprintf(" (%v)", err)
	default:
		return ""
	}
}

// expectClosed checks that nothing more was received and that the server
// closed the connection for this reason.
func (p *peer) expectClosed(want Reason) {
	p.t.Helper()
	if b := p.next(); b != nil {
		p.t.Fatalf("received %x, want the end of the connection", b)
	}
	if !p.closed() {
		p.t.Fatalf("connection open, want it closed: %v", want)
	}
	err := <-p.served
	p.served <- err
	var le *LinkError
	if !errors.As(err, &le) || le.Reason != want {
		p.t.Fatalf("connection closed: %v, want: %v", err, want)
	}
}
