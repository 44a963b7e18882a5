package e2e

import (
	"encoding/hex"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"busbar/test/capture"
	"busbar/test/rig"
)

// slowly is how long octets take where a test has to break a connection before an
// acknowledgement has passed.
const slowly = 2 * time.Second

// chainFaults are what goes wrong between the control centre and the station.
var chainFaults = []struct {
	name    string
	timeout string // after which b gives up
	binary  bool   // a is a process of its own
	play    func(c *commandChain, binary string)
}{
	{"Busbar A is away", "3s", false, func(c *commandChain, _ string) {
		c.startA("")
		c.a.Signal(syscall.SIGTERM)
		c.a.Exit()
		c.unanswered(0)
		c.a.Start()
		c.awaitA()
		c.carriedOut() // behind what the broker has held
		c.wantSeen(0, 1)
	}},
	{"Busbar A has no broker", "3s", false, func(c *commandChain, _ string) {
		c.startA("")
		c.far.Stop()
		c.a.AwaitMetric(1, "busbar_connector_state", `connector="broker"`, `state="connecting"`)
		c.unanswered(0)
		c.a.Reload(c.direct(c.first, c.far))
		c.awaitA()
		c.carriedOut()
		c.wantSeen(0, 1)
	}},
	{"Busbar B has no broker", "3s", false, func(c *commandChain, _ string) {
		c.startA("")
		c.near.Stop()
		c.b.AwaitMetric(1, "busbar_connector_state", `connector="broker"`, `state="connecting"`)
		c.order(0)
		c.wants("an order without broker", rtuCommand(0), 0x47)
		c.b.Reload(c.direct(c.second, c.near))
		c.awaitBroker(c.b)
		c.carriedOut()
		c.wantSeen(0, 1)
	}},
	{"station is away", "20s", false, func(c *commandChain, _ string) {
		c.a = rig.Run(c.t, strings.ReplaceAll(c.first, c.station.Addr, rig.FreeAddr(c.t)))
		c.awaitRequests()
		logged := c.b.Log.Len()
		c.order(0)
		c.wants("an order without station", rtuCommand(0), 0x47)
		c.b.Log.Await(c.t, logged, "command not confirmed", "connector rtu is connecting", "outcome_unknown=false")
		c.a.Reload(c.first)
		awaitLink(c.a)
		c.carriedOut()
		c.wantSeen(0, 1)
	}},
	{"somebody else has an order under way", "20s", false, func(c *commandChain, _ string) {
		c.startA("")
		_, somebody := c.listen("other")
		c.done(somebody.Publish(fmt.Sprint("cmd/c", byHand), 1, false, fmt.Sprintf(`{"value":"on","id":"other","expires":%q}`, time.Now().Add(time.Minute).Format(time.RFC3339))))
		c.awaitStation()
		logged := c.b.Log.Len()
		c.order(byHand)
		c.wants("an order beside another", rtuCommand(byHand), 0x47)
		c.b.Log.Await(c.t, logged, "command not confirmed", "another order of this command is under way", "outcome_unknown=false")
		c.answer(7, 10)
		c.carriedOut()
		c.wantSeen(byHand, 1)
	}},
	{"broker ends before the answer", "3s", false, func(c *commandChain, _ string) {
		c.startA("")
		c.atStation()
		c.broker.Stop()
		logged := c.b.Log.Len()
		c.answer(7, 10) // a keeps it for the broker
		c.wants("an order whose answer does not come", rtuCommand(byHand), 0x47)
		c.b.Log.Await(c.t, logged, "command not confirmed", "outcome_unknown=true")
		c.broker.Start()
		c.b.Log.Await(c.t, logged, "command operated late")
		c.awaitA()
		c.carriedOut()
		c.wantSeen(byHand, 1)
	}},
	{"broker ends between confirmation and termination", "3s", false, func(c *commandChain, _ string) {
		c.startA("")
		c.atStation()
		c.answer(7)
		c.wants("the confirmation", rtuCommand(byHand), 7)
		logged := c.b.Log.Len()
		c.broker.Stop()
		c.answer(10)
		c.wants("the termination", rtuCommand(byHand), 0x4a)
		c.b.Log.Await(c.t, logged, "command terminated negatively", "outcome_unknown=true")
		c.broker.Start()
		c.b.Log.Await(c.t, logged, "command operated late")
		c.wantSeen(byHand, 1)
	}},
	{"Busbar A is killed before the answer", "3s", true, func(c *commandChain, binary string) {
		c.startA(binary)
		logged := c.b.Log.Len()
		c.atStation()
		c.a.Kill()
		restarted := c.a.Log.Len()
		c.a.Start()
		c.awaitA()
		c.wants("an order whose answer is lost", rtuCommand(byHand), 0x47)
		c.b.Log.Await(c.t, logged, "command not confirmed", "outcome_unknown=true")
		c.a.Log.Await(c.t, restarted, "command outcome unknown after a restart")
		c.carriedOut()
		c.wantSeen(byHand, 1)
	}},
	{"Busbar A is killed between confirmation and termination", "3s", true, func(c *commandChain, binary string) {
		c.startA(binary)
		logged := c.b.Log.Len()
		c.atStation()
		c.answer(7)
		c.wants("the confirmation", rtuCommand(byHand), 7)
		c.a.Kill()
		c.a.Start()
		c.awaitA()
		c.wants("the termination", rtuCommand(byHand), 0x4a)
		c.b.Log.Await(c.t, logged, "command terminated negatively", "outcome_unknown=true")
		c.carriedOut()
		c.wantSeen(byHand, 1)
	}},
	{"request delivered twice", "20s", false, func(c *commandChain, _ string) {
		c.startA("")
		c.lose(c.far)
		c.a.AwaitMetric(2, "busbar_mqtt_command_requests_total")
		c.answer(7, 10) // the refusal of the second one must not come instead
		c.wants("a request that came twice", rtuCommand(byHand), 7, 10)
		c.carriedOut()
		c.wantSeen(byHand, 1)
	}},
	{"request not acknowledged", "20s", false, func(c *commandChain, _ string) {
		c.startA("")
		c.lose(c.near)
		c.b.AwaitMetric(1, "busbar_mqtt_reconnects_total")
		c.awaitBroker(c.b)
		c.answer(7, 10) // by way of the session that the broker has kept
		c.wants("a request that was not acknowledged", rtuCommand(byHand), 7, 10)
		c.carriedOut()
		c.wantSeen(byHand, 1)
	}},
	{"retained request", "20s", false, func(c *commandChain, _ string) {
		rig.NewPublisher(c.t, c.broker.Addr()).Retain("cmd/c0", fmt.Sprintf(`{"value":"on","id":"old","expires":%q}`, time.Now().Add(time.Hour).Format(time.RFC3339)))
		c.startA("")
		c.a.AwaitMetric(1, "busbar_mqtt_command_retained_requests_total")
		c.carriedOut()
		c.wantSeen(0, 1)
	}},
	{"id repeated by somebody", "20s", false, func(c *commandChain, _ string) {
		c.startA("")
		requests, somebody := c.listen("cmd/c0")
		c.carriedOut()
		logged := c.a.Log.Len()
		var m mqtt.Message
		rig.Until(c.t, "the request", func() bool {
			select {
			case m = <-requests:
			default:
			}
			return m != nil
		})
		c.done(somebody.Publish(m.Topic(), 1, false, m.Payload()))
		c.a.Log.Await(c.t, logged, "command refused", "an order with this id was given before")
		c.wantSeen(0, 1)
	}},
}

