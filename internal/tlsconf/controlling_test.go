package tlsconf

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"busbar/iec104"
	"busbar/internal/pki"
)

// scada is a controlling station that keeps itself connected, and what it tells.
type scada struct {
	t        *testing.T
	endpoint *Endpoint
	client   *iec104.Client
	station  side          // of each connection
	shown    chan string   // the fingerprints that a substation has seen
	log      *bytes.Buffer // guarded by mu

	mu     sync.Mutex
	events []iec104.LinkEvent
	at     []time.Time
}

// Write takes what is logged.
func (s *scada) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.Write(b)
}

// newSCADA runs a controlling station until the test ends; its connections meet
// the station.
func newSCADA(t *testing.T, settings Settings, station func(s *scada) side) *scada {
	t.Helper()
	s := &scada{t: t, shown: make(chan string, 10), log: new(bytes.Buffer)}
	s.station = station(s)
	log := slog.New(slog.NewTextHandler(s, nil))
	s.endpoint = New(settings, Use{Role: Client, Mutual: true}, log)
	client, err := iec104.NewClient("127.0.0.1:19998", iec104.Params{}, iec104.WithDialer(s.dial), iec104.WithLogger(log),
		iec104.WithLinkEvents(s.event))
	must(t, err)
	s.client = client
	ctx, cancel := context.WithCancel(context.Background())
	var parts sync.WaitGroup
	t.Cleanup(func() {
		cancel()
		parts.Wait()
		synctest.Wait()
	})
	parts.Go(func() { s.endpoint.Run(ctx) })
	parts.Go(func() {
		if err := client.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	synctest.Wait()
	return s
}

func (s *scada) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	far, near := net.Pipe()
	go func() {
		if conn, err := s.station(context.Background(), far); err != nil || conn != nil {
			_ = far.Close() // what the station has to say is not asked here
		}
	}()
	conn, err := s.endpoint.Connect(ctx, near, "127.0.0.1")
	if err != nil {
		return nil, err
	}
	return conn, nil
}

func (s *scada) event(e iec104.LinkEvent) {
	OnEnd(e.NetConn, func(grace time.Duration, reason error) { s.client.Renew(e.Conn, grace, reason) })
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, e)
	s.at = append(s.at, time.Now())
}

// told returns what the links have told since the last call, and what was logged.
func (s *scada) told() (events []iec104.LinkEvent, at []time.Time, logged string) {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	events, at, logged = s.events, s.at, s.log.String()
	s.events, s.at = nil, nil
	s.log.Reset()
	return events, at, logged
}

// states names the states that were told.
func states(events []iec104.LinkEvent) string {
	var words []string
	for _, e := range events {
		words = append(words, e.State.String())
	}
	return strings.Join(words, " ")
}

// controlled is the station with settings, as our own server is.
func controlled(settings Settings) func(s *scada) side {
	return func(s *scada) side {
		e := endpoint(s.t, settings, Server)
		server := stationServer(s)
		return func(ctx context.Context, raw net.Conn) (net.Conn, error) {
			return nil, server.ServeConn(ctx, e.Accept(raw))
		}
	}
}

// stationServer serves a substation that notes the certificates it sees.
func stationServer(s *scada) *iec104.Server {
	peers := make(chan string, 100)
	server, err := iec104.NewServer(noting{substation{iec104.NewQueue(10), peers}, s.shown}, iec104.ServerConfig{})
	must(s.t, err)
	return server
}

// noting notes the fingerprints of the certificates of those who connect.
type noting struct {
	substation
	shown chan string
}

func (n noting) Open(c *iec104.ServerConn) (iec104.Session, error) {
	if secured, ok := c.NetConn().(*Conn); ok {
		n.shown <- secured.Peer().Fingerprint
		return n.substation.Open(c)
	}
	return n, nil
}

