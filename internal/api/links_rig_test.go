package api

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"busbar/iec104"
	"busbar/internal/connector"
	"busbar/internal/connectors/iec104server"
	"busbar/internal/image"
	"busbar/internal/manage"
	"busbar/internal/plant"
	"busbar/internal/point"
	"busbar/internal/trace"
)

// talker is a connector that hands on one message.
type talker struct{ env connector.Env }

type talkerSource struct {
	Topic string `json:"topic"`
}

func talkerKind() connector.Kind {
	return connector.Define("talker", connector.Spec[struct{}, talkerSource, connector.None]{
		New:      func(_ struct{}, env connector.Env) (connector.Connector, error) { return &talker{env}, nil },
		Selector: func(s talkerSource) string { return s.Topic },
	})
}

func (k *talker) Run(ctx context.Context) error {
	k.env.Report(connector.Up, "")
	for _, payload := range []string{"not a number", "21.5", "\xff\xfe"} {
		if err := k.env.Sink.Deliver(ctx, connector.Message{Selector: "temperature", Payload: []byte(payload)}, nil); err != nil {
			return err
		}
	}
	k.env.Messages.Sent("answer", make([]byte, 2000), "command", nil)
	<-ctx.Done()
	return nil
}

// switchgear carries out every order.
type switchgear struct{ env connector.Env }

type switchgearEnd struct {
	Output int `json:"output"`
}

func switchgearKind() connector.Kind {
	return connector.Define("switchgear", connector.Spec[struct{}, connector.None, connector.None]{
		New:      func(_ struct{}, env connector.Env) (connector.Connector, error) { return &switchgear{env}, nil },
		Executor: connector.ExecutorOf(switchgearEnd{}, nil, func(switchgearEnd) bool { return true }),
	})
}

func (k *switchgear) Run(ctx context.Context) error {
	k.env.Report(connector.Up, "")
	<-ctx.Done()
	return nil
}

func (k *switchgear) Execute(_ context.Context, _ point.Order, _ any, report func(connector.Progress)) error {
	report(connector.Progress{Replied: true, OK: true})
	return nil
}

// links is an API above a server with one controlling station.
type links struct {
	*rig
	manager *connector.Manager
	address string // of the server
	client  *iec104.Client
}

const linksPlant = `version: 1
connectors:
  scada: {kind: iec104-server, listen: "127.0.0.1:0"}
  talker: {kind: talker}
  unused: {kind: talker, enabled: false}
  zdial: {kind: iec104-server, dial: ["127.0.0.1:1"]}
  bay: {kind: switchgear}
points:
  t1/oil: {type: float, from: {connector: talker, topic: temperature, value: "@"}, to: [{connector: scada, ca: 1, ioa: 100, as: M_ME_NC_1}]}
commands:
  q0/switch: {type: single, from: [{connector: scada, ca: 1, ioa: 5000, as: C_SC_NA_1, mode: direct}], to: {connector: bay}}
`

func newLinks(t *testing.T) *links {
	t.Helper()
	registry, err := connector.NewRegistry(iec104server.Kind(), talkerKind(), switchgearKind())
	if err != nil {
		t.Fatal(err)
	}
	img := image.New(image.Options{Log: 1024})
	l := &links{manager: connector.NewManager(slog.New(slog.DiscardHandler), img, registry, time.Now)}
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- l.manager.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
		img.Close()
	})
	m := manage.New(manage.Options{Store: newStore(t), Kinds: registry, Log: slog.New(slog.DiscardHandler)})
	p, problems := plant.Decode("plant.yaml", []byte(linksPlant+"\n"), registry, plant.Options{})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if err := l.manager.Apply(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	l.rig = newRig(t, func(d *Deps) { d.Manager, d.Trace, d.Manage = l.manager, trace.New(l.manager), m })
	l.await(func() bool {
		all := l.manager.Links()
		if len(all) > 0 && all[0].State == connector.LinkListening {
			l.address = all[0].Local
		}
		return l.address != ""
	})
	return l
}

// await waits until something is so.
func (l *links) await(so func() bool) {
	l.t.Helper()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for !so() {
		select {
		case <-ticker.C:
		case <-l.t.Context().Done():
			l.t.Fatal("it did not become so")
		}
	}
}

// connect connects a controlling station and starts data transfer.
func (l *links) connect() {
	l.t.Helper()
	var err error
	if l.client, err = iec104.Dial(l.t.Context(), l.address, iec104.Params{}); err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { _ = l.client.Close() })
	if err := l.client.StartDT(l.t.Context()); err != nil {
		l.t.Fatal(err)
	}
}

// open returns the ids of the open links.
func (l *links) open() (ids []string) {
	for _, k := range l.manager.Links() {
		if k.State == connector.LinkStarted {
			ids = append(ids, k.ID)
		}
	}
	return ids
}
