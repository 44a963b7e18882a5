package iec104

import (
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// A line is a connection over a network that may be bad: it keeps octets for a
// while, cuts them anywhere, and breaks in all the ways that TCP connections
// break. It takes its time from the bubble it belongs into, and its faults from
// a plan that is drawn with a seed, so that a schedule can be played again.

// linePlan is what a line does. The zero plan is a good line.
type linePlan struct {
	piece int           // octets that arrive together, at most; 0: as they were written
	delay time.Duration // of each piece, at most; none overtakes another
	ends  lineEnd
	after int // octets in both directions until the end
}

// lineEnd is how a line breaks.
type lineEnd uint8

const (
	lineHolds    lineEnd = iota
	lineFIN              // both ends read what is on its way, and then the end
	lineRST              // both ends fail at once, what is on its way is lost
	lineVanishes         // nothing passes any more, and nobody is told
	lineOneWay           // the same in one direction only
)

// newLine returns the two ends. With sockets they behave as such: what is
// written is buffered. It belongs into a bubble.
func newLine(plan linePlan, random *rand.Rand, sockets bool) (near, far net.Conn) {
	l := &line{plan: plan, random: random}
	for i := range l.flows {
		l.flows[i].news = make(chan struct{})
	}
	a, b := &lineSide{l: l, in: 0, out: 1}, &lineSide{l: l, in: 1, out: 0}
	if sockets {
		return lineSocket{a}, lineSocket{b}
	}
	return a, b
}

type line struct {
	plan   linePlan
	random *rand.Rand

	mu     sync.Mutex
	passed int // octets
	broken bool
	flows  [2]flow
}

// flow is one direction, guarded by the lock of the line.
type flow struct {
	under []piece // on its way
	last  time.Time
	ready []byte
	held  int   // octets of both
	err   error // for the reader, behind what is ready
	deaf  bool  // what is written is lost
	shut  bool  // no writing any more
	news  chan struct{}
	until time.Time // deadline of the reader
}

// piece is what arrives at once; without octets it is the end.
type piece struct {
	octets []byte
	due    time.Time
}

// lineBuffer is how much may be on its way before a writer has to wait.
const lineBuffer = 64 << 10

func (f *flow) tell() {
	close(f.news)
	f.news = make(chan struct{})
}

// send puts octets on their way; none: the end.
func (l *line) send(f *flow, b []byte) {
	for first := true; first || len(b) > 0; first = false {
		n := len(b)
		if l.plan.piece > 0 {
			n = min(n, 1+l.random.IntN(l.plan.piece))
		}
		due := time.Now()
		if l.plan.delay > 0 {
			due = due.Add(time.Duration(l.random.Int64N(int64(l.plan.delay))))
		}
		if due.Before(f.last) {
			due = f.last
		}
		f.last = due
		f.under = append(f.under, piece{append([]byte(nil), b[:n]...), due})
		b = b[n:]
		time.AfterFunc(time.Until(due), func() { l.arrive(f) })
	}
}

func (l *line) arrive(f *flow) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(f.under) > 0 && !f.under[0].due.After(time.Now()) {
		if p := f.under[0]; len(p.octets) > 0 {
			f.ready = append(f.ready, p.octets...)
		} else if f.err == nil {
			f.err = io.EOF
		}
		f.under = f.under[1:]
	}
	f.tell()
}

// wear breaks the line if its time has come.
func (l *line) wear(n int) {
	l.passed += n
	if l.plan.ends != lineHolds && !l.broken && l.passed >= l.plan.after {
		l.breakDown(l.plan.ends)
	}
}

func (l *line) breakDown(how lineEnd) {
	l.broken = true
	way := l.random.IntN(2)
	for i := range l.flows {
		f := &l.flows[i]
		switch how {
		case lineFIN:
			f.shut = true
			l.send(f, nil)
		case lineRST:
			f.shut = true
			f.under, f.ready, f.err = nil, nil, syscall.ECONNRESET
		case lineVanishes, lineOneWay:
			f.deaf = how == lineVanishes || i == way
		}
		f.tell()
	}
}

// cut ends the line with a reset, if it has not ended yet.
func (l *line) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.breakDown(lineRST)
}

// lineSide is one end of a line.
type lineSide struct {
	l       *line
	in, out int
	closed  bool
}

