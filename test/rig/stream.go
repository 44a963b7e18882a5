package rig

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// Stream publishes the numbers 1, 2, 3 … with QoS 1, one message each, and
// knows which of them the broker has acknowledged. When the connection breaks
// it connects again and goes on with the first number that is not
// acknowledged, as a device does that stores what it measures. It speaks MQTT
// 3.1.1 by itself.
type Stream struct {
	tb      testing.TB
	addr    string
	message Message
	wg      sync.WaitGroup

	mu      sync.Mutex
	news    chan struct{} // closed and replaced when one of these changes
	limit   int           // last number to be published
	sent    int           // highest number that was published
	acked   int           // all numbers up to it are acknowledged
	pace    int           // numbers per second, 0 is as fast as it goes
	breaks  int           // connections that were lost
	stopped bool
	conn    net.Conn
}

// Message returns the message that carries a number.
type Message func(number int) (topic, payload string)

// window is how many numbers a stream publishes ahead of their acknowledgements.
const window = 200

// errStopped ends a connection of a stream that was stopped.
var errStopped = errors.New("stopped")

// StartStream starts a stream to the broker at addr, host:port, that publishes
// nothing until Extend. It stops with the test.
func StartStream(tb testing.TB, addr string, message Message) *Stream {
	s := &Stream{tb: tb, addr: addr, message: message, news: make(chan struct{})}
	s.wg.Go(s.run)
	tb.Cleanup(s.Stop)
	return s
}

// Stop ends the stream. What was published and not acknowledged is open.
func (s *Stream) Stop() {
	s.change(func() {
		s.stopped = true
		if s.conn != nil {
			s.conn.Close()
		}
	})
	s.wg.Wait()
}

// Extend lets the stream publish n more numbers and returns the last of them.
func (s *Stream) Extend(n int) int {
	var last int
	s.change(func() {
		s.limit += n
		last = s.limit
	})
	return last
}

// Pace sets how many numbers are published per second from now on, 0 is as fast as
// acknowledgements come.
func (s *Stream) Pace(perSecond int) { s.change(func() { s.pace = perSecond }) }

// Sent returns the highest number that was published.
func (s *Stream) Sent() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sent
}

// Acknowledged returns up to which number the broker has acknowledged all.
func (s *Stream) Acknowledged() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.acked
}

// Breaks returns how many connections were lost.
func (s *Stream) Breaks() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.breaks
}

// AwaitAcknowledged waits until all numbers up to n are acknowledged. Patience
// begins anew with each acknowledgement.
func (s *Stream) AwaitAcknowledged(n int) {
	s.tb.Helper()
	last, limit := s.Acknowledged(), time.After(Patience)
	for {
		s.mu.Lock()
		acked, news := s.acked, s.news
		s.mu.Unlock()
		if acked >= n {
			return
		}
		if acked > last {
			last, limit = acked, time.After(Patience)
		}
		select {
		case <-news:
		case <-limit:
			s.tb.Fatalf("number %d is not acknowledged, and none after %d was in %v", n, acked, Patience)
		}
	}
}

func (s *Stream) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	close(s.news)
	s.news = make(chan struct{})
}

func (s *Stream) run() {
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		conn, err := s.connect()
		if err == nil {
			err = s.publish(conn)
			s.change(func() { s.breaks++ })
		}
		if errors.Is(err, errStopped) {
			return
		}
		<-again.C
	}
}

// connect opens a connection with a clean session.
func (s *Stream) connect() (net.Conn, error) {
	conn, err := net.DialTimeout("tcp", s.addr, Patience)
	s.mu.Lock()
	stopped := s.stopped
	s.conn = conn
	s.mu.Unlock()
	if stopped {
		if err == nil {
			conn.Close()
		}
		return nil, errStopped
	}
	if err != nil {
		return nil, err
	}
	id := fmt.Sprintf("stream-%d", time.Now().UnixNano())
	b := []byte{0x10, byte(12 + len(id)), 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 0, 0, byte(len(id))}
	answer := make([]byte, 4)
	if _, err = conn.Write(append(b, id...)); err == nil {
		_, err = io.ReadFull(conn, answer)
	}
	if err == nil && [4]byte(answer) != [4]byte{0x20, 2, 0, 0} {
		err = fmt.Errorf("CONNACK is % x", answer)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// publish publishes until the connection breaks or the stream is stopped.
func (s *Stream) publish(conn net.Conn) error {
	defer conn.Close()
	broken := make(chan struct{})
	var reader sync.WaitGroup
	reader.Go(func() {
		defer close(broken)
		s.readAcknowledgements(conn)
	})
	defer reader.Wait()
	defer conn.Close()
	w, due := bufio.NewWriter(conn), time.Now()
	for next := s.Acknowledged() + 1; ; next++ {
		pace, err := s.awaitTurn(next, w, broken, due)
		if err == nil {
			err = s.write(w, next)
		}
		if err != nil {
			return err
		}
		// What could not go out in time is made up for, of the last 100 ms.
		now := time.Now()
		if due = due.Add(pace); now.Sub(due) > 100*time.Millisecond {
			due = now
		}
	}
}

// awaitTurn waits until number n may be published, when it is due if there is a pace, and
// returns the time until the next one. Before it waits it sends what has been written.
func (s *Stream) awaitTurn(n int, w *bufio.Writer, broken <-chan struct{}, due time.Time) (time.Duration, error) {
	for {
		s.mu.Lock()
		stopped, free, pace, news := s.stopped, n <= s.limit && n <= s.acked+window, s.pace, s.news
		s.mu.Unlock()
		var wait time.Duration
		switch {
		case stopped:
			return 0, errStopped
		case free && pace == 0:
			return 0, nil
		case free:
			if wait = time.Until(due); wait <= 0 {
				return time.Second / time.Duration(pace), nil
			}
		}
		if err := w.Flush(); err != nil {
			return 0, err
		}
		var turn <-chan time.Time
		if free {
			turn, news = time.After(wait), nil
		}
		select {
		case <-turn:
		case <-news:
		case <-broken:
			return 0, io.EOF
		}
	}
}

func (s *Stream) write(w io.Writer, n int) error {
	topic, payload := s.message(n)
	length := 4 + len(topic) + len(payload)
	b := []byte{0x32, byte(length&0x7f | 0x80), byte(length >> 7)} // lengths up to 16383 in two octets
	b = binary.BigEndian.AppendUint16(b, uint16(len(topic)))
	b = append(b, topic...)
	b = binary.BigEndian.AppendUint16(b, packetID(n))
	s.mu.Lock()
	s.sent = max(s.sent, n) // before it is on its way
	s.mu.Unlock()
	_, err := w.Write(append(b, payload...))
	return err
}

// packetID returns the packet identifier of a number, which is never 0.
func packetID(n int) uint16 { return uint16(n%65535 + 1) }

// readAcknowledgements takes PUBACKs, which must come in the order of the
// messages, until the connection ends.
func (s *Stream) readAcknowledgements(conn net.Conn) {
	r := bufio.NewReader(conn)
	for {
		b := make([]byte, 4)
		if _, err := io.ReadFull(r, b); err != nil {
			return
		}
		next := s.Acknowledged() + 1
		want := binary.BigEndian.AppendUint16([]byte{0x40, 2}, packetID(next))
		if [4]byte(b) != [4]byte(want) || next > s.Sent() {
			s.tb.Errorf("packet of the broker is % x, want PUBACK of number %d: % x", b, next, want)
			conn.Close()
			return
		}
		s.change(func() { s.acked = next })
	}
}
