package e2e

import (
	"crypto/tls"
	"fmt"
	"net"
	"testing"
	"time"

	"busbar/internal/pki"
	"busbar/test/capture"
	"busbar/test/rig"
)

// reversed is a link whose station dials out: a Busbar at an RTU, and one at the control
// centre that waits for it.
type reversed struct {
	name             string
	allow            string                          // the list of the control centre
	substation       string                          // further keys of the station
	control          string                          // and of the controlling station
	stranger, second func(t *testing.T, addr string) // connect to the control centre
	refused          string                          // what the control centre says of the stranger
}

// connectFrom connects from an address of this machine.
func connectFrom(own string) func(t *testing.T, addr string) {
	return func(t *testing.T, addr string) {
		t.Helper()
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(own)}}
		rig.Until(t, "a connection from "+own, func() bool {
			conn, err := d.Dial("tcp", addr)
			if err == nil {
				t.Cleanup(func() { conn.Close() })
			}
			return err == nil
		})
	}
}

// connectTLS connects with a certificate.
func (c *certificates) connectTLS(name string) func(t *testing.T, addr string) {
	return func(t *testing.T, addr string) {
		t.Helper()
		pair, err := tls.LoadX509KeyPair(c.dir.File(name+".pem"), c.dir.File(name+".key"))
		must(t, err)
		conn, err := tls.Dial("tcp", addr, &tls.Config{Certificates: []tls.Certificate{pair}, InsecureSkipVerify: true})
		must(t, err)
		t.Cleanup(func() { conn.Close() })
	}
}

func TestStationThatDialsOutIsReadThroughBusbar(t *testing.T) {
	t.Parallel()
	c := newCertificates(t)
	ca := c.dir.File(pki.CertFile)
	keys := func(name string) string {
		return fmt.Sprintf(", tls: {ca: %q, cert: %q, key: %q}", ca, c.dir.File(name+".pem"), c.dir.File(name+".key"))
	}
	c.issue("other", time.Now())
	for _, tt := range []reversed{
		{name: "plain", allow: "[127.0.0.1]", stranger: connectFrom("127.0.0.2"), second: connectFrom("127.0.0.1"),
			refused: "connection from 127.0.0.2 refused: address not allowed: no known station"},
		{name: "TLS", allow: "[CN=rtu]", substation: keys("rtu"), control: keys("scada"), stranger: c.connectTLS("other"),
			second: c.connectTLS("rtu"), refused: "connection from 127.0.0.1 refused: handshake failed: tls: not allowed: the certificate is not on the allow-list, want CN=rtu"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.run(t)
		})
	}
}

func (r *reversed) run(t *testing.T) {
	const points = "points:\n  p: {type: single, from: {connector: rtu, ca: 1, ioa: 100}, to: [{connector: scada, ca: 1, ioa: 100, as: M_SP_TB_1}]}\n"
	meet, end := rig.FreeAddr(t), rig.FreeAddr(t)
	control := rig.Run(t, fmt.Sprintf("version: 1\nconnectors:\n  rtu: {kind: iec104-client, listen: %q, allow: %s%s}\n  scada: {kind: iec104-server, listen: %q}\n%s",
		meet, r.allow, r.control, end, points))
	control.Log.Await(t, 0, "connector state changed", "connector=rtu", "state=connecting", "waiting for the station on "+meet)

	r.stranger(t, meet)
	control.Log.Await(t, 0, "connection refused", "connector=rtu", "peer=127.0.0.")
	control.Log.Await(t, 0, "connector state changed", "connector=rtu", "state=connecting", r.refused)

	line, station := capture.Start(t, meet), rig.StartOutstation(t, answerCommand)
	rig.Run(t, fmt.Sprintf("version: 1\nconnectors:\n  rtu: {kind: iec104-client, addresses: [%q]}\n  scada: {kind: iec104-server, dial: [%q]%s}\n%s",
		station.Addr, line.Addr(), r.substation, points))
	awaitLink(control)
	m := rig.StartMaster(t, end)
	rig.Until(t, "the value", func() bool { o := m.Interrogate(1); return len(o) == 1 && o[0].Element[0] == 1 })
	station.Tell("1e 01 03 00 01 00 64 00 00 00 00 00 1e 0a 81 01 1a")
	if o := m.Await("the event", spontaneous(1, 100)); fmt.Sprintf("% x", o.Element) != "00 00 00 1e 0a 81 01 1a" {
		t.Errorf("the event is % x, want what the RTU sent", o.Element)
	}

	before, logged := control.Metric("busbar_iec104_client_starts_total"), control.Log.Len()
	r.second(t, meet)
	control.Log.Await(t, logged, "connection refused", "connector=rtu", "already connected")
	if n := control.Metric("busbar_iec104_client_starts_total"); n != before {
		t.Errorf("data transfer was started %v times, want %v: a second connection changes nothing", n, before)
	}

	n := m.Received()
	line.ResetAll()
	m.AwaitAfter(n, "NT", func(o rig.Object) bool { return spontaneous(1, 100)(o) && o.Quality()&rig.NT != 0 })
	rig.Until(t, "the value to be good again", func() bool { o := m.Interrogate(1); return len(o) == 1 && o[0].Quality() == 0 })
	if n := control.Metric("busbar_iec104_client_starts_total"); n != before+1 {
		t.Errorf("data transfer was started %v times, want %v", n, before+1)
	}
}
