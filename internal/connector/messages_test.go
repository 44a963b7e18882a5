package connector

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"busbar/internal/mapping"
	"busbar/internal/point"
)

func newMessages() *Messages { return &Messages{now: time.Now} }

func TestMessagesKeepTheLastHundred(t *testing.T) {
	t.Parallel()
	m := newMessages()
	if got := m.list(nil); got != nil || m.ring != nil {
		t.Errorf("%d messages before the first, ring of %d", len(got), len(m.ring))
	}
	for i := range 250 {
		m.Sent(fmt.Sprintf("topic/%d", i), []byte("payload"), "command", nil)
	}
	got := m.list(nil)
	if len(got) != 100 || got[0].Topic != "topic/150" || got[99].Topic != "topic/249" || !got[0].Sent || got[0].Result != "command" {
		t.Errorf("%d messages from %s to %s", len(got), got[0].Topic, got[len(got)-1].Topic)
	}
}

func TestMessagesAreCut(t *testing.T) {
	t.Parallel()
	m := newMessages()
	m.Received(strings.Repeat("t", 1000), make([]byte, 5000), "reply")
	m.Sent("short", []byte("x"), "command", errors.New("refused"))
	got := m.list(nil)
	if len(got[0].Topic) != topicKept || len(got[0].Payload) != payloadKept || got[0].Octets != 5000 || got[0].Sent {
		t.Errorf("topic of %d, payload of %d octets of %d", len(got[0].Topic), len(got[0].Payload), got[0].Octets)
	}
	if string(got[1].Payload) != "x" || got[1].Result != "refused" {
		t.Errorf("message %+v", got[1])
	}
}

func TestMessagesOfNobodyAreNotKept(t *testing.T) {
	t.Parallel()
	var m *Messages
	m.Sent("t", nil, "", nil)
	m.Received("t", nil, "")
	m.delivered(time.Now(), &Message{}, 0, &mapping.Outcome{}, nil)
}

func TestMessagesAllocateNothingAfterTheFirst(t *testing.T) {
	m, in := newMessages(), Message{Selector: "a/b", Payload: make([]byte, 120)}
	var o mapping.Outcome
	m.delivered(time.Now(), &in, 1, &o, nil)
	if n := testing.AllocsPerRun(1000, func() { m.delivered(time.Time{}, &in, 1, &o, nil) }); n != 0 {
		t.Errorf("%v allocations per message", n)
	}
	_ = m.list(func(point.Index) string { return "" })
}

func BenchmarkMessages(b *testing.B) {
	m, in := newMessages(), Message{Selector: "ons/4711/sensors", Payload: make([]byte, 120)}
	var o mapping.Outcome
	b.ReportAllocs()
	for range b.N {
		m.delivered(time.Time{}, &in, 1, &o, nil)
	}
}
