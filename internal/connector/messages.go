package connector

import (
	"sync"
	"time"

	"busbar/internal/mapping"
	"busbar/internal/point"
)

const (
	// messagesKept is how many messages of a connector are kept, and how many octets
	// of each: of its payload and of its topic.
	messagesKept = 100
	payloadKept  = 1 << 10
	topicKept    = 256
)

// LoggedMessage is one of the last messages of a connector.
type LoggedMessage struct {
	At       time.Time
	Sent     bool
	Topic    string // its beginning
	Payload  []byte // its beginning
	Octets   int    // of the payload as a whole
	Retained bool
	Points   int    // updates of points that were made of it
	Result   string // what was wrong with it, or what it was; empty: nothing
	Point    string // that Result is about; empty: the message as a whole
}

// Messages keeps the last messages of a connector, sent and received. What goes to the
// Sink is noted there; the connector itself notes the others. Its methods may be called from
// any goroutine; those of nil do nothing.
type Messages struct {
	now func() time.Time

	mu   sync.Mutex
	ring []messageEntry // nil before the first message
	next uint64
}

// messageEntry is a message in memory that is used again.
type messageEntry struct {
	at             time.Time
	topic          [topicKept]byte
	payload        [payloadKept]byte
	topicLen       int
	octets         int
	points         int
	reason         mapping.Reason
	point          point.Index
	err            error
	note           string
	sent, retained bool
	faulty         bool // reason says something
}

// take returns the entry for the next message. The lock is held.
func (m *Messages) take(at time.Time, topic string, payload []byte) *messageEntry {
	if m.ring == nil {
		m.ring = make([]messageEntry, messagesKept)
	}
	e := &m.ring[m.next%messagesKept]
	m.next++
	e.at, e.octets = at, len(payload)
	e.topicLen = copy(e.topic[:], topic)
	copy(e.payload[:], payload)
	e.points, e.err, e.note, e.sent, e.retained, e.faulty = 0, nil, "", false, false, false
	return e
}

// Sent notes a message that was handed to the network, what it is, such as "event" or
// "command", and what became of it.
func (m *Messages) Sent(topic string, payload []byte, what string, err error) {
	if m == nil {
		return
	}
	now := m.now()
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.take(now, topic, payload)
	e.sent, e.note, e.err = true, what, err
}

// Received notes a message that does not go to the Sink, and what it is, such as
// "reply".
func (m *Messages) Received(topic string, payload []byte, what string) {
	if m == nil {
		return
	}
	now := m.now()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.take(now, topic, payload).note = what
}

// delivered notes a message that went to the Sink.
func (m *Messages) delivered(at time.Time, in *Message, points int, o *mapping.Outcome, err error) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.take(at, in.Selector, in.Payload)
	e.points, e.retained, e.err = points, in.Retained, err
	if !o.Clean() {
		e.faulty = true
		e.reason, e.point = o.First()
	}
}

// list returns the messages, oldest first; name gives the id of a point.
func (m *Messages) list(name func(point.Index) string) []LoggedMessage {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ring == nil {
		return nil
	}
	n := min(m.next, messagesKept)
	list := make([]LoggedMessage, 0, n)
	for i := m.next - n; i < m.next; i++ {
		e := &m.ring[i%messagesKept]
		l := LoggedMessage{
			At: e.at, Sent: e.sent, Topic: string(e.topic[:e.topicLen]), Payload: append([]byte(nil), e.payload[:min(e.octets, payloadKept)]...),
			Octets: e.octets, Retained: e.retained, Points: e.points, Result: e.note,
		}
		if e.faulty {
			l.Result, l.Point = e.reason.String(), name(e.point)
		}
		if e.err != nil {
			l.Result = e.err.Error()
		}
		list = append(list, l)
	}
	return list
}
