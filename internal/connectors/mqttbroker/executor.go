package mqttbroker

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"busbar/internal/connector"
	"busbar/internal/dispatch"
)

// Executor are the keys of a command that goes to a connector of kind mqtt-broker.
type Executor struct {
	Topic   string         `json:"topic" required:"true" doc:"topic of the device, without wildcards"`
	Format  string         `json:"format" enum:"busbar" doc:"busbar: the device is another Busbar, which takes requests from the topic"`
	Payload string         `json:"payload" doc:"template of the message; default a JSON object"`
	Reply   dispatch.Reply `json:"reply" doc:"how the device answers"`
}

func defaultExecutor() Executor { return Executor{Reply: dispatch.DefaultReply()} }

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
	if text := wrongTopic(e.Topic); text != "" {
		problems = append(problems, connector.Faultf("topic", "%s", text))
	} else if strings.ContainsAny(e.Topic, "+#") {
		problems = append(problems, connector.Faultf("topic", "want the topic of one device, without + and #"))
	}
	if !e.Reply.Defined() {
		return problems
	}
	if text := wrongReply(e.Reply.Topic); text != "" {
		problems = append(problems, connector.Faultf("reply.topic", "%s", text))
	} else if e.Reply.Topic == e.Topic {
		problems = append(problems, connector.Faultf("reply.topic", "is the topic of the command, want another one"))
	}
	return problems
}

// wrongReply returns what is wrong with the topic of a reply.
func wrongReply(topic string) string {
	for name := range strings.SplitSeq(topic, "/") {
		if strings.Contains(name, "#") || strings.Contains(name, "+") && name != "+" {
			return "want a topic, in which + may stand for a level"
		}
	}
	return wrongTopic(topic)
}

// wrongTopic returns what is wrong with a topic or filter, nothing if it is right.
func wrongTopic(topic string) string {
	first, _, _ := strings.Cut(topic, "/")
	switch {
	case topic == "":
		return "is empty, want a topic"
	case first == "$share" || first == "$queue":
		return "shared subscriptions (" + first + "/…) are not supported by this version"
	case strings.HasPrefix(first, "$"):
		return "begins with $, where nobody can publish"
	case len(topic) > math.MaxUint16 || !utf8.ValidString(topic) || strings.ContainsRune(topic, 0):
		return "want at most 65535 octets of UTF-8 without NUL"
	case strings.Count(topic, "/") >= maxLevels:
		return fmt.Sprintf("has more than %d levels", maxLevels)
	}
	return ""
}

func checkExecutor(e Executor, c *connector.CommandKeys) []connector.Problem { return e.end().Check(c) }
