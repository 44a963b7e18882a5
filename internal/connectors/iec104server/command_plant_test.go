package iec104server

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"busbar/iec104"
	"busbar/iec104/asdu"
	"busbar/internal/connector"
	"busbar/internal/image"
	"busbar/internal/plant"
	"busbar/internal/point"
)

// device is a kind that executes commands: it does what was ordered at once and
// tells the test.
type device struct {
	env    connector.Env
	orders chan point.Order
	up     chan struct{} // closed when it is
}

type deviceEnd struct {
	Name string `json:"name"`
}

func deviceKind(orders chan point.Order, up chan struct{}) connector.Kind {
	return connector.Define("device", connector.Spec[struct{}, connector.None, connector.None]{
		New:      func(_ struct{}, env connector.Env) (connector.Connector, error) { return &device{env, orders, up}, nil },
		Executor: connector.ExecutorOf(deviceEnd{}, nil, func(deviceEnd) bool { return true }),
	})
}

func (d *device) Run(ctx context.Context) error {
	d.env.Report(connector.Up, "")
	close(d.up)
	<-ctx.Done()
	return nil
}

func (d *device) Execute(_ context.Context, o point.Order, _ any, report func(connector.Progress)) error {
	d.orders <- o
	report(connector.Progress{})
	report(connector.Progress{Replied: true, OK: o.Qualifier != 3})
	return nil
}

func commandKinds(t *testing.T, orders chan point.Order, up chan struct{}) *connector.Registry {
	t.Helper()
	kinds, err := connector.NewRegistry(Kind(), deviceKind(orders, up))
	if err != nil {
		t.Fatal(err)
	}
	return kinds
}

