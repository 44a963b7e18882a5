// Package dispatch is what executors that speak in messages share: it writes
// the payload of an order, and finds the order that a reply belongs to. It
// knows no protocol; a topic is whatever names the way of a message.
package dispatch

import (
	"time"

	"busbar/internal/connector"
	"busbar/internal/plant"
)

// Reply are the keys that say how the device answers.
type Reply struct {
	Topic string `json:"topic" doc:"topic on which the device answers, may hold +"`
	ID    string `json:"id" doc:"dot path of the order's id in the answer"`
	OK    string `json:"ok" doc:"expression over the answer that is true if the device has done it"`
	// Confirmed tells a first answer, that the device will or will not do it, from the last one.
	Confirmed string        `json:"confirmed" doc:"expression over the answer that is true if another one follows; ok then tells whether the device will do it"`
	Unknown   string        `json:"unknown" doc:"expression over a negative answer that is true if the device may have done it all the same"`
	Timeout   time.Duration `json:"timeout" min:"100ms" max:"1h" doc:"how long the answer is waited for"`
}

// DefaultReply is a reply where the plant says nothing: there is none.
func DefaultReply() Reply { return Reply{Timeout: 5 * time.Second} }

// Defined reports whether the device answers.
func (r Reply) Defined() bool { return r.Topic != "" }

// Staged reports whether the device tells that it will do it, and later that it has.
func (r Reply) Staged() bool { return r.Defined() && r.Confirmed != "" }

// End is how one command leaves, and what comes back.
type End struct {
	Payload string // template; empty: the standard JSON
	Reply   Reply
}

// busbar is the format of another Busbar.
const busbar = "busbar"

// asked is a request as a Busbar takes it from a topic.
const asked = `{"value":{{json .Value}},"qualifier":{{.Qualifier}},"id":{{json .ID}},"expires":{{json .Expires}}}`

// EndOf returns how a command leaves. format is empty, or busbar: what is sent and
// answered is as another Busbar takes requests from a topic and answers them.
func EndOf(format, payload string, r Reply) End {
	if format != busbar {
		return End{Payload: payload, Reply: r}
	}
	if r.Defined() {
		r.ID, r.OK, r.Confirmed, r.Unknown = "id", "ok", `stage == "confirmed"`, "unknown == true"
	}
	return End{Payload: asked, Reply: r}
}

// CheckFormat reports keys that are given by the format, too.
func CheckFormat(format, payload string, r Reply) []connector.Problem {
	var problems []connector.Problem
	for _, key := range []struct{ path, text string }{
		{"payload", payload}, {"reply.id", r.ID}, {"reply.ok", r.OK}, {"reply.confirmed", r.Confirmed}, {"reply.unknown", r.Unknown},
	} {
		if format == busbar && key.text != "" {
			problems = append(problems, connector.Faultf(key.path, "is given by format: busbar, want one of them"))
		}
	}
	return problems
}

// Validate reports what is wrong with an end in itself, except with its topics.
func (e End) Validate() []connector.Problem {
	var problems []connector.Problem
	fault := func(path, text string) { problems = append(problems, connector.Faultf(path, "%s", text)) }
	if _, err := newPayload(e.Payload); err != nil {
		fault("payload", err.Error())
	}
	r := e.Reply
	if !r.Defined() {
		if r != DefaultReply() {
			fault("reply.topic", "is missing, want the topic on which the device answers")
		}
		return problems
	}
	if r.ID != "" {
		if _, err := newPath(r.ID); err != nil {
			fault("reply.id", err.Error())
		}
	}
	if r.OK == "" {
		fault("reply.ok", `is missing, want an expression over the answer such as result == "ok"`)
	}
	for _, v := range []struct{ path, text string }{{"reply.ok", r.OK}, {"reply.confirmed", r.Confirmed}, {"reply.unknown", r.Unknown}} {
		if _, err := newVerdict(v.path, v.text); err != nil {
			fault(v.path, err.Error())
		}
	}
	return problems
}

// Check reports what is wrong with an end for its command: a payload that
// cannot be written for each of its values, or a reply that is waited for longer
// than an order lasts.
func (e End) Check(c *connector.CommandKeys) []connector.Problem {
	var problems []connector.Problem
	p, err := newPayload(e.Payload)
	if err != nil {
		return []connector.Problem{connector.Faultf("payload", "%v", err)}
	}
	for _, o := range samples(c) {
		if _, err := p.write(&o); err != nil {
			problems = append(problems, connector.Faultf("payload", "%v", err))
			break
		}
	}
	if e.Reply.Staged() && c.Confirm == plant.ConfirmReplied {
		problems = append(problems, connector.Warnf("reply.confirmed", "has no effect with confirm: replied, want confirm: accepted"))
	}
	if e.Reply.Defined() && e.Reply.Timeout > c.Timeout {
		problems = append(problems, connector.Warnf("reply.timeout", "is longer than the timeout of the command, %v, which ends the order first", c.Timeout))
	}
	return problems
}
