package plant

import (
	"fmt"
	"slices"
	"time"

	"busbar/internal/point"
)

// commandKeys are the keys of a command.
type commandKeys struct {
	Type            commandType   `json:"type" required:"true" doc:"one of single, double, step, int, float, bits"`
	Name            string        `json:"name" max:"200"`
	Description     string        `json:"description" max:"4000"`
	Unit            string        `json:"unit" max:"50"`
	Range           *Range        `json:"range"`
	Qualifiers      []int         `json:"qualifiers" min:"1" max:"128"`
	Confirm         string        `json:"confirm" enum:"accepted,replied"`
	Terminate       string        `json:"terminate" enum:"none,replied,feedback"`
	Feedback        string        `json:"feedback" min:"1"`
	Interlock       string        `json:"interlock" min:"1"`
	Authority       string        `json:"authority" min:"1"`
	Local           string        `json:"local" min:"1"`
	Timeout         time.Duration `json:"timeout" min:"100ms" max:"10m"`
	SelectTimeout   time.Duration `json:"selectTimeout" min:"1s" max:"10m"`
	FeedbackTimeout time.Duration `json:"feedbackTimeout" min:"100ms" max:"1h"`
	From            *Node         `json:"from" doc:"a list of the places where it is requested; none: through the API alone"`
	To              *Node         `json:"to" required:"true" doc:"a map with the key connector"`
}

type commandType point.Type

// UnmarshalNode implements [NodeDecoder].
func (t *commandType) UnmarshalNode(n *Node) error {
	names := commandTypeNames()
	if n.Kind == Scalar {
		if i := slices.Index(names, n.Text); i >= 0 {
			*t = commandType(commandTypes()[i])
			return nil
		}
	}
	return n.wrong(oneOf(names) + suggest(n.printable(), names))
}

func commandTypes() []point.Type {
	return []point.Type{point.Single, point.Double, point.Step, point.Int, point.Float, point.Bits}
}

func commandTypeNames() []string {
	types := commandTypes()
	names := make([]string, len(types))
	for i, t := range types {
		names[i] = t.String()
	}
	return names
}

// highestQualifier is that of set points; the QU of other commands ends at 31.
func highestQualifier(t point.Type) int {
	if t == point.Int || t == point.Float {
		return 127
	}
	return 31
}

func (d *decoding) command(f *Field) {
	path := Key("commands", f.Key)
	if !isPointID(f.Key) {
		d.report(path, f, FieldProblem{Text: "is no id of a command, want " + wantPointID, line: f.Line, col: f.Col})
	}
	if f.Value.Kind != Map {
		d.report(path, f, FieldProblem{Text: f.Value.wrong("a map with the keys type, from and to").Error()})
		return
	}
	keys := commandKeys{Timeout: DefaultTimeout, SelectTimeout: DefaultSelectTimeout, FeedbackTimeout: DefaultFeedbackTimeout}
	d.report(path, f, d.structs.command.Decode(f.Value, &keys)...)
	c := Command{
		ID: f.Key, Type: point.Type(keys.Type), Name: keys.Name, Description: keys.Description, Unit: keys.Unit,
		Range: rangeOf(keys.Range, f.Value), Feedback: keys.Feedback, Interlock: keys.Interlock, Authority: keys.Authority, Local: keys.Local,
		Timeout: keys.Timeout, SelectTimeout: keys.SelectTimeout, FeedbackTimeout: keys.FeedbackTimeout,
	}
	d.report(path, f, c.qualifiers(keys.Qualifiers)...)
	if keys.To != nil {
		c.To = d.execution(path+".to", f.Value.field("to"), &c)
	}
	d.report(path, f, c.policies(&keys, f.Value)...)
	if keys.From != nil {
		d.requests(path+".from", f.Value.field("from"), &c)
	}
	d.plant.Commands = append(d.plant.Commands, c)
	d.commands = append(d.commands, f)
}

// qualifiers takes the qualifiers, which are [0] unless given.
func (c *Command) qualifiers(given []int) []FieldProblem {
	var faults []FieldProblem
	c.Qualifiers = []uint8{0}
	if given != nil {
		c.Qualifiers = make([]uint8, 0, len(given))
	}
	for i, q := range given {
		switch highest := highestQualifier(c.Type); {
		case q < 0 || q > highest:
			faults = append(faults, FieldProblem{Path: Item("qualifiers", i), Text: fmt.Sprintf("is %d, want an integer from 0 to %d", q, highest)})
		case slices.Contains(c.Qualifiers, uint8(q)):
			faults = append(faults, FieldProblem{Path: Item("qualifiers", i), Text: fmt.Sprintf("%d is given twice", q)})
		default:
			c.Qualifiers = append(c.Qualifiers, uint8(q))
		}
	}
	slices.Sort(c.Qualifiers)
	return faults
}

