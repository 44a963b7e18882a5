package mqtt

import (
	"strings"

	"busbar/internal/connector"
)

// Requester are the keys of an entry of the `from` of a command that names a
// connector of kind mqtt.
type Requester struct {
	Topic   string `json:"topic" required:"true" doc:"topic of the requests, without wildcards"`
	QoS     int    `json:"qos" min:"1" max:"2" doc:"quality of service of the subscription"`
	Respond string `json:"respond" doc:"topic of the answers; default the response topic of each request, which MQTT 5 has"`
	Expires string `json:"expires" enum:"required,optional" doc:"whether a request has to say when it expires"`
}

func defaultRequester() Requester { return Requester{QoS: 1, Expires: "required"} }

// Validate implements [connector.Validator].
func (r *Requester) Validate() []connector.Problem {
	var problems []connector.Problem
	if text := checkPlainTopic(r.Topic); text != "" {
		problems = append(problems, connector.Faultf("topic", "%s", text))
	}
	if r.Respond == "" {
		return problems
	}
	if text := checkPlainTopic(r.Respond); text != "" {
		problems = append(problems, connector.Faultf("respond", "%s", text))
	} else if r.Respond == r.Topic {
		problems = append(problems, connector.Faultf("respond", "is the topic of the requests, want another one"))
	}
	return problems
}

// checkPlainTopic returns what is wrong with a topic to be published on.
func checkPlainTopic(topic string) string {
	if text := checkTopic(topic); text != "" {
		return text
	}
	if strings.ContainsAny(topic, "+#") || strings.HasPrefix(topic, "$") {
		return "is " + shorten(topic) + ", want a topic without + and # that does not begin with $"
	}
	return ""
}

// checkRequests reports what shows only when all ends of commands are seen together.
func checkRequests(s Settings, commands []connector.OrderEnd) []connector.Problem {
	var problems []connector.Problem
	first := make(map[string]int)
	for i, c := range commands {
		if e, ok := c.End.(*Executor); ok {
			first[e.Topic] = i
		}
	}
	for i, c := range commands {
		r, ok := c.End.(*Requester)
		if !ok {
			continue
		}
		if at, taken := first[r.Topic]; taken {
			problems = append(problems, c.Faultf("topic", "%s is the topic of command %s already, in line %d", shorten(r.Topic), commands[at].Command.ID, commands[at].Line()))
		}
		first[r.Topic] = i
		for _, from := range c.Command.From {
			if from.End == any(r) && from.Select {
				problems = append(problems, c.Faultf("mode", "a request by MQTT has one step, want direct"))
			}
		}
		if s.Version != "5" && r.Respond == "" {
			problems = append(problems, c.Warnf("respond", "is missing: with version 3.1.1 nobody is told what becomes of a request"))
		}
	}
	return problems
}
