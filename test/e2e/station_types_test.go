package e2e

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"busbar/iec104"
	"busbar/iec104/asdu"
	"busbar/test/capture"
	"busbar/test/matrix"
	"busbar/test/rig"
)

// eachType is how many points of each type the simulated station has.
const eachType = 3

// simulatedTypes are the types that `busbar station` sends: those of -104 but
// the statistics of secure authentication.
func simulatedTypes() (types []asdu.TypeID) {
	for _, typ := range matrix.Monitor() {
		if typ.In104() && typ != asdu.S_IT_TC_1 {
			types = append(types, typ)
		}
	}
	return types
}

// simulatedValue returns the value of an address after so many changes, as
// docs/tools.md has it, and its quality.
func simulatedValue(typ asdu.TypeID, ioa, changes uint32) (uint32, asdu.Quality) {
	n := ioa - 1 + changes
	measured := float64(n%1000) + 0.5
	switch typ {
	case asdu.M_SP_NA_1, asdu.M_SP_TB_1:
		return changes % 2, 0
	case asdu.M_DP_NA_1, asdu.M_DP_TB_1:
		return 1 + changes%2, 0
	case asdu.M_EP_TD_1:
		return 1 + changes%2, asdu.EI // how long it lasted is not known
	case asdu.M_ST_NA_1, asdu.M_ST_TB_1:
		return n%128 - 64, 0
	case asdu.M_BO_NA_1, asdu.M_BO_TB_1:
		return n * 2654435761, 0
	case asdu.M_PS_NA_1:
		return n * 2654435761 & 0xffff, 0
	case asdu.M_EP_TE_1:
		return n * 2654435761 & 0x3f, asdu.EI
	case asdu.M_EP_TF_1:
		return n * 2654435761 & 0x0f, asdu.EI
	case asdu.M_ME_NA_1, asdu.M_ME_TD_1, asdu.M_ME_ND_1: // of the range 0 … 1000
		return uint32(int32(math.Round((measured/1000*2 - 1) * 32768))), 0
	case asdu.M_ME_NB_1, asdu.M_ME_TE_1:
		return uint32(measured + 0.5), 0
	case asdu.M_IT_NA_1, asdu.M_IT_TB_1:
		return changes*10 + ioa - 1, 0
	default:
		return math.Float32bits(float32(measured)), 0
	}
}

// simulated starts a station with all types and returns its address.
func simulated(t *testing.T, args ...string) string {
	t.Helper()
	var names []string
	for _, typ := range simulatedTypes() {
		names = append(names, typ.String())
	}
	addr := rig.FreeAddr(t)
	log := rig.Start(t, append([]string{"station", "--listen", addr, "--points", fmt.Sprint(eachType * len(names)), "--types", strings.Join(names, ",")}, args...)...)
	log.Await(t, 0, "station:", "listening on")
	return addr
}

// TestStationRefusesTypesOf101 asks for types that the server does not send.
func TestStationRefusesTypesOf101(t *testing.T) {
	t.Parallel()
	for _, typ := range matrix.Monitor() {
		if typ.In104() {
			continue
		}
		code, _, stderr := command(t, "station", "--types", "M_SP_NA_1,"+typ.String())
		if code != 2 || !strings.Contains(stderr, typ.String()) {
			t.Errorf("%v: exit code %d, want 2 and the type in:\n%s", typ, code, stderr)
		}
	}
}

// follower is a controlling station that keeps the objects it gets.
type follower struct {
	*iec104.Client
	mu      sync.Mutex
	objects []followed
}

type followed struct {
	asdu.Object
	typ   asdu.TypeID
	cause asdu.Cause
}

// followStation keeps a station connected until the test ends.
func followStation(t *testing.T, addr string) *follower {
	t.Helper()
	f := &follower{}
	c, err := iec104.NewClient(addr, iec104.Params{}, iec104.WithRetry(20*time.Millisecond, 50*time.Millisecond), iec104.WithHandler(f.take))
	if err != nil {
		t.Fatal(err)
	}
	f.Client = c
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	patience, giveUp := context.WithTimeout(t.Context(), rig.Patience)
	defer giveUp()
	if err := c.AwaitStart(patience); err != nil {
		t.Fatalf("data transfer: %v", err)
	}
	return f
}

func (f *follower) take(a asdu.ASDU) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, o := range a.AppendObjects(nil) {
		f.objects = append(f.objects, followed{Object: o, typ: a.Type, cause: a.Cause})
	}
}

// with returns the objects that came with a cause.
func (f *follower) with(cause asdu.Cause) (list []followed) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, o := range f.objects {
		if o.cause == cause && o.typ < asdu.C_SC_NA_1 {
			list = append(list, o)
		}
	}
	return list
}