func (s *lineSide) Read(b []byte) (int, error) {
	l := s.l
	l.mu.Lock()
	defer l.mu.Unlock()
	for f := &l.flows[s.in]; ; {
		switch {
		case s.closed:
			return 0, net.ErrClosed
		case len(f.ready) > 0:
			n := copy(b, f.ready)
			f.ready = f.ready[n:]
			f.held -= n
			f.tell() // there is room again
			return n, nil
		case f.err != nil:
			return 0, f.err
		case !f.until.IsZero() && !f.until.After(time.Now()):
			return 0, os.ErrDeadlineExceeded
		}
		l.wait(f)
	}
}

// wait releases the lock until something of f has changed.
func (l *line) wait(f *flow) {
	news := f.news
	l.mu.Unlock()
	<-news
	l.mu.Lock()
}

func (s *lineSide) Write(b []byte) (n int, err error) {
	l := s.l
	l.mu.Lock()
	defer l.mu.Unlock()
	for f := &l.flows[s.out]; ; {
		switch {
		case s.closed:
			return n, net.ErrClosed
		case f.shut:
			return n, syscall.EPIPE
		case n == len(b):
			return n, nil
		}
		room := lineBuffer - f.held
		if room <= 0 {
			l.wait(f)
			continue
		}
		part := b[n:min(len(b), n+room)]
		n += len(part)
		f.held += len(part)
		if !f.deaf { // otherwise it fills the buffer and never arrives
			l.send(f, part)
		}
		l.wear(len(part))
	}
}

// Close ends both directions; the other end is told behind what is on its way.
func (s *lineSide) Close() error {
	l := s.l
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.closed {
		return net.ErrClosed
	}
	s.closed = true
	in, out := &l.flows[s.in], &l.flows[s.out]
	if !out.deaf && !out.shut {
		l.send(out, nil)
	}
	out.shut = true
	in.shut = in.shut || !out.deaf // who is not told goes on writing
	in.tell()
	out.tell()
	return nil
}

func (s *lineSide) SetReadDeadline(at time.Time) error {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	f := &s.l.flows[s.in]
	f.until = at
	f.tell()
	return nil
}

func (s *lineSide) SetDeadline(time.Time) error      { return errors.ErrUnsupported }
func (s *lineSide) SetWriteDeadline(time.Time) error { return errors.ErrUnsupported }
func (s *lineSide) LocalAddr() net.Addr              { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 2404} }
func (s *lineSide) RemoteAddr() net.Addr             { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 2), Port: 2404} }

// lineSocket is an end that is a socket.
type lineSocket struct{ *lineSide }

// SyscallConn tells that it is one. It is never called.
func (lineSocket) SyscallConn() (syscall.RawConn, error) { return nil, errors.ErrUnsupported }

// TestLine has the line do what it is told.
func TestLine(t *testing.T) {
	t.Parallel()
	text := make([]byte, 200_000)
	for i := range text {
		text[i] = byte(i ^ i>>8)
	}
	for end, want := range map[lineEnd]error{lineHolds: io.EOF, lineFIN: io.EOF, lineRST: syscall.ECONNRESET, lineVanishes: os.ErrDeadlineExceeded} {
		synctest.Test(t, func(t *testing.T) {
			near, far := newLine(linePlan{piece: 40, delay: 100 * time.Millisecond, ends: end, after: 90_000}, rand.New(rand.NewPCG(1, 2)), true)
			go func() {
				n, err := near.Write(text)
				if short := end != lineHolds; (err != nil || n < len(text)) != short {
					t.Errorf("end %d: wrote %d, %v", end, n, err)
				}
				_ = near.Close()
			}()
			_ = far.SetReadDeadline(time.Now().Add(time.Hour))
			wake := time.AfterFunc(time.Hour, func() { _ = far.SetReadDeadline(time.Now()); _ = near.Close() })
			defer wake.Stop()
			got, err := io.ReadAll(far)
			if end == lineHolds {
				err = errors.Join(err, io.EOF)
			} else if end == lineFIN && err == nil {
				err = io.EOF
			}
			if !errors.Is(err, want) || string(got) != string(text[:len(got)]) {
				t.Errorf("end %d: read %d octets, %v, want %v and the beginning of what was written", end, len(got), err, want)
			}
			if end == lineHolds && len(got) != len(text) || end == lineFIN && len(got) < 90_000 {
				t.Errorf("end %d: read %d octets", end, len(got))
			}
			_ = far.Close()
			synctest.Wait()
		})
	}
}
