package e2e

import (
	"fmt"
	"net"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar/iec104"
	"busbar/iec104/asdu"
	"busbar/test/rig"
)

// rtu is a `busbar station` of one point of each of rtuTypes, with the addresses from 1
// upwards, as a process that can be killed.
type rtu struct {
	t    *testing.T
	addr string
	log  rig.Log
	cmd  *exec.Cmd
}

// rtuTypes are the types of the station, of the points that its data becomes, and of
// what goes to the control centre.
var rtuTypes = []struct {
	as    string
	point string
}{
	{"M_SP_TB_1", "single"}, {"M_DP_TB_1", "double"}, {"M_ST_TB_1", "step"}, {"M_BO_TB_1", "bits"},
	{"M_ME_TD_1", "float"}, {"M_ME_TE_1", "int"}, {"M_ME_TF_1", "float"}, {"M_IT_TB_1", "counter"},
}

func startRTU(t *testing.T) *rtu {
	t.Helper()
	r := &rtu{t: t, addr: rig.FreeAddr(t)}
	t.Cleanup(func() {
		r.kill()
		if t.Failed() {
			t.Logf("log of the station:\n%s", r.log.String())
		}
	})
	r.start()
	return r
}

// start starts the station again.
func (r *rtu) start(args ...string) {
	r.t.Helper()
	types := make([]string, len(rtuTypes))
	for i, typ := range rtuTypes {
		types[i] = typ.as
	}
	args = append([]string{"station", "--listen", r.addr, "--points", fmt.Sprint(len(types)), "--types", strings.Join(types, ",")}, args...)
	r.cmd = exec.Command(builtBinary(r.t), args...)
	r.cmd.Stdout, r.cmd.Stderr = &r.log, &r.log
	if err := r.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	rig.Until(r.t, "the station to listen", func() bool {
		conn, err := net.Dial("tcp", r.addr)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
}

// kill ends the station as a power cut does.
func (r *rtu) kill() {
	if r.cmd == nil {
		return
	}
	r.signal(syscall.SIGKILL)
	r.cmd.Wait() // the error is that it was killed
	r.cmd = nil
}

func (r *rtu) signal(s syscall.Signal) {
	if err := r.cmd.Process.Signal(s); err != nil {
		r.t.Error(err)
	}
}

// rtuPlant passes the points of the station on under the same addresses. Settings are
// further ones of the connector.
func rtuPlant(station, listen, settings string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "version: 1\nconnectors:\n  rtu: {kind: iec104-client, addresses: [%q]%s}\n  scada: {kind: iec104-server, listen: %q}\npoints:\n",
		station, settings, listen)
	for i, typ := range rtuTypes {
		fmt.Fprintf(&b, "  p/%d: {type: %s, from: {connector: rtu, ca: 1, ioa: %d}, to: [{connector: scada, ca: 1, ioa: %d, as: %s}]}\n",
			i+1, typ.point, i+1, i+1, typ.as)
	}
	return b.String()
}

// shown returns what a station answers to an interrogation of its points and counters, by
// address, without times.
func shown(m *rig.Master) map[uint32]string {
	all := map[uint32]string{}
	for _, o := range append(m.Interrogate(1), m.Counters(1)...) {
		all[o.IOA] = fmt.Sprintf("%d % x", o.Type, o.Element)
	}
	return all
}

func TestValuesOfAnRTUReachTheControlCentre(t *testing.T) {
	t.Parallel()
	station, listen := startRTU(t), rig.FreeAddr(t)
	rig.Run(t, rtuPlant(station.addr, listen, ", counters: 1h"))
	direct, through := rig.StartMaster(t, station.addr), rig.StartMaster(t, listen)
	want := shown(direct)
	if len(want) != len(rtuTypes) {
		t.Fatalf("the station shows %v, want %d points", want, len(rtuTypes))
	}
	var diff string
	rig.Until(t, "the same at both", func() bool {
		diff = cmp.Diff(want, shown(through))
		return diff == ""
	})
	if diff != "" {
		t.Errorf("station -, Busbar +:\n%s", diff)
	}
}

func TestKilledRTUBecomesNotTopicalAndComesBackWithItsInterrogation(t *testing.T) {
	t.Parallel()
	station, listen := startRTU(t), rig.FreeAddr(t)
	busbar := rig.Run(t, rtuPlant(station.addr, listen, ", counters: 1h"))
	awaitLink(busbar)
	m := rig.StartMaster(t, listen)
	want := shownGood(t, m)
	n, killed := m.Received(), time.Now()
	station.kill()
	for i, typ := range rtuTypes {
		bad := byte(rig.NT)
		if typ.point == "counter" {
			bad = rig.IV
		}
		o := m.AwaitAfter(n, "a change of quality", func(o rig.Object) bool { return spontaneous(1, uint32(i+1))(o) && o.Quality()&bad != 0 })
		if took := o.Arrived.Sub(killed); took < 500*time.Millisecond || took > 5*time.Second {
			t.Errorf("%s lost its quality %v after the station was killed, want 0.5 s and little more", typ.as, took)
		}
	}
	station.start()
	rig.Until(t, "the values to be good again", func() bool { return cmp.Equal(want, shown(m)) })
	if v := busbar.Metric("busbar_connector_failures_total", `connector="rtu"`); v != 0 {
		t.Errorf("the connector has failed %v times because its station was away", v)
	}
}

// shownGood waits until all points are good, and returns what they show.
func shownGood(t *testing.T, m *rig.Master) map[uint32]string {
	t.Helper()
	var all map[uint32]string
	rig.Until(t, "all points to be good", func() bool {
		good := 0
		for _, o := range append(m.Interrogate(1), m.Counters(1)...) {
			if o.Quality() == 0 {
				good++
			}
		}
		all = shown(m)
		return good == len(rtuTypes)
	})
	return all
}

// TestKilledBusbarLosesNoEventOfAnRTU kills Busbar again and again while events come
// that carry numbers: every number reaches the control centre.
func TestKilledBusbarLosesNoEventOfAnRTU(t *testing.T) {
	t.Parallel()
	station := rig.StartRTU(t, iec104.Params{})
	station.Set(1, asdu.M_SP_NA_1, asdu.Object{IOA: 1}) // so that the common address is there
	listen := rig.FreeAddr(t)
	plant := fmt.Sprintf("version: 1\nconnectors:\n  rtu: {kind: iec104-client, addresses: [%q]}\n  scada: {kind: iec104-server, listen: %q}\n"+
		"points:\n  p: {type: counter, hold: 300s, from: {connector: rtu, ca: 1, ioa: 7}, to: [{connector: scada, ca: 1, ioa: 7, as: M_IT_TB_1}]}\n", station.Addr(), listen)
	busbar := rig.Exec(t, builtBinary(t), plant)
	centre := rig.NewCentre(t, "127.0.0.1", listen)
	begin := time.Now().Add(-time.Hour).Truncate(time.Millisecond).UTC()
	at := func(n int) time.Time { return begin.Add(time.Duration(n) * time.Millisecond) }
	ledger := rig.NewLedger(centre, func(o rig.Object) (rig.Entry, bool) {
		if o.Type != 37 || o.Cause != 3 || o.Quality() != 0 {
			return rig.Entry{}, false
		}
		return rig.Entry{Number: o.Int(), Time: at(o.Int())}, true
	})
	m := centre.Connect()
	number := 0
	put := func(n int) {
		for range n {
			number++
			station.Put(1, asdu.M_IT_TB_1, asdu.Object{IOA: 7, Value: uint32(number), Time: asdu.TimeOf(at(number), nil)})
		}
	}
	awaitLink(busbar)
	busbar.AwaitCursor("127.0.0.1")
	for range rounds(t) {
		put(2000)
		m.AwaitCount(m.Received() + 200)
		put(2000)
		busbar.Kill()
		ledger.Break()
		busbar.Start()
		m = centre.Connect()
	}
	put(10)
	ledger.Await(t, 0, number)
	ledger.Check(t)
	rig.Until(t, "the station to have everything acknowledged", func() bool { return station.Waiting() == 0 })
}
