package e2e

import (
	"fmt"
	"net"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

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
