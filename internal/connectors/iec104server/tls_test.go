package iec104server

import (
	"bytes"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"busbar/iec104"
	"busbar/iec104/asdu"
	"busbar/internal/connector"
	"busbar/internal/pki"
	"busbar/internal/point"
	"busbar/internal/tlsconf"
)

// authority signs the certificates of a test.
type authority struct {
	t   *testing.T
	dir *pki.Directory
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := pki.NewKey(0)
	must(t, err)
	ca, err := pki.NewAuthority(pki.Subject{Name: "Plant CA", Organization: "Plant"}, key, time.Now(), time.Hour)
	must(t, err)
	dir, err := pki.Create(t.TempDir(), ca, time.Now(), time.Hour)
	must(t, err)
	a := &authority{t, dir}
	a.issue("control")
	return a
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// issue makes a certificate in name.pem and name.key.
func (a *authority) issue(name string) {
	a.t.Helper()
	key, err := pki.NewKey(0)
	must(a.t, err)
	r := pki.Request{Name: name, Hosts: []string{"127.0.0.1"}, Server: true, Client: true, Key: key.Public(), Lifetime: time.Hour}
	_, err = a.dir.Issue(r, key, true, time.Now())
	must(a.t, err)
}

func (a *authority) revoke(name string) {
	a.t.Helper()
	certs, err := a.dir.Find(name)
	must(a.t, err)
	_, err = a.dir.Revoke(certs, 1, time.Now(), time.Hour)
	must(a.t, err)
}

// settings are those of the holder of a certificate; of nobody if the name is empty.
func (a *authority) settings(name string) tlsconf.Settings {
	s := tlsconf.Settings{CA: a.dir.File(pki.CertFile)}
	if name != "" {
		s.Cert, s.Key = a.dir.File(name+".pem"), a.dir.File(name+".key")
	}
	return s
}

// secured makes the server show the certificate of control.
func (a *authority) secured(change ...func(*Settings)) func(*Settings) {
	return func(s *Settings) {
		s.TLS = a.settings("control")
		s.TLS.CRL = []string{a.dir.File(pki.ListFile)}
		for _, f := range change {
			f(s)
		}
	}
}

// certificates returns a list of clients by what their certificates say.
func certificates(t testing.TB, names ...string) Allow {
	t.Helper()
	a := Allow{Given: true}
	for _, name := range names {
		must(t, a.Add(name))
	}
	return a
}

// diary is a log that is written by many.
type diary struct {
	mu    sync.Mutex
	text  bytes.Buffer
	wrote chan struct{}
}

func newDiary() *diary { return &diary{wrote: make(chan struct{}, 1)} }

func (d *diary) Write(b []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	select {
	case d.wrote <- struct{}{}:
	default:
	}
	return d.text.Write(b)
}

// await waits for a line that has a text.
func (d *diary) await(t testing.TB, part string) {
	t.Helper()
	late := time.After(patience)
	for d.line(part) == "" {
		select {
		case <-d.wrote:
		case <-late:
			t.Fatalf("log %q, want %q", d.all(), part)
		}
	}
}

// line returns the first line that has a text, "" if none has.
func (d *diary) line(part string) string {
	for line := range strings.Lines(d.all()) {
		if strings.Contains(line, part) {
			return line
		}
	}
	return ""
}

func (d *diary) all() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.text.String()
}

// startSecured runs a server on a port with one point, for stations with certificates.
func (a *authority) startSecured(feed *testFeed, change ...func(*Settings)) (r *running, address string, log *diary) {
	a.t.Helper()
	log = newDiary()
	r = launch(a.t, false, func(e *connector.Env) {
		e.Log = textLog(log)
		if feed != nil {
			e.Feed = feed
		}
	}, a.secured(change...))
	if feed == nil {
		r.feed.targets(oneInt()...)
	} else {
		r.feed = feed
	}
	return r, r.awaitAddress(a.t), log
}

const patience = 20 * time.Second

// scada is a controlling station with a certificate.
type scada struct {
	*iec104.Client
	got chan int
}

