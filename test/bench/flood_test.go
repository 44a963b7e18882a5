package bench

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"testing"
	"time"
)

// topics is the number of topics, each with a point of its own.
const topics = 1000

// window is how many messages may wait for their PUBACK.
const window = 500

// flood is an MQTT 3.1.1 publisher with QoS 1 that costs little: it writes
// PUBLISH packets by hand and counts the PUBACKs.
type flood struct {
	conn net.Conn
	w    *bufio.Writer
	acks *bufio.Reader
	id   uint16
	open int // messages without PUBACK
	buf  []byte
}

func newFlood(b *testing.B, addr string) *flood {
	b.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close() })
	f := &flood{conn: conn, w: bufio.NewWriterSize(conn, 32<<10), acks: bufio.NewReaderSize(conn, 32<<10)}
	id := fmt.Sprintf("flood-%d", time.Now().UnixNano())
	connect := []byte{0x10, byte(12 + len(id)), 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 0, 0, byte(len(id))}
	if _, err := conn.Write(append(connect, id...)); err != nil {
		b.Fatal(err)
	}
	connack := make([]byte, 4)
	if _, err := io.ReadFull(f.acks, connack); err != nil || connack[3] != 0 {
		b.Fatalf("CONNACK % x, %v", connack, err)
	}
	return f
}

// publish sends message n, and waits for acknowledgements when the window is full.
func (f *flood) publish(n int, stamp string) error {
	if f.open == window {
		if err := f.w.Flush(); err != nil {
			return err
		}
		if err := f.await(window / 2); err != nil {
			return err
		}
	}
	topic := n % topics
	body := fmt.Appendf(f.buf[:0], "bench/%04d__{\"timestamp\":\"%s\",\"data\":{\"temperature\":%d,\"humidity\":61.2,\"station\":\"ons4711\"}}", topic, stamp, n)
	f.buf = body
	const name = 10 // octets of the topic, bench/0000
	f.id++
	if f.id == 0 {
		f.id = 1
	}
	binary.BigEndian.PutUint16(body[name:], f.id)
	size := 2 + len(body)
	head := [5]byte{0x32, byte(size&0x7F | 0x80), byte(size >> 7), 0, name}
	if _, err := f.w.Write(head[:]); err != nil {
		return err
	}
	f.open++
	_, err := f.w.Write(body)
	return err
}

// await reads PUBACKs until at most left messages are without.
func (f *flood) await(left int) error {
	for f.open > left {
		if _, err := f.acks.Discard(4); err != nil {
			return err
		}
		f.open--
		for f.acks.Buffered() >= 4 && f.open > left {
			if _, err := f.acks.Discard(4); err != nil {
				return err
			}
			f.open--
		}
	}
	return nil
}

// flush sends what is buffered and waits for all acknowledgements.
func (f *flood) flush() error {
	if err := f.w.Flush(); err != nil {
		return err
	}
	return f.await(0)
}
