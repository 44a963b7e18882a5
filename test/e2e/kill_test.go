package e2e

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"

	"busbar/test/capture"
	"busbar/test/rig"
)

// namedGroup is a redundancy group of whoever is on this machine.
const namedGroup = ", groups: {control-room: {clients: [127.0.0.0/8]}}"

func TestEventsWaitForTheControlCentreOverTheEndOfTheProcess(t *testing.T) {
	t.Parallel()
	const events = 5000
	for _, tt := range []struct {
		name, version, station string
		end                    syscall.Signal
	}{
		{"killed, group of the address", "5", "", syscall.SIGKILL},
		{"killed, named group", "3.1.1", namedGroup, syscall.SIGKILL},
		{"stopped", "5", namedGroup, syscall.SIGTERM},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			k, broker, listen := newKept(1), rig.StartBroker(t), rig.FreeAddr(t)
			proxy := capture.Start(t, broker.Addr())
			source := fmt.Sprintf("{kind: mqtt, url: %q, version: %s}", "mqtt://"+proxy.Addr(), tt.version)
			busbar := rig.Exec(t, builtBinary(t), k.plant(source, listen, tt.station))
			broker.AwaitSubscription(0, k.lastTopic())
			centre := rig.NewCentre(t, "127.0.0.1", listen)
			ledger := rig.NewLedger(centre, k.entry)
			centre.Connect().Close() // its group begins here
			busbar.AwaitCursor(groupCursor(tt.station))
			stream := k.start(t, broker.Addr())[0]
			stream.Extend(events)
			stream.AwaitAcknowledged(events)
			rig.Until(t, "all acknowledgements of Busbar", func() bool { return acknowledgements(proxy) == events })

			busbar.Signal(tt.end)
			busbar.Exit()
			busbar.Start()
			centre.Connect()
			ledger.Await(t, 0, events)
			ledger.Await(t, 0, stream.Extend(1)) // what comes before it is what had waited
			if again, _ := ledger.Repeats(); again > 0 {
				t.Errorf("%d events came more than once: all were acknowledged, and none was sent before", again)
			}
		})
	}
}

// TestKillRepeatsOnlyWhatWasConfirmedLately kills Busbar while a control centre
// confirms 1,000 events per second.
func TestKillRepeatsOnlyWhatWasConfirmedLately(t *testing.T) {
	t.Parallel()
	k, broker, listen := newKept(1), rig.StartBroker(t), rig.FreeAddr(t)
	source := fmt.Sprintf("{kind: mqtt, url: %q}", "mqtt://"+broker.Addr())
	busbar := rig.Exec(t, builtBinary(t), k.plant(source, listen, namedGroup))
	broker.AwaitSubscription(0, k.lastTopic())
	centre := rig.NewCentre(t, "127.0.0.1", listen)
	ledger := rig.NewLedger(centre, k.entry)
	master := centre.Connect()
	stream := k.start(t, broker.Addr())[0]
	stream.Pace(1000)
	stream.Extend(10_000_000)
	kills := rounds(t)
	for range kills {
		master.AwaitCount(300)
		confirmed := ledger.Update(0)
		master.Test() // the confirmation has been read
		busbar.AwaitCursors()
		busbar.Kill()
		master.AwaitEnd()
		ledger.Break()
		busbar.Start()
		master = centre.Connect()
		first, _ := k.entry(master.Await("an event", func(o rig.Object) bool { _, ok := k.entry(o); return ok }))
		if first.Number <= confirmed {
			t.Errorf("events come again from number %d on, want none up to %d, of which it was saved that they were confirmed", first.Number, confirmed)
		}
	}
	stream.Stop()
	ledger.Await(t, 0, stream.Acknowledged())
	again, within := ledger.Repeats()
	t.Logf("soak: %d kills at 1000 events/s, %d events, none missing; %d came again, %d of them from messages that came again",
		kills, stream.Acknowledged(), again, within)
}

// acknowledgements counts the PUBACKs that have passed to the broker.
func acknowledgements(proxy *capture.Proxy) int {
	var octets []byte
	for _, s := range proxy.Segments() {
		if !s.ToClient {
			octets = append(octets, s.Octets...)
		}
	}
	count := 0
	for len(octets) > 1 {
		length, i := 0, 1
		for shift := 0; i < len(octets); shift += 7 {
			length |= int(octets[i]&0x7f) << shift
			i++
			if octets[i-1] < 0x80 {
				break
			}
		}
		if octets[0]>>4 == 4 {
			count++
		}
		octets = octets[min(i+length, len(octets)):]
	}
	return count
}

