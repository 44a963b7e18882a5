package e2e

import (
	"fmt"
	"testing"

	"busbar/test/capture"
	"busbar/test/rig"
)

// TestSilentCutSendsAgainFromTheFirstUnconfirmed cuts links at 1,000 events per
// second with a proxy that passes nothing any more and keeps the sockets open.
func TestSilentCutSendsAgainFromTheFirstUnconfirmed(t *testing.T) {
	t.Parallel()
	const window = 12
	for name, station := range map[string]string{"group of the address": "", "named group": namedGroup} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k, broker, listen := newKept(1), rig.StartBroker(t), rig.FreeAddr(t)
			settings := fmt.Sprintf(", k: %d, w: 8, maxObjects: 1, t1: 2s, t2: 1s%s", window, station)
			rig.Exec(t, builtBinary(t), k.plant(fmt.Sprintf("{kind: mqtt, url: %q}", "mqtt://"+broker.Addr()), listen, settings))
			broker.AwaitSubscription(0, k.lastTopic())
			centre := rig.NewCentre(t, "127.0.0.1", listen)
			ledger := rig.NewLedger(centre, k.entry)
			stream := k.start(t, broker.Addr())[0]

			link, master := heldLink(t, listen, centre)
			stream.Pace(1000)
			stream.Extend(10_000_000)
			cuts := rounds(t)
			for range cuts {
				master.AwaitCount(700)
				link.Hold()
				stream.AwaitAcknowledged(stream.Acknowledged() + 300)
				before := ledger.Update(0)
				again, _ := ledger.Repeats()
				ledger.Break()
				link, master = heldLink(t, listen, centre)
				ledger.Await(t, 0, before+100)
				now, _ := ledger.Repeats()
				if n := now - again; n > window {
					t.Errorf("%d events came again after a cut, want no more than the window of %d", n, window)
				}
				checkAscending(t, k, master)
			}
			stream.Pace(0)
			stream.AwaitAcknowledged(stream.Acknowledged() + 5000)
			stream.Stop()
			ledger.Await(t, 0, stream.Acknowledged())
			again, within := ledger.Repeats()
			if within > 0 {
				t.Errorf("%d events came again without a cut", within)
			}
			t.Logf("soak: %s: %d links cut at 1000 events/s, %d of %d events came again, none missing", t.Name(), cuts, again, stream.Acknowledged())
		})
	}
}

// heldLink connects the control centre through a proxy of its own.
func heldLink(t *testing.T, listen string, centre *rig.Centre) (*capture.Proxy, *rig.Master) {
	t.Helper()
	proxy := capture.Start(t, listen)
	master := rig.ConnectMaster(t, proxy.Addr())
	centre.Start(master)
	return proxy, master
}

// checkAscending fails unless every event that m has received has the number after
// that of the one before.
func checkAscending(t *testing.T, k kept, m *rig.Master) {
	t.Helper()
	last := 0
	for _, o := range m.Objects(0) {
		e, ok := k.entry(o)
		if !ok {
			continue
		}
		if last > 0 && e.Number != last+1 {
			t.Fatalf("number %d comes after %d on one connection", e.Number, last)
		}
		last = e.Number
	}
}
