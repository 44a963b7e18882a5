package mqttbroker

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"busbar/internal/connector"
	"busbar/internal/image"
	"busbar/internal/image/journal"
	"busbar/internal/plant"
	"busbar/internal/point"
)

// startHost runs a broker under a real host with one point of topic a. Its image
// is on a journal, or in memory if fs is nil.
func startHost(t testing.TB, fs journal.FS, changes chan connector.Change) *running {
	t.Helper()
	kinds, err := connector.NewRegistry(Kind(), watcherKind(changes))
	if err != nil {
		t.Fatal(err)
	}
	targets := ""
	if changes != nil {
		targets = ", to: [{connector: out}]"
	}
	p, problems := plant.Decode("p.yaml", fmt.Appendf(nil, `version: 1
connectors:
  devices: {kind: mqtt-broker, listen: "127.0.0.1:0"}
  out: {kind: watcher}
points:
  a: {type: float, from: {connector: devices, topic: a, value: data.temperature, time: timestamp}%s}
`, targets), kinds, plant.Options{})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	var img image.Image
	stop := func() error { return nil }
	if fs == nil {
		memory := image.New(image.Options{})
		img, stop = memory, func() error { memory.Close(); return nil }
	} else {
		durable, err := image.Open(fs, image.Options{Preallocate: true})
		if err != nil {
			t.Fatal(err)
		}
		img, stop = durable, durable.Close
	}
	log := &logged{Handler: slog.NewTextHandler(io.Discard, nil), addr: make(chan string, 1)}
	m := connector.NewManager(slog.New(log), img, kinds, time.Now)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := next(t, "end of the manager", done); err != nil {
			t.Error(err)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	if err := m.Apply(ctx, p); err != nil {
		t.Fatal(err)
	}
	return &running{addr: next(t, "address", log.addr)}
}

func TestMosquittoSendsWithoutWaitingOntoTheJournal(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ version, qos string }{{"mqttv311", "1"}, {"mqttv311", "2"}, {"mqttv5", "1"}, {"mqttv5", "2"}} {
		t.Run(tt.version+" QoS "+tt.qos, func(t *testing.T) {
			t.Parallel()
			disk, err := journal.NewDisk(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			const n = 2000
			changes := make(chan connector.Change, 2*n)
			r := startHost(t, disk, changes)
			host, port, err := net.SplitHostPort(r.addr)
			if err != nil {
				t.Fatal(err)
			}
			var lines strings.Builder
			for i := range n {
				fmt.Fprintf(&lines, "{\"data\":{\"temperature\":%d}}\n", i)
			}
			pub := exec.Command(program(t, "mosquitto_pub"), "-h", host, "-p", port, "-V", tt.version, "-q", tt.qos, "-t", "a", "-l")
			pub.Stdin = strings.NewReader(lines.String())
			if out, err := pub.CombinedOutput(); err != nil {
				t.Fatalf("mosquitto_pub: %v: %s", err, out)
			}
			for i := 0; i < n; {
				c := next(t, fmt.Sprint("change ", i), changes)
				if c.Snapshot {
					continue
				}
				if c.Value != point.FloatValue(float64(i)) {
					t.Fatalf("value %v, want %d", c.Value, i)
				}
				i++
			}
		})
	}
}