func TestKillsAtRandomMomentsLoseNothingAccepted(t *testing.T) {
	t.Parallel()
	for version, station := range map[string]string{"5": "", "3.1.1": namedGroup} {
		t.Run("mqtt "+version, func(t *testing.T) {
			t.Parallel()
			k, broker, listen := newKept(1), rig.StartBroker(t), rig.FreeAddr(t)
			source := fmt.Sprintf("{kind: mqtt, url: %q, version: %s}", "mqtt://"+broker.Addr(), version)
			busbar := rig.Exec(t, builtBinary(t), k.plant(source, listen, station))
			broker.AwaitSubscription(0, k.lastTopic())
			newSiege(t, k, busbar, listen, broker.Addr(), station).run(rounds(t))
		})
	}
	t.Run("mqtt-broker", func(t *testing.T) {
		t.Parallel()
		k, ingest, listen := newKept(8), rig.FreeAddr(t), rig.FreeAddr(t)
		busbar := rig.Exec(t, builtBinary(t), k.plant(fmt.Sprintf("{kind: mqtt-broker, listen: %q}", ingest), listen, namedGroup))
		newSiege(t, k, busbar, listen, ingest, namedGroup).run(rounds(t))
	})
}

// siege kills Busbar again and again while streams publish.
type siege struct {
	t       *testing.T
	busbar  *rig.Busbar
	centre  *rig.Centre
	ledger  *rig.Ledger
	streams []*rig.Stream
	kills   int
	stops   int // in order
	group   string
}

// groupCursor is the name of the cursor of the group of this machine.
func groupCursor(station string) string {
	if station == namedGroup {
		return "scada/control-room"
	}
	return "scada/@127.0.0.1"
}

func newSiege(t *testing.T, k kept, busbar *rig.Busbar, listen, broker, station string) *siege {
	t.Helper()
	centre := rig.NewCentre(t, "127.0.0.1", listen)
	return &siege{
		t: t, busbar: busbar, centre: centre, ledger: rig.NewLedger(centre, k.entry), streams: k.start(t, broker), group: groupCursor(station),
	}
}

func (s *siege) run(rounds int) {
	s.t.Helper()
	s.centre.Connect().Close() // its group begins here
	s.busbar.AwaitCursor(s.group)
	for range rounds {
		s.round(rand.IntN(3) > 0)
	}
	s.centre.Connect()
	s.awaitAll(s.extend(100))
	again, within := s.ledger.Repeats()
	s.awaitAll(s.extend(300))
	if now, _ := s.ledger.Repeats(); now != again {
		s.t.Errorf("%d events came again with no break in sight", now-again)
	}
	// What is on its way to Busbar when it is killed may come as another event.
	// Each of up to eight streams has 200 messages under way, a broker 1000.
	if most := 1600 * (s.kills + s.stops); within > most {
		s.t.Errorf("%d events were made of messages that came again, want %d at most", within, most)
	}
	s.report(again, within)
}

// extend lets every stream go on by n numbers and returns the last ones.
func (s *siege) extend(n int) []int {
	var last []int
	for _, stream := range s.streams {
		last = append(last, stream.Extend(n))
	}
	return last
}

func (s *siege) awaitAll(last []int) {
	s.t.Helper()
	for i, n := range last {
		s.streams[i].AwaitAcknowledged(n)
		s.ledger.Await(s.t, i, n)
	}
}

// round publishes, kills Busbar meanwhile and starts it again.
func (s *siege) round(connected bool) {
	var m *rig.Master
	if connected {
		m = s.centre.Connect()
	}
	n := 200 + rand.IntN(4000/len(s.streams))
	for _, stream := range s.streams {
		stream.Pace(rand.IntN(2) * 3000)
	}
	s.extend(n)
	if connected && rand.IntN(2) == 0 { // while the control centre confirms
		m.AwaitCount(1 + rand.IntN(n))
	} else {
		stream := s.streams[rand.IntN(len(s.streams))]
		stream.AwaitAcknowledged(stream.Acknowledged() + 1 + rand.IntN(n))
	}
	if s.kills > 0 && rand.IntN(5) == 0 {
		s.stop()
	} else {
		s.busbar.Kill()
		s.kills++
	}
	if connected {
		m.AwaitEnd()
	}
	s.ledger.Break()
	for rand.IntN(4) == 0 {
		s.busbar.StartAndKill(1 + rand.IntN(6))
		s.kills++
	}
	s.busbar.Start()
	for i := range s.streams {
		s.ledger.Update(i)
	}
	s.ledger.Check(s.t)
}

func (s *siege) stop() {
	s.t.Helper()
	s.busbar.Signal(syscall.SIGTERM)
	if code := s.busbar.Exit(); code != 0 {
		s.t.Errorf("exit code %d after SIGTERM, want 0", code)
	}
	s.stops++
}

func (s *siege) report(again, within int) {
	published, breaks := 0, 0
	for _, stream := range s.streams {
		published += stream.Acknowledged()
		breaks += stream.Breaks()
	}
	s.t.Logf("soak: %s: %d kills, %d stops, %d messages acknowledged, none missing; %d events came again, %d of them from messages that came again; "+
		"%d connections of publishers lost", s.t.Name(), s.kills, s.stops, published, again, within, breaks)
}
