package app

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"busbar/internal/config"
	"busbar/internal/connector"
	"busbar/internal/manage"
	"busbar/internal/plant"
)

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// logBuffer is a log that can be waited for.
type logBuffer struct {
	mu   sync.Mutex
	buf  bytes.Buffer
	news chan struct{}
}

func newLogBuffer() *logBuffer { return &logBuffer{news: make(chan struct{}, 1)} }

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case b.news <- struct{}{}:
	default:
	}
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func (b *logBuffer) wantLine(t *testing.T, text string) {
	t.Helper()
	timeout := time.After(patience)
	for !strings.Contains(b.String(), text) {
		select {
		case <-b.news:
		case <-timeout:
			t.Fatalf("no %q in the log:\n%s", text, b)
		}
	}
}

type lampSettings struct {
	Colour string `json:"colour" enum:"red,green"`
}

type lampSource struct {
	Topic string `json:"topic" required:"true"`
}

// lamp is a connector that tells when it runs and when it has stopped.
type lamp struct {
	colour string
	env    connector.Env
	events chan<- string
}

func (l *lamp) Run(ctx context.Context) error {
	l.events <- l.colour + " on"
	l.env.Report(connector.Up, "")
	<-ctx.Done()
	l.events <- l.colour + " off"
	return nil
}

// Reload finds files that are faulty.
func (l *lamp) Reload() error { return errors.New(l.colour + " bulb burnt out") }

func lamps(events chan<- string) []connector.Kind {
	return []connector.Kind{connector.Define("lamp", connector.Spec[lampSettings, lampSource, connector.None]{
		Settings: lampSettings{Colour: "red"},
		New: func(s lampSettings, env connector.Env) (connector.Connector, error) {
			return &lamp{colour: s.Colour, env: env, events: events}, nil
		},
		Selector: func(s lampSource) string { return s.Topic },
	})}
}

// process is a call of Run.
type process struct {
	t      *testing.T
	log    *logBuffer
	dir    string
	plant  string
	http   string
	events chan string
	reload chan os.Signal
	done   chan error
	cancel context.CancelFunc
}

// start runs Busbar with the given plant and waits until it is started.
func start(t *testing.T, plantText string, load func() (config.Config, error)) *process {
	t.Helper()
	p := &process{
		t: t, log: newLogBuffer(), dir: t.TempDir(), events: make(chan string, 100),
		reload: make(chan os.Signal, 1), done: make(chan error, 1),
	}
	c := config.Config{Data: filepath.Join(p.dir, "data"), HTTPListen: "127.0.0.1:0", LogLevel: "info", LogFormat: "text", MetricsOpen: true}
	if plantText != "" {
		p.plant = filepath.Join(p.dir, "plant.yaml")
		p.write(plantText)
		c.Plant = p.plant
	}
	p.run(t, c, Options{Load: load})
	return p
}

// startWith runs Busbar with the given settings and waits until it is started.
func startWith(t *testing.T, c config.Config, prepare func(*manage.Edit) error) *process {
	t.Helper()
	p := &process{t: t, log: newLogBuffer(), events: make(chan string, 100), reload: make(chan os.Signal, 1), done: make(chan error, 1)}
	p.run(t, c, Options{Prepare: prepare})
	return p
}

func (p *process) run(t *testing.T, c config.Config, o Options) {
	t.Helper()
	var ctx context.Context
	ctx, p.cancel = context.WithCancel(t.Context())
	started := make(chan string, 1)
	o.Kinds, o.Reload, o.Started = lamps(p.events), p.reload, func(addr string) { started <- addr }
	o.Env = func(string) (string, bool) { return "", false }
	go func() {
		log := NewLog(p.log, "text", "info")
		err := Run(ctx, log, c, o)
		log.Close()
		p.done <- err
	}()
	select {
	case p.http = <-started:
	case err := <-p.done:
		t.Fatalf("Run = %v before it started", err)
	case <-time.After(patience):
		t.Fatalf("not started; log:\n%s", p.log)
	}
}

