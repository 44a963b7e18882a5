package iec104client

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"busbar/iec104/apci"
	"busbar/iec104/asdu"
	"busbar/internal/connector"
	"busbar/internal/iec104keys"
	"busbar/internal/point"
)

// rig is a client with a scripted station and host, in a bubble of virtual time.
type rig struct {
	*Client
	t    *testing.T
	host *host
	stop context.CancelFunc
	// expire ends the time of the order that was issued last.
	expire context.CancelFunc
	done   chan error

	log *lockedBuffer

	dials chan *station104 // stations that wait to be connected to
	calls *calls           // of a client that listens

	station atomic.Pointer[func() net.Conn] // that is dialled in place of dials, with TLS; nil: none yet
	at      *station104                     // that is connected
}

// end is the end of a point.
func end(ca, ioa int, as asdu.TypeID) *Source {
	return &Source{CA: iec104keys.CommonAddress(ca), IOA: iec104keys.ObjectAddress(ioa), As: MonitorType{as}, Part: "value"}
}

// play runs a script against a client of points at the ends.
func play(t *testing.T, change func(*Settings), ends []*Source, script func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, change, ends...)
		defer r.end()
		script(r)
	})
}

func newRig(t *testing.T, change func(*Settings), ends ...*Source) *rig {
	t.Helper()
	time.Sleep(24 * time.Hour) // the bubble begins where times begin to count
	s := defaults()
	s.Addresses = []string{"rtu:2404"}
	s.GI = 0
	if change != nil {
		change(&s)
	}
	r := &rig{t: t, host: newFakeHost(ends), log: &lockedBuffer{}, done: make(chan error, 1), dials: make(chan *station104, 8), calls: newCalls()}
	env := newEnv(r.host)
	env.Log = slog.New(slog.NewTextHandler(r.log, nil))
	var err error
	if r.Client, err = newClient(s, env, r.dial); err != nil {
		t.Fatal(err)
	}
	r.Client.listen = r.calls.listen
	r.start()
	return r
}

func newEnv(h *host) connector.Env {
	return connector.Env{ID: "rtu", Log: slog.New(slog.DiscardHandler), Sink: h, Readings: h, Report: h.report, System: h.system, Now: time.Now}
}

// start begins a run.
func (r *rig) start() {
	ctx, cancel := context.WithCancel(r.t.Context())
	r.stop = cancel
	go func() { r.done <- r.Run(ctx) }()
	synctest.Wait()
}

func (r *rig) end() {
	r.t.Helper()
	r.stop()
	if err := <-r.done; err != nil {
		r.t.Errorf("Run = %v, want nil", err)
	}
	if r.at != nil {
		r.at.conn.Close()
	}
}

func (r *rig) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	if dial := r.station.Load(); dial != nil {
		return r.tls.Connect(ctx, (*dial)(), "127.0.0.1")
	}
	select {
	case s := <-r.dials:
		return s.far, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// connect lets the client connect, and takes the start of data transfer.
func (r *rig) connect() *station104 {
	r.t.Helper()
	s := &station104{t: r.t}
	s.conn, s.far = net.Pipe()
	go s.read()
	r.dials <- s
	synctest.Wait()
	for range 120 {
		if s.has() {
			break
		}
		r.wait(time.Second)
	}
	s.expect("68 04 07 00 00 00")
	s.send("68 04 0b 00 00 00")
	r.at = s
	return s
}

// call lets a station dial out from an address.
func (r *rig) call(from string) *station104 {
	r.t.Helper()
	s := &station104{t: r.t}
	s.conn, s.far = net.Pipe()
	go s.read()
	r.calls.conns <- caller{s.far, net.TCPAddrFromAddrPort(netip.MustParseAddrPort(from))}
	synctest.Wait()
	return s
}

// confirm takes the start of data transfer on a connection.
func (r *rig) confirm(s *station104) {
	r.t.Helper()
	s.expect("68 04 07 00 00 00")
	s.send("68 04 0b 00 00 00")
	r.at = s
}

// calls is a listener whose connections are made by a test.
type calls struct {
	conns  chan net.Conn
	opened int
	broken chan error
}

func newCalls() *calls { return &calls{conns: make(chan net.Conn, 8), broken: make(chan error, 1)} }

func (c *calls) listen(context.Context, string) (net.Listener, error) {
	c.opened++
	return &opened{c, make(chan struct{}), sync.Once{}}, nil
}

// opened is the listener of one run.
type opened struct {
	*calls
	closed chan struct{}
	once   sync.Once
}

func (o *opened) Accept() (net.Conn, error) {
	select {
	case c := <-o.conns:
		return c, nil
	case err := <-o.broken:
		return nil, err
	case <-o.closed:
		return nil, net.ErrClosed
	}
}

func (o *opened) Close() error {
	o.once.Do(func() { close(o.closed) })
	return nil
}

func (o *opened) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4zero, Port: 2404} }

