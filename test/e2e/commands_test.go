package e2e

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"busbar/test/rig"
)

// orderCase is what a control centre and a device do, with Busbar and a
// broker between them. Steps:
//
//	a> OCTETS       the control centre sends an ASDU
//	a< OCTETS       the next ASDU that it gets; OCTETS alone are all
//	open b NAME     another control centre, b, connects to a server; close b
//	freed b OCTETS  b sends an ASDU until it is confirmed positively
//	d< on           the device gets a command with this value, not retained
//	d> TEXT         the device replies; ID stands for the id of the last command
//	set TOPIC TEXT  somebody publishes
//	log TEXT        Busbar logs a line
//	quiet           nothing more came to anybody
//	plant OLD => NEW  the plant is changed and loaded again
//	broker kill     and so on, not with the kind mqtt-broker
type orderCase struct {
	name  string
	mosq  bool // with a broker of its own only
	steps []string
}

// The objects. Each is the double command at CA 1 and the IOA that is given.
const commandPlant = `version: 1
connectors:
  sensors: {%s}
  scada: {kind: iec104-server, listen: "%s", lateCommands: refuse}
  south: {kind: iec104-server, listen: "%s"}
  pair: {kind: iec104-server, listen: "%s", groups: {pair: {clients: any}}}
points:
  earth: {type: single, from: {connector: sensors, topic: earth, value: "@"}, to: [{connector: scada, ca: 1, ioa: 300, as: M_SP_NA_1}]}
  position: {type: double, from: {connector: sensors, topic: position, value: "@"}, to: [{connector: scada, ca: 1, ioa: 200, as: M_DP_NA_1}]}
  here: {type: single, from: {connector: sensors, topic: here, value: "@"}, to: [{connector: scada, ca: 1, ioa: 301, as: M_SP_NA_1}]}
  south: {type: single, from: {connector: sensors, topic: south, value: "@"}, to: [{connector: scada, ca: 1, ioa: 302, as: M_SP_NA_1}]}
commands:
  replied: {type: double, qualifiers: [0, 1], from: [{connector: scada, ca: 1, ioa: 1, as: C_DC_NA_1, mode: both}, {connector: south, ca: 1, ioa: 1, as: C_DC_NA_1}, {connector: pair, ca: 1, ioa: 1, as: C_DC_NA_1, mode: both}], timeout: 60s, to: {connector: sensors, TO, reply: {REPLY, timeout: 60s}}}
  patient: {type: double, terminate: replied, from: [{connector: scada, ca: 1, ioa: 2, as: C_DC_NA_1}], timeout: 60s, confirm: accepted, to: {connector: sensors, TO, reply: {REPLY, timeout: 60s}}}
  short: {type: double, from: [{connector: scada, ca: 1, ioa: 3, as: C_DC_NA_1}], to: {connector: sensors, TO, reply: {REPLY, timeout: 300ms}}}
  blind: {type: double, from: [{connector: scada, ca: 1, ioa: 4, as: C_DC_NA_1}], timeout: 60s, to: {connector: sensors, TO}}
  locked: {type: double, interlock: point("earth") == "off", from: [{connector: scada, ca: 1, ioa: 5, as: C_DC_NA_1, mode: both}], timeout: 60s, to: {connector: sensors, TO, reply: {REPLY, timeout: 60s}}}
  shown: {type: double, feedback: position, feedbackTimeout: 60s, timeout: 60s, from: [{connector: scada, ca: 1, ioa: 200, as: C_DC_NA_1}], to: {connector: sensors, TO, reply: {REPLY, timeout: 60s}}}
  unseen: {type: double, feedback: position, feedbackTimeout: 300ms, timeout: 60s, from: [{connector: scada, ca: 1, ioa: 7, as: C_DC_NA_1}], to: {connector: sensors, TO, reply: {REPLY, timeout: 60s}}}
  selected: {type: double, from: [{connector: scada, ca: 1, ioa: 8, as: C_DC_NA_1, mode: select}], timeout: 60s, to: {connector: sensors, TO, reply: {REPLY, timeout: 60s}}}
  tagged: {type: double, from: [{connector: scada, ca: 1, ioa: 9, as: C_DC_TA_1}], timeout: 60s, to: {connector: sensors, TO, reply: {REPLY, timeout: 60s}}}
  brief: {type: double, selectTimeout: 1s, from: [{connector: scada, ca: 1, ioa: 11, as: C_DC_NA_1, mode: select}], to: {connector: sensors, TO}}
  tap: {type: step, from: [{connector: scada, ca: 1, ioa: 12, as: C_RC_NA_1}], to: {connector: sensors, TO}}
  remote: {type: double, local: here, from: [{connector: scada, ca: 1, ioa: 13, as: C_DC_NA_1, mode: both}], to: {connector: sensors, TO}}
  led: {type: double, authority: 'point("south") == (connector == "south" ? "on" : "off")', from: [{connector: scada, ca: 1, ioa: 14, as: C_DC_NA_1, mode: both}, {connector: south, ca: 1, ioa: 14, as: C_DC_NA_1, mode: both}], to: {connector: sensors, TO}}
  level: {type: float, range: {low: 0, high: 50}, from: [{connector: scada, ca: 1, ioa: 10, as: C_SE_NC_1}], timeout: 60s, to: {connector: sensors, TO, reply: {REPLY, timeout: 60s}}}
`

