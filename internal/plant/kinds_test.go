package plant_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"busbar/internal/plant"
	"busbar/internal/point"
)

// The kinds below stand in for those of connectors: "mqtt" is a source and
// executor, "iec104-server" a target and requester whose addresses occur once,
// "mute" nothing.

type mqttSettings struct {
	URL      string            `json:"url" required:"true"`
	Username string            `json:"username"`
	Password plant.Secret      `json:"password"`
	QoS      uint8             `json:"qos" max:"2"`
	TLS      *tlsSettings      `json:"tls"`
	Headers  map[string]string `json:"headers"`
}

type tlsSettings struct {
	CA   string   `json:"ca" required:"true"`
	Cert string   `json:"cert"`
	ALPN []string `json:"alpn" max:"3"`
}

type mqttSource struct {
	Topic string `json:"topic" required:"true" min:"1"`
}

type mqttExecutor struct {
	Topic   string     `json:"topic" required:"true" min:"1"`
	Payload string     `json:"payload" required:"true"`
	Reply   *mqttReply `json:"reply"`
}

type mqttReply struct {
	Topic   string        `json:"topic" required:"true"`
	ID      string        `json:"id"`
	OK      string        `json:"ok"`
	Timeout time.Duration `json:"timeout"`
}

// Staged stands in for a device that tells separately that it will and that it has.
func (e *mqttExecutor) Staged() bool { return e.Topic == "staged" }

type serverRequester struct {
	CA  uint16 `json:"ca" required:"true" min:"1" max:"65534"`
	IOA ioa    `json:"ioa" required:"true"`
	As  string `json:"as" required:"true" enum:"C_SC_NA_1,C_DC_NA_1,C_SE_NC_1,C_BO_NA_1"`
}

type serverSettings struct {
	Listen string        `json:"listen" required:"true"`
	Allow  []string      `json:"allow"`
	K      int           `json:"k" min:"1" max:"32767"`
	W      int           `json:"w" min:"1" max:"32767"`
	T1     time.Duration `json:"t1" min:"1s" max:"255s"`
	T2     time.Duration `json:"t2" min:"1s" max:"255s"`
	T3     time.Duration `json:"t3" min:"1s" max:"48h"`
	Time   string        `json:"time"`
	Buffer struct {
		Events int `json:"events" min:"1"`
	} `json:"buffer"`
}

type serverTarget struct {
	CA     uint16 `json:"ca" required:"true" min:"1" max:"65534"`
	IOA    ioa    `json:"ioa" required:"true" doc:"an address from 1 to 16777215, or 0.0.1 to 255.255.255"`
	As     string `json:"as" required:"true" enum:"M_SP_TB_1,M_DP_TB_1,M_ME_TF_1,M_ME_NC_1"`
	Groups []int  `json:"groups" min:"1" max:"16"`
}

type ioa uint32

func (a *ioa) UnmarshalNode(n *plant.Node) error {
	text, err := n.Str()
	if err != nil {
		return err
	}
	var v uint64
	for part := range strings.SplitSeq(text, ".") {
		octet, err := strconv.ParseUint(part, 10, 24)
		if err != nil {
			return fmt.Errorf("is %s, want an address from 1 to 16777215, or 0.0.1 to 255.255.255", text)
		}
		v = v<<8 | octet
	}
	*a = ioa(v)
	return nil
}

type fakeKind struct {
	source, target bool
	requests       func(*plant.Node) (any, []plant.FieldProblem) // nil: the kind has no such ends
	executes       func(*plant.Node) (any, []plant.FieldProblem)
	settings       func(*plant.Node) (any, []plant.FieldProblem)
	from           func(*plant.Node) (any, []plant.FieldProblem)
	to             func(*plant.Node) (any, []plant.FieldProblem)
	check          func(*plant.Cross)
	system         []plant.SystemPoint
}

func (k fakeKind) CanSource() bool { return k.source }
func (k fakeKind) CanTarget() bool { return k.target }

func (k fakeKind) Settings(n *plant.Node) (any, []plant.FieldProblem) { return k.settings(n) }

func (k fakeKind) Source(n *plant.Node, _ *plant.Point) (any, []plant.FieldProblem) {
	return k.from(n)
}

func (k fakeKind) Target(n *plant.Node, p *plant.Point, _ *plant.Target) (any, []plant.FieldProblem) {
	end, faults := k.to(n)
	if p.Type == point.Text {
		faults = append(faults, plant.FieldProblem{Text: "text cannot be carried, want another type"})
	}
	return end, faults
}

