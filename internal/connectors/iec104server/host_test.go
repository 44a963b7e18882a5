package iec104server

import (
	"context"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"busbar/iec104"
	"busbar/iec104/asdu"
	"busbar/internal/connector"
	"busbar/internal/connector/connectortest"
	"busbar/internal/image"
	"busbar/internal/plant"
	"busbar/internal/point"
)

func TestConformance(t *testing.T) {
	connectortest.Run(t, connectortest.Case{
		Kind: Kind(),
		Good: `listen: "127.0.0.1:0"`,
		Bad: map[string]string{
			`listen: "0.0.0.0:0"`:          "allow",
			`listen: "127.0.0.1:0", k: 0`:  "k",
			`listen: "127.0.0.1:0", t1: 0`: "t1",
		},
		Points: `p: {type: float, to: [{connector: c, ca: 1, ioa: 1, as: M_ME_TF_1}]}, q: {type: counter, to: [{connector: c, ca: 1, ioa: 2, as: 37}]}`,
	})
}

// freePort returns a port of this machine that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

const hostPlant = `version: 1
connectors:
  scada: {kind: iec104-server, listen: "ADDRESS"}
points:
  a: {type: float, to: [{connector: scada, ca: 225, ioa: 100, as: M_ME_TF_1}]}
`

// TestPlantReachesTheControllingStation goes the whole way: plant file, host, image, connector,
// link.
func TestPlantReachesTheControllingStation(t *testing.T) {
	kinds, err := connector.NewRegistry(Kind())
	if err != nil {
		t.Fatal(err)
	}
	address := freePort(t)
	load := func(more string) *plant.Plant {
		p, problems := plant.Decode("p.yaml", []byte(strings.Replace(hostPlant, "ADDRESS", address, 1)+more), kinds, plant.Options{})
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		return p
	}
	img := image.New(image.Options{})
	defer img.Close()
	m := connector.NewManager(slog.New(slog.DiscardHandler), img, kinds, time.Now)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	if err := m.Apply(ctx, load("")); err != nil {
		t.Fatal(err)
	}

	objects := make(chan string, 100)
	c, err := iec104.NewClient(address, iec104.Params{}, iec104.WithHandler(func(a asdu.ASDU) {
		if a.Cause.Unknown() {
			return // an answer to a read of what is not there yet
		}
		for _, o := range a.AppendObjects(nil) {
			objects <- a.Type.String() + " " + a.Cause.String() + " " + shown(a.Type, &o)
		}
	}))
	if err != nil {
		t.Fatal(err)
	}
	connect(t, c)
	publish := func(id string, v point.Value) {
		t.Helper()
		p, ok := img.Lookup(id)
		if !ok {
			t.Fatalf("no point %s", id)
		}
		u := point.Update{Point: p, Value: v, Time: point.InstantOf(epoch), Arrival: point.InstantOf(epoch)}
		if err := img.Publish(ctx, []point.Update{u}, nil); err != nil {
			t.Fatal(err)
		}
	}
	await := func(want string) {
		t.Helper()
		select {
		case got := <-objects:
			if got != want {
				t.Fatalf("received %q, want %q", got, want)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("nothing received, want %q", want)
		}
	}
	await("M_EI_NA_1 initialised 0")
	publish("a", point.FloatValue(23.5))
	await("M_ME_TF_1 spontaneous 23.5")

	// A point comes while the connection stays.
	if err := m.Apply(ctx, load("  b: {type: single, to: [{connector: scada, ca: 225, ioa: 1, as: M_SP_TB_1}]}\n")); err != nil {
		t.Fatal(err)
	}
	known := func() error { _, err := c.Read(t.Context(), 225, 1); return err }
	for err := known(); err != nil; err = known() {
		if !strings.Contains(err.Error(), "unknown") {
			t.Fatal(err)
		}
	}
	await("M_SP_NA_1 request 0")
	publish("b", point.SingleValue(true))
	await("M_SP_TB_1 spontaneous 1")
	publish("a", point.FloatValue(24))
	await("M_ME_TF_1 spontaneous 24")
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// connect connects and starts data transfer, as soon as the server listens.
func connect(t *testing.T, c *iec104.Client) {
	t.Helper()
	var err error
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for range 2000 {
		if err = c.Connect(t.Context()); err == nil {
			if err = c.StartDT(t.Context()); err != nil {
				t.Fatal(err)
			}
			return
		}
		<-tick.C
	}
	t.Fatal(err)
}
