package mqtt

import (
	"strings"
	"time"

	"busbar/internal/connector"
	"busbar/internal/dispatch"
	"busbar/internal/point"
)

// Target are the keys of an entry of `to` that names a connector of kind mqtt.
type Target struct {
	Topic      string        `json:"topic" required:"true" doc:"topic without wildcards, or a template of it"`
	Payload    string        `json:"payload" doc:"template of the message; default a JSON object"`
	QoS        string        `json:"qos" enum:"0,1,2" doc:"quality of service; default that of the connector"`
	Retain     bool          `json:"retain" doc:"the broker keeps the last message of the topic for late subscribers"`
	Batch      Batch         `json:"batch" doc:"several changes of a topic in one message, a JSON array"`
	Expiry     time.Duration `json:"expiry" min:"1s" max:"1193046h" doc:"how long the broker keeps a message for a subscriber that is away; MQTT 5 only"`
	Properties bool          `json:"properties" doc:"user properties point and seq; MQTT 5 only"`

	about about
	topic string // as it is
	fault string // why there is none
}

// Batch is the key batch of a target.
type Batch struct {
	Count  int           `json:"count" required:"true" min:"2" max:"10000" doc:"most changes in a message"`
	Within time.Duration `json:"within" min:"10ms" max:"1h" doc:"longest wait of a change for others"`
}

// about is what a message may say of its point, besides its value.
type about struct {
	Point, Connector, Name, Unit, Type string
}

func targetDefaults() Target { return Target{Batch: Batch{Within: time.Second}} }

// qosAt returns the QoS of the target at a connector.
func (t *Target) qosAt(s Settings) byte {
	if t.QoS == "" {
		return byte(s.QoS)
	}
	return t.QoS[0] - '0'
}

// describer fills in what targets take from their points. It is used by one
// goroutine at a time.
type describer struct {
	known map[string]*topicTemplate
}

// describe implements Spec.Describe.
func (d *describer) describe(t *Target, p *connector.PointKeys, keys *connector.TargetKeys) {
	t.about = about{Point: p.ID, Connector: keys.Connector, Name: p.Name, Unit: p.Unit}
	if p.Type != 0 {
		t.about.Type = p.Type.String()
	}
	t.topic, t.fault = t.Topic, ""
	if !strings.Contains(t.Topic, "{{") {
		return
	}
	const enough = 1000 // texts of templates that are kept
	tmpl := d.known[t.Topic]
	if tmpl == nil {
		tmpl = newTopicTemplate(t.Topic)
		if d.known == nil || len(d.known) >= enough {
			d.known = make(map[string]*topicTemplate)
		}
		d.known[strings.Clone(t.Topic)] = tmpl
	}
	t.topic, t.fault = tmpl.topic(&t.about)
}

// Validate implements [connector.Validator].
func (t *Target) Validate() []connector.Problem {
	var problems []connector.Problem
	fault := func(path, text string) { problems = append(problems, connector.Faultf(path, "%s", text)) }
	if t.fault != "" {
		fault("topic", t.fault)
	} else if text := checkTopic(t.topic); text != "" {
		fault("topic", text)
	} else if strings.ContainsAny(t.topic, "+#") || strings.HasPrefix(t.topic, "$") {
		fault("topic", "yields "+shorten(t.topic)+", want a topic without + and # that does not begin with $")
	}
	if t.Payload != "" {
		if _, err := dispatch.NewTemplate(t.Payload); err != nil {
			fault("payload", err.Error())
		}
	}
	return problems
}

// shorten returns the beginning of a text for a problem.
func shorten(s string) string {
	const enough = 80
	if len(s) > enough {
		return strings.ToValidUTF8(s[:enough], "") + "…"
	}
	return s
}

// checkTarget reports a payload that cannot be written for values of the point.
func checkTarget(t Target, p *connector.PointKeys, keys *connector.TargetKeys) []connector.Problem {
	var problems []connector.Problem
	if t.Payload != "" {
		if text := checkPayload(&t, p.Type); text != "" {
			problems = append(problems, connector.Faultf("payload", "%s", text))
		}
	}
	if (p.Type == point.Single || p.Type == point.Double) && (keys.Scale != 1 || keys.Offset != 0) {
		problems = append(problems, connector.Warnf("", "scale and offset have no effect on a point of type %s", p.Type))
	}
	return problems
}

// checkTargets reports targets that do not agree on how their common topic is
// published, and what the version of MQTT does not have.
func checkTargets(s Settings, targets []connector.End[Target]) []connector.Problem {
	var problems []connector.Problem
	first := make(map[string]int, len(targets))
	for i := range targets {
		end := &targets[i]
		if s.Version != "5" && (end.End.Expiry != 0 || end.End.Properties) {
			problems = append(problems, end.Warnf("", "expiry and properties have no effect with version 3.1.1"))
		}
		at, ok := first[end.End.topic]
		if !ok {
			first[end.End.topic] = i
			continue
		}
		if other := &targets[at]; !end.End.alike(other.End, s) {
			problems = append(problems, end.Faultf("topic", "%s is the topic of %s, too, in line %d: want the same qos, retain, batch and expiry for all of a topic",
				shorten(end.End.topic), other.Point, other.Line()))
		}
	}
	return problems
}

// alike reports whether two targets of a topic are published alike.
func (t *Target) alike(o *Target, s Settings) bool {
	return t.qosAt(s) == o.qosAt(s) && t.Retain == o.Retain && t.Batch == o.Batch && t.Expiry == o.Expiry
}
