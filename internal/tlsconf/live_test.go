package tlsconf

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"busbar/internal/pki"
)

// pair is a connection between two endpoints in virtual time.
type pair struct {
	server, client   *Endpoint
	accepted, dialed *Conn
}

// join connects two endpoints and runs them until the test ends.
func join(t *testing.T, server, client Settings) *pair {
	t.Helper()
	p := &pair{server: endpoint(t, server, Server), client: endpoint(t, client, Client)}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for _, e := range []*Endpoint{p.server, p.client} {
		running.Go(func() { e.Run(ctx) })
	}
	t.Cleanup(func() {
		cancel()
		_ = p.accepted.raw.Close()
		_ = p.dialed.raw.Close()
		running.Wait()
	})
	p.connect(t)
	return p
}

// connect makes a connection.
func (p *pair) connect(t *testing.T) {
	t.Helper()
	a, b := net.Pipe()
	p.accepted = p.server.Accept(a)
	done := make(chan error, 1)
	go func() { done <- p.accepted.Handshake() }()
	var err error
	p.dialed, err = p.client.Connect(t.Context(), b, "127.0.0.1")
	must(t, err)
	must(t, <-done)
}

// reading reads from a connection until its end.
func reading(c net.Conn) <-chan error {
	done := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, c)
		done <- err
	}()
	return done
}

// open fails if a connection has ended.
func open(t *testing.T, when string, ends ...<-chan error) {
	t.Helper()
	synctest.Wait()
	for _, end := range ends {
		select {
		case err := <-end:
			t.Fatalf("%s: connection ended: %v", when, err)
		default:
		}
	}
}

// ended fails if a connection has not ended for the reason.
func ended(t *testing.T, end <-chan error, want outcome) {
	t.Helper()
	synctest.Wait()
	select {
	case err := <-end:
		want.check(t, "reading", err)
	default:
		t.Errorf("the connection is open, want %v", want.reason)
	}
}

func TestPeersThatMustLeave(t *testing.T) {
	t.Parallel()
	const life = 2 * time.Hour // of the certificate of the client; its list lives half as long
	long := func(*testing.T, *authority) {}
	tests := []struct {
		name   string
		server func(a *authority, s *Settings)
		change func(t *testing.T, a *authority) // after which the client must leave
		after  time.Duration                    // at the latest, beside the time to look
		want   outcome
	}{
		{name: "revoked", server: func(a *authority, s *Settings) { s.CRL = []string{a.path(pki.ListFile)} },
			change: func(_ *testing.T, a *authority) { a.revoke("client") }, want: outcome{Revoked, "was revoked on"}},
		{name: "another one revoked", server: func(a *authority, s *Settings) { s.CRL = []string{a.path(pki.ListFile)} },
			change: func(_ *testing.T, a *authority) { a.revoke("other") }},
		{name: "expired", change: long, after: life, want: outcome{Expired, "has expired on"}},
		{name: "not expired yet", change: long, after: life - time.Minute},
		{name: "list expired, hard", change: long, after: life / 2, want: outcome{NoRevocationList, "has expired on"},
			server: func(a *authority, s *Settings) { s.CRL, s.CRLCheck = []string{a.path(pki.ListFile)}, "hard" }},
		{name: "list expired, soft", change: long, after: life / 2,
			server: func(a *authority, s *Settings) { s.CRL = []string{a.path(pki.ListFile)} }},
		{name: "another authority", want: outcome{UnknownAuthority, "signed by CN=Plant CA"}, change: func(t *testing.T, a *authority) {
			must(t, os.WriteFile(a.path("trusted.pem"), read(t, newAuthority(t, "New CA").path(pki.CertFile)), 0o600))
		}},
		{name: "a further authority", change: func(t *testing.T, a *authority) {
			both := append(read(t, newAuthority(t, "New CA").path(pki.CertFile)), read(t, a.path(pki.CertFile))...)
			must(t, os.WriteFile(a.path("trusted.pem"), both, 0o600))
		}},
		{name: "faulty files", change: func(t *testing.T, a *authority) {
			must(t, os.WriteFile(a.path("trusted.pem"), []byte("nothing"), 0o600))
		}},
		{name: "too old", server: func(_ *authority, s *Settings) { s.MaxAge = time.Hour }, change: long, after: time.Hour,
			want: outcome{TooOld, "maxAge is 1h0m0s"}},
		{name: "not too old yet", server: func(_ *authority, s *Settings) { s.MaxAge = time.Hour }, change: long, after: 53 * time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newAuthority(t, "Plant CA")
				a.issue("server", func(r *pki.Request, _ *time.Time) { r.Lifetime = 2 * year })
				a.issue("client", func(r *pki.Request, _ *time.Time) { r.Lifetime = life })
				a.issue("other", nil)
				_, err := a.dir.Revoke(nil, 0, time.Now(), life/2)
				must(t, err)
				must(t, os.WriteFile(a.path("trusted.pem"), read(t, a.path(pki.CertFile)), 0o600))
				settings := a.settings("server")
				settings.CA = a.path("trusted.pem")
				if tt.server != nil {
					tt.server(a, &settings)
				}
				p := join(t, settings, a.settings("client"))
				server, client := reading(p.accepted), reading(p.dialed)
				time.Sleep(2 * roundEvery)
				open(t, "before the change", server, client)
				tt.change(t, a)
				time.Sleep(tt.after + roundEvery + time.Second)
				if tt.want == (outcome{}) {
					open(t, "after the change", server, client)
					return
				}
				ended(t, server, tt.want)
				ended(t, client, outcome{})
				if n := p.server.peers.count(); n != 0 {
					t.Errorf("%d peers are kept, want none", n)
				}
				if n := p.server.figures.ended[tt.want.reason].Load(); n != 1 {
					t.Errorf("counted %d times, want once", n)
				}
			})
		})
	}
}

