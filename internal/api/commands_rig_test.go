package api

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"busbar/internal/commandlog"
	"busbar/internal/connector"
	"busbar/internal/image"
	"busbar/internal/plant"
	"busbar/internal/point"
)

// device carries out commands as its orders say, by their ids: "held…" is accepted and goes on until the
// test lets it go, "no…" is refused by the device, anything else is done at once.
type device struct {
	env  connector.Env
	done chan point.Order
	let  chan struct{} // a token lets a held order go
}

type deviceEnd struct {
	Output int `json:"output"`
}

func (d *device) Run(ctx context.Context) error {
	d.env.Report(connector.Up, "")
	<-ctx.Done()
	return nil
}

func (d *device) Execute(ctx context.Context, o point.Order, _ any, report func(connector.Progress)) error {
	d.done <- o
	switch o.ID[:2] {
	case "he":
		report(connector.Progress{})
		select {
		case <-d.let:
		case <-ctx.Done():
			return ctx.Err()
		}
	case "no":
		report(connector.Progress{Replied: true, Reason: "blocked"})
		return nil
	}
	report(connector.Progress{Replied: true, OK: true})
	return nil
}

type noSettings struct{}

// kind returns the kind "device", at which commands are requested as well.
func (d *device) kind() connector.Kind {
	return connector.Define("device", connector.Spec[noSettings, connector.None, connector.None]{
		New: func(_ noSettings, env connector.Env) (connector.Connector, error) {
			d.env = env
			return d, nil
		},
		Executor:  connector.ExecutorOf(deviceEnd{}, nil, func(deviceEnd) bool { return true }),
		Requester: connector.RequesterOf(deviceEnd{}, nil),
	})
}

// controlPlant has commands whose terminations come with the reply.
const controlPlant = `
version: 1
connectors: {device: {kind: device}}
commands:
  ons4711/q0/switch: {type: double, confirm: accepted, terminate: replied, to: {connector: device}, qualifiers: [0, 1]}
  ons4711/q1/switch: {type: single, from: [{connector: device, mode: select}], to: {connector: device}}
  other/setpoint: {type: float, range: {low: 0, high: 100}, to: {connector: device}}
`

const (
	switchPath   = "/commands/ons4711%2Fq0%2Fswitch"
	selectPath   = "/commands/ons4711%2Fq1%2Fswitch"
	setpointPath = "/commands/other%2Fsetpoint"
)

// control is an API with a plant that has commands.
type control struct {
	*rig
	device  *device
	manager *connector.Manager
	log     *commandlog.Log
}

func newControl(t *testing.T, edit ...func(*Deps)) *control {
	t.Helper()
	c := &control{device: &device{done: make(chan point.Order, 100), let: make(chan struct{})}}
	registry, err := connector.NewRegistry(c.device.kind())
	if err != nil {
		t.Fatal(err)
	}
	disk, err := commandlog.NewDisk(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	var records []connector.CommandRecord
	if c.log, records, err = commandlog.Open(disk, log, commandlog.Options{}); err != nil {
		t.Fatal(err)
	}
	img := image.New(image.Options{Log: 1024})
	c.manager = connector.NewManager(log, img, registry, time.Now)
	c.manager.RestoreCommands(records)
	c.manager.RecordCommands(c.log)
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- c.manager.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
		img.Close()
		if err := c.log.Close(); err != nil {
			t.Error(err)
		}
	})
	p, problems := plant.Decode("plant.yaml", []byte(controlPlant), registry, plant.Options{})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if err := c.manager.Apply(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	c.up()
	c.rig = newRig(t, append([]func(*Deps){func(d *Deps) { d.Manager, d.Orders = c.manager, c.log }}, edit...)...)
	return c
}

// up waits until the device is up: a check of an order is no longer refused.
func (c *control) up() {
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for c.manager.Reports()[0].State != connector.Up {
		<-ticker.C
	}
}

// wantExecuted checks how many orders the device was given.
func (c *control) wantExecuted(want int) {
	c.t.Helper()
	if got := len(c.device.done); got != want {
		c.t.Errorf("%d orders executed, want %d", got, want)
	}
}
