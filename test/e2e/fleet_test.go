package e2e

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"busbar/iec104"
	"busbar/iec104/asdu"
	"busbar/test/rig"
)

// fleetPoints is how many points each RTU of a fleet has.
const fleetPoints = 300

// fleet are RTUs that one Busbar reads, each with a connector of its own.
type fleet struct {
	t    *testing.T
	rtus []*rig.RTU
}

func newFleet(t *testing.T, n int) *fleet {
	f := &fleet{t: t}
	for range n {
		r := rig.StartRTU(t, iec104.Params{})
		for ioa := range uint32(fleetPoints) {
			r.Set(1, asdu.M_ME_TF_1, asdu.Object{IOA: ioa + 1, Value: math.Float32bits(float32(ioa))})
		}
		f.rtus = append(f.rtus, r)
	}
	return f
}

// plant returns the plant file: point 1 of the first RTU goes to the control centre.
func (f *fleet) plant(listen string) string {
	type object = map[string]any
	connectors := object{"scada": object{"kind": "iec104-server", "listen": listen}}
	points := object{}
	for i, r := range f.rtus {
		id := fmt.Sprintf("rtu-%d", i)
		connectors[id] = object{"kind": "iec104-client", "addresses": []string{r.Addr()}}
		for ioa := range fleetPoints {
			p := object{"type": "float", "from": object{"connector": id, "ca": 1, "ioa": ioa + 1}}
			if i == 0 && ioa == 0 {
				p["to"] = []object{{"connector": "scada", "ca": 1, "ioa": 1, "as": "M_ME_TF_1"}}
			}
			points[fmt.Sprintf("rtu-%d/%d", i, ioa+1)] = p
		}
	}
	text, err := json.Marshal(object{"version": 1, "connectors": connectors, "points": points})
	if err != nil {
		f.t.Fatal(err)
	}
	return string(text)
}

// awaitGood waits until so many points are good.
func (f *fleet) awaitGood(b *rig.Busbar, n int) time.Duration {
	f.t.Helper()
	begin := time.Now()
	for best := -1.0; ; { // patience begins anew with every point
		good := b.Metric("busbar_points_quality", `quality="good"`)
		if int(good) == n {
			return time.Since(begin)
		}
		rig.Until(f.t, fmt.Sprintf("more than %v of %d good points", good, n), func() bool {
			good = b.Metric("busbar_points_quality", `quality="good"`)
			return good > best && int(good) != int(best) || int(good) == n
		})
		best = good
	}
}

// beat sends numbered events of the first point of an RTU and measures how long each
// takes to the control centre.
type beat struct {
	rtu    *rig.RTU
	master *rig.Master
	stop   chan struct{}
	done   sync.WaitGroup

	mu   sync.Mutex
	sent []time.Time // by number
}

func startBeat(t *testing.T, rtu *rig.RTU, m *rig.Master) *beat {
	b := &beat{rtu: rtu, master: m, stop: make(chan struct{})}
	b.done.Go(func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-b.stop:
				return
			case now := <-tick.C:
				b.mu.Lock()
				n := len(b.sent)
				b.sent = append(b.sent, time.Now())
				b.mu.Unlock()
				rtu.Put(1, asdu.M_ME_TF_1, asdu.Object{IOA: 1, Value: math.Float32bits(float32(n)), Time: asdu.TimeOf(now, time.UTC)})
			}
		}
	})
	t.Cleanup(b.end)
	return b
}

func (b *beat) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-b.stop:
	default:
		close(b.stop)
	}
}

func (b *beat) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.sent)
}

// latencies returns how long the events from number from up to number to took; each must have
// arrived once, in order.
func (b *beat) latencies(t *testing.T, from, to int) []time.Duration {
	t.Helper()
	b.master.Await(fmt.Sprintf("event %d", to), func(o rig.Object) bool { return spontaneous(1, 1)(o) && int(o.Float()) == to })
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []time.Duration
	next := from
	for _, o := range b.master.Objects(0) {
		if !spontaneous(1, 1)(o) || int(o.Float()) < from || int(o.Float()) > to {
			continue
		}
		n := int(o.Float())
		if n != next {
			t.Errorf("event %d arrived where %d is next", n, next)
		}
		next = n + 1
		all = append(all, o.Arrived.Sub(b.sent[n]))
	}
	slices.Sort(all)
	return all
}

func quantiles(d []time.Duration) string {
	if len(d) == 0 {
		return "none"
	}
	at := func(q float64) time.Duration { return d[int(q*float64(len(d)-1))].Round(10 * time.Microsecond) }
	return fmt.Sprintf("p50 %v, p99 %v, most %v", at(0.5), at(0.99), at(1))
}