func (p *process) write(plantText string) {
	p.t.Helper()
	if err := os.WriteFile(p.plant, []byte(plantText), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

func (p *process) wantEvent(want string) {
	p.t.Helper()
	select {
	case got := <-p.events:
		if got != want {
			p.t.Fatalf("event %q, want %q", got, want)
		}
	case <-time.After(patience):
		p.t.Fatalf("no event, want %q; log:\n%s", want, p.log)
	}
}

func (p *process) stop() {
	p.t.Helper()
	p.cancel()
	select {
	case err := <-p.done:
		if err != nil {
			p.t.Errorf("Run = %v, want nil", err)
		}
	case <-time.After(patience):
		p.t.Fatal("does not stop")
	}
}

func (p *process) get(path string) (int, string) {
	p.t.Helper()
	resp, err := http.Get("http://" + p.http + path)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

const redPlant = `version: 1
connectors:
  light: {kind: lamp}
points:
  a: {type: float, from: {connector: light, topic: t, value: v}}
`

func TestRunServesAndStops(t *testing.T) {
	t.Parallel()
	p := start(t, redPlant, nil)
	p.wantEvent("red on")
	p.log.wantLine(t, "state=up")
	for _, path := range []string{"/livez", "/readyz"} {
		if status, body := p.get(path); status != http.StatusOK {
			t.Errorf("%s = %d %s, want 200", path, status, body)
		}
	}
	if status, _ := p.get("/"); status != http.StatusNotFound {
		t.Errorf("/ = %d, want 404", status)
	}
	_, metrics := p.get("/metrics")
	for _, want := range []string{
		`busbar_connector_state{connector="light",kind="lamp",state="up"} 1`, "busbar_points 1", "go_goroutines",
		`busbar_points_quality{quality="invalid"} 1`,
	} {
		if !strings.Contains(metrics, want+"\n") && !strings.Contains(metrics, want+" ") {
			t.Errorf("metrics have no %q:\n%s", want, metrics)
		}
	}
	info, err := os.Stat(filepath.Join(p.dir, "data"))
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("data directory %v, %v, want mode 0700", info, err)
	}
	p.stop()
	p.wantEvent("red off")
}

func TestReloadAppliesTheDifference(t *testing.T) {
	t.Parallel()
	p := start(t, redPlant, nil)
	p.wantEvent("red on")
	p.write(strings.Replace(redPlant, "points:", "  other: {kind: lamp, colour: green}\npoints:", 1))
	p.reload <- syscall.SIGHUP
	p.wantEvent("green on") // and the red one was not touched
	p.log.wantLine(t, "connector=light error=\"red bulb burnt out\"")
	p.log.wantLine(t, "connector=other error=\"green bulb burnt out\"")
	p.stop()
}

func TestReloadOfAFaultyPlantChangesNothing(t *testing.T) {
	t.Parallel()
	p := start(t, redPlant, nil)
	p.wantEvent("red on")
	p.write("version: 1\nconnectors:\n  light: {kind: lamp, colour: blue}\n  x: {kind: nothing}\n")
	p.reload <- syscall.SIGHUP
	p.log.wantLine(t, "the plant stays as it was")
	p.log.wantLine(t, "connector=light error=\"red bulb burnt out\"") // all the same
	for _, want := range []string{"plant.yaml:3:31: connectors.light.colour: ", "plant.yaml:4:13: connectors.x.kind: ", "problems=2"} {
		if !strings.Contains(p.log.String(), want) {
			t.Errorf("no %q in the log:\n%s", want, p.log)
		}
	}
	p.write(strings.Replace(redPlant, "kind: lamp", "kind: lamp, colour: green", 1))
	p.reload <- syscall.SIGHUP
	p.wantEvent("red off")
	p.wantEvent("green on")
	p.stop()
}

func TestReloadChangesTheLogLevel(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	c, fault := config.Config{LogLevel: "warn"}, error(nil)
	p := start(t, "", func() (config.Config, error) {
		mu.Lock()
		defer mu.Unlock()
		return c, fault
	})
	p.log.wantLine(t, "the store holds no plant yet")
	mu.Lock()
	fault = errors.New("log.level is wrong")
	mu.Unlock()
	p.reload <- syscall.SIGHUP
	p.log.wantLine(t, "settings are faulty and stay as they were")
	mu.Lock()
	fault = nil
	mu.Unlock()
	p.reload <- syscall.SIGHUP
	p.reload <- syscall.SIGHUP // taken when the one before is done, but for the plant
	p.stop()
	if strings.Contains(p.log.String(), "busbar stops") {
		t.Errorf("an info line at level warn:\n%s", p.log)
	}
}

func TestRunFails(t *testing.T) {
	t.Parallel()
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = busy.Close() }()
	dir := t.TempDir()
	faulty := filepath.Join(dir, "faulty.yaml")
	if err := os.WriteFile(faulty, []byte("version: 2\nx: y\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	used := filepath.Join(dir, "used")
	lock, err := lockData(used)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lock.Close() }()
	tests := []struct {
		name   string
		config config.Config
		want   string
	}{
		{"port in use", config.Config{Data: filepath.Join(dir, "a"), HTTPListen: busy.Addr().String()}, "http.listen: listen tcp " + busy.Addr().String()},
		{"faulty plant", config.Config{Data: filepath.Join(dir, "b"), Plant: faulty}, faulty + ":2:1: x: "},
		{"no plant", config.Config{Data: filepath.Join(dir, "c"), Plant: filepath.Join(dir, "none.yaml")}, "none.yaml"},
		{"data in use", config.Config{Data: used}, "data directory " + used + ": is in use by another busbar"},
		{"data is a file", config.Config{Data: file}, "data directory: " + file + " is a file, or in one, want a directory"},
		{"data is in a file", config.Config{Data: filepath.Join(file, "data")}, "data directory: " + filepath.Join(file, "data") + " is a file, or in one, want a directory"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			log := NewLog(io.Discard, "text", "info")
			defer log.Close()
			err := Run(t.Context(), log, tt.config, Options{Kinds: lamps(nil)})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Run = %v, want %q", err, tt.want)
			}
			if _, isProblems := errors.AsType[plant.Problems](err); isProblems != strings.Contains(tt.name, "plant") {
				t.Errorf("Run = %T, want plant.Problems for a faulty plant and only then", err)
			}
		})
	}
}
