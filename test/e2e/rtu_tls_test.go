package e2e

import (
	"fmt"
	"path/filepath"
	"testing"

	"busbar/test/rig"
)

// TestStationBehindTLS has one Busbar read an RTU and another one read that over TLS; then
// the certificate of the second is revoked.
func TestStationBehindTLS(t *testing.T) {
	t.Parallel()
	ca := filepath.Join(t.TempDir(), "ca")
	cert := func(args ...string) {
		t.Helper()
		if code, out, errs := command(t, append([]string{"cert"}, append(args, "--dir", ca)...)...); code != 0 {
			t.Fatalf("cert %q: %d %s %s", args, code, out, errs)
		}
	}
	cert("ca")
	cert("issue", "--name", "substation", "--host", "127.0.0.1")
	cert("issue", "--name", "control")
	keys := func(name string) string {
		return fmt.Sprintf("tls: {ca: %q, cert: %q, key: %q, crl: [%q]}", filepath.Join(ca, "ca.pem"), filepath.Join(ca, name+".pem"),
			filepath.Join(ca, name+".key"), filepath.Join(ca, "ca.crl"))
	}
	chain := func(station, listen, client, server string) string {
		return fmt.Sprintf("version: 1\nconnectors:\n  rtu: {kind: iec104-client, addresses: [%q]%s}\n  scada: {kind: iec104-server, listen: %q%s}\n"+
			"points:\n  p: {type: single, from: {connector: rtu, ca: 1, ioa: 100}, to: [{connector: scada, ca: 1, ioa: 100, as: M_SP_TB_1}]}\n",
			station, client, listen, server)
	}
	station := rig.StartOutstation(t, answerCommand)
	between, end := rig.FreeAddr(t), rig.FreeAddr(t)
	rig.Run(t, chain(station.Addr, between, "", ", "+keys("substation")))
	control := rig.Run(t, chain(between, end, ", "+keys("control"), ""))
	awaitLink(control)
	m := rig.StartMaster(t, end)
	rig.Until(t, "the value", func() bool { o := m.Interrogate(1); return len(o) == 1 && o[0].Element[0] == 1 })
	station.Tell("1e 01 03 00 01 00 64 00 00 00 00 00 1e 0a 81 01 1a")
	if o := m.Await("the event", spontaneous(1, 100)); fmt.Sprintf("% x", o.Element) != "00 00 00 1e 0a 81 01 1a" {
		t.Errorf("the event is % x, want what the RTU sent", o.Element)
	}
	logged := control.Log.Len()
	cert("revoke", "control")
	control.Log.Await(t, logged, "connector state changed", "connector=rtu", "state=connecting")
	control.Log.Await(t, logged, "connector state changed", "connector=rtu", "state=connecting", "refused by peer")
	m.Await("NT", func(o rig.Object) bool { return spontaneous(1, 100)(o) && o.Quality()&rig.NT != 0 })
}
