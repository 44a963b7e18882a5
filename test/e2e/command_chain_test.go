package e2e

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"busbar/test/capture"
	"busbar/test/rig"
)

// commandChain is a control centre, a Busbar b that serves it, a broker, a Busbar a that takes
// requests from it, and a station. What a station makes of a command is in rtuCommands.
type commandChain struct {
	t       *testing.T
	broker  *rig.Broker
	near    *capture.Proxy // between b and the broker
	far     *capture.Proxy // between a and the broker
	station *rig.Outstation
	a, b    *rig.Busbar
	first   string // plant of a, which reaches the broker by far
	second  string // plant of b, which reaches the broker by near
	centre  *rig.Master
}

// byHand is the command that the station answers by hand.
var byHand = len(rtuCommands)

// requests are the keys of `to` at b, by version: with the properties of MQTT 5 alone, and
// with all that another Busbar takes.
func requests(version string, i int, timeout string) string {
	topics := fmt.Sprintf("connector: broker, topic: cmd/c%d", i)
	reply := fmt.Sprintf("topic: ans/c%d, timeout: %s", i, timeout)
	terminates := i == byHand || !strings.Contains(rtuCommands[i].keys, "terminates: false")
	switch {
	case version == "5" && terminates:
		return fmt.Sprintf(`{%s, payload: '{"value":{{json .Value}},"id":{{json .ID}}}', reply: {%s, ok: ok, confirmed: 'stage == "confirmed"', unknown: 'unknown == true'}}`, topics, reply)
	case version == "5":
		return fmt.Sprintf(`{%s, payload: '{"value":{{json .Value}},"id":{{json .ID}}}', reply: {%s, ok: ok}}`, topics, reply)
	case terminates:
		return fmt.Sprintf("{%s, format: busbar, reply: {%s}}", topics, reply)
	default:
		return fmt.Sprintf(`{%s, payload: '{"value":{{json .Value}},"id":{{json .ID}},"expires":{{json .Expires}}}', reply: {%s, id: id, ok: ok}}`, topics, reply)
	}
}

// chainPlants returns the plants of a and b. What a station does not answer ends at a after
// 1.5 s; timeout is that of b.
func chainPlants(version, station, near, far, listen, timeout string, to func(i int) string) (first, second string) {
	var a, b strings.Builder
	mqtt := "version: 1\nconnectors:\n  broker: {kind: mqtt, version: %s, clientId: %s, url: \"mqtt://%s\"}\n"
	fmt.Fprintf(&a, mqtt+"  rtu: {kind: iec104-client, addresses: [%q]}\n", version, "a", far, station)
	fmt.Fprintf(&b, mqtt+"  scada: {kind: iec104-server, listen: %q}\n", version, "b", near, listen)
	a.WriteString("points:\n  p: {type: single, from: {connector: rtu, ca: 1, ioa: 100}}\ncommands:\n")
	b.WriteString("commands:\n")
	for i := range len(rtuCommands) + 1 {
		limit, keys, respond := "20s", "", ""
		if i != byHand {
			keys = rtuCommands[i].keys
			if strings.HasPrefix(rtuCommands[i].reason, "no answer") {
				limit = "1.5s"
			}
		}
		if version != "5" {
			respond = fmt.Sprintf(", respond: ans/c%d", i)
		}
		fmt.Fprintf(&a, "  c%d: {type: double, timeout: %s, from: [{connector: broker, topic: cmd/c%d%s}], to: {connector: rtu, ca: 1, ioa: %d, as: C_DC_NA_1%s}}\n",
			i, limit, i, respond, 0x100+i, keys)
		fmt.Fprintf(&b, "  c%d: {type: double, timeout: %s, from: [{connector: scada, ca: 1, ioa: %d, as: C_DC_NA_1, mode: both}], to: %s}\n",
			i, timeout, 0x100+i, to(i))
	}
	return a.String(), b.String()
}

// newCommandChain starts the broker, the station and b with a control centre. a is yet to be
// started with the plant first.
func newCommandChain(t *testing.T, version, timeout string, to func(i int) string) *commandChain {
	t.Helper()
	c := &commandChain{t: t, broker: rig.StartBroker(t), station: rig.StartOutstation(t, answerCommand)}
	c.near, c.far = capture.Start(t, c.broker.Addr()), capture.Start(t, c.broker.Addr())
	listen := rig.FreeAddr(t)
	c.first, c.second = chainPlants(version, c.station.Addr, c.near.Addr(), c.far.Addr(), listen, timeout, to)
	c.b = rig.Run(t, c.second)
	c.awaitBroker(c.b)
	c.centre = rig.StartMaster(t, listen)
	return c
}

