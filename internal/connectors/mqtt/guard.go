package mqtt

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxPayload is the longest payload that the host takes. Longer ones are cut
	// to one octet more, so that it refuses them.
	maxPayload = 1 << 20
	// maxPacket is what is read of a packet at most: the payload, the longest
	// topic and some properties.
	maxPacket = maxPayload + 1 + maxTopic + 4096
)

// The types of control packets that the guard looks at.
const (
	connack    = 2
	publish    = 3
	puback     = 4
	pubrec     = 5
	pubrel     = 6
	pubcomp    = 7
	suback     = 9
	unsuback   = 11
	pingresp   = 13
	disconnect = 14
)

// errEnded is what the library gets for a connection that has failed. Why it has
// the guard reports itself.
var errEnded = errors.New("connection ended")

// guard stands between the library and the network. It checks what the libraries
// do not: types and lengths of packets, so that no broker can exhaust the memory
// or make them panic. It sets all deadlines itself.
type guard struct {
	net.Conn
	v5        bool
	keepAlive atomic.Int64 // a time.Duration
	octets    *atomic.Uint64
	fail      func(error)
	closed    atomic.Bool             // by us
	out       atomic.Pointer[outflow] // gets the acknowledgements; nil: nothing is published yet

	// Of the goroutine that reads.
	in      *bufio.Reader
	head    []byte // of the packet, as far as not handed on
	left    int    // octets of the packet behind head, not handed on
	skip    int    // octets behind left that are cut off
	started bool   // CONNACK was seen

	writing sync.Mutex
	part    []byte // what is written of a packet of MQTT 5 so far
}

func newGuard(conn net.Conn, s Settings, octets *atomic.Uint64, fail func(error)) *guard {
	g := &guard{Conn: conn, v5: s.Version == "5", octets: octets, fail: fail}
	g.keepAlive.Store(int64(s.KeepAlive))
	g.in = bufio.NewReaderSize(receiving{g}, 64<<10)
	return g
}

// receiving is the reading side of the connection below a guard.
type receiving struct{ *guard }

// Read implements io.Reader. The broker answers PINGREQ: silence for longer
// means that it is gone.
func (r receiving) Read(p []byte) (int, error) {
	limit := time.Duration(r.keepAlive.Load())*3/2 + time.Second
	deadline := r.Conn.SetReadDeadline(time.Now().Add(limit))
	n, err := r.Conn.Read(p) // says more of a closed connection than the deadline does
	r.octets.Add(uint64(n))
	if err == nil {
		err = deadline
	}
	if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
		err = errors.New("broker is silent beyond the keep-alive time")
	}
	return n, err
}

// Read implements net.Conn.
func (g *guard) Read(p []byte) (int, error) {
	if len(g.head) == 0 && g.left == 0 {
		if err := g.next(); err != nil {
			if !g.started {
				err = fmt.Errorf("waiting for CONNACK: %w", within(err))
			}
			return 0, g.lost(err)
		}
	}
	if len(g.head) > 0 {
		n := copy(p, g.head)
		g.head = g.head[n:]
		return n, nil
	}
	n, err := g.in.Read(p[:min(len(p), g.left)])
	g.left -= n
	if err != nil {
		return n, g.lost(within(err))
	}
	return n, nil
}

// next reads the fixed header of the next packet that is for the library.
func (g *guard) next() error {
	for {
		if _, err := g.in.Discard(g.skip); err != nil {
			return within(err)
		}
		g.skip = 0
		first, length, err := g.header()
		if err != nil {
			return err
		}
		if err := g.check(first, length); err != nil {
			return err
		}
		if kind := first >> 4; kind == puback || kind == pubrec || kind == pubcomp {
			if err := g.acknowledged(kind, length); err != nil {
				return err
			}
			continue
		}
		g.begin(first, length)
		return nil
	}
}

// acknowledged hands on what the broker says of what was published, which the
// library knows nothing of.
func (g *guard) acknowledged(kind byte, length int) error {
	body, err := g.in.Peek(length)
	if err != nil {
		return within(err)
	}
	if o := g.out.Load(); o != nil {
		o.acknowledged(kind, body)
	}
	g.skip = length
	return nil
}

// header reads the fixed header of a packet.
func (g *guard) header() (first byte, length int, err error) {
	if first, err = g.in.ReadByte(); err != nil {
		return 0, 0, err
	}
	for shift := 0; ; shift += 7 {
		b, err := g.in.ReadByte()
		if err != nil {
			return 0, 0, within(err)
		}
		if length |= int(b&0x7f) << shift; b < 0x80 {
			return first, length, nil
		} else if shift == 21 {
			return 0, 0, fmt.Errorf("%w: length of more than four octets", errMalformed)
		}
	}
}