// caller is a connection from an address.
type caller struct {
	net.Conn
	from net.Addr
}

func (c caller) RemoteAddr() net.Addr { return c.from }

// lockedBuffer is a buffer for a logger.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// connectStandby lets the client connect to its other address.
func (r *rig) connectStandby() *station104 {
	r.t.Helper()
	s := &station104{t: r.t}
	s.conn, s.far = net.Pipe()
	go s.read()
	r.dials <- s
	synctest.Wait()
	s.expectSilence()
	return s
}

// wait lets virtual time pass.
func (r *rig) wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// answerGI answers the general interrogation that the client must have begun.
func (r *rig) answerGI(ca int, values ...string) {
	r.t.Helper()
	r.at.expectASDU(fmt.Sprintf("64 01 06 00 %02x 00 00 00 00 14", ca))
	all := append([]string{fmt.Sprintf("64 01 07 00 %02x 00 00 00 00 14", ca)}, values...)
	r.at.tell(append(all, fmt.Sprintf("64 01 0a 00 %02x 00 00 00 00 14", ca))...)
}

// station104 is the scripted station on one connection.
type station104 struct {
	t         *testing.T
	conn, far net.Conn
	vs, vr    uint16

	mu   sync.Mutex
	got  []byte
	gone error
}

func (s *station104) read() {
	buf := make([]byte, 4096)
	for {
		n, err := s.conn.Read(buf)
		s.mu.Lock()
		s.got = append(s.got, buf[:n]...)
		s.gone = err
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (s *station104) has() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.got) > 0
}

func octetsOf(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (s *station104) send(text string) { s.write(octetsOf(s.t, text)) }

func (s *station104) write(b []byte) {
	s.t.Helper()
	if _, err := s.conn.Write(b); err != nil && !errors.Is(err, io.ErrClosedPipe) {
		s.t.Fatal(err)
	}
	synctest.Wait()
}

// tell sends I frames in one piece.
func (s *station104) tell(asdus ...string) {
	s.t.Helper()
	var b []byte
	for _, a := range asdus {
		b = apci.AppendI(b, apci.Seq(s.vs), apci.Seq(s.vr), octetsOf(s.t, a))
		s.vs = (s.vs + 1) % apci.Modulus
	}
	s.write(b)
}

// next returns the next frame, nil if there is none. S frames are left out.
func (s *station104) next() []byte {
	s.t.Helper()
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.got) > 0 {
		_, n, err := apci.Parse(s.got)
		if err != nil || n == 0 {
			s.t.Fatalf("received % x: %v", s.got, err)
		}
		frame := s.got[:n:n]
		s.got = s.got[n:]
		if frame[2]&3 != 1 {
			return frame
		}
	}
	return nil
}

