package iec104client

import (
	"context"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"busbar/iec104"
	"busbar/iec104/asdu"
	"busbar/internal/pki"
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
	ca, err := pki.NewAuthority(pki.Subject{Name: "Plant CA"}, key, time.Now().Add(-time.Hour), 1000*time.Hour)
	must(t, err)
	dir, err := pki.Create(t.TempDir(), ca, time.Now(), 1000*time.Hour)
	must(t, err)
	return &authority{t, dir}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// holder issues a certificate and returns the settings of who has it.
func (a *authority) holder(name string) tlsconf.Settings {
	a.t.Helper()
	key, err := pki.NewKey(0)
	must(a.t, err)
	r := pki.Request{Name: name, Hosts: []string{"127.0.0.1"}, Server: true, Client: true, Key: key.Public(), Lifetime: 900 * time.Hour}
	_, err = a.dir.Issue(r, key, true, time.Now())
	must(a.t, err)
	return tlsconf.Settings{CA: a.dir.File(pki.CertFile), Cert: a.dir.File(name + ".pem"), Key: a.dir.File(name + ".key")}
}

// substation is a station of one point with an event queue.
type substation struct{ *iec104.Queue }

func (s substation) Open(c *iec104.ServerConn) (iec104.Session, error) {
	s.Rewind()
	s.OnPut(c.Wake)
	return s, nil
}

func (s substation) Interrogate(uint16, uint8) iec104.Interrogation   { return nothing{} }
func (substation) Read(uint16, uint32) (iec104.Item, bool)            { return iec104.Item{}, false }
func (substation) Started(bool)                                       {}
func (substation) Background([]iec104.Event) int                      { return 0 }
func (substation) Addresses() []uint16                                { return []uint16{1} }
func (substation) Counters(uint16, uint8, uint8) iec104.Interrogation { return nil }
func (substation) Clock(uint16, asdu.Time) bool                       { return true }
func (substation) Reset(uint16, uint8) bool                           { return false }
func (substation) Command(iec104.Command) iec104.Verdict              { return iec104.UnknownObject }
func (substation) Closed(error)                                       {}
func (s substation) put(n int) {
	s.Put(&iec104.Event{CA: 1, Type: asdu.M_ME_TE_1, Cause: asdu.Spontaneous, Object: asdu.Object{IOA: 1, Value: uint32(n), Time: asdu.TimeOf(time.Now(), nil)}})
}

type nothing struct{}

func (nothing) Next([]iec104.Item) (int, bool) { return 0, true }

func TestRenewalAtTheGreatestAgeDropsNothing(t *testing.T) {
	t.Parallel()
	secured := func(s *Settings) {
		a := newAuthority(t)
		a.holder("rtu")
		s.TLS = a.holder("scada")
		s.TLS.MaxAge = 10 * time.Minute
	}
	play(t, secured, points(1), func(r *rig) {
		ctx, cancel := context.WithCancel(context.Background())
		var served sync.WaitGroup
		defer served.Wait()
		defer cancel()
		station := substation{iec104.NewQueue(1000)}
		server, err := iec104.NewServer(station, iec104.ServerConfig{})
		must(t, err)
		keys := r.settings.TLS
		keys.Cert, keys.Key = strings.Replace(keys.Cert, "scada", "rtu", 1), strings.Replace(keys.Key, "scada", "rtu", 1)
		endpoint := tlsconf.New(keys, tlsconf.Use{Role: tlsconf.Server, Mutual: true}, r.env.Log)
		dialled := func() net.Conn {
			near, far := net.Pipe()
			served.Go(func() { _ = server.ServeConn(ctx, endpoint.Accept(near)) }) // ended by the client
			return far
		}
		r.station.Store(&dialled)
		r.wait(time.Minute) // the first attempt, which met nobody, has ended
		if said := r.host.said(); said[len(said)-1] != "back" {
			t.Fatalf("states %q, want it connected", said)
		}
		var want, got []int64
		for n := range 15 * 60 * 10 { // ten per second for a quarter of an hour
			station.put(n)
			want = append(want, int64(n))
			r.wait(100 * time.Millisecond)
		}
		for _, reading := range r.host.take() {
			got = append(got, reading.Value.Int())
		}
		if !slices.Equal(got, want) {
			t.Errorf("%d events received of %d sent, or in another order", len(got), len(want))
		}
		said := r.host.said()
		if len(said) != 5 || !strings.Contains(said[2], "maxAge is 10m0s") ||
			!slices.Equal(slices.Delete(slices.Clone(said), 2, 3), []string{"connecting: data transfer has ended", "away", "up", "back"}) {
			t.Errorf("states %q, want one renewal", said)
		}
		if hold := Kind().Hold(); r.host.absent >= hold {
			t.Errorf("the station was away for %v, points are not topical after %v", r.host.absent, hold)
		}
		if v := r.figures.replayed.Load(); v > 0 {
			t.Errorf("%d events came again", v)
		}
	})
}

func TestReloadReadsTheFilesOfTLS(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	s := defaults()
	s.Addresses, s.TLS = []string{"127.0.0.1:9"}, a.holder("scada")
	h := newFakeHost(nil)
	env := newEnv(h)
	c, err := newClient(s, env, nil)
	must(t, err)
	must(t, c.Reload())
	c.tls = tlsconf.New(tlsconf.Settings{CA: s.TLS.CA, Cert: a.dir.File("missing.pem"), Key: s.TLS.Key}, s.use(), env.Log)
	if err := c.Reload(); err == nil || !strings.Contains(err.Error(), "missing.pem") {
		t.Errorf("Reload = %v, want that a file is missing", err)
	}
	s.TLS = tlsconf.Settings{}
	c, err = newClient(s, env, nil)
	must(t, err)
	must(t, c.Reload())
}
