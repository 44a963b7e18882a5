package mqtt

import (
	"bytes"
	"slices"
	"testing"

	packets5 "github.com/eclipse/paho.golang/packets"
	packets3 "github.com/eclipse/paho.mqtt.golang/packets"
)

// heardCode is a receipt that notes what it is told.
type heardCode struct{ codes *[]byte }

func (h heardCode) answered(code byte) { *h.codes = append(*h.codes, code) }

func TestPublishIsReadByTheLibraries(t *testing.T) {
	t.Parallel()
	for _, payload := range []int{0, 5, 200, 20_000, 3_000_000} {
		m := outgoing{
			topic: "out/ä", payload: bytes.Repeat([]byte{7}, payload), qos: 2, retain: true, expiry: 70_000, isJSON: true, answer: "ans", correlation: "\x00c",
			user: appendUserProperties(nil, "a/b", 1234567),
		}
		p5, err := packets5.ReadPacket(bytes.NewReader(appendPublish(nil, true, 0x8001, &m)))
		if err != nil {
			t.Fatal(err)
		}
		p := p5.Content.(*packets5.Publish)
		if p.Topic != m.topic || len(p.Payload) != payload || p.QoS != 2 || !p.Retain || p.Duplicate || p.PacketID != 0x8001 || p.Properties.ResponseTopic != "ans" ||
			string(p.Properties.CorrelationData) != "\x00c" || *p.Properties.MessageExpiry != 70_000 || p.Properties.ContentType != "application/json" ||
			!slices.Equal(p.Properties.User, []packets5.User{{Key: "point", Value: "a/b"}, {Key: "seq", Value: "1234567"}}) {
			t.Errorf("%d octets: %v", payload, p.Properties)
		}
		p3, err := packets3.ReadPacket(bytes.NewReader(appendPublish(nil, false, 0x8001, &m)))
		if err != nil {
			t.Fatal(err)
		}
		if p := p3.(*packets3.PublishPacket); p.TopicName != m.topic || len(p.Payload) != payload || p.Qos != 2 || !p.Retain || p.Dup || p.MessageID != 0x8001 {
			t.Errorf("%d octets: %v", payload, p)
		}
	}
}

func TestWindowIsKeptAndPartOfItIsForCommands(t *testing.T) {
	t.Parallel()
	o := newOutflow(true, welcome{window: 20, longest: 1000}, 100, nil, nil)
	var codes []byte
	r := heardCode{&codes}
	var ids []uint16
	for id := o.begin(1, r, false); id != 0; id = o.begin(1, r, false) {
		ids = append(ids, id)
	}
	if len(ids) != 15 {
		t.Errorf("%d messages on their way, want 15: 20 less a quarter", len(ids))
	}
	for range 5 {
		if o.begin(1, r, true) == 0 {
			t.Error("no identifier for a command")
		}
	}
	if id := o.begin(1, r, true); id != 0 {
		t.Errorf("identifier %d beyond the window", id)
	}
	o.acknowledged(puback, []byte{byte(ids[3] >> 8), byte(ids[3]), 0x87})
	o.acknowledged(puback, []byte{byte(ids[3] >> 8), byte(ids[3])}) // once is enough
	o.acknowledged(puback, []byte{0, 1})
	o.acknowledged(puback, []byte{0xff, 0xff})
	if !bytes.Equal(codes, []byte{0x87}) {
		t.Errorf("told %x, want 87 once", codes)
	}
	if id := o.begin(1, r, true); id != ids[3] {
		t.Errorf("identifier %d, want %d, which is free", id, ids[3])
	}
}

func TestMessageOfQoS2HasTwoAnswers(t *testing.T) {
	t.Parallel()
	o := newOutflow(true, welcome{window: 20, longest: 1000}, 100, nil, nil)
	var codes []byte
	id := o.begin(2, heardCode{&codes}, false)
	b := []byte{byte(id >> 8), byte(id)}
	o.acknowledged(pubcomp, b) // of an earlier connection
	o.acknowledged(puback, b)
	if len(codes) > 0 || len(o.urgent) > 0 {
		t.Errorf("told %x before the broker has it", codes)
	}
	o.acknowledged(pubrec, b)
	if want := append([]byte{0x62, 2}, b...); len(codes) > 0 || !bytes.Equal(o.take(nil), want) {
		t.Errorf("told %x, want PUBREL first", codes)
	}
	o.acknowledged(pubcomp, b)
	if !bytes.Equal(codes, []byte{0}) {
		t.Errorf("told %x, want that it is done", codes)
	}
	id = o.begin(2, heardCode{&codes}, false)
	o.acknowledged(pubrec, []byte{byte(id >> 8), byte(id), 0x97})
	if !bytes.Equal(codes, []byte{0, 0x97}) || o.vacant != 20 {
		t.Errorf("told %x, %d vacant, want the refusal", codes, o.vacant)
	}
}

// TestIdentifiersOfQoS2Ascend so that what the broker was not told to hand on before a
// break is released in order.
func TestIdentifiersOfQoS2Ascend(t *testing.T) {
	t.Parallel()
	o := newOutflow(true, welcome{window: 2, longest: 1000}, 2, nil, nil)
	var codes []byte
	r := heardCode{&codes}
	var last, open uint16
	for range mostInFlight {
		id := o.begin(2, r, true)
		if id <= last {
			t.Fatalf("identifier %d after %d", id, last)
		}
		if last = id; open != 0 {
			o.cancel(open)
		}
		open = id
	}
	if id := o.begin(2, r, true); id != 0 {
		t.Errorf("identifier %d, though %d is in use", id, open)
	}
	if o.begin(1, r, true) == 0 {
		t.Error("no identifier for QoS 1")
	}
	o.cancel(open)
	if id := o.begin(2, r, true); id != firstDouble {
		t.Errorf("identifier %d, want %d again", id, firstDouble)
	}
	released := appendReleases(nil)
	if len(released) != 4*mostInFlight || !bytes.Equal(released[:4], []byte{0x62, 2, 0xc0, 0}) || !bytes.Equal(released[len(released)-4:], []byte{0x62, 2, 0xff, 0xff}) {
		t.Errorf("%d octets, from % x to % x", len(released), released[:4], released[len(released)-4:])
	}
}