// dial connects with a certificate.
func (a *authority) dial(name, address string) *scada {
	a.t.Helper()
	c, err := dialWith(a.t, a.settings(name), address)
	must(a.t, err)
	return c
}

func dialWith(t testing.TB, s tlsconf.Settings, address string) (*scada, error) {
	c := &scada{got: make(chan int, 1000)}
	e := tlsconf.New(s, tlsconf.Use{Role: tlsconf.Client}, slog.New(slog.DiscardHandler))
	client, err := iec104.Dial(t.Context(), address, iec104.Params{}, iec104.WithDialer(e.DialContext), iec104.WithHandler(func(a asdu.ASDU) {
		for _, o := range a.AppendObjects(nil) {
			if a.Cause == asdu.Spontaneous {
				c.got <- int(o.Int())
			}
		}
	}))
	c.Client = client
	return c, err
}

// until returns the values received up to one.
func (c *scada) until(t testing.TB, last int) (values []int) {
	t.Helper()
	for {
		select {
		case v := <-c.got:
			if values = append(values, v); v == last {
				return values
			}
		case <-c.Done():
			t.Fatalf("the connection has ended after %v: %v", values, c.Err())
		case <-time.After(patience):
			t.Fatalf("received %v, want it up to %d", values, last)
		}
	}
}

// acknowledge makes the station acknowledge what it has received: the first
// request may go while the handler still has the last of it, the second one goes
// when that is done.
func (c *scada) acknowledge(t testing.TB) {
	t.Helper()
	for range 2 {
		if _, err := c.Read(t.Context(), 1, 1); err != nil {
			t.Errorf("read: %v", err)
		}
	}
}

// ended waits for the end of the connection.
func (c *scada) ended(t testing.TB) {
	t.Helper()
	select {
	case <-c.Done():
	case <-time.After(patience):
		t.Fatal("the connection has not ended")
	}
}

func TestServedIsWhoShowsTheRightCertificate(t *testing.T) {
	t.Parallel()
	ca, stranger := newAuthority(t), newAuthority(t)
	ca.issue("scada1")
	ca.issue("scada2")
	ca.issue("stolen")
	ca.revoke("stolen")
	stranger.issue("scada1")
	wrong := stranger.settings("scada1")
	wrong.CA = ca.settings("").CA
	names := func(s *Settings) { s.Allow = certificates(t, "CN=scada1", "CN=stolen") }
	elsewhere := func(s *Settings) { s.Allow = certificates(t, "CN=scada1", "10.0.0.0/8") }
	for _, tt := range []struct {
		name     string
		client   tlsconf.Settings
		settings func(*Settings)
		reason   tlsconf.Reason // 0: served, or refused otherwise
		log      string
	}{
		{"right certificate", ca.settings("scada1"), names, 0, ""},
		{"another authority", wrong, names, tlsconf.UnknownAuthority, "tls: unknown authority: "},
		{"no certificate", ca.settings(""), names, tlsconf.NoCertificate, "tls: no certificate: "},
		{"name that is not allowed", ca.settings("scada2"), names, tlsconf.NotAllowed, "tls: not allowed: the certificate is not on the allow-list, want CN=scada1 or CN=stolen (peer CN=scada2"},
		{"revoked", ca.settings("stolen"), names, tlsconf.Revoked, "tls: revoked: "},
		{"right certificate at another address", ca.settings("scada1"), elsewhere, 0, "address not allowed"},
		{"in no group", ca.settings("scada1"), func(s *Settings) { s.Groups = map[string]Group{"a": {Clients: certificates(t, "CN=scada2")}} },
			0, "127.0.0.1 CN=scada1,O=Plant is in no redundancy group"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := &authority{t, ca.dir}
			r, address, log := a.startSecured(nil, tt.settings)
			c, err := dialWith(t, tt.client, address)
			if tt.log == "" {
				must(t, err)
				must(t, c.StartDT(t.Context()))
				if result, err := c.Interrogate(t.Context(), 1, 20); err != nil || result.Objects != 1 {
					t.Errorf("interrogation: %d objects, %v", result.Objects, err)
				}
			} else if err == nil { // with TLS 1.3 the client learns it by reading
				c.ended(t)
			}
			log.await(t, tt.log) // it may be behind the client
			r.stop(t)
			if tt.log == "" && metric(t, r.server, "tls_handshakes_total", "") != 1 {
				t.Error("the handshake is not counted")
			}
			if tt.reason != 0 {
				if n := metric(t, r.server, "tls_handshakes_failed_total", strings.ReplaceAll(tt.reason.String(), " ", "_")); n != 1 {
					t.Errorf("%v handshakes counted as %s, want 1", n, tt.reason)
				}
			}
		})
	}
}