func TestUserEndsTheConnection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(t, "Plant CA")
		a.issue("server", nil)
		a.issue("client", nil)
		client := a.settings("client")
		client.MaxAge, client.CRL = time.Hour, []string{a.path(pki.ListFile)}
		p := join(t, a.settings("server"), client)
		told := make(chan Reason, 2)
		p.dialed.OnEnd(func(reason *Error) { told <- reason.Reason })
		server, ours := reading(p.accepted), reading(p.dialed)
		if got := <-told; got != TooOld {
			t.Fatalf("told %v, want greatest age reached", got)
		}
		open(t, "when the user was told", server, ours)
		a.revoke("server")
		if got := <-told; got != Revoked {
			t.Fatalf("told %v, want revoked", got)
		}
		open(t, "when the user was told of the revocation", server, ours)
		time.Sleep(2 * roundEvery)
		ended(t, ours, outcome{reason: Revoked})
		late := make(chan *Error, 1)
		q := &Conn{raw: p.dialed.raw, handshake: p.dialed.handshake}
		q.ending.Store(&Error{Reason: Expired})
		q.OnEnd(func(reason *Error) { late <- reason })
		if got := <-late; got.Reason != Expired {
			t.Errorf("told %v, want expired", got)
		}
	})
}

func TestUserHasTimeToRenew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(t, "Plant CA")
		a.issue("server", nil)
		a.issue("client", nil)
		client := a.settings("client")
		client.MaxAge = time.Hour
		p := join(t, a.settings("server"), client)
		at := make(chan time.Time, 1)
		p.dialed.OnEnd(func(*Error) { at <- time.Now() })
		begun, end := time.Now(), reading(p.dialed)
		server := reading(p.accepted)
		told := <-at
		if age := told.Sub(begun); age < 54*time.Minute || age > time.Hour+roundEvery {
			t.Errorf("told at the age of %v, want 54 to 60 minutes", age)
		}
		<-end
		if kept := time.Since(told); kept < orderly || kept > orderly+roundEvery {
			t.Errorf("cut %v after it was told, want %v to %v", kept, orderly, orderly+roundEvery)
		}
		<-server
		p.connect(t) // it begins anew
		end, server = reading(p.dialed), reading(p.accepted)
		time.Sleep(50 * time.Minute)
		open(t, "the second connection", end, server)
	})
}

// TestCertificateIsRenewedWhileConnected replaces key and certificate one after
// the other, as people do: what is there is not disturbed, the next connection
// has the new one.
func TestCertificateIsRenewedWhileConnected(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(t, "Plant CA")
		old := a.issue("server", nil)
		a.issue("client", nil)
		p := join(t, a.settings("server"), a.settings("client"))
		first, firstServer := reading(p.dialed), reading(p.accepted)
		if got := p.dialed.Peer().Fingerprint; got != pki.Fingerprint(old) {
			t.Errorf("the server shows %s, want %s", got, pki.Fingerprint(old))
		}
		key, cert := read(t, a.path("server.key")), read(t, a.path("server.pem"))
		fresh := a.issue("server", nil)
		freshCert := read(t, a.path("server.pem"))
		must(t, os.WriteFile(a.path("server.pem"), cert, 0o600)) // only the key is new
		time.Sleep(2 * roundEvery)
		second := &pair{server: p.server, client: p.client}
		second.connect(t)
		if got := second.dialed.Peer().Fingerprint; got != pki.Fingerprint(old) {
			t.Errorf("between key and certificate the server shows %s, want %s", got, pki.Fingerprint(old))
		}
		if problems := p.server.Problems(); len(problems) != 1 {
			t.Errorf("problems %q, want that of the key", problems)
		}
		must(t, os.WriteFile(a.path("server.pem"), freshCert, 0o600))
		time.Sleep(freshFor)
		third := &pair{server: p.server, client: p.client}
		third.connect(t)
		if got := third.dialed.Peer().Fingerprint; got != pki.Fingerprint(fresh) {
			t.Errorf("then the server shows %s, want %s", got, pki.Fingerprint(fresh))
		}
		open(t, "the first connection", first, firstServer)
		must(t, os.WriteFile(a.path("server.key"), key, 0o600))
		must(t, os.WriteFile(a.path("server.pem"), cert, 0o600))
		must(t, p.server.Reload())
		fourth := &pair{server: p.server, client: p.client}
		fourth.connect(t)
		if got := fourth.dialed.Peer().Fingerprint; got != pki.Fingerprint(old) {
			t.Errorf("after Reload the server shows %s, want %s", got, pki.Fingerprint(old))
		}
		for _, q := range []*pair{second, third, fourth} {
			_ = q.accepted.raw.Close()
			_ = q.dialed.raw.Close()
		}
	})
}