func TestRequestersAreChecked(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, settings, commands string
		want                     []string // "path: a part of the text"; none: the plant is in order
	}{
		{"all there is", "", `q: {type: double, from: [{connector: scada, ca: "0.225", ioa: "0.0.100", as: C_DC_NA_1, mode: select}], to: {connector: dev}},
  r: {type: step, from: [{connector: scada, ca: 225, ioa: 101, as: 60}], to: {connector: dev}},
  s: {type: float, range: {low: 0, high: 10}, from: [{connector: scada, ca: 225, ioa: 102, as: C_SE_NB_1, scale: 0.1, offset: 1}], to: {connector: dev}}`, nil},
		{"address of a point", "", `q: {type: single, from: [{connector: scada, ca: 225, ioa: 1, as: C_SC_NA_1}], to: {connector: dev}}`, nil},
		{"type that cannot be carried", "", `q: {type: float, from: [{connector: scada, ca: 225, ioa: 1, as: C_SC_NA_1}], to: {connector: dev}}`,
			[]string{"commands.q.from[0].as: C_SC_NA_1 cannot carry a command of type float, want a command of type single or double"}},
		{"no command", "", `q: {type: single, from: [{connector: scada, ca: 225, ioa: 1, as: M_SP_NA_1}], to: {connector: dev}}`,
			[]string{"commands.q.from[0].as: is M_SP_NA_1, want a command"}},
		{"address twice", "", `q: {type: single, from: [{connector: scada, ca: 225, ioa: 1, as: C_SC_NA_1}], to: {connector: dev}},
  r: {type: single, from: [{connector: scada, ca: 225, ioa: 1, as: C_SC_NA_1}], to: {connector: dev}}`,
			[]string{"commands.r.from[0].ioa: ca 225 ioa 1 is the address of q already, in line 8"}},
		{"bitstring that would be selected", "", `q: {type: bits, from: [{connector: scada, ca: 225, ioa: 1, as: C_BO_NA_1, mode: select}], to: {connector: dev}}`,
			[]string{"commands.q.from[0].mode: C_BO_NA_1 cannot be selected, want direct"}},
		{"bitstring with a qualifier", "", `q: {type: bits, qualifiers: [1], from: [{connector: scada, ca: 225, ioa: 1, as: C_BO_NA_1}], to: {connector: dev}}`,
			[]string{"commands.q.from[0].as: C_BO_NA_1 has no qualifier"}},
		{"scale without effect", "", `q: {type: float, from: [{connector: scada, ca: 225, ioa: 1, as: C_SE_NA_1, scale: 2}], to: {connector: dev}}`,
			[]string{"commands.q.from[0]: scale and offset have no effect on C_SE_NA_1"}},
		{"scale 0", "", `q: {type: float, from: [{connector: scada, ca: 225, ioa: 1, as: C_SE_NB_1, scale: 0}], to: {connector: dev}}`,
			[]string{"commands.q.from[0].scale: is 0"}},
		{"anybody may command", `, listen: "0.0.0.0:2404", allow: any`, `q: {type: single, from: [{connector: scada, ca: 225, ioa: 1, as: C_SC_NA_1}], to: {connector: dev}}`,
			[]string{"commands.q.from[0]: commands are accepted from listed addresses only"}},
		{"anybody with a listed certificate may", `, listen: "0.0.0.0:2404", allow: any, tls: {ca: a, cert: b, key: c, allow: [CN=scada1]}`,
			`q: {type: single, from: [{connector: scada, ca: 225, ioa: 1, as: C_SC_NA_1}], to: {connector: dev}}`, nil},
		{"a listed certificate may", `, listen: "0.0.0.0:2404", allow: [CN=scada1], tls: {ca: a, cert: b, key: c}`,
			`q: {type: single, from: [{connector: scada, ca: 225, ioa: 1, as: C_SC_NA_1}], to: {connector: dev}}`, nil},
		{"anybody with any certificate may", `, listen: "0.0.0.0:2404", allow: any, tls: {ca: a, cert: b, key: c}`,
			`q: {type: single, from: [{connector: scada, ca: 225, ioa: 1, as: C_SC_NA_1}], to: {connector: dev}}`,
			[]string{"commands.q.from[0]: commands are accepted from listed addresses only"}},
		{"anybody on this machine may", `, listen: "127.0.0.1:2404", allow: any`, `q: {type: single, from: [{connector: scada, ca: 225, ioa: 1, as: C_SC_NA_1}], to: {connector: dev}}`, nil},
		{"settings", `, listen: "127.0.0.1:2404", commandAge: 1ms, lateCommands: maybe`, `q: {type: single, from: [{connector: scada, ca: 225, ioa: 1, as: C_SC_NA_1}], to: {connector: dev}}`,
			[]string{"connectors.scada.commandAge: ", "connectors.scada.lateCommands: "}},
	}
	kinds := commandKinds(t, nil, nil)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			settings := tt.settings
			if settings == "" {
				settings = `, listen: "127.0.0.1:2404"`
			}
			text := "version: 1\nconnectors:\n  scada: {kind: iec104-server" + settings + "}\n  dev: {kind: device}\npoints:\n" +
				"  p: {type: single, to: [{connector: scada, ca: 225, ioa: 1, as: M_SP_NA_1}]}\ncommands: {\n  " + tt.commands + "}\n"
			_, problems := plant.Decode("p.yaml", []byte(text), kinds, plant.Options{})
			for _, want := range tt.want {
				path, part, _ := strings.Cut(want, ": ")
				if !contains(problems, path, part) {
					t.Errorf("no problem %q, but\n%v", want, problems)
				}
			}
			if len(problems) != len(tt.want) {
				t.Errorf("%d problems, want %d:\n%v", len(problems), len(tt.want), problems)
			}
		})
	}
}

func contains(problems plant.Problems, path, part string) bool {
	for _, p := range problems {
		if p.Path == path && strings.Contains(p.Text, part) {
			return true
		}
	}
	return false
}