// TestStationAnswersWithEveryType interrogates, counts and reads.
func TestStationAnswersWithEveryType(t *testing.T) {
	t.Parallel()
	f := followStation(t, simulated(t))
	ctx := t.Context()
	if _, err := f.Interrogate(ctx, 1, 20); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Counters(ctx, 1, 5, 0); err != nil {
		t.Fatal(err)
	}
	want := map[uint32]asdu.Cause{}
	for i, typ := range simulatedTypes() {
		for k := range uint32(eachType) {
			ioa := uint32(i*eachType+1) + k
			switch {
			case typ.Untagged() == asdu.M_IT_NA_1:
				want[ioa] = asdu.CounterGeneral
			case typ.Untagged() != 0:
				want[ioa] = asdu.InterrogatedGeneral
				f.reads(t, typ, ioa)
			}
		}
	}
	for _, o := range append(f.with(asdu.InterrogatedGeneral), f.with(asdu.CounterGeneral)...) {
		typ := simulatedTypes()[(o.IOA-1)/eachType]
		v, q := simulatedValue(typ, o.IOA, 0)
		if want[o.IOA] != o.cause || o.typ.Untagged() != typ.Untagged() || o.Value != v || o.Quality != q {
			t.Errorf("answered %+v, want %v with %v, value %d, quality %v", o, typ.Untagged(), want[o.IOA], v, q)
		}
		delete(want, o.IOA)
	}
	if len(want) != 0 {
		t.Errorf("not in the answers: %v", want)
	}
	var negative *iec104.NegativeError
	for _, typ := range matrix.Commands() { // it has none
		op := iec104.Operation{CA: 1, IOA: 1, Type: typ, Value: 1}
		if err := f.Execute(ctx, op); !errors.As(err, &negative) || !negative.Cause.Unknown() {
			t.Errorf("%v: %v, want it unknown", typ, err)
		}
	}
}

// reads reads one object.
func (f *follower) reads(t *testing.T, typ asdu.TypeID, ioa uint32) {
	t.Helper()
	r, err := f.Read(t.Context(), 1, ioa)
	v, q := simulatedValue(typ, ioa, 0)
	if err != nil || r.Header.Type.Untagged() != typ.Untagged() || r.Object.Value != v || r.Object.Quality != q {
		t.Errorf("read of %v %d: %+v, %v, want value %d", typ, ioa, r, err, v)
	}
}

// TestStationSendsEveryTypeOverABadLine follows changes over a line that
// delays, cuts and resets: of each point every change comes, in its order.
func TestStationSendsEveryTypeOverABadLine(t *testing.T) {
	t.Parallel()
	proxy := capture.Start(t, simulated(t, "--rate", "1000"))
	f := followStation(t, proxy.Addr())
	last := make([]uint32, eachType*len(simulatedTypes())+1)
	seen := make([]int, len(last))
	checked := 0
	check := func() (slowest int) {
		list := f.with(asdu.Spontaneous)
		for _, o := range list[checked:] {
			checkChange(t, o, last, seen)
		}
		checked = len(list)
		slowest = math.MaxInt
		for _, n := range seen[1:] {
			slowest = min(slowest, n)
		}
		return slowest
	}
	for round, fault := range []capture.Fault{{}, {Split: true}, {Delay: 5 * time.Millisecond}, {Delay: time.Millisecond, Split: true}, {}} {
		proxy.Disturb(fault)
		rig.Until(t, "changes of every point", func() bool { return check() >= 3*(round+1) })
		proxy.ResetAll()
	}
}

// checkChange checks that a change is the next one of its point, or one that
// comes again.
func checkChange(t *testing.T, o followed, last []uint32, seen []int) {
	t.Helper()
	typ := simulatedTypes()[(o.IOA-1)/eachType]
	matches := func(changes uint32) bool {
		v, q := simulatedValue(typ, o.IOA, changes)
		value := o.Value
		if typ == asdu.M_PS_NA_1 {
			value &= 0xffff // without the change detection
		}
		return o.typ == typ && value == v && o.Quality == q
	}
	if seen[o.IOA] == 0 {
		for last[o.IOA] = 1; !matches(last[o.IOA]) && last[o.IOA] < 1000; last[o.IOA]++ {
		}
	} else if matches(last[o.IOA] + 1) {
		last[o.IOA]++
	} else if !again(matches, last[o.IOA]) {
		t.Fatalf("%+v after %d changes of the point", o, last[o.IOA])
	}
	seen[o.IOA]++
}

// again reports whether a value was that of one of the last changes.
func again(matches func(changes uint32) bool, last uint32) bool {
	for back := range min(last, 20) {
		if matches(last - back) {
			return true
		}
	}
	return false
}
