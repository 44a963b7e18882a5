package connectors_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"busbar/internal/connector"
	"busbar/internal/connectors"
	"busbar/internal/image"
	"busbar/internal/plant"
)

// host runs a plant of all kinds.
type host struct {
	t        *testing.T
	registry *connector.Registry
	manager  *connector.Manager
}

func newHost(t *testing.T, text string) *host {
	t.Helper()
	registry, err := connector.NewRegistry(connectors.All()...)
	if err != nil {
		t.Fatal(err)
	}
	img := image.New(image.Options{Log: 4096})
	h := &host{t: t, registry: registry, manager: connector.NewManager(slog.New(slog.DiscardHandler), img, registry, time.Now)}
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- h.manager.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
		img.Close()
	})
	if err := h.manager.Apply(t.Context(), h.decode(text)); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *host) decode(text string) *plant.Plant {
	h.t.Helper()
	p, problems := plant.Decode("plant.yaml", []byte(text), h.registry, plant.Options{})
	if len(problems) > 0 {
		h.t.Fatal(problems)
	}
	return p
}

// link waits until a link is as wanted.
func (h *host) link(id string, wanted func(connector.Link) bool) connector.Link {
	h.t.Helper()
	ticker, end := time.NewTicker(2*time.Millisecond), time.NewTimer(20*time.Second)
	defer ticker.Stop()
	defer end.Stop()
	for {
		l, err := h.manager.Link(id)
		if err == nil && wanted(l) {
			return l
		}
		select {
		case <-ticker.C:
		case <-end.C:
			h.t.Fatalf("link %s is %+v: %v", id, l, err)
		}
	}
}

func in(state connector.LinkState) func(connector.Link) bool {
	return func(l connector.Link) bool { return l.State == state }
}

// try tests the only connector of a plant and returns its steps as lines.
func (h *host) try(text string, r connector.TestRequest) (lines []string) {
	h.t.Helper()
	p := h.decode("version: 1\nconnectors: {tried: {" + text + "}}\n")
	steps, err := h.manager.Test(h.t.Context(), &p.Connectors[0], r)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, s := range steps {
		lines = append(lines, fmt.Sprintf("%s %v %s", s.Name, s.OK, s.Detail))
	}
	return lines
}

// both returns a host with a server, and a client of it.
func both(t *testing.T) *host {
	t.Helper()
	const server = `version: 1
connectors:
  scada: {kind: iec104-server, listen: "127.0.0.1:0", t3: 1s, t1: 3s, t2: 1s}
`
	h := newHost(t, server+"points: {}\n")
	at := h.link("scada", in(connector.LinkListening)).Local
	text := server + `  rtu: {kind: iec104-client, addresses: ["` + at + `"], clock: 1h}
points:
  a/b: {type: float, from: {connector: rtu, ca: 1, ioa: 100}}
`
	if err := h.manager.Apply(t.Context(), h.decode(text)); err != nil {
		t.Fatal(err)
	}
	return h
}

func TestBothRolesShowTheSameLink(t *testing.T) {
	t.Parallel()
	h := both(t)
	asked := func(l connector.Link) bool { return l.State == connector.LinkStarted && l.RoundTripMs > 0 }
	theirs := h.link("scada.1", asked)
	own := h.link("rtu.1", func(l connector.Link) bool {
		return l.State == connector.LinkStarted && l.Interrogation != nil && l.Interrogation.Result != "running"
	})
	if own.Role != "controlling" || theirs.Role != "controlled" || own.Local != theirs.Peer || own.Peer != theirs.Local || own.Member != "active" || theirs.Member != "active" {
		t.Errorf("links %+v and %+v", own, theirs)
	}
	if !slices.Equal(own.CommonAddresses, []uint16{1}) || own.Sent.I == 0 || own.Sent.U == 0 || own.Received.Octets == 0 || own.K != 12 {
		t.Errorf("link %+v", own)
	}
	if err := h.manager.Disconnect("rtu.1", "somebody", "test"); err != nil {
		t.Fatal(err)
	}
	h.link("scada.1", in(connector.LinkClosed))
	again := h.link("scada.2", in(connector.LinkStarted))
	if again.Reconnects != 1 {
		t.Errorf("%d reconnects, want 1", again.Reconnects)
	}
	if err := h.manager.Disconnect("scada.2", "somebody", ""); err != nil {
		t.Fatal(err)
	}
	if l := h.link("scada.2", in(connector.LinkClosed)); !strings.Contains(l.Reason, "disconnected by somebody") {
		t.Errorf("reason %q", l.Reason)
	}
	h.link("rtu.1", in(connector.LinkStarted))
	if err := h.manager.Restart("rtu", "somebody"); err != nil {
		t.Fatal(err)
	}
	h.link("rtu.1", func(l connector.Link) bool { return l.State == connector.LinkStarted && l.Since.After(again.Since) })
}

