package mqtt

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// handshakeTimeout bounds connecting, up to CONNACK.
	handshakeTimeout = 10 * time.Second
	// answerTimeout bounds the wait for SUBACK and UNSUBACK, and for a broker
	// that does not take what is sent to it.
	answerTimeout = 20 * time.Second
	// farewellTimeout bounds DISCONNECT: a broker that does not read must not
	// hold up the end of the program.
	farewellTimeout = time.Second
)

// link is one connection to a broker. The goroutine of read owns the receiving
// side; everything may write.
type link struct {
	conn      net.Conn
	codec     codec
	v5        bool
	keepAlive time.Duration
	frames    *frameReader
	acks      *acks
	figures   *figures
	fail      context.CancelCauseFunc // ends the connection

	// reading is set while frames are taken out of the buffer. Then read itself
	// sends what is due before it waits for more, many acknowledgements at once.
	reading atomic.Bool
	// settled is set once all subscriptions were answered, before PINGREQ, so that
	// PINGRESP comes after the retained messages.
	settled atomic.Bool
	due     chan struct{} // has an element when something is to be sent by [link.acknowledge]

	// writing has an element while a write is under way; its holder owns spare.
	writing chan struct{}
	spare   []byte

	mu       sync.Mutex
	out      []byte              // packets to be sent next
	received map[uint16]struct{} // QoS 2 identifiers between PUBREC and PUBREL; part of the session
	waiting  map[uint16]chan answer
	lastID   uint16
}

func newLink(conn net.Conn, s Settings, received map[uint16]struct{}, fail context.CancelCauseFunc, figures *figures) *link {
	l := &link{
		conn: conn, codec: codec3{}, v5: s.Version == "5", keepAlive: s.KeepAlive,
		fail: fail, figures: figures, received: received,
		due: make(chan struct{}, 1), writing: make(chan struct{}, 1), waiting: make(map[uint16]chan answer),
	}
	if l.v5 {
		l.codec = codec5{}
	}
	l.frames = newFrameReader(l)
	l.acks = newAcks(s.ReceiveMaximum, l.committed)
	return l
}

// handshake sends CONNECT and waits for CONNACK.
func (l *link) handshake(s Settings, clientID string) (welcome, error) {
	packet, err := l.codec.connect(s, clientID)
	if err != nil {
		return welcome{}, fmt.Errorf("CONNECT: %w", err)
	}
	if err := l.send(packet); err != nil {
		return welcome{}, err
	}
	f, err := l.frames.next()
	switch {
	case err != nil:
		return welcome{}, fmt.Errorf("waiting for CONNACK: %w", err)
	case f.kind != connack:
		return welcome{}, fmt.Errorf("waiting for CONNACK: broker sent packet type %d", f.kind)
	}
	w, err := l.codec.connack(f.body)
	if err == nil && w.keepAlive > 0 {
		l.keepAlive = w.keepAlive
	}
	return w, err
}

// Read implements io.Reader for the frames. Before it waits for the network it
// sends what is due.
func (l *link) Read(p []byte) (int, error) {
	l.reading.Store(false)
	if err := l.flush(); err != nil {
		return 0, err
	}
	// The broker answers PINGREQ: silence for longer means that it is gone.
	deadline := l.conn.SetReadDeadline(time.Now().Add(l.keepAlive*3/2 + time.Second))
	n, err := l.conn.Read(p) // says more of a closed connection than the deadline does
	if err == nil {
		err = deadline
	}
	l.reading.Store(true)
	l.figures.bytes.Add(uint64(n))
	if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
		err = errors.New("broker is silent beyond the keep-alive time")
	}
	return n, err
}

// committed is called when a message was kept, or could not be.
func (l *link) committed(err error) {
	if err != nil {
		l.fail(fmt.Errorf("message not kept: %w", err))
		return
	}
	if l.reading.Load() {
		return
	}
	select {
	case l.due <- struct{}{}:
	default:
	}
}

