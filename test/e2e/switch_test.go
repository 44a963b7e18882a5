package e2e

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"busbar/test/capture"
	"busbar/test/rig"
)

// TestSwitchOversUnderLoadLoseNothing switches between the two connections of a
// group at 1,000 events per second, politely and not, and kills Busbar in
// the middle of some switches.
func TestSwitchOversUnderLoadLoseNothing(t *testing.T) {
	t.Parallel()
	k, broker, listen := newKept(1), rig.StartBroker(t), rig.FreeAddr(t)
	source := fmt.Sprintf("{kind: mqtt, url: %q}", "mqtt://"+broker.Addr())
	busbar := rig.Exec(t, builtBinary(t), k.plant(source, listen, ", maxObjects: 1"+namedGroup))
	broker.AwaitSubscription(0, k.lastTopic())
	centre := rig.NewCentre(t, "127.0.0.1", listen)
	p := &pair{t: t, busbar: busbar, centre: centre, ledger: rig.NewLedger(centre, k.entry)}
	p.connect()
	stream := k.start(t, broker.Addr())[0]
	stream.Pace(1000)
	stream.Extend(10_000_000)
	for i := range 8 * rounds(t) {
		p.active.AwaitCount(p.active.Received() + 100 + rand.IntN(200))
		switch {
		case i%4 == 3:
			p.killInSwitch()
		case rand.IntN(2) == 0:
			p.askToSwitch()
		default:
			p.forceSwitch()
		}
	}
	stream.Stop()
	p.ledger.Await(t, 0, stream.Acknowledged())
	again, within := p.ledger.Repeats()
	if most := 1000 * p.kills; within > most {
		t.Errorf("%d events were made of messages that came again, want %d at most", within, most)
	}
	t.Logf("soak: %d switch-overs at 1000 events/s, %d of them with kill -9, %d events, none missing; %d came again, %d of them from messages that came again",
		p.switches, p.kills, stream.Acknowledged(), again, within)
}

// pair is the two connections of a group.
type pair struct {
	t               *testing.T
	busbar          *rig.Busbar
	centre          *rig.Centre
	ledger          *rig.Ledger
	active, standby *rig.Master
	switches, kills int
}

func (p *pair) connect() {
	p.t.Helper()
	p.active, p.standby = p.centre.Connect(), p.centre.Standby()
}

// askToSwitch stops the active connection before it starts the other.
func (p *pair) askToSwitch() {
	p.t.Helper()
	p.active.StopDT()
	p.ledger.Break()
	p.centre.Start(p.standby)
	p.active, p.standby = p.standby, p.active
	p.switches++
	p.check()
}

// forceSwitch starts the other connection, so that the active one is closed.
func (p *pair) forceSwitch() {
	p.t.Helper()
	p.centre.Start(p.standby)
	p.active.AwaitEnd()
	p.ledger.Break()
	p.active, p.standby = p.standby, p.centre.Standby()
	p.switches++
	p.check()
}

// killInSwitch kills Busbar while one connection gives way to the other.
func (p *pair) killInSwitch() {
	p.t.Helper()
	if rand.IntN(2) == 0 {
		p.active.Write([]byte{0x68, 4, 0x13, 0, 0, 0}) // STOPDT act
	}
	p.centre.Follow(p.standby)
	p.standby.Write([]byte{0x68, 4, 0x07, 0, 0, 0}) // STARTDT act
	p.busbar.Kill()
	p.active.AwaitEnd()
	p.standby.AwaitEnd()
	p.ledger.Break()
	p.busbar.Start()
	p.connect()
	p.switches++
	p.kills++
	p.check()
}

func (p *pair) check() {
	p.t.Helper()
	p.ledger.Update(0)
	p.ledger.Check(p.t)
}

// TestGroupsOfDifferentSpeedGoOnAtTheirPlacesAfterAKill has a group that takes
// everything at once and one behind a slow link.
func TestGroupsOfDifferentSpeedGoOnAtTheirPlacesAfterAKill(t *testing.T) {
	t.Parallel()
	const events = 4000
	k, broker, listen := newKept(1), rig.StartBroker(t), rig.FreeAddr(t)
	source := fmt.Sprintf("{kind: mqtt, url: %q}", "mqtt://"+broker.Addr())
	groups := ", maxObjects: 1, groups: {slow: {clients: [127.0.0.1]}, fast: {clients: [127.0.0.2]}}"
	busbar := rig.Exec(t, builtBinary(t), k.plant(source, listen, groups))
	broker.AwaitSubscription(0, k.lastTopic())
	link := capture.Start(t, listen) // connects from 127.0.0.1
	slow, fast := rig.NewCentre(t, "127.0.0.1", link.Addr()), rig.NewCentre(t, "127.0.0.2", listen)
	slowLedger, fastLedger := rig.NewLedger(slow, k.entry), rig.NewLedger(fast, k.entry)
	slowMaster, fastMaster := slow.Connect(), fast.Connect()
	link.Disturb(capture.Fault{Delay: 50 * time.Millisecond}) // a window of 12 in 100 ms
	stream := k.start(t, broker.Addr())[0]
	fastLedger.Await(t, 0, stream.Extend(events))
	slowLedger.Await(t, 0, 100)

	busbar.Kill()
	link.Disturb(capture.Fault{})
	slowMaster.AwaitEnd()
	fastMaster.AwaitEnd()
	slowLedger.Break()
	fastLedger.Break()
	reached := slowLedger.Update(0)
	if reached >= events {
		t.Fatalf("the slow group has everything, want it to be behind")
	}
	busbar.Start()
	fast.Connect()
	fastLedger.Await(t, 0, stream.Extend(100))
	slow.Connect()
	slowLedger.Await(t, 0, events+100)
	for name, l := range map[string]*rig.Ledger{"slow": slowLedger, "fast": fastLedger} {
		again, within := l.Repeats()
		if within > 1000 {
			t.Errorf("%s: %d events were made of messages that came again, want 1000 at most", name, within)
		}
		t.Logf("soak: %s group: %d of %d events came again after kill -9, none missing", name, again, events+100)
	}
	t.Logf("soak: the slow group was at event %d when the fast one had %d", reached, events)
}
