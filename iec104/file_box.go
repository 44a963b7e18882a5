package iec104

import (
	"context"
	"fmt"
	"slices"
	"time"

	"busbar/iec104/apci"
	"busbar/iec104/asdu"
)

const (
	// maxFileHeld is how many octets of segments may wait for the application to
	// take them. What comes then is dropped: the section fails, and is repeated.
	maxFileHeld = 1 << 20
	// maxFileOut is how many ASDUs of file transfer wait for the window at most,
	// before the goroutine that makes them has to wait.
	maxFileOut = 32
)

// fileBox is what goes to and fro between a connection and the goroutine that
// transfers a file on it. The goroutine may be slow: what it has not taken is
// bounded, and what it wants to send is the last thing that is sent.
type fileBox struct {
	link *link
	news chan struct{} // something has changed; for the goroutine alone

	// Guarded by the lock of the link.
	in      []fileStep
	held    int  // octets of segments among them, and of those taken out last
	taken   int  // octets of these
	overrun bool // segments were dropped
	out     []fileOut
	moved   time.Duration // when the transfer last got on, on the clock of the link
	closed  error         // nothing is received or sent any more

	// The last quarter of the window is left to others. whole: the peer waits for more
	// frames than that before it acknowledges, as it took long after one was held back
	// with this Ack.
	whole, heldBack bool
	heldAck         apci.Seq
}

// fileOut is one ASDU to send, or a section.
type fileOut struct {
	asdu    []byte // with segments: up to the length of the segment
	section bool
	content []byte // of the section, not yet sent
	aside   bool   // does not belong to the transfer
}

func newFileBox(l *link) *fileBox {
	return &fileBox{link: l, news: make(chan struct{}, 1), moved: l.now()}
}

func (b *fileBox) tell() {
	select {
	case b.news <- struct{}{}:
	default:
	}
}

// put hands over what was received; tell says so. It is called with the lock of the link.
func (b *fileBox) put(s *fileStep) {
	if b.closed != nil {
		return
	}
	if s.header.Type != asdu.F_SG_NA_1 {
		b.in = append(b.in, *s)
		return
	}
	b.moved = b.link.now()
	if b.held+len(s.content) > maxFileHeld {
		b.overrun = true
		return
	}
	b.held += len(s.content)
	if n := len(b.in); n > 0 && s.follows(&b.in[n-1]) {
		b.in[n-1].content = append(b.in[n-1].content, s.content...)
		return
	}
	s.content = slices.Clone(s.content)
	b.in = append(b.in, *s)
}

// close ends the box. What was received before is still taken: the last of it may
// acknowledge the file. It is called with the lock of the link.
func (b *fileBox) close(err error) {
	if b.closed == nil {
		b.closed, b.out = err, nil
		b.tell()
	}
}

// pop takes out what was received first. It is called with the lock of the link.
func (b *fileBox) pop() (s fileStep, ok bool) {
	b.held -= b.taken // they are done with
	b.taken = 0
	if len(b.in) == 0 {
		return s, false
	}
	s = b.in[0]
	b.taken = len(s.content)
	if b.in = slices.Delete(b.in, 0, 1); len(b.in) == 0 {
		b.in = nil
	}
	return s, true
}

// await returns what is received next. It fails with ErrTimeout when the transfer
// has not got on for limit; while something waits to be sent, it is not the peer
// who is late.
func (b *fileBox) await(ctx context.Context, limit time.Duration) (fileStep, error) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for {
		l := b.link
		l.mu.Lock()
		left := limit
		if len(b.out) == 0 {
			left = b.moved + limit - l.now()
		}
		s, ok := b.pop()
		err := b.closed
		l.unlock()
		switch {
		case ok:
			return s, nil
		case err != nil:
			return s, err
		case left <= 0:
			return s, fmt.Errorf("iec104: file transfer: nothing for %v: %w", limit, ErrTimeout)
		}
		timer.Reset(left)
		select {
		case <-b.news:
		case <-timer.C:
		case <-ctx.Done():
			return s, ctx.Err()
		}
	}
}

// send has ASDUs sent, as soon as there is nothing else to send.
func (b *fileBox) send(ctx context.Context, o fileOut) error {
	for {
		l := b.link
		l.mu.Lock()
		full, err := len(b.out) >= maxFileOut, b.closed
		if !full && err == nil {
			b.out = append(b.out, o)
			if !o.aside {
				b.moved = l.now()
			}
		}
		l.unlock()
		if !full || err != nil {
			l.signal()
			return err
		}
		select {
		case <-b.news:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// advance notes that the transfer got on.
func (b *fileBox) advance() {
	b.link.mu.Lock()
	defer b.link.unlock()
	b.moved = b.link.now()
}

// drop forgets what was to be sent of the transfer.
func (b *fileBox) drop() {
	b.link.mu.Lock()
	defer b.link.unlock()
	b.out = slices.DeleteFunc(b.out, func(o fileOut) bool { return !o.aside })
}

// unsent returns how much of the content of the section is still to be sent, and
// whether anything of the transfer is.
func (b *fileBox) unsent() (octets int, some bool) {
	b.link.mu.Lock()
	defer b.link.unlock()
	for _, o := range b.out {
		octets += len(o.content)
		some = some || !o.aside
	}
	return octets, some
}

// lateAck is how soon a peer acknowledges that does not wait for more frames.
const lateAck = time.Second

// open reports whether the window has room for a frame of a file. Without the room that
// is left an event would have to wait for an acknowledgement of segments.
func (b *fileBox) open() bool {
	l := b.link
	if b.heldBack && l.win.ack != b.heldAck {
		b.heldBack = false
		b.whole = b.whole || l.delay > lateAck
	}
	if b.whole || l.win.outstanding() < l.p.K-l.p.K/4 {
		return true
	}
	b.heldBack, b.heldAck = true, l.win.ack
	return false
}

// fill appends I frames as long as the link has room for them. It is called with
// the lock of the link, and when there is nothing else to send.
func (b *fileBox) fill(out []byte) []byte {
	full := len(b.out) >= maxFileOut
	for len(b.out) > 0 && b.open() && b.link.room(out) {
		o := &b.out[0]
		at := len(out)
		var room [apci.HeaderLen]byte
		out = append(append(out, room[:]...), o.asdu...)
		if o.section {
			n := min(len(o.content), b.link.maxASDU-len(o.asdu)-1, 255)
			out = append(append(out, byte(n)), o.content[:n]...)
			o.content = o.content[n:]
		}
		b.link.place(out, at, 0, true)
		if !o.aside {
			b.moved = b.link.clock
		}
		if len(o.content) == 0 {
			b.out = slices.Delete(b.out, 0, 1)
		}
	}
	if len(b.out) == 0 {
		b.out = nil
	}
	if full || b.out == nil {
		b.tell()
	}
	return out
}