// startA starts a in a process of its own, if there is a binary.
func (c *commandChain) startA(binary string) {
	c.t.Helper()
	if binary == "" {
		c.a = rig.Run(c.t, c.first)
	} else {
		c.a = rig.Exec(c.t, binary, c.first)
	}
	c.awaitA()
}

// awaitA waits until a takes requests and has its station.
func (c *commandChain) awaitA() {
	c.t.Helper()
	c.awaitRequests()
	awaitLink(c.a)
}

// awaitRequests waits until a takes requests.
func (c *commandChain) awaitRequests() {
	c.t.Helper()
	c.awaitBroker(c.a)
	c.a.AwaitMetric(float64(len(rtuCommands)+1), "busbar_mqtt_subscriptions")
}

func (c *commandChain) awaitBroker(b *rig.Busbar) {
	c.t.Helper()
	b.AwaitMetric(1, "busbar_connector_state", `connector="broker"`, `state="up"`)
}

// rtuCommand is the ASDU of a command of rtuCommands.
func rtuCommand(i int) []byte { return []byte{46, 1, 6, 5, 1, 0, byte(i), 1, 0, 2} }

// wants takes the next answers at the control centre.
func (c *commandChain) wants(name string, asdu []byte, causes ...byte) {
	c.t.Helper()
	var got, want []string
	for _, cause := range causes {
		got = append(got, nextCommandAnswer(c.centre, name))
		want = append(want, hex.EncodeToString(rig.With(asdu, cause)))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		c.t.Fatalf("%s: -want +got\n%s", name, diff)
	}
}

// carriedOut gives an order that goes all the way.
func (c *commandChain) carriedOut() {
	c.t.Helper()
	c.centre.SendASDU(rtuCommand(0))
	c.wants("carried out", rtuCommand(0), 7, 10)
}

// seen is how often the station was told to execute a command.
func (c *commandChain) seen(i int) (n int) {
	for _, a := range c.station.Received(46) {
		if int(a[6]) == i && a[9]&0x80 == 0 {
			n++
		}
	}
	return n
}

func (c *commandChain) wantSeen(i, want int) {
	c.t.Helper()
	if got := c.seen(i); got != want {
		c.t.Errorf("the station got command %d %d times, want %d", i, got, want)
	}
}

// quiet ends a case: nothing more is told to the control centre.
func (c *commandChain) quiet() {
	c.t.Helper()
	if rest := commandAnswers(c.centre); len(rest) > 0 {
		c.t.Errorf("the control centre gets more: %q", rest)
	}
}

// TestCommandsGoDownTheWholeChain has a station answer commands from behind a broker.
func TestCommandsGoDownTheWholeChain(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"5", "3.1.1"} {
		t.Run("mqtt "+version, func(t *testing.T) {
			t.Parallel()
			c := newCommandChain(t, version, "10s", func(i int) string { return requests(version, i, "10s") })
			c.startA("")
			for i, row := range rtuCommands {
				awaitLink(c.a)
				logged, links := c.b.Log.Len(), c.station.Connections()
				c.centre.SendASDU(rtuCommand(i))
				c.wants(row.name, rtuCommand(i), row.want...)
				c.wantSeen(i, 1)
				if row.reason != "" {
					unknown := strings.HasPrefix(row.reason, "no answer") || row.reason == "outcome unknown"
					c.b.Log.Await(t, logged, "command", row.reason, fmt.Sprintf("outcome_unknown=%t", unknown))
				}
				if row.closes {
					rig.Until(t, "the link to come back", func() bool { return c.station.Connections() > links })
				}
			}
			sel := rtuCommand(0)
			sel[9] |= 0x80
			c.centre.SendASDU(sel)
			c.wants("selected", sel, 7)
			c.carriedOut()
			c.wantSeen(0, 2)
			c.quiet()
		})
	}
}

