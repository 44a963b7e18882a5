package mqttbroker

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"testing"
	"time"
)

// wire is a client that sends the octets the test says, and nothing by itself.
type wire struct {
	t       testing.TB
	conn    net.Conn
	r       *bufio.Reader
	version byte
}

// dial connects without saying anything.
func (r *running) dial(t testing.TB) *wire {
	t.Helper()
	conn, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return &wire{t: t, conn: conn, r: bufio.NewReader(conn), version: 4}
}

// levels are the numbers of the versions on the wire.
var levels = map[string]byte{"3.1.1": 4, "5": 5}

// signIn connects with a session that stays, and returns whether there was one.
func (r *running) signIn(t testing.TB, version, id string, keepAlive uint16) (w *wire, present bool) {
	t.Helper()
	w = r.dial(t)
	w.version = levels[version]
	body := append([]byte{0, 4, 'M', 'Q', 'T', 'T', w.version, 0}, be(keepAlive)...)
	if w.version == 5 {
		body = append(body, 5, 0x11, 0, 0, 0, 100) // session expiry interval 100 s
	}
	w.send(0x10, append(body, text(id)...))
	first, ack := w.next()
	if first != 0x20 || ack[1] != 0 {
		t.Fatalf("packet %#x % x, want CONNACK with success", first, ack)
	}
	return w, ack[0] == 1
}

func be(v uint16) []byte { return binary.BigEndian.AppendUint16(nil, v) }

func text(s string) []byte { return append(be(uint16(len(s))), s...) }

func packet(first byte, body []byte) []byte {
	b := []byte{first}
	for n := len(body); ; n >>= 7 {
		if n < 128 {
			return append(append(b, byte(n)), body...)
		}
		b = append(b, byte(n)|128)
	}
}

func (w *wire) send(first byte, body []byte) { w.t.Helper(); w.write(packet(first, body)) }

func (w *wire) write(b []byte) {
	w.t.Helper()
	if _, err := w.conn.Write(b); err != nil {
		w.t.Fatal(err)
	}
}

func (w *wire) publish(topic string, qos byte, id uint16, dup bool, payload string) {
	w.t.Helper()
	w.write(w.message(topic, qos, id, dup, payload))
}

func (w *wire) message(topic string, qos byte, id uint16, dup bool, payload string) []byte {
	body := text(topic)
	if qos > 0 {
		body = append(body, be(id)...)
	}
	if w.version == 5 {
		body = append(body, 0)
	}
	first := 0x30 | qos<<1
	if dup {
		first |= 8
	}
	return packet(first, append(body, payload...))
}

// next returns the next packet.
func (w *wire) next() (first byte, body []byte) {
	w.t.Helper()
	first, body, err := w.read()
	if err != nil {
		w.t.Fatalf("no packet: %v", err)
	}
	return first, body
}

func (w *wire) read() (first byte, body []byte, err error) {
	if first, err = w.r.ReadByte(); err != nil {
		return 0, nil, err
	}
	length, err := binary.ReadUvarint(w.r)
	if err != nil {
		return 0, nil, err
	}
	body = make([]byte, length)
	_, err = io.ReadFull(w.r, body)
	return first, body, err
}

// want checks that the next packet begins with these octets after its length.
func (w *wire) want(first byte, id uint16) {
	w.t.Helper()
	got, body := w.next()
	if got != first || len(body) < 2 || binary.BigEndian.Uint16(body) != id {
		w.t.Fatalf("packet %#x % x, want %#x for message %d", got, body, first, id)
	}
	if len(body) > 2 && body[2] >= 0x80 {
		w.t.Fatalf("packet %#x % x says failure", got, body)
	}
}

// wantEnd checks that the broker closes the connection without another packet,
// except that MQTT 5 allows DISCONNECT.
func (w *wire) wantEnd(what string) {
	w.t.Helper()
	for {
		first, body, err := w.read()
		switch {
		case err == nil && first == 0xe0:
		case err == nil:
			w.t.Fatalf("%s: packet %#x % x, want the end of the connection", what, first, body)
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
			return
		default:
			w.t.Fatalf("%s: %v, want the end of the connection", what, err)
		}
	}
}

// alive checks that the broker goes on.
func (r *running) alive(t testing.TB) {
	t.Helper()
	w, _ := r.signIn(t, "3.1.1", fmt.Sprintf("alive-%p", new(byte)), 60)
	w.publish("alive", 1, 7, false, "1")
	w.want(0x40, 7)
	for {
		if d := next(t, "message alive", r.sink.delivered); d.topic == "alive" {
			break
		}
	}
	if err := w.conn.Close(); err != nil {
		t.Fatal(err)
	}
}

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
