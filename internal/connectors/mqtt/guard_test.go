package mqtt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	packets5 "github.com/eclipse/paho.golang/packets"
	packets3 "github.com/eclipse/paho.mqtt.golang/packets"
)

// stream is a connection from which r is read and to which writes go one by one.
type stream struct {
	net.Conn
	r      io.Reader
	writes []string
}

func (s *stream) Read(p []byte) (int, error) { return s.r.Read(p) }

func (s *stream) Write(p []byte) (int, error) {
	s.writes = append(s.writes, string(p))
	return len(p), nil
}

func (*stream) SetReadDeadline(time.Time) error  { return nil }
func (*stream) SetWriteDeadline(time.Time) error { return nil }

// guarded returns a guard on a stream, and where the reason of a loss is put.
func guarded(version string, r io.Reader) (*guard, *stream, *error) {
	s, failed := &stream{r: r}, new(error)
	g := newGuard(s, Settings{Version: version, KeepAlive: time.Minute}, new(atomic.Uint64), func(err error) {
		if *failed == nil {
			*failed = err
		}
	})
	return g, s, failed
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// long yields CONNACK, a PUBLISH of QoS 1 with a payload of this length, and PINGRESP.
func long(t testing.TB, payload int) io.Reader {
	length := 2 + 3 + 2 + payload
	head := []byte{0x32, byte(length) | 0x80, byte(length>>7) | 0x80, byte(length>>14) | 0x80, byte(length >> 21)}
	return io.MultiReader(bytes.NewReader(unhex(t, "20 02 00 00")), bytes.NewReader(head), bytes.NewReader(unhex(t, "0003 612f62 000a")),
		io.LimitReader(zeros{}, int64(payload)), bytes.NewReader([]byte{0xd0, 0}))
}

func TestGuardCutsLongMessages(t *testing.T) {
	t.Parallel()
	for _, payload := range []int{1 << 14, maxPayload, maxPayload + 1, 200 << 20} {
		g, _, _ := guarded("3.1.1", long(t, payload))
		if _, err := packets3.ReadPacket(g); err != nil {
			t.Fatal(err)
		}
		p, err := packets3.ReadPacket(g)
		if err != nil {
			t.Fatal(err)
		}
		m := p.(*packets3.PublishPacket)
		if want := min(payload, maxPacket-7); len(m.Payload) != want || m.MessageID != 10 || m.TopicName != "a/b" {
			t.Errorf("payload of %d octets: %d of them, want %d; identifier %d, topic %q", payload, len(m.Payload), want, m.MessageID, m.TopicName)
		}
		if p, err := packets3.ReadPacket(g); err != nil {
			t.Errorf("payload of %d octets: %v after it", payload, err)
		} else if _, ok := p.(*packets3.PingrespPacket); !ok {
			t.Errorf("payload of %d octets: %v after it, want PINGRESP", payload, p)
		}
	}
}

func TestGuardRefusesOtherLongPackets(t *testing.T) {
	t.Parallel()
	g, _, failed := guarded("5", io.MultiReader(bytes.NewReader(unhex(t, "20 03 00 00 00 b0 ffffff7f")), zeros{}))
	if _, err := io.CopyN(io.Discard, g, 1<<30); !errors.Is(err, errEnded) {
		t.Errorf("UNSUBACK of 256 MiB: %v, want %v", err, errEnded)
	}
	if *failed == nil || !strings.HasPrefix((*failed).Error(), "broker announces a packet of type 11 with 268435455 octets") {
		t.Errorf("reason %v", *failed)
	}
}

func TestGuardSendsPacketsWhole(t *testing.T) {
	t.Parallel()
	g, s, _ := guarded("5", zeros{})
	if _, err := (&packets5.Puback{PacketID: 0x0102, Properties: &packets5.Properties{}}).WriteTo(g); err != nil {
		t.Fatal(err)
	}
	if len(s.writes) != 1 || !strings.HasPrefix(s.writes[0], "\x40") || !strings.Contains(s.writes[0], "\x01\x02") {
		t.Errorf("writes %q, want one with PUBACK for 0x0102", s.writes)
	}
}

// FuzzGuard checks what the libraries are sure of behind a guard.
func FuzzGuard(f *testing.F) {
	for _, seed := range []string{
		"20 02 00 00 32 08 0003 612f62 000a 31 d0 00", "20 03 00 00 00 30 0c 0003 612f62 05 0b01 0b8001 31",
		"20 03 00 00 00 90 04 0001 00 01", "20 02 01 00 90 03 0001 80", "20 02 00 00 b0 02 0001", "20 02 00 00 62 02 0001",
		"20 02 00 63", "20 03 00 87 00", "20 0a 00 87 07 1f 0004 6e6f7065", "20 03 00 00 00 e0 02 8e 00", "20 02 00 00 30 ffffffff01",
		"20 0b 00 00 08 21 0014 22 000a 29 00", "20 02 00 00 90 ffffff7f", "48 54 5450",
		"20 03 00 00 00 40 02 8000 50 03 c000 00 70 02 c000 d0 00", "20 03 00 00 00 40 09 8000 87 05 1f 0002 6e6f d0 00", "20 02 00 00 50 02 c000 70 02 c001 40 02 0001",
	} {
		f.Add(unhex(f, seed), true)
		f.Add(unhex(f, seed), false)
	}
	f.Fuzz(func(t *testing.T, data []byte, v5 bool) {
		version := "3.1.1"
		if v5 {
			version = "5"
		}
		g, _, failed := guarded(version, bytes.NewReader(data))
		flow := newOutflow(v5, welcome{window: 10, longest: 100}, 10, nil, nil)
		var codes []byte
		for qos := range byte(3) {
			flow.begin(max(1, qos), heardCode{&codes}, true)
		}
		g.out.Store(flow)
		defer func() {
			if len(codes) > 3 || flow.vacant != 7+len(codes) {
				t.Fatalf("%d of 3 messages acknowledged, %d vacant", len(codes), flow.vacant)
			}
		}()
		out, err := io.ReadAll(g)
		if !errors.Is(err, errEnded) || *failed == nil {
			t.Fatalf("end with %v for %v", err, *failed)
		}
		for i := 0; len(out) > 0; i++ {
			length, n := binary.Uvarint(out[1:])
			if kind := out[0] >> 4; n <= 0 || length > maxPacket || (i == 0) != (kind == connack) || !v5 && kind == suback && length != 3 {
				t.Fatalf("packet %d handed on: %.20x", i, out)
			}
			out = out[min(1+n+int(length), len(out)):]
		}
		g, _, _ = guarded(version, bytes.NewReader(data))
		for { // neither library panics
			if v5 {
				_, err = packets5.ReadPacket(g)
			} else {
				_, err = packets3.ReadPacket(g)
			}
			if err != nil {
				return
			}
		}
	})
}