func TestStationsAreTriedWithoutHarm(t *testing.T) {
	t.Parallel()
	h := newHost(t, "version: 1\nconnectors:\n  scada: {kind: iec104-server, listen: \"127.0.0.1:0\"}\n"+
		"  dummy: {kind: mqtt-broker, listen: \"127.0.0.1:0\"}\npoints:\n"+
		"  a/b: {type: float, from: {connector: dummy, topic: t, value: \"@\"}, to: [{connector: scada, ca: 1, ioa: 100, as: M_ME_NC_1}, {connector: scada, ca: 1, ioa: 101, as: M_ME_NC_1}]}\n")
	at := h.link("scada", in(connector.LinkListening)).Local
	got := h.try(`kind: iec104-client, addresses: ["`+at+`"]`, connector.TestRequest{CommonAddress: 1})
	want := []string{"TCP true", "TESTFR true round trip", "STARTDT true", "interrogation true 2 objects of common address 1", "STOPDT true"}
	steps(t, got, want)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	steps(t, h.try(`kind: iec104-client, addresses: ["`+closed+`"]`, connector.TestRequest{}), []string{"TCP false"})
}

func TestATrialLeavesARunningConnectorAlone(t *testing.T) {
	t.Parallel()
	h := both(t)
	before := h.link("rtu.1", in(connector.LinkStarted))
	got := h.try(`kind: iec104-client, addresses: ["`+before.Peer+`"]`, connector.TestRequest{CommonAddress: 1})
	steps(t, got, []string{"TCP true", "TESTFR true", "STARTDT true left out: connector rtu uses the station"})
	got = h.try(`kind: iec104-client, singleConnection: true, addresses: ["`+before.Peer+`"]`, connector.TestRequest{})
	steps(t, got, []string{"connection false connector rtu is connected with"})
	if after := h.link("rtu.1", in(connector.LinkStarted)); !after.Since.Equal(before.Since) {
		t.Error("the connection of the running connector was lost")
	}
}

// silent is a station that takes connections and says nothing, or nonsense.
func silent(t *testing.T, answer string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte(answer))
			t.Cleanup(func() { c.Close() })
		}
	}()
	return l.Addr().String()
}

func TestWhoIsNoStationIsFoundOut(t *testing.T) {
	t.Parallel()
	h := newHost(t, "version: 1\nconnectors: {}\npoints: {}\n")
	steps(t, h.try(`kind: iec104-client, t1: 2s, t2: 1s, addresses: ["`+silent(t, "")+`"]`, connector.TestRequest{}), []string{"TCP true", "TESTFR false no TESTFR con within"})
	steps(t, h.try(`kind: iec104-client, addresses: ["`+silent(t, "HTTP/1.1 400")+`"]`, connector.TestRequest{}), []string{"TCP true", "TESTFR false this is no IEC 60870-5-104"})
}

func TestBrokersAreTried(t *testing.T) {
	t.Parallel()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	h := newHost(t, "version: 1\nconnectors:\n  broker: {kind: mqtt-broker, listen: \""+at+"\", users: {meter: secret}}\npoints: {}\n")
	for up := false; !up; up = h.manager.Reports()[0].State == connector.Up {
		<-time.After(2 * time.Millisecond)
	}
	for _, version := range []string{"5", "3.1.1"} {
		base := `kind: mqtt, version: "` + version + `", url: "mqtt://` + at + `", username: meter, password: `
		steps(t, h.try(base+"secret", connector.TestRequest{Topics: []string{"a/+", "$share/g/b", "a/#/b"}}),
			[]string{"resolve true", "TCP true", "CONNECT true re", "SUBSCRIBE true a/+", "SUBSCRIBE true b", "SUBSCRIBE false a/#/b", "DISCONNECT true"})
		steps(t, h.try(base+"wrong", connector.TestRequest{}), []string{"resolve true", "TCP true", "CONNECT false re"})
	}
	if got := h.manager.Reports()[0]; got.State != connector.Up {
		t.Errorf("the broker is %v", got.State)
	}
	p := h.decode("version: 1\nconnectors: {broker: {kind: mqtt-broker, listen: \"" + at + "\"}, other: {kind: mqtt-broker, listen: \"127.0.0.1:0\"}}\npoints: {}\n")
	for i, want := range []string{"the connector listens on " + at, "is free"} {
		got, err := h.manager.Test(t.Context(), &p.Connectors[i], connector.TestRequest{})
		if err != nil || len(got) != 1 || !got[0].OK || !strings.Contains(got[0].Detail, want) {
			t.Errorf("%s: %+v, %v, want %q", p.Connectors[i].ID, got, err, want)
		}
	}
}

// steps compares steps with the beginnings wanted.
func steps(t *testing.T, got, want []string) {
	t.Helper()
	if !slices.EqualFunc(got, want, strings.HasPrefix) {
		t.Errorf("steps\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