// begin prepares the packet to be handed on to the library.
func (g *guard) begin(first byte, length int) {
	// The payload is at the end, so a message that is cut stays a message.
	g.left = min(length, maxPacket)
	g.skip = length - g.left
	g.head = append(g.head[:0], first)
	for n := g.left; ; n >>= 7 {
		if n < 0x80 {
			g.head = append(g.head, byte(n))
			return
		}
		g.head = append(g.head, byte(n)|0x80)
	}
}

// check refuses packets that a broker must not send.
func (g *guard) check(first byte, length int) error {
	kind := first >> 4
	switch {
	case !g.started && kind != connack:
		return fmt.Errorf("broker sent packet type %d", kind)
	case g.started && !g.sends(kind):
		return fmt.Errorf("broker sent a packet of type %d, which it must not", kind)
	case kind == publish && first>>1&3 == 3:
		return fmt.Errorf("%w: PUBLISH with QoS 3", errMalformed)
	case (kind == puback || kind == pubrec || kind == pubcomp) && (length < 2 || !g.v5 && length > 2 || length > longestAnswer):
		return fmt.Errorf("%w: %s of %d octets", errMalformed, answerNames[kind], length)
	case kind == suback && !g.v5 && length != 3:
		// The library takes as many return codes as come for one filter.
		return fmt.Errorf("%w: SUBACK not for one filter", errMalformed)
	case kind != publish && length > maxPacket:
		return fmt.Errorf("broker announces a packet of type %d with %d octets, want at most %d", kind, length, maxPacket)
	}
	g.started = true
	if kind == connack && !g.v5 {
		return g.accepted(length)
	}
	return nil
}

// longestAnswer is the longest PUBACK, PUBREC or PUBCOMP, with all that may be in its
// properties.
const longestAnswer = 32 << 10

// answerNames are the names of the packets that answer a PUBLISH.
var answerNames = [...]string{puback: "PUBACK", pubrec: "PUBREC", pubcomp: "PUBCOMP"}

// sends reports whether a broker may send a packet of this type after CONNACK.
func (g *guard) sends(kind byte) bool {
	switch kind {
	case publish, puback, pubrec, pubrel, pubcomp, suback, unsuback, pingresp:
		return true
	}
	return kind == disconnect && g.v5
}

// accepted refuses return codes of MQTT 3.1.1 that the library takes for success.
func (g *guard) accepted(length int) error {
	if length != 2 {
		return errors.New("CONNACK: want two octets")
	}
	body, err := g.in.Peek(length)
	if err != nil {
		return within(err)
	}
	if body[1] > 5 {
		return refused(fmt.Sprintf("return code %d", body[1]), "")
	}
	return nil
}

// within makes an end within a packet an error of its own.
func within(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Lock implements sync.Locker: with MQTT 5 a packet is written in parts.
func (g *guard) Lock() { g.writing.Lock() }

// Unlock implements sync.Locker. It sends the packet. If that fails, so will the connection.
func (g *guard) Unlock() {
	defer g.writing.Unlock()
	_, _ = g.write(g.part)
	g.part = g.part[:0]
}

// Write implements net.Conn.
func (g *guard) Write(p []byte) (int, error) {
	if g.v5 {
		g.part = append(g.part, p...)
		return len(p), nil
	}
	if err := g.send(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// send writes whole packets, between those of the library.
func (g *guard) send(p []byte) error {
	g.writing.Lock()
	defer g.writing.Unlock()
	_, err := g.write(p)
	return err
}

func (g *guard) write(p []byte) (int, error) {
	err := g.Conn.SetWriteDeadline(time.Now().Add(answerTimeout))
	if err == nil {
		_, err = g.Conn.Write(p)
	}
	if err != nil {
		return 0, g.lost(err)
	}
	return len(p), nil
}

// lost reports why the connection is lost, unless we have closed it.
func (g *guard) lost(err error) error {
	if !g.closed.Load() {
		g.fail(err)
	}
	return errEnded
}

// Close implements net.Conn.
func (g *guard) Close() error {
	g.closed.Store(true)
	return g.Conn.Close()
}

// SetDeadline implements net.Conn. The guard sets all deadlines itself.
func (*guard) SetDeadline(time.Time) error { return nil }

// SetReadDeadline implements net.Conn, see [guard.SetDeadline].
func (*guard) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements net.Conn, see [guard.SetDeadline].
func (*guard) SetWriteDeadline(time.Time) error { return nil }