func TestPlainStationOnThePortOfTLS(t *testing.T) {
	t.Parallel()
	r, address, log := newAuthority(t).startSecured(nil)
	c, err := iec104.Dial(t.Context(), address, iec104.Params{})
	must(t, err)
	if err := c.StartDT(t.Context()); err == nil {
		t.Error("it is served")
	}
	log.await(t, "tls: not tls: ")
	r.stop(t)
}

func TestStationThatIsRevokedIsDisconnected(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	ca.issue("scada1")
	r, address, log := ca.startSecured(nil)
	c := ca.dial("scada1", address)
	must(t, c.StartDT(t.Context()))
	ca.revoke("scada1")
	must(t, r.tls.Reload())
	c.ended(t)
	r.stop(t)
	if line := log.line("connection closed"); !strings.Contains(line, "closed locally: tls: revoked: ") {
		t.Errorf("log %q, want the reason", line)
	}
}

func TestFaultyFilesAreAFailureThatIsTriedAgain(t *testing.T) {
	t.Parallel()
	r := launch(t, false, func(*connector.Env) {}, newAuthority(t).secured(func(s *Settings) { s.TLS.Key += ".none" }))
	if err := <-r.done; !errors.Is(err, tlsconf.FaultyFiles) || errors.Is(err, connector.ErrConfig) {
		t.Errorf("Run = %v, want faulty files", err)
	}
	r.cancel()
}

// byCertificate has a pair of stations of which one is active, and one of which
// every connection is.
func byCertificate(t testing.TB) func(*Settings) {
	return named(map[string]Group{
		"pair": {Clients: certificates(t, "CN=scada1", "CN=scada2")},
		"grid": {Clients: certificates(t, "CN=grid"), Active: "all"},
	})
}

func TestGroupByCertificateSwitchesOver(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	for _, name := range []string{"scada1", "scada2", "grid"} {
		ca.issue(name)
	}
	r, address, log := ca.startSecured(nil, byCertificate(t))
	a, b, grid := ca.dial("scada1", address), ca.dial("scada2", address), ca.dial("grid", address)
	must(t, grid.StartDT(t.Context()))
	must(t, a.StartDT(t.Context()))
	r.feed.publish(news(1, point.IntValue(1)), news(1, point.IntValue(2)))
	if got := a.until(t, 2); !slices.Equal(got, []int{1, 2}) {
		t.Errorf("the first has got %v, want 1 and 2", got)
	}
	a.acknowledge(t)
	r.feed.publish(news(1, point.IntValue(3)))
	a.until(t, 3)
	must(t, b.StartDT(t.Context()))
	a.ended(t)
	r.feed.publish(news(1, point.IntValue(4)))
	if got := b.until(t, 4); !slices.Equal(got, []int{3, 4}) {
		t.Errorf("the second has got %v, want 3, which was not acknowledged, and 4", got)
	}
	if got := grid.until(t, 4); !slices.Equal(got, []int{1, 2, 3, 4}) {
		t.Errorf("the other group has got %v, want 1 to 4", got)
	}
	r.stop(t)
	if line := log.line("connection of the group superseded"); !strings.Contains(line, `group=pair from="127.0.0.1 CN=scada1,O=Plant" to="127.0.0.1 CN=scada2,O=Plant"`) {
		t.Errorf("log %q, want who has taken over", line)
	}
}