// policies takes confirm and terminate, and returns what is wrong among the keys
// of the command itself.
func (c *Command) policies(keys *commandKeys, n *Node) []FieldProblem {
	var faults []FieldProblem
	fault := func(key, text string) { faults = append(faults, FieldProblem{Path: key, Text: text}) }
	replies := c.To != nil && c.To.Replies
	staged := replies && isStaged(c.To.End)
	unclear := c.To == nil || c.To.End == nil // whether it replies: what is wrong there was reported
	if keys.Confirm == "replied" || keys.Confirm == "" && replies && !staged {
		c.Confirm = ConfirmReplied
	}
	if keys.Confirm == "replied" && !replies && !unclear {
		fault("confirm", "is replied, but `to` defines no reply, want a reply there or confirm: accepted")
	}
	switch {
	case keys.Terminate == "replied", keys.Terminate == "" && staged && c.Feedback == "":
		c.Terminate = TerminateReplied
		if !replies && !unclear {
			fault("terminate", "is replied, but `to` defines no reply, want a reply there, none or feedback")
		}
	case keys.Terminate == "feedback", keys.Terminate == "" && c.Feedback != "":
		c.Terminate = TerminateFeedback
		if c.Feedback == "" && n.Get("feedback") == nil {
			fault("terminate", "is feedback, but there is no feedback point, want feedback: the id of a point")
		}
	}
	if n.Get("feedbackTimeout") != nil && c.Terminate != TerminateFeedback {
		fault("feedbackTimeout", "has no meaning without terminate: feedback")
	}
	if c.Type != 0 && c.Type != point.Int && c.Type != point.Float {
		return append(faults, noMeaning(n, c.Type, "range", "unit")...)
	}
	if c.Range != nil && c.Range.Low >= c.Range.High {
		fault("range", fmt.Sprintf("low %v is not below high %v, want low < high", c.Range.Low, c.Range.High))
	}
	return faults
}

// isStaged reports whether the end of an executor is of a device that says that it
// will carry out an order, and later that it has. An order is then confirmed with the
// first and terminated with the second unless the plant says otherwise.
func isStaged(end any) bool {
	s, ok := end.(interface{ Staged() bool })
	return ok && s.Staged()
}

// references checks the points that commands name. All points are decoded and
// in order.
func (d *decoding) references() {
	for i, f := range d.commands {
		c := &d.plant.Commands[i]
		path := Key("commands", c.ID)
		d.pointOf(path, f, "feedback", c.Feedback, func(t point.Type) string {
			if showsResult(c.Type, t) || c.Type == 0 {
				return ""
			}
			return "is a point of type " + t.String() + ", which cannot show the result of a command of type " + c.Type.String()
		})
		d.pointOf(path, f, "local", c.Local, func(t point.Type) string {
			if t == point.Single || t == point.Double {
				return ""
			}
			return "is a point of type " + t.String() + ", want one of type single or double"
		})
		d.condition(path, f, "interlock", c.Interlock, false)
		d.condition(path, f, "authority", c.Authority, true)
	}
}

// showsResult reports whether a point of type p can show the result of a
// command of type c.
func showsResult(c, p point.Type) bool {
	switch c {
	case point.Single, point.Double:
		return p == point.Single || p == point.Double
	case point.Int, point.Float:
		return p == point.Int || p == point.Float || p == point.Step
	default:
		return p == c
	}
}

// pointOf checks a key whose value is the id of a point.
func (d *decoding) pointOf(path string, f *Field, key, id string, wrong func(point.Type) string) {
	if id == "" {
		return
	}
	switch t, ok := d.typeOf(id); {
	case !ok:
		d.report(path, f, FieldProblem{Path: key, Text: "there is no point " + shorten(id) + d.otherPoints(id)})
	case t != 0 && wrong(t) != "":
		d.report(path, f, FieldProblem{Path: key, Text: wrong(t)})
	}
}

func (d *decoding) condition(path string, f *Field, key, source string, requester bool) {
	if source == "" {
		return
	}
	if wrong := d.kinds.CheckCondition(source, requester, d.typeOf); wrong != "" {
		d.report(path, f, FieldProblem{Path: key, Text: wrong})
	}
}

func (d *decoding) typeOf(id string) (point.Type, bool) {
	i, ok := d.search(id)
	if !ok {
		return 0, false
	}
	return d.plant.Points[i].Type, true
}

// otherPoints says which points there are, if they are few enough to look at.
func (d *decoding) otherPoints(id string) string {
	const fit = 10_000
	if len(d.plant.Points) > fit {
		return ", want one of the map points"
	}
	ids := make([]string, 0, len(d.plant.Points))
	for p := range d.inFile() {
		ids = append(ids, p.ID)
	}
	return ", want one of the map points" + suggest(id, ids)
}