// order and answer are ASDUs of a double command with originator 5.
func order(ioa, dco string) string     { return "a> 2e 01 06 05 01 00 " + ioa + " 00 00 " + dco }
func answer(cot, ioa, d string) string { return "a< 2e 01 " + cot + " 05 01 00 " + ioa + " 00 00 " + d }

func orderCases() []orderCase {
	const ok, blocked = `d> {"id":"ID","result":"ok"}`, `d> {"id":"ID","result":"blocked"}`
	con := func(ioa, d string) string { return answer("07", ioa, d) }
	neg := func(ioa, d string) string { return answer("47", ioa, d) }
	term := func(ioa, d string) string { return answer("0a", ioa, d) }
	return []orderCase{
		{name: "direct, done by the device", steps: []string{order("01", "02"), "d< on", ok, con("01", "02"), "log command confirmed", "quiet"}},
		{name: "K8 off, by its name, with a qualifier that is mirrored", steps: []string{order("01", "05"), "d< off", ok, con("01", "05"), "quiet"}},
		{name: "K1 direct, refused by the device: one confirmation", steps: []string{order("01", "02"), "d< on", blocked, neg("01", "02"), "log blocked", "quiet"}},
		{name: "K7 same command twice, two orders of the same state", steps: []string{order("01", "02"), "d< on", ok, con("01", "02"), order("01", "02"), "d< on", ok, con("01", "02"), "quiet"}},
		{name: "second command while the first is under way", steps: []string{order("01", "02"), "d< on", order("01", "01"), neg("01", "01"), ok, con("01", "02"), "quiet"}},
		{name: "K4 confirmed when handed over, terminated by the reply", steps: []string{order("02", "02"), "d< on", con("02", "02"), ok, term("02", "02"), "quiet"}},
		{name: "confirmed when handed over, then refused by the device", steps: []string{order("02", "02"), "d< on", con("02", "02"), blocked, answer("4a", "02", "02"), "quiet"}},
		{name: "K11 no reply in the time that the plant gives", steps: []string{order("03", "02"), "d< on", neg("03", "02"), "log no reply within 300ms", "quiet"}},
		{name: "reply too late: alarm", steps: []string{order("03", "02"), "d< on", neg("03", "02"), ok, "log command operated late", "quiet"}},
		{name: "refusal too late: no alarm", steps: []string{order("03", "02"), "d< on", neg("03", "02"), blocked, "log command refused late", "quiet"}},
		{name: "reply to another order", steps: []string{order("01", "02"), "d< on", `d> {"id":"other","result":"ok"}`, "log reply to no known command", ok, con("01", "02"), "quiet"}},
		{name: "reply without id", steps: []string{order("01", "02"), "d< on", `d> {"result":"ok"}`, "log reply to no known command", ok, con("01", "02"), "quiet"}},
		{name: "malformed reply", steps: []string{order("01", "02"), "d< on", `d> {"id":"ID",`, "log reply to a command is not understood", ok, con("01", "02"), "quiet"}},
		{name: "device without reply", steps: []string{order("04", "02"), "d< on", con("04", "02"), "quiet"}},
		{name: "K6 nothing is retained", steps: []string{order("04", "02"), "d< on", con("04", "02"), "late", "quiet"}},
		{name: "K5 select never operates", steps: []string{order("08", "82"), con("08", "82"), "quiet"}},
		{name: "select and execute", steps: []string{order("08", "82"), con("08", "82"), order("08", "02"), "d< on", ok, con("08", "02"), "quiet"}},
		{name: "E069 execute without select", steps: []string{order("08", "02"), neg("08", "02"), "quiet"}},
		{name: "E071 execute with another state", steps: []string{order("08", "82"), con("08", "82"), order("08", "01"), neg("08", "01"), "quiet"}},
		{name: "deactivation", steps: []string{order("08", "82"), con("08", "82"), "a> 2e 01 08 05 01 00 08 00 00 82", answer("09", "08", "82"), order("08", "02"), neg("08", "02"), "quiet"}},
		{name: "E067 state 3", steps: []string{order("01", "03"), neg("01", "03"), "quiet"}},
		{name: "qualifier that is not accepted", steps: []string{order("01", "0a"), neg("01", "0a"), "quiet"}},
		{name: "E076 beyond the range", steps: []string{"a> 32 01 06 05 01 00 0a 00 00 00 00 4c 42 00", "a< 32 01 47 05 01 00 0a 00 00 00 00 4c 42 00", "quiet"}},
		{name: "set point", steps: []string{"a> 32 01 06 05 01 00 0a 00 00 00 00 46 42 00", "d< 49.5", ok, "a< 32 01 07 05 01 00 0a 00 00 00 00 46 42 00", "quiet"}},
		{name: "interlock never had a value", steps: []string{order("05", "02"), neg("05", "02"), "log point earth", "quiet"}},
		{name: "interlock holds it back", steps: []string{"set earth 1", "a< 01 01 03 00 01 00 2c 01 00 01", order("05", "82"), neg("05", "82"), order("05", "02"), neg("05", "02"), "quiet"}},
		{name: "interlock lets it pass", steps: []string{"set earth 0", "a< 01 01 03 00 01 00 2c 01 00 00", order("05", "02"), "d< on", ok, con("05", "02"), "quiet"}},
		{name: "K4 terminated by the feedback", steps: []string{"set position 1", "a< 03 01 03 00 01 00 c8 00 00 01", order("c8", "02"), "d< on", ok, con("c8", "02"),
			"set position 2", "a< 03 01 0b 00 01 00 c8 00 00 02", term("c8", "02"), "quiet"}},
		{name: "feedback does not come", steps: []string{order("07", "02"), "d< on", ok, con("07", "02"), answer("4a", "07", "02"), "log no feedback within 300ms", "quiet"}},
		{name: "E074 time tag of the year 2000", steps: []string{"a> 3b 01 06 05 01 00 09 00 00 02 00 00 00 00 01 01 00",
			"a< 3b 01 47 05 01 00 09 00 00 02 00 00 00 00 01 01 00", "quiet"}},
		{name: "E054 broadcast", steps: []string{"a> 2e 01 06 05 ff ff 01 00 00 02", "a< 2e 01 6e 05 ff ff 01 00 00 02", "quiet"}},
		{name: "unknown object", steps: []string{order("63", "02"), answer("6f", "63", "02"), "quiet"}},
		{name: "wrong type", steps: []string{"a> 2d 01 06 05 01 00 01 00 00 01", "a< 2d 01 6c 05 01 00 01 00 00 01", "quiet"}},
		{name: "E066 test bit", steps: []string{"a> 2e 01 86 05 01 00 01 00 00 02", "a< 2e 01 c7 05 01 00 01 00 00 02", "quiet"}},
		{name: "K3 broker gone before", mosq: true, steps: []string{"broker kill", order("01", "02"), neg("01", "02"), "broker start", "quiet"}},
		{name: "broker gone after the device has it", mosq: true, steps: []string{order("03", "02"), "d< on", "broker kill", neg("03", "02"), "log outcome_unknown=true", "broker start", "quiet"}},
		{name: "broker away for a moment, reply in time", mosq: true, steps: []string{order("01", "02"), "d< on", "broker kill", "broker start", ok, con("01", "02"), "quiet"}},
	}
}

