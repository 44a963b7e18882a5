package mqttbroker

import (
	"context"
	"log/slog"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"busbar/internal/connector"
	"busbar/internal/image"
	"busbar/internal/plant"
	"busbar/internal/point"
)

// program returns the path of a test peer.
func program(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is missing: run `make tools`", name)
	}
	return path
}

// watcher is a kind whose points come out of a channel.
type watcher struct {
	feed    connector.Feed
	changes chan<- connector.Change
}

type watchSettings struct{}
type watchEnd struct {
	As string `json:"as"`
}

func watcherKind(changes chan<- connector.Change) connector.Kind {
	return connector.Define("watcher", connector.Spec[watchSettings, connector.None, watchEnd]{
		New: func(_ watchSettings, env connector.Env) (connector.Connector, error) {
			return &watcher{env.Feed, changes}, nil
		},
	})
}

func (w *watcher) Run(ctx context.Context) error {
	for {
		b, err := w.feed.Next(ctx)
		if err != nil {
			return nil // the end of ctx
		}
		for _, c := range b.Changes {
			w.changes <- c
		}
	}
}

// TestMessageReachesTheTargets goes the whole way: mosquitto_pub, broker, mapping, image, feed.
func TestMessageReachesTheTargets(t *testing.T) {
	t.Parallel()
	changes := make(chan connector.Change, 100)
	kinds, err := connector.NewRegistry(Kind(), watcherKind(changes))
	if err != nil {
		t.Fatal(err)
	}
	p, problems := plant.Decode("p.yaml", []byte(`version: 1
connectors:
  devices: {kind: mqtt-broker, listen: "127.0.0.1:0", users: {station: right}}
  out: {kind: watcher}
points:
  a: {type: float, from: {connector: devices, topic: "ons/+/t", value: data.v}, to: [{connector: out}]}
`), kinds, plant.Options{})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	img := image.New(image.Options{})
	defer img.Close()
	log := &logged{Handler: slog.NewTextHandler(t.Output(), nil), addr: make(chan string, 1)}
	m := connector.NewManager(slog.New(log), img, kinds, time.Now)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	if err := m.Apply(ctx, p); err != nil {
		t.Fatal(err)
	}
	addr := next(t, "address", log.addr)
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	publish := func(password, payload string, more ...string) error {
		args := append([]string{"-h", host, "-p", port, "-u", "station", "-P", password, "-t", "ons/4711/t", "-m", payload}, more...)
		out, err := exec.Command(program(t, "mosquitto_pub"), args...).CombinedOutput()
		t.Logf("mosquitto_pub %s: %s", payload, out)
		return err
	}
	if err := publish("wrong", `{"data":{"v":1}}`); err == nil {
		t.Error("mosquitto_pub is let in with a wrong password")
	}
	for _, tt := range []struct {
		payload string
		want    float64
		more    []string
	}{
		{`{"data":{"v":23.5}}`, 23.5, []string{"-q", "0"}},
		{`{"data":{"v":24.5}}`, 24.5, []string{"-q", "1", "-V", "mqttv5"}},
		{`{"data":{"v":25.5}}`, 25.5, []string{"-q", "2", "-V", "mqttv311"}},
		{`{"data":{"v":26.5}}`, 26.5, []string{"-q", "2", "-V", "mqttv5"}},
		{`{"data":{"v":27.5}}`, 27.5, []string{"-q", "1", "-V", "mqttv31"}},
	} {
		if err := publish("right", tt.payload, tt.more...); err != nil {
			t.Fatal(err)
		}
		for {
			c := next(t, "change to "+tt.payload, changes)
			if c.Snapshot {
				continue
			}
			if c.Value != point.FloatValue(tt.want) || c.Quality != 0 {
				t.Errorf("value %v, quality %v, want %v and good", c.Value, c.Quality, tt.want)
			}
			break
		}
	}
	cancel()
	if err := next(t, "end of the manager", done); err != nil {
		t.Error(err)
	}
}

func TestMosquittoSubscriberSeesMessages(t *testing.T) {
	t.Parallel()
	r := start(t, newSink(), nil)
	host, port, err := net.SplitHostPort(r.addr)
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range []string{"mqttv311", "mqttv5"} {
		var out strings.Builder
		sub := exec.Command(program(t, "mosquitto_sub"), "-h", host, "-p", port, "-V", version, "-q", "2", "-t", "a/+", "-v", "-C", "3", "-W", "20")
		sub.Stdout = &out
		if err := sub.Start(); err != nil {
			t.Fatal(err)
		}
		d := r.device(t, "5", options{id: "d"})
		ended := make(chan error, 1)
		go func() { ended <- sub.Wait() }()
		n := 0
		until(t, "three messages at mosquitto_sub", func() bool { // the first may come before it has subscribed
			n++
			if err := d.publish("a/b", byte(n%3), "x"); err != nil {
				t.Fatal(err)
			}
			r.sink.expect(t, "a/b", "x")
			select {
			case err := <-ended:
				if err != nil {
					t.Fatalf("mosquitto_sub: %v", err)
				}
				return true
			default:
				return false
			}
		})
		if out.String() != "a/b x\na/b x\na/b x\n" {
			t.Errorf("mosquitto_sub: %q", out.String())
		}
		d.close()
	}
}