func (k fakeKind) System() []plant.SystemPoint { return k.system }

func (k fakeKind) CanRequest() bool { return k.requests != nil }
func (k fakeKind) Decodes() bool    { return false }
func (k fakeKind) CanExecute() bool { return k.executes != nil }

func (k fakeKind) Requester(n *plant.Node, c *plant.Command, r *plant.Request) (any, []plant.FieldProblem) {
	end, faults := k.requests(n)
	if c.Type == point.Bits && r.Select {
		faults = append(faults, plant.FieldProblem{Text: "bits cannot be selected, want mode: direct"})
	}
	return end, faults
}

func (k fakeKind) Executor(n *plant.Node, _ *plant.Command) (any, bool, []plant.FieldProblem) {
	end, faults := k.executes(n)
	e, ok := end.(*mqttExecutor)
	return end, ok && e.Reply != nil, faults
}

func (k fakeKind) Check(c *plant.Cross) {
	if k.check != nil {
		k.check(c)
	}
}

type fakeKinds map[string]fakeKind

func (k fakeKinds) Kind(name string) (plant.Kind, bool) {
	kind, ok := k[name]
	return kind, ok
}

// CheckCondition takes what begins with point("id") for a condition.
func (k fakeKinds) CheckCondition(source string, _ bool, typeOf func(string) (point.Type, bool)) string {
	rest, ok := strings.CutPrefix(source, `point("`)
	id, _, closed := strings.Cut(rest, `")`)
	if !ok || !closed {
		return "is no condition"
	}
	if _, ok := typeOf(id); !ok {
		return "there is no point " + id
	}
	return ""
}

func (k fakeKinds) Names() []string { return []string{"iec104-server", "mqtt", "mute"} }

// decodeOver returns a function that decodes over a copy of the defaults.
func decodeOver[T any](tb testing.TB, defaults T) func(*plant.Node) (any, []plant.FieldProblem) {
	tb.Helper()
	d, err := plant.NewDecoder[T]()
	if err != nil {
		tb.Fatal(err)
	}
	return func(n *plant.Node) (any, []plant.FieldProblem) {
		v := defaults
		faults := d.Decode(n, &v)
		return &v, faults
	}
}

func kinds(tb testing.TB) plant.Kinds {
	tb.Helper()
	server := serverSettings{K: 12, W: 8, T1: 15 * time.Second, T2: 10 * time.Second, T3: 20 * time.Second, Time: "utc"}
	server.Buffer.Events = 100000
	none := decodeOver(tb, struct{}{})
	return fakeKinds{
		"mqtt": {
			source: true, settings: decodeOver(tb, mqttSettings{QoS: 1}), from: decodeOver(tb, mqttSource{}), to: none,
			executes: decodeOver(tb, mqttExecutor{}),
			check: func(c *plant.Cross) {
				s := c.Connector.Settings.(*mqttSettings)
				if !strings.Contains(s.URL, "://") {
					c.Problem("url", "is "+s.URL+", want mqtt://host:port")
				}
				if strings.HasPrefix(s.URL, "ws:") {
					c.Warn("url", "is not encrypted")
				}
			},
		},
		"iec104-server": {target: true, settings: decodeOver(tb, server), from: none, to: decodeOver(tb, serverTarget{}), check: checkAddresses,
			system: []plant.SystemPoint{
				{Name: "groups/*/fill", Type: point.Float, Unit: "%", Deadband: 5},
				{Name: "groups/*/dropped", Type: point.Counter},
				{Name: "connections", Type: point.Int},
			},
			requests: decodeOver(tb, serverRequester{})},
		"mute": {settings: none, from: none, to: none},
	}
}

func checkAddresses(c *plant.Cross) {
	type address struct {
		ca  uint16
		ioa ioa
	}
	seen := map[address]plant.End{}
	once := func(end plant.End, a address) {
		if first, ok := seen[a]; ok {
			c.EndProblem(end, "ioa", fmt.Sprintf("occurs twice, first in line %d", c.Line(first)))
			return
		}
		seen[a] = end
	}
	for _, end := range c.Ends {
		t := end.Target().End.(*serverTarget)
		if t.IOA == 666 {
			c.EndWarn(end, "ioa", "is unusual")
		}
		once(end, address{t.CA, t.IOA})
	}
	clear(seen)
	for _, end := range c.Commands {
		r := end.Request().End.(*serverRequester)
		if r.IOA == 666 {
			c.EndWarn(end, "ioa", "is unusual")
		}
		once(end, address{r.CA, r.IOA})
	}
}