// TestControllingStationRefuses is what a controlling station says, in its log
// and in the state of its link, of a station that it must not talk to.
func TestControllingStationRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		client  func(a *authority, s *Settings)
		station func(t *testing.T, a *authority) func(*scada) side
		want    outcome
	}{
		{name: "a wrong authority", want: outcome{UnknownAuthority, "signed by CN=Other CA"},
			station: func(t *testing.T, _ *authority) func(*scada) side {
				other := newAuthority(t, "Other CA")
				other.issue("rtu", nil)
				return controlled(other.settings("rtu"))
			}},
		{name: "expired", want: outcome{Expired, "has expired on"}, station: holder("old")},
		{name: "revoked", want: outcome{Revoked, "was revoked on"}, station: holder("stolen")},
		{name: "a wrong name", want: outcome{WrongName, "not for 127.0.0.1 but for rtu9.example"}, station: holder("elsewhere")},
		{name: "the name that is wanted", station: holder("elsewhere"),
			client: func(_ *authority, s *Settings) { s.ServerName = "rtu9.example" }},
		{name: "not on the allow-list", want: outcome{NotAllowed, "want rtu7"}, station: holder("rtu"),
			client: func(_ *authority, s *Settings) { s.Allow = Allow{{kind: anyName, text: "rtu7"}} }},
		{name: "TLS 1.1", want: outcome{WrongVersion, "the peer takes none of TLS 1.2 or 1.3"},
			station: func(t *testing.T, a *authority) func(*scada) side {
				old := plainTLS(t, a, "rtu", true, func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 })
				return func(*scada) side { return old }
			}},
		{name: "a port without TLS", want: outcome{ClosedByPeer, "is there TLS on this port?"},
			station: func(*testing.T, *authority) func(*scada) side {
				return func(s *scada) side {
					server := stationServer(s)
					return func(ctx context.Context, raw net.Conn) (net.Conn, error) { return nil, server.ServeConn(ctx, raw) }
				}
			}},
		{name: "a station that does not take our certificate", want: outcome{RefusedByPeer, "does not know the authority of our certificate CN=scada"},
			station: func(t *testing.T, a *authority) func(*scada) side {
				strict := plainTLS(t, a, "rtu", true, func(c *tls.Config) {
					c.MaxVersion, c.ClientAuth, c.ClientCAs = tls.VersionTLS12, tls.RequireAndVerifyClientCert, x509.NewCertPool()
				})
				return func(*scada) side { return strict }
			}},
		{name: "a station that wants a certificate where there is none", want: outcome{RefusedByPeer, "there is no certificate of Busbar"},
			station: func(t *testing.T, a *authority) func(*scada) side {
				strict := plainTLS(t, a, "rtu", true, func(c *tls.Config) { c.MaxVersion, c.ClientAuth = tls.VersionTLS12, tls.RequireAnyClientCert })
				return func(*scada) side { return strict }
			}, client: func(_ *authority, s *Settings) { s.Cert, s.Key = "", "" }},
		{name: "a good one", station: holder("rtu")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newAuthority(t, "Plant CA")
				a.issue("scada", nil)
				a.issue("rtu", nil)
				a.issue("old", func(_ *pki.Request, now *time.Time) { *now = now.Add(-year - 24*time.Hour) })
				a.issue("stolen", nil)
				a.issue("elsewhere", func(r *pki.Request, _ *time.Time) { r.Hosts = []string{"rtu9.example"} })
				a.revoke("stolen")
				settings := a.settings("scada")
				settings.CRL = []string{a.path(pki.ListFile)}
				if tt.client != nil {
					tt.client(a, &settings)
				}
				s := newSCADA(t, settings, tt.station(t, a))
				time.Sleep(time.Second / 2)
				events, _, logged := s.told()
				link := s.client.Links()[0]
				if tt.want == (outcome{}) {
					if link.State != iec104.LinkStarted {
						t.Errorf("the link is %v, %v, want it started", link.State, link.Err)
					}
					return
				}
				tt.want.check(t, "state of the link", link.Err)
				if len(events) == 0 || !strings.HasSuffix(states(events), "down") {
					t.Errorf("told %q, want down at the end", states(events))
				}
				if !strings.Contains(logged, "level=WARN") || !strings.Contains(logged, tt.want.text) || !strings.Contains(logged, tt.want.reason.String()) {
					t.Errorf("logged\n%swant a warning with %q", logged, tt.want.text)
				}
			})
		})
	}
}