func TestCommandsReachDevicesAndComeBack(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"mqtt 5", "mqtt 3.1.1", "mqtt-broker"} {
		for _, c := range slices.Concat(orderCases(), rowCases(), centreCases()) {
			if kind == "mqtt-broker" && c.mosq {
				continue
			}
			t.Run(kind+"/"+c.name, func(t *testing.T) {
				t.Parallel()
				newStage(t, kind).play(c.steps)
			})
		}
	}
}

// stage is all that takes part in a case.
type stage struct {
	t      *testing.T
	broker *rig.Broker // nil: Busbar itself
	addr   string      // of the broker
	busbar *rig.Busbar
	plant  string
	listen map[string]string      // addresses of the servers
	centre map[string]*rig.Master // by its letter
	client mqtt.Client
	got    chan mqtt.Message
	id     string // of the last command
	marks  int
}

const (
	orderTopic = "device/set"
	replyTopic = "device/set/reply"
)

func newStage(t *testing.T, kind string) *stage {
	return newStageOn(t, kind, func(plant string) *rig.Busbar { return rig.Run(t, plant) })
}

// newStageOn is newStage with a Busbar that is run in another way.
func newStageOn(t *testing.T, kind string, run func(plant string) *rig.Busbar) *stage {
	s := &stage{t: t, listen: map[string]string{}}
	name, version, _ := strings.Cut(kind, " ")
	settings := "kind: mqtt-broker"
	if name == "mqtt" {
		s.broker = rig.StartBroker(t)
		s.addr = s.broker.Addr()
		settings = fmt.Sprintf(`kind: mqtt, version: %q, url: "mqtt://%s"`, version, s.addr)
	} else {
		s.addr = rig.FreeAddr(t)
		settings += fmt.Sprintf(`, listen: "%s"`, s.addr)
	}
	for _, server := range []string{"scada", "south", "pair"} {
		s.listen[server] = rig.FreeAddr(t)
	}
	s.plant = strings.NewReplacer("TO,", `topic: `+orderTopic+`, payload: '{"to":{{json .Value}},"id":"{{.ID}}"}',`,
		"TO}", `topic: `+orderTopic+`, payload: '{"to":{{json .Value}},"id":"{{.ID}}"}'}`,
		"REPLY", `topic: `+replyTopic+`, id: id, ok: 'result == "ok"'`).
		Replace(fmt.Sprintf(commandPlant, settings, s.listen["scada"], s.listen["south"], s.listen["pair"]))
	s.busbar = run(s.plant)
	s.connect()
	return s
}