// TestManyStationsComeBackAtOnce reads many RTUs, cuts off all but one at the same
// moment and lets them come back together: every value is good again, and the events of the one that
// stayed do not starve.
func TestManyStationsComeBackAtOnceAfterACut(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 20*rounds(t))
	listen := rig.FreeAddr(t)
	busbar := rig.Exec(t, builtBinary(t), f.plant(listen))
	all := len(f.rtus) * fleetPoints
	first := f.awaitGood(busbar, all)
	t.Logf("soak: %d stations of %d points: all values %v after the start, %v", len(f.rtus), fleetPoints, first.Round(10*time.Millisecond), busbar.Usage())

	b := startBeat(t, f.rtus[0], rig.StartMaster(t, listen))
	rig.Until(t, "200 events", func() bool { return b.count() > 200 })
	calm := b.latencies(t, 10, 200)
	asked := f.rtus[0].Interrogations()
	from := b.count()
	for _, r := range f.rtus[1:] {
		r.Break()
	}
	busbar.AwaitMetric(float64(all-fleetPoints), "busbar_points_quality", `quality="not_topical"`)
	cut := time.Now()
	for _, r := range f.rtus[1:] {
		r.Mend()
	}
	f.awaitGood(busbar, all)
	back := time.Since(cut)
	to := b.count()
	rig.Until(t, "one more event", func() bool { return b.count() > to })
	storm := b.latencies(t, from, to)
	if got := f.rtus[0].Interrogations(); got != asked {
		t.Errorf("the RTU that stayed was interrogated %d times more, want never", got-asked)
	}
	if len(storm) != to-from+1 {
		t.Errorf("%d of %d events arrived", len(storm), to-from+1)
	}
	t.Logf("soak: %d stations cut off at once and interrogated again: all values good after %v; events of the other one meanwhile %s (before: %s), %v",
		len(f.rtus)-1, back.Round(10*time.Millisecond), quantiles(storm), quantiles(calm), busbar.Usage())
}

// TestAStationComesAndGoesUnderLoad cuts a station off again and again while it has
// events; what it buffers arrives, in order.
func TestAStationComesAndGoesUnderLoad(t *testing.T) {
	t.Parallel()
	rtu := rig.StartRTU(t, iec104.Params{})
	rtu.Set(1, asdu.M_ME_TF_1, asdu.Object{IOA: 1, Value: math.Float32bits(-1)})
	listen := rig.FreeAddr(t)
	busbar := rig.Exec(t, builtBinary(t), strings.Join([]string{
		"version: 1", "connectors:",
		fmt.Sprintf("  rtu: {kind: iec104-client, addresses: [%q]}", rtu.Addr()),
		fmt.Sprintf("  scada: {kind: iec104-server, listen: %q}", listen),
		"points:",
		"  p: {type: float, from: {connector: rtu, ca: 1, ioa: 1}, to: [{connector: scada, ca: 1, ioa: 1, as: M_ME_TF_1}]}", "",
	}, "\n"))
	m := rig.StartMaster(t, listen)
	rig.Until(t, "an interrogation", func() bool { return rtu.Interrogations() > 0 })
	b := startBeat(t, rtu, m)
	cuts := 2 * rounds(t)
	for range cuts {
		n := b.count() + 210 + rand.IntN(40) // so long that it is not taken for a station that flaps
		rig.Until(t, "more events", func() bool { return b.count() > n })
		asked := rtu.Interrogations()
		rtu.Break()
		n = b.count() + rand.IntN(150)
		rig.Until(t, "events meanwhile", func() bool { return b.count() > n })
		rtu.Mend()
		rig.Until(t, "an interrogation after the return", func() bool { return rtu.Interrogations() > asked })
	}
	b.end()
	b.done.Wait()
	last := b.count() - 1
	seen := distinctEvents(t, m, last)
	t.Logf("soak: a station cut off %d times at 200 events/s: %d events, none missing, in order; %d came again; %v", cuts, last+1, seen-last-1, busbar.Usage())
}

// distinctEvents waits for event number last, and checks that every number has come
// and that none was overtaken when it came first. It returns how many events there were.
func distinctEvents(t *testing.T, m *rig.Master, last int) int {
	t.Helper()
	m.Await("the last event", func(o rig.Object) bool { return spontaneous(1, 1)(o) && o.Quality() == 0 && int(o.Float()) == last })
	next, events := 0, 0
	for _, o := range m.Objects(0) {
		if !spontaneous(1, 1)(o) || o.Quality() != 0 {
			continue
		}
		n := int(o.Float())
		events++
		switch {
		case n == next:
			next++
		case n > next:
			t.Errorf("event %d arrived where %d is next", n, next)
			next = n + 1
		}
	}
	return events
}