// acknowledged returns N(R) of the newest frame received, and forgets all of them.
func (s *station104) acknowledged() int {
	s.t.Helper()
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	nr := -1
	for len(s.got) > 0 {
		f, n, err := apci.Parse(s.got)
		if err != nil || n == 0 {
			s.t.Fatalf("received % x: %v", s.got, err)
		}
		if f.Format != apci.FormatU {
			nr = int(f.NR)
		}
		s.got = s.got[n:]
	}
	return nr
}

func (s *station104) expect(want string) {
	s.t.Helper()
	if got := fmt.Sprintf("% x", s.next()); got != want {
		s.t.Fatalf("received %q, want %q", got, want)
	}
}

// expectASDU checks that the next frame is an I frame with the ASDU.
func (s *station104) expectASDU(want string) {
	s.t.Helper()
	frame := s.next()
	if len(frame) < 6 || frame[2]&1 != 0 {
		s.t.Fatalf("received % x, want %s", frame, want)
	}
	s.vr++
	if got := fmt.Sprintf("% x", frame[6:]); got != want {
		s.t.Fatalf("received %q, want %q", got, want)
	}
}

func (s *station104) expectSilence() {
	s.t.Helper()
	if f := s.next(); f != nil {
		s.t.Fatalf("received % x, want nothing", f)
	}
}

// fakeHost is what a client sees of its host.
type fakeHost struct {
	mu       sync.Mutex
	ends     []any
	changed  chan struct{}
	readings []connector.Reading
	missing  []uint64
	calls    []string // Away, Back and states, in order
	points   map[string]point.Value
	full     bool              // there is no room
	slow     bool              // what is taken is kept when commit is called
	pending  []func(err error) // of what was taken

	left   time.Time     // when it was away last
	absent time.Duration // the longest time that it was away
}

type host = fakeHost

func newFakeHost(ends []*Source) *host {
	h := &host{changed: make(chan struct{}), points: make(map[string]point.Value)}
	h.set(ends)
	return h
}

func (h *host) set(ends []*Source) {
	h.ends = nil
	for _, e := range ends {
		h.ends = append(h.ends, e)
	}
}

// change gives the client other points.
func (h *host) change(ends ...*Source) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.set(ends)
	close(h.changed)
	h.changed = make(chan struct{})
}

func (h *host) Take(_ context.Context, readings []connector.Reading, committed func(error)) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if committed == nil {
		committed = func(error) {}
	}
	if h.full {
		committed(connector.ErrFull)
		return connector.ErrFull
	}
	h.readings = append(h.readings, readings...)
	if h.slow {
		h.pending = append(h.pending, committed)
		return nil
	}
	committed(nil)
	return nil
}

// commit tells of the oldest n batches what became of them.
func (h *host) commit(n int, err error) {
	h.mu.Lock()
	pending := slices.Clone(h.pending[:n])
	h.pending = h.pending[n:]
	h.mu.Unlock()
	for _, f := range pending {
		f(err)
	}
}

func (h *host) Missing(keys []uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.missing = append(h.missing, keys...)
}

func (h *host) Deliver(context.Context, connector.Message, func(error)) error { return nil }

func (h *host) Away(string, bool) {
	h.note("away")
	h.mu.Lock()
	defer h.mu.Unlock()
	h.left = time.Now()
}

func (h *host) Back(bool) {
	h.note("back")
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.left.IsZero() {
		h.absent = max(h.absent, time.Since(h.left))
	}
}

func (h *host) Sources() ([]any, <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ends, h.changed
}

func (h *host) report(s connector.State, reason string) {
	h.note(strings.TrimSuffix(s.String()+": "+reason, ": "))
}

func (h *host) note(call string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls = append(h.calls, call)
}

func (h *host) system(name string, v point.Value) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.points[name] = v
}

// take returns the readings since the last call.
func (h *host) take() []connector.Reading {
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.readings
	h.readings = nil
	return r
}

func (h *host) missed() []uint64 {
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	m := h.missing
	h.missing = nil
	return m
}

// said returns the calls since the last one.
func (h *host) said() []string {
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.calls
	h.calls = nil
	return c
}