// connect connects the device and the control centre a to a Busbar that was
// started.
func (s *stage) connect() {
	s.t.Helper()
	s.up()
	s.device()
	s.centre = map[string]*rig.Master{"a": rig.StartMaster(s.t, s.listen["scada"])}
}

func (s *stage) up() {
	s.t.Helper()
	s.busbar.AwaitMetric(1, "busbar_connector_state", `connector="sensors"`, `state="up"`)
}

// device connects the device, which subscribes to its commands.
func (s *stage) device() {
	s.t.Helper()
	got := make(chan mqtt.Message, 100)
	client := mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + s.addr).SetClientID("device").SetAutoReconnect(false).SetConnectTimeout(rig.Patience))
	s.done(client.Connect())
	s.t.Cleanup(func() { client.Disconnect(0) })
	s.done(client.Subscribe(orderTopic, 1, func(_ mqtt.Client, m mqtt.Message) { got <- m }))
	s.client, s.got = client, got
}

func (s *stage) done(token mqtt.Token) {
	s.t.Helper()
	if !token.WaitTimeout(rig.Patience) || token.Error() != nil {
		s.t.Fatalf("device: %v", token.Error())
	}
}

func (s *stage) play(steps []string) {
	s.t.Helper()
	for i, step := range steps {
		s.t.Logf("step %d: %s", i, step)
		what, rest, _ := strings.Cut(step, " ")
		centre := s.centre[what[:1]]
		switch {
		case what == "d<":
			s.ordered(rest)
		case what == "d>":
			s.done(s.client.Publish(replyTopic, 1, false, strings.Replace(rest, "ID", s.id, 1)))
		case len(what) == 2 && centre != nil && what[1] == '>':
			centre.SendASDU(s.octets(rest))
		case len(what) == 2 && centre != nil && what[1] == '<':
			s.answered(centre, step, s.octets(rest))
		default:
			s.act(what, rest)
		}
	}
}

