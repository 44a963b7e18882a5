package iec104

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"busbar/iec104/apci"
)

// transfer is the state of data transfer on a connection.
type transfer uint8

const (
	stopped  transfer = iota
	starting          // controlling: STARTDT act sent
	started
	stopping // controlled: confirmation of STOPDT withheld; controlling: STOPDT act sent
)

// user is what stands above a link. The link calls it with its lock held.
type user interface {
	// receive takes the I frames among frames, which are whole and a part of the
	// read buffer, and returns how many it took. It may release the lock
	// meanwhile. An error closes the connection.
	receive(frames []byte) (int, error)
	// urgent appends I frames that go before all others, as long as the link
	// has room for them.
	urgent(out []byte) []byte
	// fill appends further I frames as long as the link has room for them and
	// there is something to send.
	fill(out []byte) []byte
	// confirmed tells that the peer has acknowledged n further events.
	confirmed(n int)
	// transferred tells that data transfer has started or stopped.
	transferred(on bool)
	// tested tells that the peer has confirmed a test of the link.
	tested()
	// taken is called by the reader, without the lock, after it has handled what
	// it read.
	taken()
}

// link is the state machine of one connection in both roles: it numbers,
// acknowledges and supervises. Three drive it: the reader (the goroutine of
// run), a timer, and a writer, a goroutine that is there only while others have
// made something due. Its state is guarded by mu, which is never held while
// writing: whoever sets writing has the right to write, and the others leave
// their work to it.
type link struct {
	conn       net.Conn
	p          Params
	maxASDU    int  // longest one sent
	controlled bool // this side is the controlled station
	direct     bool // the reader may write: the system buffers what is written
	user       user
	trace      func(sent bool, apdu []byte)
	tap        TapFunc // set before run
	begun      time.Time
	woken      atomic.Bool // a writer was started and has not looked yet what is due
	over       sync.Cond   // of mu: the connection has ended, or the writing after that

	mu       sync.Mutex
	clock    time.Duration // now, as of the frames being received or composed
	state    transfer
	win      window
	delay    time.Duration // from the newest frame acknowledged to its acknowledgement; 0: none yet
	trip     time.Duration // from TESTFR act to its confirmation, when it last came; 0: none yet
	vr       apci.Seq      // V(R), the number of the next frame to receive
	nr       apci.Seq      // N(R) to send: the frames before it were taken by the user
	fresh    int           // received I frames not yet handed to the user
	handing  bool          // they are being handed to it
	owed     int           // I frames taken by the user and not acknowledged
	ackNow   bool          // acknowledge even if fewer than w are owed
	control  []byte        // U frames to send, in order
	out      []byte        // what is being written
	ahead    ahead         // I frames made while the window is closed
	timers   timers
	events   uint64 // events in all I frames sent so far
	skipped  int    // events that were left out since the last I frame
	settled  uint64 // events of which the application knows that they arrived
	count    Counters
	err      error // why the connection ended or is about to
	leaving  bool  // end with err once what is due has been written
	ended    bool
	closed   bool // the conn
	writing  bool
	stopHeld bool // the confirmation of STOPDT waits for acknowledgements
}

const (
	// outSize is the most that is written at once.
	outSize = 32 << 10
	// maxControl is the most octets of U frames that may wait to be sent.
	maxControl = 64 << 10
	// lingerTime is how long what is due may take to be written when the
	// connection is to be closed.
	lingerTime = time.Second
)

// outBuffers are the buffers to write from, of all links: *[outSize]byte. A link
// has one only while it writes, so that an idle one costs none.
var outBuffers = sync.Pool{New: func() any { return new([outSize]byte) }}

// run serves the connection until it ends and returns the reason, a *LinkError.
func (l *link) run() error {
	l.mu.Lock()
	l.timers.received = l.now()
	l.arm()
	l.unlock()
	l.read()
	l.mu.Lock()
	defer l.unlock()
	for !l.ended || l.writing {
		l.over.Wait()
	}
	l.ahead.release()
	return l.err
}

// buffered reports whether a Write to conn returns although the peer is not
// reading: true for sockets, not for net.Pipe. The reader must not write
// otherwise, or two stations could wait for each other.
func buffered(conn net.Conn) bool {
	if wrapped, ok := conn.(interface{ NetConn() net.Conn }); ok {
		return buffered(wrapped.NetConn())
	}
	_, ok := conn.(syscall.Conn)
	return ok
}

// signal has a writer send what is due; it never blocks and needs no lock.
func (l *link) signal() {
	if l.woken.CompareAndSwap(false, true) {
		go l.write()
	}
}

// write sends what others have made due. It ends with it, so that an idle link
// has no stack for it.
func (l *link) write() {
	l.woken.Store(false)
	l.mu.Lock()
	defer l.unlock()
	l.flush()
}

// end closes the connection at once. The first reason stays.
func (l *link) end(err error) {
	if l.ended {
		return
	}
	l.ended = true
	if l.err == nil {
		l.err = err
	}
	l.timers.stop()
	l.over.Broadcast()
}

// leave closes the connection after what is due has been written.
func (l *link) leave(err error) {
	if l.ended || l.leaving {
		return
	}
	l.leaving = true
	l.err = err
	l.timers.leaveBy = l.now() + lingerTime
	l.arm()
}

// unlock releases the lock and closes the conn of a connection that has ended,
// which can take time with TLS.
func (l *link) unlock() {
	closing := l.ended && !l.closed
	l.closed = l.ended
	l.mu.Unlock()
	if closing {
		// The connection is given up whatever Close returns.
		_ = l.conn.Close()
	}
}

// now returns the time since the connection began, on the monotonic clock. It
// begins at 1: zero stands for no time.
func (l *link) now() time.Duration { return time.Since(l.begun) + 1 }

// ioError returns the reason behind a failed Read or Write.
func ioError(err error) *LinkError {
	switch {
	case errors.Is(err, io.EOF):
		return &LinkError{Reason: ClosedByPeer}
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.ErrClosedPipe):
		return &LinkError{Reason: ClosedByPeer, Err: err}
	default:
		return &LinkError{Reason: NetworkFailed, Err: err}
	}
}
