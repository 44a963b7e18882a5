package mqtt

import (
	"encoding/json"
	"math"

	"busbar/internal/dispatch"
	"busbar/internal/point"
)

// topicTemplate is a template of a topic over about.
type topicTemplate struct {
	text  *dispatch.Template
	fault string
}

// newTopicTemplate returns the template of a topic, which may be faulty.
func newTopicTemplate(text string) *topicTemplate {
	t, err := dispatch.NewTemplate(text)
	if err != nil {
		return &topicTemplate{fault: err.Error()}
	}
	return &topicTemplate{text: t}
}

// topic returns the topic of a point, or why there is none.
func (t *topicTemplate) topic(a *about) (topic, fault string) {
	if t.fault != "" {
		return "", t.fault
	}
	out, err := t.text.Execute(a, maxPayload)
	if err != nil {
		return "", err.Error()
	}
	return string(out), ""
}

// fields are what the template of a payload may use.
type fields struct {
	about
	Value           any // true, the name of a state, a number, a text, or nil
	Number          any // the value as a number, or nil
	Transient       bool
	Quality         []string
	Good            bool
	Time            string // empty: none
	TimeInvalid     bool
	TimeSubstituted bool
	Received        string
	Seq             uint64
}

// appendTemplate appends what a template makes of a value.
func appendTemplate(b []byte, t *dispatch.Template, r *reading) ([]byte, error) {
	f := fields{
		about: *r.about, Quality: r.quality.Words(), Good: r.quality.Good(),
		TimeInvalid: r.timeQ&point.TimeInvalid != 0, TimeSubstituted: r.timeQ&point.TimeSubstituted != 0, Seq: r.seq,
	}
	if r.value.Type() != 0 {
		f.Value = plainValue(appendValue(nil, r.value, r.convert))
		if n, ok := r.value.Number(); ok {
			f.Number = plainValue(appendNumber(nil, r.value, n, r.convert))
		}
	}
	if r.value.Type() == point.Step {
		_, f.Transient = r.value.Step()
	}
	if r.time != 0 {
		f.Time = string(appendTime(nil, r.time))
	}
	if r.arrival != 0 {
		f.Received = string(appendTime(nil, r.arrival))
	}
	out, err := t.Execute(&f, maxPayload)
	return append(b, out...), err
}

// plainValue makes of JSON what a template prints like it: a number stays in its
// form.
func plainValue(text []byte) any {
	switch text[0] {
	case '"':
		var s string
		if json.Unmarshal(text, &s) == nil {
			return s
		}
	case 't':
		return true
	case 'f':
		return false
	}
	return json.Number(text)
}

// checkPayload returns what is wrong with the template of a payload for points of
// a type; empty: nothing.
func checkPayload(t *Target, typ point.Type) string {
	tmpl, err := dispatch.NewTemplate(t.Payload)
	if err != nil {
		return err.Error()
	}
	for _, v := range samples(typ) {
		r := reading{about: &t.about, value: v, time: 1_600_000_000_000_000_000, arrival: 1_600_000_000_000_000_000, seq: math.MaxUint64}
		text, err := appendTemplate(nil, tmpl, &r)
		switch {
		case err != nil:
			return err.Error()
		case t.Batch.Count > 0 && !json.Valid(text):
			return "yields " + shorten(string(text)) + ", want JSON: a batch is an array of it"
		}
	}
	return ""
}

// samples are values of a type, and none.
func samples(typ point.Type) []point.Value {
	list := []point.Value{{}}
	switch typ {
	case point.Single:
		return append(list, point.SingleValue(true))
	case point.Double:
		return append(list, point.DoubleValue(point.DoubleOff))
	case point.Step:
		return append(list, point.StepValue(-7, true))
	case point.Bits:
		return append(list, point.BitsValue(math.MaxUint32))
	case point.Int:
		return append(list, point.IntValue(math.MinInt64))
	case point.Counter:
		return append(list, point.CounterValue(math.MaxInt64))
	case point.Text:
		return append(list, point.TextValue("a \"text\""))
	default:
		return append(list, point.FloatValue(-7.25))
	}
}