func (s *stage) act(what, rest string) {
	s.t.Helper()
	first, second, _ := strings.Cut(rest, " ")
	switch what {
	case "set":
		s.done(s.client.Publish(first, 1, false, second))
	case "log":
		s.busbar.Log.Await(s.t, 0, rest)
	case "late":
		s.client.Disconnect(0)
		s.device()
	case "open":
		s.centre[first] = rig.StartMaster(s.t, s.listen[second])
	case "close":
		s.close(first)
	case "freed":
		s.freed(s.centre[first], s.octets(second))
	case "plant":
		before, after, _ := strings.Cut(rest, " => ")
		s.plant = strings.ReplaceAll(s.plant, before, after)
		s.busbar.Log.Await(s.t, s.busbar.Reload(s.plant), "plant applied")
	case "broker":
		s.power(rest)
	case "quiet":
		s.quiet()
	default:
		s.t.Fatalf("unknown step %q", what)
	}
}

func (s *stage) octets(text string) []byte {
	s.t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		s.t.Fatal(err)
	}
	return b
}

// answered takes the next ASDU at the control centre, but for points that
// became not topical because the broker is away.
func (s *stage) answered(centre *rig.Master, step string, want []byte) {
	s.t.Helper()
	got := centre.NextASDU(step)
	for got[0] == endOfInitialisation || isReading(got) && !isReading(want) {
		got = centre.NextASDU(step)
	}
	if !bytes.Equal(got, want) {
		s.t.Fatalf("the control centre gets % x, want % x", got, want)
	}
}

// endOfInitialisation is the type of M_EI_NA_1.
const endOfInitialisation = 70

// isReading reports whether an ASDU tells the state of a point.
func isReading(asdu []byte) bool { return asdu[0] < 45 }

// ordered takes the command that the device gets.
func (s *stage) ordered(want string) {
	s.t.Helper()
	m, ok := s.next()
	if !ok {
		s.t.Fatalf("the device gets no command %s", want)
	}
	var command struct {
		To any    `json:"to"`
		ID string `json:"id"`
	}
	if err := json.Unmarshal(m.Payload(), &command); err != nil || fmt.Sprint(command.To) != want || m.Retained() || command.ID == "" || command.ID == s.id {
		s.t.Fatalf("the device gets %s (retained %t, %v), want a new command %s", m.Payload(), m.Retained(), err, want)
	}
	s.id = command.ID
}

func (s *stage) next() (m mqtt.Message, ok bool) {
	rig.Until(s.t, "a message at the device", func() bool {
		select {
		case m = <-s.got:
			ok = true
		default:
		}
		return ok
	})
	return m, ok
}

// power switches the broker.
func (s *stage) power(what string) {
	s.t.Helper()
	if what == "kill" {
		s.broker.Kill()
		s.busbar.AwaitMetric(1, "busbar_connector_state", `connector="sensors"`, `state="connecting"`)
		return
	}
	s.broker.Start()
	s.up()
	s.device()
}

// quiet checks that neither side got more than was looked at: what is sent now
// is the next thing that comes.
func (s *stage) quiet() {
	s.t.Helper()
	s.marks++
	mark := fmt.Sprint("mark ", s.marks)
	s.done(s.client.Publish(orderTopic, 0, false, mark))
	if m, _ := s.next(); string(m.Payload()) != mark {
		s.t.Errorf("the device gets %s too many", m.Payload())
	}
	for name, centre := range s.centre {
		centre.Test()
		unread := slices.DeleteFunc(centre.Unread(), func(asdu []byte) bool { return isReading(asdu) || asdu[0] == endOfInitialisation })
		if len(unread) > 0 {
			s.t.Errorf("the control centre %s gets % x too many", name, unread)
		}
	}
}