// holder is our own server with the certificate of that name.
func holder(name string) func(*testing.T, *authority) func(*scada) side {
	return func(_ *testing.T, a *authority) func(*scada) side { return controlled(a.settings(name)) }
}

// TestControllingStationRenews is what becomes of a link when its peer must leave
// or it is too old: it ends in order, and is tried again at once.
func TestControllingStationRenews(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		client func(s *Settings)
		change func(a *authority)
		after  time.Duration
		want   outcome
		states string // afterwards
	}{
		{name: "greatest age", client: func(s *Settings) { s.MaxAge = time.Hour }, after: time.Hour,
			want: outcome{TooOld, "maxAge is 1h0m0s"}, states: "connected down connected started"},
		{name: "revoked while connected", change: func(a *authority) { a.revoke("rtu") },
			want: outcome{Revoked, "was revoked on"}, states: "connected down down down"},
		{name: "expired while connected", after: 2 * time.Hour,
			want: outcome{Expired, "has expired on"}, states: "connected down down down"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newAuthority(t, "Plant CA")
				a.issue("scada", nil)
				a.issue("rtu", func(r *pki.Request, _ *time.Time) { r.Lifetime = 2 * time.Hour })
				a.issue("another", nil)
				a.revoke("another")
				settings := a.settings("scada")
				settings.CRL = []string{a.path(pki.ListFile)}
				if tt.client != nil {
					tt.client(&settings)
				}
				s := newSCADA(t, settings, controlled(a.settings("rtu")))
				time.Sleep(2 * roundEvery)
				if events, _, _ := s.told(); states(events) != "connected started" {
					t.Fatalf("told %q, want a start", states(events))
				}
				if tt.change != nil {
					tt.change(a)
				}
				time.Sleep(tt.after + roundEvery + 2*time.Second)
				events, at, logged := s.told()
				if !strings.HasPrefix(states(events), tt.states) {
					t.Fatalf("told %q, want %q", states(events), tt.states)
				}
				tt.want.check(t, "link", events[1].Err)
				if le := reasonOf(events[1].Err); le != iec104.ClosedLocally {
					t.Errorf("ended with %v, want closed locally", events[1].Err)
				}
				if gap := at[2].Sub(at[1]); events[1].Retry != 0 || gap > 10*time.Millisecond {
					t.Errorf("tried again after %v, want at once", gap)
				}
				if tt.want.reason != TooOld && events[2].Retry < 800*time.Millisecond {
					t.Errorf("what is refused is tried again after %v, want back-off", events[2].Retry)
				}
				if !strings.Contains(logged, tt.want.text) {
					t.Errorf("logged\n%swant %q in it", logged, tt.want.text)
				}
			})
		})
	}
}

// TestControllingStationShowsItsNewCertificate replaces the certificate of the
// controlling station while it is connected: the next connection shows it.
func TestControllingStationShowsItsNewCertificate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(t, "Plant CA")
		old := a.issue("scada", nil)
		a.issue("rtu", nil)
		settings := a.settings("scada")
		settings.MaxAge = time.Hour
		s := newSCADA(t, settings, controlled(a.settings("rtu")))
		if got := <-s.shown; got != pki.Fingerprint(old) {
			t.Errorf("the station has seen %s, want %s", got, pki.Fingerprint(old))
		}
		fresh := a.issue("scada", nil)
		time.Sleep(time.Minute)
		if events, _, _ := s.told(); states(events) != "connected started" {
			t.Errorf("told %q: the connection was disturbed", states(events))
		}
		if got := <-s.shown; got != pki.Fingerprint(fresh) {
			t.Errorf("then the station has seen %s, want %s", got, pki.Fingerprint(fresh))
		}
	})
}
