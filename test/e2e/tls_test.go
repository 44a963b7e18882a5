package e2e

import (
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"busbar/internal/pki"
	"busbar/test/rig"
)

// certificates are an authority and what it has signed.
type certificates struct {
	t   *testing.T
	dir *pki.Directory
}

func newCertificates(t *testing.T) *certificates {
	t.Helper()
	key, err := pki.NewKey(0)
	must(t, err)
	a, err := pki.NewAuthority(pki.Subject{Name: "Plant CA"}, key, time.Now().Add(-48*time.Hour), 30*24*time.Hour)
	must(t, err)
	dir, err := pki.Create(t.TempDir(), a, time.Now(), time.Hour)
	must(t, err)
	c := &certificates{t, dir}
	c.issue("rtu", time.Now())
	c.issue("scada", time.Now())
	return c
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// issue makes a certificate of an hour for 127.0.0.1 and returns its fingerprint.
func (c *certificates) issue(name string, at time.Time, hosts ...string) string {
	c.t.Helper()
	key, err := pki.NewKey(0)
	must(c.t, err)
	r := pki.Request{Name: name, Hosts: append(hosts, "127.0.0.1"), Server: true, Client: true, Key: key.Public(), Lifetime: time.Hour}
	if len(hosts) > 0 {
		r.Hosts = hosts
	}
	cert, err := c.dir.Issue(r, key, true, at)
	must(c.t, err)
	return pki.Fingerprint(cert)
}

func (c *certificates) revoke(name string) {
	c.t.Helper()
	certs, err := c.dir.Find(name)
	must(c.t, err)
	_, err = c.dir.Revoke(certs, 1, time.Now(), time.Hour)
	must(c.t, err)
}

// flags are those of the holder of a certificate, who trusts the authority of others.
func (c *certificates) flags(name string, others *certificates) []string {
	return []string{
		"--tls-ca", others.dir.File(pki.CertFile), "--tls-cert", c.dir.File(name + ".pem"), "--tls-key", c.dir.File(name + ".key"),
		"--tls-crl", others.dir.File(pki.ListFile),
	}
}

// startStation runs `busbar station` and returns its address and log.
func startStation(t *testing.T, args ...string) (addr string, log *rig.Log) {
	t.Helper()
	addr = rig.FreeAddr(t)
	log = rig.Start(t, append([]string{"station", "--listen", addr, "--points", "3", "--types", "M_SP_NA_1"}, args...)...)
	log.Await(t, 0, "listening on "+addr)
	return addr, log
}

// old is a configuration that has nothing newer than TLS 1.1.
func (c *certificates) old(name string) *tls.Config {
	c.t.Helper()
	pair, err := tls.LoadX509KeyPair(c.dir.File(name+".pem"), c.dir.File(name+".key"))
	must(c.t, err)
	return &tls.Config{Certificates: []tls.Certificate{pair}, InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
}

// TestMasterRefusesAStation has `busbar master` say why it does not talk to a
// station.
func TestMasterRefusesAStation(t *testing.T) {
	t.Parallel()
	c, others := newCertificates(t), newCertificates(t)
	c.issue("old", time.Now().Add(-2*time.Hour))
	c.issue("elsewhere", time.Now(), "rtu9.example")
	c.issue("stolen", time.Now())
	c.revoke("stolen")
	for _, tt := range []struct {
		name    string
		station func(t *testing.T) string
		flags   []string
		says    string
	}{
		{"good", holder(c.flags("rtu", c)), nil, ""},
		{"by the name that is wanted", holder(c.flags("elsewhere", c)), []string{"--tls-name", "rtu9.example"}, ""},
		{"wrong authority", holder(others.flags("rtu", c)), nil, "tls: unknown authority: "},
		{"expired", holder(c.flags("old", c)), nil, "tls: expired: "},
		{"revoked", holder(c.flags("stolen", c)), nil, "tls: revoked: "},
		{"wrong name", holder(c.flags("elsewhere", c)), nil, "tls: wrong name: the certificate is not for 127.0.0.1 but for rtu9.example"},
		{"another station", holder(c.flags("rtu", c)), []string{"--tls-name", "CN=rtu2"}, "tls: not allowed: the certificate is not on the allow-list, want CN=rtu2"},
		{"a port without TLS", holder(nil), nil, "tls: closed by peer: the server has not answered the ClientHello: is there TLS on this port?"},
		{"TLS 1.1", func(t *testing.T) string {
			l, err := tls.Listen("tcp", "127.0.0.1:0", c.old("rtu"))
			must(t, err)
			return answering(t, l)
		}, nil, "tls: wrong version: the peer takes none of TLS 1.2 or 1.3"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"master", tt.station(t), "gi", "--ca", "1"}, c.flags("scada", c)...)
			code, _, stderr := command(t, append(args, tt.flags...)...)
			if (code == 0) != (tt.says == "") || !strings.Contains(stderr, tt.says) {
				t.Errorf("exit code %d, says\n%swant %q", code, stderr, tt.says)
			}
		})
	}
}