const commandPlant = `version: 1
connectors:
  scada: {kind: iec104-server, listen: "ADDRESS"}
  dev: {kind: device}
points:
  position: {type: double, to: [{connector: scada, ca: 225, ioa: 200, as: M_DP_TB_1}]}
commands:
  switch:
    type: double
    qualifiers: [0, 3]
    feedback: position
    terminate: feedback
    from: [{connector: scada, ca: 225, ioa: 200, as: C_DC_NA_1, mode: select}]
    to: {connector: dev}
`

// TestCommandReachesTheDevice goes the whole way: link, connector, host, executor, and back with
// the return information.
func TestCommandReachesTheDevice(t *testing.T) {
	t.Parallel()
	orders, up := make(chan point.Order, 10), make(chan struct{})
	kinds := commandKinds(t, orders, up)
	address := freePort(t)
	p, problems := plant.Decode("p.yaml", []byte(strings.Replace(commandPlant, "ADDRESS", address, 1)), kinds, plant.Options{})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	img := image.New(image.Options{})
	defer img.Close()
	m := connector.NewManager(slog.New(slog.DiscardHandler), img, kinds, time.Now)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	if err := m.Apply(ctx, p); err != nil {
		t.Fatal(err)
	}
	got, confirmed := make(chan string, 100), make(chan struct{}, 10)
	c, err := iec104.NewClient(address, iec104.Params{}, iec104.WithOriginator(7), iec104.WithHandler(func(a asdu.ASDU) {
		for _, o := range a.AppendObjects(nil) {
			if a.Cause == asdu.ActivationCon && !a.Negative && !o.Select {
				confirmed <- struct{}{}
			}
			got <- a.Type.String() + " " + a.Cause.String() + " " + shown(a.Type, &o)
		}
	}))
	if err != nil {
		t.Fatal(err)
	}
	connect(t, c)
	defer c.Close()
	<-up

	op := iec104.Operation{CA: 225, IOA: 200, Type: asdu.C_DC_NA_1, Value: 2, Select: true}
	if err := c.Command(ctx, iec104.Operation{CA: 225, IOA: 200, Type: asdu.C_DC_NA_1, Value: 2}); !refusedWith(err, asdu.ActivationCon) {
		t.Fatalf("execution without select: %v, want it refused", err)
	}
	index, _ := img.Lookup("position")
	moved := make(chan error, 1)
	go func() {
		o := <-orders
		<-confirmed // otherwise what it does is spontaneous
		if o.Command != "switch" || o.Value != point.DoubleValue(point.DoubleOn) || o.Requester.Originator != 7 || o.Requester.Peer != "127.0.0.1" {
			t.Errorf("device was given %+v", o)
		}
		now := point.InstantOf(time.Now())
		moved <- img.Publish(ctx, []point.Update{{Point: index, Value: point.DoubleValue(point.DoubleOn), Time: now, Arrival: now}}, nil)
	}()
	if err := c.Command(ctx, op); err != nil {
		t.Fatalf("command: %v", err)
	}
	if err := <-moved; err != nil {
		t.Fatal(err)
	}
	op.Qualifier = 3 // the device refuses it
	if err := c.Command(ctx, op); !refusedWith(err, asdu.ActivationCon) {
		t.Fatalf("command refused by the device: %v, want it refused", err)
	}
	for _, want := range []string{
		"M_EI_NA_1 initialised 0",
		"C_DC_NA_1 activation-con 2",
		"C_DC_NA_1 activation-con 2", "C_DC_NA_1 activation-con 2", "M_DP_TB_1 return-remote 2", "C_DC_NA_1 activation-term 2",
		"C_DC_NA_1 activation-con 2", "C_DC_NA_1 activation-con 2",
	} {
		if s := <-got; s != want {
			t.Errorf("received %q, want %q", s, want)
		}
	}
}

func refusedWith(err error, cause asdu.Cause) bool {
	negative, ok := errors.AsType[*iec104.NegativeError](err)
	return ok && negative.Cause == cause
}
