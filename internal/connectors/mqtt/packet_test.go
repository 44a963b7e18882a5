package mqtt

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// unhex reads hexadecimal octets with spaces and comments in brackets.
func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

type parsed struct {
	Topic, Payload string
	ID             uint16
	QoS            byte
	Retained       bool
	Subscriptions  []uint32
}

func parse(b []byte, v5 bool) (parsed, error) {
	f, err := newFrameReader(iotest.OneByteReader(bytes.NewReader(b))).next()
	if err != nil {
		return parsed{}, err
	}
	var m message
	err = m.parse(f, v5)
	return parsed{string(m.topic), string(m.payload), m.id, m.qos, m.retained, m.subscriptions}, err
}

func TestParsePublish(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, hex string
		v5        bool
		want      parsed
	}{
		{"3.1.1, QoS 0", "30 05 0003 612f62", false, parsed{Topic: "a/b"}},
		{"3.1.1, QoS 1, packet identifier 10, as in figure 3.11 of the standard", "32 08 0003 612f62 000a 31", false,
			parsed{Topic: "a/b", Payload: "1", ID: 10, QoS: 1}},
		{"3.1.1, QoS 2, retained and duplicate", "3d 09 0003 612f62 0100 6f6e", false,
			parsed{Topic: "a/b", Payload: "on", ID: 256, QoS: 2, Retained: true}},
		{"5, no properties", "32 09 0003 612f62 000a 00 31", true, parsed{Topic: "a/b", Payload: "1", ID: 10, QoS: 1}},
		{"5, two subscription identifiers", "30 0c 0003 612f62 05 0b01 0b8001 31", true,
			parsed{Topic: "a/b", Payload: "1", Subscriptions: []uint32{1, 128}}},
		{"5, all other properties", "30 25 0001 61 21 0101 0200000005 03000178 08000179 0900017a 26 0001 6b 0001 76 26 0001 6b 0001 76", true,
			parsed{Topic: "a"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := parse(unhex(t, tt.hex), tt.v5)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseRefusesMalformedPackets(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, hex string
		v5        bool
	}{
		{"QoS 3", "36 08 0003 612f62 000a 31", false},
		{"no topic", "30 02 0000", false},
		{"topic beyond the end", "30 04 0003 6161", false},
		{"no packet identifier", "32 05 0003 612f62", false},
		{"packet identifier 0", "32 07 0003 612f62 0000", false},
		{"no property length", "30 05 0003 612f62", true},
		{"properties beyond the end", "30 06 0003 612f62 05", true},
		{"topic alias", "30 09 0003 612f62 03 230001", true},
		{"unknown property", "30 08 0003 612f62 02 7f00", true},
		{"truncated property", "30 09 0003 612f62 03 020000", true},
		{"truncated user property", "30 0b 0003 612f62 05 26 0001 61 00", true},
		{"endless subscription identifier", "30 0b 0003 612f62 05 0b80808080", true},
		{"length of five octets", "30 8080808001", false},
		{"end within the length", "30 80", false},
		{"end within the body", "30 05 0003", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got, err := parse(unhex(t, tt.hex), tt.v5); err == nil {
				t.Errorf("%+v without an error", got)
			} else if errors.Is(err, io.EOF) {
				t.Errorf("%v: an end within a packet looks like an orderly end", err)
			}
		})
	}
}

// endless yields a PUBLISH of QoS 1 with a payload of this length, and then a
// PINGRESP.
func endless(t testing.TB, payload int) io.Reader {
	length := 2 + 3 + 2 + payload
	head := []byte{0x32, byte(length) | 0x80, byte(length>>7) | 0x80, byte(length>>14) | 0x80, byte(length >> 21)}
	return io.MultiReader(bytes.NewReader(head), bytes.NewReader(unhex(t, "0003 612f62 000a")),
		io.LimitReader(zeros{}, int64(payload)), bytes.NewReader([]byte{0xd0, 0}))
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestFrameReaderBoundsItsMemory(t *testing.T) {
	t.Parallel()
	for _, payload := range []int{readBuffer, maxPayload, maxPayload + 1, 200 << 20} {
		r := newFrameReader(endless(t, payload))
		f, err := r.next()
		if err != nil {
			t.Fatal(err)
		}
		var m message
		if err := m.parse(f, false); err != nil {
			t.Fatal(err)
		}
		if want := min(payload, maxPayload+1); len(m.payload) != want || m.id != 10 || string(m.topic) != "a/b" {
			t.Errorf("payload of %d octets: %d of them, identifier %d, topic %q", payload, len(m.payload), m.id, m.topic)
		}
		if len(f.body) > maxPacket {
			t.Errorf("payload of %d octets: %d kept", payload, len(f.body))
		}
		if f, err := r.next(); err != nil || f.kind != pingresp {
			t.Errorf("payload of %d octets: packet %v, %v after it, want PINGRESP", payload, f, err)
		}
	}
}

func TestFrameReaderRefusesOtherLongPackets(t *testing.T) {
	t.Parallel()
	r := newFrameReader(io.MultiReader(bytes.NewReader([]byte{0x90, 0xff, 0xff, 0xff, 0x7f}), zeros{}))
	if _, err := r.next(); !errors.Is(err, errTooLong) {
		t.Errorf("SUBACK of 256 MiB: %v, want %v", err, errTooLong)
	}
}

func FuzzPackets(f *testing.F) {
	for _, seed := range []string{
		"32 08 0003 612f62 000a 31", "30 0c 0003 612f62 05 0b01 0b8001 31", "90 04 0001 00 01", "90 03 0001 80",
		"b0 04 0001 00 00", "20 02 01 00", "20 03 00 87 00", "20 0a 00 87 07 1f 0004 6e6f7065", "e0 02 8e 00", "62 02 0001", "d0 00",
		"20 0b 00 00 08 21 0014 22 000a 29 00", "20 06 00 00 03 13 003c",
	} {
		f.Add(unhex(f, seed), true)
		f.Add(unhex(f, seed), false)
	}
	f.Fuzz(func(t *testing.T, data []byte, v5 bool) {
		var code codec = codec3{}
		if v5 {
			code = codec5{}
		}
		r := newFrameReader(bytes.NewReader(data))
		for {
			fr, err := r.next()
			if err != nil {
				return
			}
			var m message
			switch fr.kind {
			case publish:
				if err := m.parse(fr, v5); err == nil && (len(m.topic) == 0 || m.qos > 2 || m.qos > 0 && m.id == 0) {
					t.Errorf("accepted %+v", m)
				}
			case connack:
				w, err := code.connack(fr.body)
				if err == nil && w.keepAlive < 0 {
					t.Errorf("keep alive %v", w.keepAlive)
				}
			case suback, unsuback:
				if a, err := code.acknowledged(fr); err == nil && len(a.codes) > len(fr.body) {
					t.Errorf("%d codes of %d octets", len(a.codes), len(fr.body))
				}
			case disconnect:
				if err := (codec5{}).disconnected(fr.body); err == nil || err.Error() == "" {
					t.Error("no reason")
				}
			}
		}
	})
}