func TestReloadUnderLoad(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, "Plant CA")
	a.issue("server", nil)
	a.issue("client", nil)
	settings, clientSettings := a.settings("server"), a.settings("client")
	settings.CRL = []string{a.path(pki.ListFile)}
	server, client := endpoint(t, settings, Server), endpoint(t, clientSettings, Client)
	must(t, server.Reload())
	must(t, client.Reload())
	var load sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		load.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				serverErr, clientErr := meet(t, accepting(server), connecting(client, "127.0.0.1"))
				if serverErr != nil || clientErr != nil {
					t.Errorf("server %v, client %v", serverErr, clientErr)
					return
				}
			}
		})
	}
	var last *x509.Certificate
	for range 30 {
		last = a.issue("server", nil)
		a.revoke("server")
		for _, e := range []*Endpoint{server, client} {
			// Both files are there, so that nothing is faulty.
			if err := e.Reload(); err != nil {
				t.Error(err)
			}
		}
	}
	close(stop)
	load.Wait()
	conn, _ := loopback(t)
	if got := server.material.own.Certificate[0]; !bytes.Equal(got, last.Raw) {
		t.Error("the server does not have the last certificate")
	}
	_ = conn.Close()
}

func TestHandshakesAtATime(t *testing.T) {
	t.Parallel()
	g := gate{doors: make(map[string]*door)}
	here, there := &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 1}, &net.TCPAddr{IP: net.IPv4(10, 0, 0, 2), Port: 1}
	var leave []func()
	enter := func(addr net.Addr) error {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for { // a select of two that are ready takes either
			out, err := g.enter(ctx, addr)
			if err == nil {
				leave = append(leave, out)
				return nil
			}
			g.mu.Lock()
			d := g.doors[hostOf(addr.String())]
			full := d != nil && len(d.slots) == atATime
			g.mu.Unlock()
			if full {
				return err
			}
		}
	}
	for i := range atATime {
		here.Port = i
		must(t, enter(here))
	}
	if err := enter(here); !errors.Is(err, TimedOut) {
		t.Errorf("one more from the same address: %v, want it to wait", err)
	}
	must(t, enter(there))
	for _, out := range leave {
		out()
	}
	if len(g.doors) != 0 {
		t.Errorf("%d addresses are kept, want none", len(g.doors))
	}
}

func TestSilentClientIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(t, "Plant CA")
		a.issue("server", nil)
		e := endpoint(t, a.settings("server"), Server)
		ours, theirs := net.Pipe()
		c := e.Accept(ours)
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		begun := time.Now()
		outcome{TimedOut, "the client has sent nothing, want a handshake of TLS 1.2 or 1.3"}.check(t, "server", c.HandshakeContext(ctx))
		if took := time.Since(begun); took != 30*time.Second {
			t.Errorf("took %v, want 30s", took)
		}
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, TimedOut) {
			t.Errorf("Read = %v, want the reason of the handshake", err)
		}
		_ = theirs.Close()
	})
}

// TestCloseDoesNotWaitForThePeer closes towards a peer that reads nothing.
func TestCloseDoesNotWaitForThePeer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(t, "Plant CA")
		a.issue("server", nil)
		a.issue("client", nil)
		p := join(t, a.settings("server"), a.settings("client"))
		begun := time.Now()
		_ = p.accepted.Close()
		if took := time.Since(begun); took > hurryTime {
			t.Errorf("Close took %v, want at most %v", took, hurryTime)
		}
		if n := p.server.peers.count(); n != 0 {
			t.Errorf("%d peers, want none", n)
		}
	})
}
