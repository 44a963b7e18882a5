package e2e

import (
	"fmt"
	"testing"

	"busbar/test/rig"
)

// Figures of a journal that is full.
const (
	acceptingMetric = "busbar_image_accepting"
	refusedMetric   = "busbar_source_refused_total"
)

// smallJournal is the smallest limit of the journal. Each of its files then
// takes 2 MiB.
var smallJournal = []string{"--journal-limit", "16MiB"}

// wide is a plant of which few messages make many events.
func wide() kept {
	k := newKept(1)
	k.wide = 1000
	return k
}

// TestFullJournalHoldsSourcesBackAndLosesNothing has a control centre that is
// away for so long that the journal reaches its limit.
func TestFullJournalHoldsSourcesBackAndLosesNothing(t *testing.T) {
	t.Parallel()
	for name, embedded := range map[string]bool{"mqtt": false, "mqtt-broker": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := startFull(t, wide(), embedded, func(plant string) *rig.Busbar {
				return rig.Exec(t, builtBinary(t), plant, smallJournal...)
			})
			last := f.stream.Extend(1300)
			f.awaitFull()
			f.busbar.Log.Await(t, 0, "journal stopped accepting", "state=full")
			f.busbar.Kill()
			f.ledger.Break()
			f.busbar.Start()
			f.awaitNotAccepting()

			n := f.busbar.Log.Len()
			f.centre.Connect()
			f.awaitRoom(n, last)
		})
	}
}

// TestFullDiskHoldsSourcesBackAndLosesNothing has no more room on the disk for
// a while, a kill -9 and a start included.
func TestFullDiskHoldsSourcesBackAndLosesNothing(t *testing.T) {
	t.Parallel()
	for name, embedded := range map[string]bool{"mqtt": false, "mqtt-broker": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			disk := rig.NewDisk(t, 32<<20)
			f := startFull(t, wide(), embedded, func(plant string) *rig.Busbar {
				return rig.ExecOn(t, disk, builtBinary(t), plant, smallJournal...)
			})
			f.stream.AwaitAcknowledged(f.stream.Extend(50))
			disk.Fill()
			last := f.stream.Extend(400) // more than fits into the files that there are
			f.awaitFull()
			f.busbar.Log.Await(t, 0, "journal stopped accepting", "no space")
			f.busbar.Kill()
			f.ledger.Break()
			f.busbar.Start()
			f.awaitNotAccepting()

			n := f.busbar.Log.Len()
			disk.Free()
			f.busbar.Log.Await(t, n, "accepts again")
			f.centre.Connect()
			f.awaitRoom(n, last)
		})
	}
}

// full is Busbar with a control centre that is away, and a stream.
type full struct {
	t        *testing.T
	embedded bool
	busbar   *rig.Busbar
	centre   *rig.Centre
	ledger   *rig.Ledger
	stream   *rig.Stream
}

func startFull(t *testing.T, k kept, embedded bool, start func(plant string) *rig.Busbar) *full {
	t.Helper()
	f := &full{t: t, embedded: embedded}
	ingest, listen := rig.FreeAddr(t), rig.FreeAddr(t)
	if embedded {
		f.busbar = start(k.plant(fmt.Sprintf("{kind: mqtt-broker, listen: %q}", ingest), listen, namedGroup))
	} else {
		broker := rig.StartBroker(t)
		ingest = broker.Addr()
		f.busbar = start(k.plant(fmt.Sprintf("{kind: mqtt, url: %q}", "mqtt://"+ingest), listen, namedGroup))
		broker.AwaitSubscription(0, k.lastTopic())
	}
	f.centre = rig.NewCentre(t, "127.0.0.1", listen)
	f.ledger = rig.NewLedger(f.centre, k.entry)
	f.centre.Connect().Close() // its group begins here
	f.busbar.AwaitCursor(groupCursor(namedGroup))
	f.stream = k.start(t, ingest)[0]
	return f
}

func (f *full) awaitNotAccepting() {
	f.t.Helper()
	rig.Until(f.t, "Busbar not to accept", func() bool { return f.busbar.Metric(acceptingMetric) == 0 })
}

// awaitFull waits until nothing is accepted, and no message is acknowledged from
// one refusal to the next. A disk may have room for a few more meanwhile.
func (f *full) awaitFull() {
	f.t.Helper()
	f.awaitNotAccepting()
	refused, acknowledged := f.busbar.Metric(refusedMetric), -1.0
	rig.Until(f.t, "acknowledgements to cease", func() bool {
		r, a := f.busbar.Metric(refusedMetric), f.acknowledged()
		if r <= refused {
			return false
		}
		ceased := a == acknowledged
		refused, acknowledged = r, a
		return ceased
	})
	if f.embedded && f.stream.Acknowledged() == f.stream.Sent() {
		f.t.Error("everything is acknowledged, although there is no room")
	}
}

// acknowledged returns how many messages Busbar has acknowledged.
func (f *full) acknowledged() float64 {
	if f.embedded {
		return float64(f.stream.Acknowledged())
	}
	return f.busbar.Metric("busbar_mqtt_acknowledgements_total")
}

// awaitRoom waits until the journal accepts again, said after the first n octets
// of the log, and everything up to a number has arrived.
func (f *full) awaitRoom(n, last int) {
	f.t.Helper()
	f.busbar.AwaitMetric(1, acceptingMetric)
	f.busbar.Log.Await(f.t, n, "accepts again")
	f.stream.AwaitAcknowledged(last)
	f.ledger.Await(f.t, 0, last)
	if f.busbar.Metric(acceptingMetric) != 1 {
		f.t.Error("the metric says that nothing is accepted, after everything was")
	}
	again, within := f.ledger.Repeats()
	f.t.Logf("soak: %s: %d messages over a time without room, none missing; %d events came again, %d of them from messages that came again",
		f.t.Name(), last, again, within)
}