// holder is a station with these flags.
func holder(flags []string) func(*testing.T) string {
	return func(t *testing.T) string {
		addr, _ := startStation(t, flags...)
		return addr
	}
}

// answering reads of each connection until its end.
func answering(t *testing.T, l net.Listener) (addr string) {
	t.Helper()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			io.Copy(io.Discard, conn)
			conn.Close()
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-ended
	})
	return l.Addr().String()
}

// TestStationRefusesAMaster has `busbar station` log why it does not serve a
// controlling station.
func TestStationRefusesAMaster(t *testing.T) {
	t.Parallel()
	c, others := newCertificates(t), newCertificates(t)
	c.issue("old", time.Now().Add(-2*time.Hour))
	c.issue("stolen", time.Now())
	c.revoke("stolen")
	with := func(flags []string) func(*testing.T, string) {
		return func(t *testing.T, addr string) {
			if code, stdout, _ := command(t, append([]string{"master", addr, "gi", "--ca", "1", "--timeout", "5s"}, flags...)...); code != 1 || stdout != "" {
				t.Errorf("exit code %d, want 1, printed %s", code, stdout)
			}
		}
	}
	shaking := func(config *tls.Config) func(*testing.T, string) {
		return func(t *testing.T, addr string) {
			conn, err := tls.Dial("tcp", addr, config)
			if err == nil { // with TLS 1.3 it is told by reading
				_, err = conn.Read(make([]byte, 1))
				conn.Close()
			}
			if err == nil {
				t.Error("it is served")
			}
		}
	}
	for _, tt := range []struct {
		name   string
		plain  bool     // the station has no TLS
		flags  []string // of the station, beside those of TLS
		master func(t *testing.T, addr string)
		says   string
	}{
		{"wrong authority", false, nil, with(others.flags("scada", c)), "tls: unknown authority: "},
		{"expired", false, nil, with(c.flags("old", c)), "tls: expired: "},
		{"revoked", false, nil, with(c.flags("stolen", c)), "tls: revoked: "},
		{"not allowed", false, []string{"--tls-name", "CN=scada"}, with(c.flags("rtu", c)), "tls: not allowed: the certificate is not on the allow-list, want CN=scada"},
		{"without TLS", false, nil, with(nil), "tls: not tls: the peer speaks IEC 60870-5-104 without TLS"},
		{"without a certificate", false, nil, shaking(&tls.Config{InsecureSkipVerify: true}), "tls: no certificate: "},
		{"TLS 1.1", false, nil, shaking(c.old("scada")), "tls: wrong version: the client offers TLS 1.1, TLS 1.0, want TLS 1.2 or 1.3"},
		{"TLS where there is none", true, nil, with(c.flags("scada", c)), "bad start octet: apci: no start octet: TLS on a port without TLS"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var flags []string
			if !tt.plain {
				flags = append(c.flags("rtu", c), tt.flags...)
			}
			addr, log := startStation(t, flags...)
			tt.master(t, addr)
			log.Await(t, 0, tt.says)
		})
	}
}

// TestRevokedWhileConnected revokes the certificate of either side while `busbar
// master` watches a station.
func TestRevokedWhileConnected(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, revoked, master, station string }{
		{"the station", "rtu", "closed locally: tls: revoked: ", "connection closed"},
		{"the controlling station", "scada", "closed by peer", "closed locally: tls: revoked: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := newCertificates(t)
			addr, station := startStation(t, append(c.flags("rtu", c), "--rate", "50", "--log-level", "info")...)
			master := rig.Start(t, append([]string{"master", addr, "monitor"}, c.flags("scada", c)...)...)
			master.Await(t, 0, "M_SP_NA_1")
			c.revoke(tt.revoked)
			master.Await(t, 0, tt.master)
			station.Await(t, 0, tt.station)
		})
	}
}

// TestCertificateRenewedWhileConnected replaces the certificate of a station while
// it is watched: that goes on, and the next connection sees the new one.
func TestCertificateRenewedWhileConnected(t *testing.T) {
	t.Parallel()
	c := newCertificates(t)
	before := c.issue("rtu", time.Now())
	addr, log := startStation(t, append(c.flags("rtu", c), "--rate", "50", "--log-level", "info")...)
	named := func(fingerprint string) []string {
		return append([]string{"master", addr, "gi", "--ca", "1", "--tls-name", fingerprint}, c.flags("scada", c)...)
	}
	if code, _, stderr := command(t, named(before)...); code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	master := rig.Start(t, append([]string{"master", addr, "monitor"}, c.flags("scada", c)...)...)
	master.Await(t, 0, "M_SP_NA_1")
	after := c.issue("rtu", time.Now())
	log.Await(t, 0, "tls files read again")
	if code, _, stderr := command(t, named(after)...); code != 0 {
		t.Errorf("with the new certificate: exit code %d: %s", code, stderr)
	}
	if code, _, stderr := command(t, named(before)...); code != 1 || !strings.Contains(stderr, "not allowed") {
		t.Errorf("the old certificate is shown too: exit code %d, %s", code, stderr)
	}
	master.Await(t, master.Len(), "M_SP_NA_1") // it was not disturbed
}