// open takes up a message to be acknowledged. It waits while too many are open,
// so that a broker is slowed down instead of filling the memory.
func (l *link) open(ctx context.Context, m *message) (commit func(error), err error) {
	if commit = l.acks.add(m.id, m.qos); commit != nil {
		return commit, nil
	}
	l.reading.Store(false)
	defer l.reading.Store(true)
	if err := l.flush(); err != nil {
		return nil, err
	}
	for {
		if commit = l.acks.add(m.id, m.qos); commit != nil {
			return commit, nil
		}
		select {
		case <-l.acks.space:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// acknowledge sends acknowledgements that become due while read is waiting.
func (l *link) acknowledge(ctx context.Context) {
	for {
		select {
		case <-l.due:
		case <-ctx.Done():
			return
		}
		if err := l.flush(); err != nil {
			l.fail(err)
			return
		}
	}
}

// ping keeps the connection alive.
func (l *link) ping(ctx context.Context) {
	tick := time.NewTicker(l.keepAlive * 3 / 4)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if err := l.send([]byte{pingreq << 4, 0}); err != nil {
			l.fail(err)
			return
		}
	}
}

// send writes packets, after those that are waiting.
func (l *link) send(packets []byte) error {
	l.queue(packets)
	return l.flush()
}

// queue leaves packets for the next flush.
func (l *link) queue(packets []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.out = append(l.out, packets...)
}

// flush writes what is waiting and the acknowledgements that are due.
func (l *link) flush() error {
	l.writing <- struct{}{}
	defer func() { <-l.writing }()
	return l.write(answerTimeout)
}

// write is flush for the holder of writing. Other goroutines add packets
// meanwhile, for the next write.
func (l *link) write(timeout time.Duration) error {
	l.mu.Lock()
	packets, n := l.acks.take(l.out, l.received)
	l.out = l.spare[:0]
	l.mu.Unlock()
	l.spare = packets
	if len(packets) == 0 {
		return nil
	}
	if err := l.conn.SetWriteDeadline(time.Now().Add(timeout)); err != nil {
		return err
	}
	_, err := l.conn.Write(packets)
	l.figures.acknowledged.Add(uint64(n))
	return err
}

// released takes PUBREL: the broker will not send the message again.
func (l *link) released(id uint16) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.received, id)
	l.out = appendShort(l.out, pubcomp, id)
}

// repeated reports whether a message of QoS 2 was received before, and answers
// it once more if so.
func (l *link) repeated(id uint16) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, ok := l.received[id]
	if ok {
		l.out = appendShort(l.out, pubrec, id)
	}
	return ok
}

// ask sends a packet that packet makes for a free identifier and waits for the
// answer to it.
func (l *link) ask(ctx context.Context, packet func(id uint16) ([]byte, error)) (answer, error) {
	id, wait := l.expect()
	b, err := packet(id)
	if err != nil {
		return answer{}, err
	}
	if err := l.send(b); err != nil {
		return answer{}, err
	}
	timeout := time.NewTimer(answerTimeout)
	defer timeout.Stop()
	select {
	case a := <-wait:
		return a, nil
	case <-ctx.Done():
		return answer{}, context.Cause(ctx)
	case <-timeout.C:
		return answer{}, errors.New("broker does not answer a subscription")
	}
}

// expect allots a packet identifier and the channel of its answer.
func (l *link) expect() (uint16, <-chan answer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		l.lastID++
		if _, used := l.waiting[l.lastID]; l.lastID != 0 && !used {
			break
		}
	}
	wait := make(chan answer, 1)
	l.waiting[l.lastID] = wait
	return l.lastID, wait
}

// answered hands an answer to the one who waits for it.
func (l *link) answered(f frame) error {
	a, err := l.codec.acknowledged(f)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if wait, ok := l.waiting[a.id]; ok {
		delete(l.waiting, a.id)
		wait <- a
	}
	return nil
}

// close ends the connection. An orderly end tells the broker that it was meant,
// with what is due, unless a write hangs that only closing ends.
func (l *link) close(orderly bool) error {
	var err error
	if orderly {
		select {
		case l.writing <- struct{}{}:
			if err = l.write(farewellTimeout); err == nil {
				l.queue([]byte{disconnect << 4, 0})
				err = l.write(farewellTimeout)
			}
			<-l.writing
		case <-time.After(farewellTimeout):
		}
	}
	return errors.Join(err, l.conn.Close())
}
