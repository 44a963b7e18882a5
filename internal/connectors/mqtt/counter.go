package mqtt

import (
	"crypto/rand"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"busbar/internal/connector"
	"busbar/internal/point"
)

// counter is where requests of commands arrive, and answers to them leave.
type counter struct {
	env     connector.Env
	host    connector.Recording                              // nil: nobody takes orders
	ends    atomic.Pointer[map[string]*connector.CommandEnd] // by topic
	answers answers

	requests, bad, retained, answered, unanswered atomic.Uint64
}

func newCounter(env connector.Env) *counter {
	c := &counter{env: env}
	c.host, _ = env.Commands.(connector.Recording)
	c.ends.Store(&map[string]*connector.CommandEnd{})
	return c
}

// follow takes the commands of the host, and returns their topics with their QoS and
// a channel that is closed when they change; nil if there is no host.
func (c *counter) follow() (topics map[string]byte, changed <-chan struct{}) {
	if c.host == nil {
		return nil, nil
	}
	list, changed := c.env.Commands.Ends()
	ends, topics := make(map[string]*connector.CommandEnd, len(list)), make(map[string]byte, len(list))
	for i := range list {
		r := list[i].End.(*Requester)
		ends[r.Topic], topics[r.Topic] = &list[i], byte(r.QoS)
	}
	c.ends.Store(&ends)
	return topics, changed
}

// has reports whether requests come on a topic.
func (c *counter) has(topic string) bool { return (*c.ends.Load())[topic] != nil }

// take takes a message on a topic of requests. ambiguous tells that it may come for
// another subscription, too. kept, if not nil, is called once it may be acknowledged:
// when the order is recorded, or there is none.
func (c *counter) take(m *message, ambiguous bool, kept func(error)) {
	end := (*c.ends.Load())[m.topic]
	if end == nil {
		accept(kept)
		return
	}
	c.requests.Add(1)
	if m.retained {
		// It was for whoever listened when it was sent. Nobody waits for an answer.
		if c.retained.Add(1) == 1 {
			c.env.Log.Warn("retained request of a command is not executed, further ones are only counted", "topic", m.topic)
		}
		accept(kept)
		return
	}
	o, err := parseRequest(m.payload, end.Type)
	given := o.ID != ""
	if !given {
		o.ID = rand.Text()
	}
	r := end.End.(*Requester)
	if m.expires > 0 {
		at := point.InstantOf(c.env.Now().Add(time.Duration(m.expires) * time.Second))
		if o.Expires == 0 || at < o.Expires {
			o.Expires = at
		}
	}
	o.Command, o.Requester.Peer = end.Command, m.topic
	to := c.responseTo(r, m)
	switch {
	case err != nil:
	case m.repeated && !given:
		err = errors.New("was sent again by the broker and has no id, so it may have been executed before")
	case ambiguous && !given:
		err = errors.New("want an id: a shared subscription may bring the request twice")
	case o.Expires == 0 && r.Expires != "optional":
		err = errors.New("does not say when it expires, want expires, or the message expiry interval of MQTT 5")
	}
	if err != nil {
		if c.bad.Add(1) == 1 {
			c.env.Log.Warn("request of a command is refused, further ones are only counted", "topic", m.topic, "error", err)
		}
		c.answer(to, o.ID, end.Command, point.Result{Stage: point.Confirmed, Unknown: m.repeated, Reason: err.Error()})
		accept(kept)
		return
	}
	command, repeated := end.Command, m.repeated
	c.host.IssueRecorded(o, func() { accept(kept) }, func(result point.Result) {
		if repeated && result.Reason == connector.GivenBefore {
			return // it is answered as what came first, and a refusal might overtake that
		}
		c.answer(to, o.ID, command, result)
	})
}

// response is where the answers to a request go.
type response struct {
	topic       string // empty: nowhere
	correlation string
}

// responseTo returns where the answers to a message go. A response topic on which
// commands go is refused: an answer would be one.
func (c *counter) responseTo(r *Requester, m *message) response {
	to := response{topic: r.Respond, correlation: string(m.correlation)}
	if to.topic != "" || m.answer == "" {
		return to
	}
	to.topic = m.answer
	bad := checkPlainTopic(to.topic) != "" || c.has(to.topic)
	if c.env.Executions != nil {
		ends, _ := c.env.Executions.Ends()
		for _, end := range ends {
			bad = bad || end.(*Executor).Topic == to.topic
		}
	}
	if bad {
		c.unanswered.Add(1)
		return response{}
	}
	return to
}

// answer queues the answer to a request. It does not block.
func (c *counter) answer(to response, id, command string, r point.Result) {
	if to.topic == "" {
		return
	}
	if c.answers.put(outgoing{topic: to.topic, qos: 1, correlation: to.correlation, isJSON: true, payload: answerJSON(c.env.Now(), id, command, r)}) {
		c.unanswered.Add(1)
	}
}

// answerJSON returns the JSON of an answer.
func answerJSON(now time.Time, id, command string, r point.Result) []byte {
	b := appendString([]byte(`{"command":`), command)
	b = appendString(append(b, `,"id":`...), id)
	stage := `,"stage":"confirmed"`
	if r.Stage == point.Terminated {
		stage = `,"stage":"terminated"`
	}
	b = append(b, stage...)
	if r.Positive {
		b = append(b, `,"ok":true`...)
	} else {
		b = append(b, `,"ok":false`...)
		if r.Unknown {
			b = append(b, `,"unknown":true`...)
		}
		b = appendString(append(b, `,"reason":`...), r.Reason)
	}
	return append(appendTime(append(b, `,"time":"`...), point.InstantOf(now)), `"}`...)
}

// maxAnswers is how many answers wait at most while the broker is away.
const maxAnswers = 1000

// answers are those that the broker has not acknowledged, oldest first. The zero value
// is empty.
type answers struct {
	mu   sync.Mutex
	list []outgoing
	wake chan struct{} // of the sender
}

// put appends an answer. The oldest is dropped if there are too many.
func (a *answers) put(m outgoing) (dropped bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if dropped = len(a.list) == maxAnswers; dropped {
		a.list = a.list[1:]
	}
	a.list = append(a.list, m)
	if a.wake != nil {
		signal(a.wake)
	}
	return dropped
}

// first returns the oldest answer, nil if there is none, and what is signalled when
// one comes.
func (a *answers) first() (*outgoing, <-chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.wake == nil {
		a.wake = make(chan struct{}, 1)
	}
	if len(a.list) == 0 {
		return nil, a.wake
	}
	m := a.list[0]
	return &m, a.wake
}

// drop takes an answer that was sent out of the list, if it is still there.
func (a *answers) drop(m *outgoing) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.list) > 0 && &a.list[0].payload[0] == &m.payload[0] {
		a.list = a.list[1:]
	}
}
