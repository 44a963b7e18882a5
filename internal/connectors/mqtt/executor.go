package mqtt

import (
	"strings"

	"busbar/internal/connector"
	"busbar/internal/dispatch"
)

// Executor are the keys of a command that goes to a connector of kind mqtt.
type Executor struct {
	Topic   string         `json:"topic" required:"true" doc:"topic of the device, without wildcards"`
	Format  string         `json:"format" enum:"busbar" doc:"busbar: the device is another Busbar, which takes requests from the topic"`
	Payload string         `json:"payload" doc:"template of the message; default a JSON object"`
	QoS     int            `json:"qos" doc:"quality of service of the command, always 1"`
	Reply   dispatch.Reply `json:"reply" doc:"how the device answers"`
}

func defaultExecutor() Executor { return Executor{QoS: 1, Reply: dispatch.DefaultReply()} }

// replies reports whether the device answers.
func replies(e Executor) bool { return e.Reply.Defined() }

// Staged tells the host whether the device tells that it will carry out an order, and
// later that it has.
func (e *Executor) Staged() bool { return e.end().Reply.Staged() }

// end returns what does not depend on MQTT.
func (e *Executor) end() dispatch.End { return dispatch.EndOf(e.Format, e.Payload, e.Reply) }

// Validate implements [connector.Validator].
func (e *Executor) Validate() []connector.Problem {
	problems := append(dispatch.CheckFormat(e.Format, e.Payload, e.Reply), e.end().Validate()...)
	if text := checkTopic(e.Topic); text != "" {
		problems = append(problems, connector.Faultf("topic", "%s", text))
	} else if strings.ContainsAny(e.Topic, "+#") || strings.HasPrefix(e.Topic, "$") {
		problems = append(problems, connector.Faultf("topic", "want the topic of one device, without + and # and not beginning with $"))
	}
	if e.QoS != 1 {
		problems = append(problems, connector.Faultf("qos", "is %d, want 1: with 0 nobody acknowledges a command, and with 2 the broker would have to be asked again for one after a break", e.QoS))
	}
	if !e.Reply.Defined() {
		return problems
	}
	if text := checkReply(e.Reply.Topic); text != "" {
		problems = append(problems, connector.Faultf("reply.topic", "%s", text))
	} else if e.Reply.Topic == e.Topic {
		problems = append(problems, connector.Faultf("reply.topic", "is the topic of the command, want another one"))
	}
	return problems
}

// checkReply returns what is wrong with the topic of a reply.
func checkReply(topic string) string {
	if text := checkTopic(topic); text != "" {
		return text
	}
	for name := range strings.SplitSeq(topic, "/") {
		if strings.Contains(name, "#") || strings.Contains(name, "+") && name != "+" {
			return "want a topic, in which + may stand for a level"
		}
	}
	return ""
}

func checkExecutor(e Executor, c *connector.CommandKeys) []connector.Problem { return e.end().Check(c) }

// checkCommands reports replies that cannot be told apart: only MQTT 5 says by
// itself which message is answered.
func checkCommands(s Settings, _ []connector.End[Target], commands []connector.OrderEnd) []connector.Problem {
	var problems []connector.Problem
	for _, c := range commands {
		e, executes := c.End.(*Executor)
		if executes && s.Version != "5" && e.Reply.Defined() && e.end().Reply.ID == "" {
			problems = append(problems, c.Faultf("reply.id", "is missing, want the place of the order's id in the reply: MQTT 3.1.1 has no correlation data"))
		}
	}
	return append(problems, checkRequests(s, commands)...)
}

// duties returns the ends of the commands that come here, and a channel that is
// closed when they change.
func (c *Connector) duties() ([]dispatch.End, <-chan struct{}) {
	list, changed := c.env.Executions.Ends()
	ends := make([]dispatch.End, len(list))
	for i, end := range list {
		ends[i] = end.(*Executor).end()
	}
	return ends, changed
}