func TestGroupByCertificateGoesOnAfterARestart(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	ca.issue("scada1")
	ca.issue("grid")
	r, address, _ := ca.startSecured(nil, byCertificate(t))
	for _, name := range []string{"scada1", "grid"} {
		c := ca.dial(name, address)
		must(t, c.StartDT(t.Context()))
		if name == "scada1" {
			r.feed.publish(news(1, point.IntValue(1)))
		} else {
			r.feed.publish(news(1, point.IntValue(2)))
		}
		c.until(t, map[string]int{"scada1": 1, "grid": 2}[name])
		c.acknowledge(t)
		must(t, c.Close())
	}
	r.stop(t)
	cursors := r.feed.Cursors()
	if at := cursors["pair"][point.ClassMeasured]; at != 1 {
		t.Errorf("places %v, want 1 of the pair", cursors)
	}
	if at := cursors["grid@127.0.0.1"][point.ClassMeasured]; at != 2 {
		t.Errorf("places %v, want 2 of the grid", cursors)
	}

	feed := newTestFeed()
	feed.cursors = cursors
	targets, current, past := oneInt(), news(1, point.IntValue(3)), []connector.Change{}
	current.Seq, current.Snapshot = 3, true
	feed.batches <- connector.Batch{Targets: &targets, Changes: []connector.Change{current}}
	for seq := int64(2); seq <= 3; seq++ {
		c := news(1, point.IntValue(seq))
		c.Seq, c.Events, c.Past = uint64(seq), 1, true
		past = append(past, c)
	}
	feed.batches <- connector.Batch{Changes: past, Seq: 3}
	r, address, _ = ca.startSecured(feed, byCertificate(t))
	for name, want := range map[string][]int{"scada1": {2, 3}, "grid": {3}} {
		c := ca.dial(name, address)
		must(t, c.StartDT(t.Context()))
		if got := c.until(t, 3); !slices.Equal(got, want) {
			t.Errorf("%s has got %v, want %v", name, got, want)
		}
	}
	r.stop(t)
}

func TestStationsBehindOneAddressAreToldTheInitialisationEach(t *testing.T) {
	t.Parallel()
	r := newRig(t, byCertificate(t))
	r.targets(oneInt())
	for _, name := range []string{"scada1", "grid"} {
		cert := &tlsconf.Identity{Subject: "CN=" + name, CommonName: name}
		s := newSession(r.station, &fakeConn{}, caller{addressA, cert.Name()}, cert)
		s.Started(true)
		if n := len(initialisations(take(s, 10))); n != 1 {
			t.Errorf("%s was told %d times, want once", name, n)
		}
	}
}

func TestCommandsTellTheCertificate(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	ca.issue("scada1")
	host := &noting{fakeHost: newFakeHost(commandEnd("switch", 1, asdu.C_SC_NA_1, point.Single, "direct")), orders: make(chan point.Order, 1)}
	log := newDiary()
	r := launch(t, false, func(e *connector.Env) { e.Commands, e.Log = host, textLog(log) }, ca.secured())
	r.feed.targets(oneInt()...)
	c := ca.dial("scada1", r.awaitAddress(t))
	must(t, c.StartDT(t.Context()))
	must(t, c.Command(t.Context(), iec104.Operation{Type: asdu.C_SC_NA_1, CA: 1, IOA: 1, Value: 1}))
	if by := (<-host.orders).Requester; by.Peer != "127.0.0.1" || by.Certificate != "CN=scada1,O=Plant" {
		t.Errorf("ordered by %+v, want scada1", by)
	}
	r.stop(t)
	if line := log.line("msg=command "); !strings.Contains(line, `peer=127.0.0.1`) || !strings.Contains(line, `certificate="CN=scada1,O=Plant"`) {
		t.Errorf("log %q, want the certificate", line)
	}
}

// noting is a host that notes the orders.
type noting struct {
	*fakeHost
	orders chan point.Order
}

func (h *noting) Issue(o point.Order, report func(point.Result)) {
	h.orders <- o
	h.fakeHost.Issue(o, report)
}