// TestFaultsOfTheWholeChain breaks it everywhere. The station gets no command twice, and
// none of which the control centre was told that it has failed before it was sent.
func TestFaultsOfTheWholeChain(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"5", "3.1.1"} {
		for _, fault := range chainFaults {
			t.Run("mqtt "+version+"/"+fault.name, func(t *testing.T) {
				t.Parallel()
				binary := ""
				if fault.binary {
					binary = builtBinary(t)
				}
				c := newCommandChain(t, version, "30s", func(i int) string {
					return fmt.Sprintf("{connector: broker, topic: cmd/c%d, format: busbar, reply: {topic: ans/c%[1]d, timeout: %s}}", i, fault.timeout)
				})
				fault.play(c, binary)
				c.quiet()
			})
		}
	}
}

// order has the control centre give an order.
func (c *commandChain) order(i int) { c.centre.SendASDU(rtuCommand(i)) }

// unanswered gives an order that nobody answers.
func (c *commandChain) unanswered(i int) {
	c.t.Helper()
	logged := c.b.Log.Len()
	c.order(i)
	c.wants("an order that nobody answers", rtuCommand(i), 0x47)
	c.b.Log.Await(c.t, logged, "command not confirmed", "no reply within", "outcome_unknown=true")
}

// atStation gives the order that the station answers by hand, and waits until it has it.
func (c *commandChain) atStation() {
	c.t.Helper()
	c.order(byHand)
	c.awaitStation()
}

func (c *commandChain) awaitStation() {
	c.t.Helper()
	rig.Until(c.t, "the command at the station", func() bool { return c.seen(byHand) > 0 })
}

// answer has the station answer the order of atStation.
func (c *commandChain) answer(causes ...byte) {
	for _, cause := range causes {
		c.station.Tell(hex.EncodeToString(rig.With(rtuCommand(byHand), cause)))
	}
}

// lose breaks a connection when the order of atStation has passed, but not yet that it
// was acknowledged.
func (c *commandChain) lose(p *capture.Proxy) {
	c.t.Helper()
	p.Disturb(capture.Fault{Delay: slowly})
	c.atStation()
	p.Disturb(capture.Fault{})
	p.ResetAll()
}

// direct is a plant that reaches the broker without the proxy.
func (c *commandChain) direct(plant string, p *capture.Proxy) string {
	return strings.ReplaceAll(plant, p.Addr(), c.broker.Addr())
}

// listen has a client subscribe to a topic.
func (c *commandChain) listen(topic string) (<-chan mqtt.Message, mqtt.Client) {
	c.t.Helper()
	got := make(chan mqtt.Message, 10)
	client := mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + c.broker.Addr()).SetClientID("somebody").SetAutoReconnect(false).SetConnectTimeout(rig.Patience))
	c.done(client.Connect())
	c.t.Cleanup(func() { client.Disconnect(0) })
	c.done(client.Subscribe(topic, 1, func(_ mqtt.Client, m mqtt.Message) { got <- m }))
	return got, client
}

func (c *commandChain) done(token mqtt.Token) {
	c.t.Helper()
	if !token.WaitTimeout(rig.Patience) || token.Error() != nil {
		c.t.Fatalf("somebody: %v", token.Error())
	}
}