// chainCommands are types of commands, and elements that are to reach the station.
var chainCommands = []struct {
	id       byte
	as, typ  string
	qu       string
	elements []string
}{
	{45, "C_SC_NA_1", "single", "0, 1, 31", []string{"00", "01", "04", "7d"}},
	{46, "C_DC_NA_1", "double", "0, 3, 31", []string{"01", "02", "0e", "7d"}},
	{47, "C_RC_NA_1", "step", "0, 2", []string{"01", "02", "0a"}},
	{48, "C_SE_NA_1", "float", "0, 127", []string{"00 80 00", "ff 7f 00", "01 00 7f", "cd ab 00"}},
	{49, "C_SE_NB_1", "int", "0, 5", []string{"00 80 00", "ff 7f 05", "ff ff 00"}},
	{50, "C_SE_NC_1", "float", "0, 1", []string{"cd cc cc 3d 00", "ff ff 7f ff 01", "01 00 00 00 00", "00 00 80 3f 00"}},
	{51, "C_BO_NA_1", "bits", "0", []string{"00 00 00 80", "ff ff ff ff", "01 02 03 04"}},
}

// newTypeChain is a chain for chainCommands. kind is that of b, with the version of MQTT.
func newTypeChain(t *testing.T, kind string) *commandChain {
	t.Helper()
	const begin = "version: 1\nconnectors:\n  broker: {kind: "
	var first, second strings.Builder
	listen, addr := rig.FreeAddr(t), rig.FreeAddr(t)
	name, version, _ := strings.Cut(kind, " ")
	if name == "mqtt" {
		addr = rig.StartBroker(t).Addr()
		fmt.Fprintf(&second, begin+"mqtt, url: \"mqtt://%s\", version: %s, clientId: b}\n", addr, version)
	} else {
		version = "5"
		fmt.Fprintf(&second, begin+"mqtt-broker, listen: %q}\n", addr)
	}
	station := rig.StartOutstation(t, func(asdu []byte) ([][]byte, bool) { return [][]byte{rig.With(asdu, 7), rig.With(asdu, 10)}, false })
	fmt.Fprintf(&first, begin+"mqtt, url: \"mqtt://%s\", version: %s, clientId: a}\n  rtu: {kind: iec104-client, addresses: [%q]}\n"+
		"points:\n  p: {type: single, from: {connector: rtu, ca: 1, ioa: 100}}\ncommands:\n", addr, version, station.Addr)
	fmt.Fprintf(&second, "  scada: {kind: iec104-server, listen: %q}\ncommands:\n", listen)
	for _, k := range chainCommands {
		row := strings.NewReplacer("AS", k.as, "TYPE", k.typ, "QU", k.qu, "IOA", fmt.Sprint(k.id))
		first.WriteString(row.Replace("  AS: {type: TYPE, qualifiers: [QU], from: [{connector: broker, topic: cmd/AS, respond: ans/AS}], to: {connector: rtu, ca: 1, ioa: IOA, as: AS}}\n"))
		second.WriteString(row.Replace("  AS: {type: TYPE, qualifiers: [QU], from: [{connector: scada, ca: 1, ioa: IOA, as: AS}], to: {connector: broker, topic: cmd/AS, format: busbar, reply: {topic: ans/AS}}}\n"))
	}
	c := &commandChain{t: t, station: station, b: rig.Run(t, second.String())}
	c.awaitBroker(c.b)
	c.a = rig.Run(t, first.String())
	c.awaitBroker(c.a)
	c.a.AwaitMetric(float64(len(chainCommands)), "busbar_mqtt_subscriptions")
	awaitLink(c.a)
	c.centre = rig.StartMaster(t, listen)
	return c
}

// TestEveryTypeOfCommandIsTheSameAtTheEndOfTheChain compares the elements that the control
// centre sends with those that the station gets.
func TestEveryTypeOfCommandIsTheSameAtTheEndOfTheChain(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"mqtt 5", "mqtt 3.1.1", "mqtt-broker"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			c := newTypeChain(t, kind)
			for _, k := range chainCommands {
				for i, text := range k.elements {
					element, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
					if err != nil {
						t.Fatal(err)
					}
					asdu := append([]byte{k.id, 1, 6, 5, 1, 0, k.id, 0, 0}, element...)
					c.centre.SendASDU(asdu)
					c.wants(k.as+" "+text, asdu, 7, 10)
					all := c.station.Received(k.id)
					if len(all) != i+1 {
						t.Fatalf("%s: the station got %d commands, want %d", k.as, len(all), i+1)
					}
					if got := hex.EncodeToString(all[i][9:]); got != hex.EncodeToString(element) {
						t.Errorf("%s: the station gets %s, want %s", k.as, got, text)
					}
				}
			}
			c.quiet()
		})
	}
}
