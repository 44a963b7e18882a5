package rig

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"busbar/internal/cli"
)

// Busbar is a `busbar run`.
type Busbar struct {
	Log  Log    // what it writes, to both outputs
	HTTP string // address of /readyz and /metrics

	tb     testing.TB
	plant  string   // path of the plant file
	data   string   // the data directory
	token  string   // of an administrator
	args   []string // of the command line
	launch func()   // starts it; sets signal and ends by closing exited
	signal func(os.Signal)
	exited chan struct{} // closed once code is set
	code   int           // −1: ended by a signal
}

// Run runs Busbar in the process of the test with the plant file and waits
// until it is ready. Arguments are further flags of `busbar run`.
func Run(tb testing.TB, plant string, args ...string) *Busbar {
	tb.Helper()
	b := newBusbar(tb, plant, args)
	b.launch = b.inProcess
	b.Start()
	return b
}

// Exec runs the binary with the plant file as a process of its own and waits
// until it is ready.
func Exec(tb testing.TB, binary, plant string, args ...string) *Busbar {
	tb.Helper()
	b := newBusbar(tb, plant, args)
	b.launch = func() { b.asProcess(binary) }
	b.Start()
	return b
}

// ExecOn is Exec with the data directory on a disk.
func ExecOn(tb testing.TB, disk *Disk, binary, plant string, args ...string) *Busbar {
	tb.Helper()
	b := newBusbar(tb, plant, append([]string{"--data", filepath.Join(disk.Dir, "data")}, args...))
	b.data = filepath.Join(disk.within, "data")
	b.launch = func() { b.asProcess(disk.Command(binary)...) }
	b.Start()
	return b
}

func newBusbar(tb testing.TB, plant string, args []string) *Busbar {
	tb.Helper()
	dir := tb.TempDir()
	b := &Busbar{tb: tb, HTTP: FreeAddr(tb), plant: filepath.Join(dir, "plant.yaml"), data: filepath.Join(dir, "data")}
	b.args = append([]string{"run", "--data", b.data, "--http-listen", b.HTTP, "--http-metrics", "open"}, args...)
	if plant != "" {
		b.args = append(b.args, "--plant", b.plant)
		b.WritePlant(plant)
	} else {
		b.args = append(b.args, "--secrets-key", writeKey(tb, dir))
	}
	b.seedStore()
	tb.Cleanup(func() {
		if b.exited != nil && !b.ended() {
			b.Signal(syscall.SIGTERM)
			b.Exit()
		}
		if tb.Failed() {
			tb.Logf("log of Busbar:\n%s", b.Log.String())
		}
	})
	return b
}

// AwaitCursor waits until it is on disk how far a consumer has come: from then
// on it gets what happens while nobody runs or is killed.
func (b *Busbar) AwaitCursor(name string) {
	b.tb.Helper()
	Until(b.tb, "the cursor "+name+" on disk", func() bool { return bytes.Contains(b.cursors(), []byte(name)) })
}

// AwaitCursors waits until what is confirmed by now is on disk. It must go on that
// consumers confirm: the third time from now that cursors are saved, they have what was
// passed on after the first time. A save changes a file, and a second one where nothing
// new follows soon, so that both are alike.
func (b *Busbar) AwaitCursors() {
	b.tb.Helper()
	last, changes := b.cursors(), 0
	Until(b.tb, "the cursors on disk to go on", func() bool {
		if now := b.cursors(); !bytes.Equal(now, last) {
			last, changes = now, changes+1
		}
		return changes == 6
	})
}

// cursors returns the files of cursors, which are written in turn, nil while there is
// none.
func (b *Busbar) cursors() (states []byte) {
	for _, name := range []string{"state", "state-2"} {
		if state, err := os.ReadFile(filepath.Join(b.data, "journal", name)); err == nil {
			states = append(states, state...)
		}
	}
	return states
}

// Start starts Busbar again after its end, with the same files and addresses,
// and waits until it is ready and each connector has tried to listen or connect.
func (b *Busbar) Start() {
	b.tb.Helper()
	b.exited = make(chan struct{})
	b.launch()
	Until(b.tb, "Busbar to be ready", func() bool {
		if b.ended() {
			b.tb.Fatalf("Busbar ended with code %d", b.code)
		}
		code, _, err := b.Get("/readyz")
		if err != nil || code != http.StatusOK {
			return false
		}
		const state = "busbar_connector_state"
		return b.Metric(state, `state="stopped"`)+b.Metric(state, `state="starting"`) == 0
	})
}

func (b *Busbar) inProcess() {
	ctx, cancel := context.WithCancel(context.Background())
	reload := make(chan os.Signal, 1)
	b.signal = func(s os.Signal) {
		if s == syscall.SIGHUP {
			reload <- s
			return
		}
		cancel()
	}
	go func() {
		defer close(b.exited)
		defer cancel()
		b.code = cli.Main(ctx, b.args, cli.IO{
			In: strings.NewReader(""), Out: &b.Log, Err: &b.Log, Reload: reload,
			Env: func(string) (string, bool) { return "", false },
		})
	}()
}

func (b *Busbar) asProcess(command ...string) {
	b.tb.Helper()
	cmd := exec.Command(command[0], append(command[1:], b.args...)...)
	cmd.Stdout, cmd.Stderr = &b.Log, &b.Log
	if err := cmd.Start(); err != nil {
		close(b.exited)
		b.tb.Fatalf("%q: %v", command, err)
	}
	b.signal = func(s os.Signal) {
		if err := cmd.Process.Signal(s); err != nil {
			b.tb.Errorf("send %v to Busbar: %v", s, err)
		}
	}
	go func() {
		defer close(b.exited)
		if err := cmd.Wait(); err != nil {
			fmt.Fprintln(&b.Log, "process:", err)
		}
		b.code = cmd.ProcessState.ExitCode()
	}()
}

// WritePlant replaces the plant file.
func (b *Busbar) WritePlant(plant string) {
	b.tb.Helper()
	if err := os.WriteFile(b.plant, []byte(plant), 0o600); err != nil {
		b.tb.Fatal(err)
	}
}

// Plant returns the path of the plant file.
func (b *Busbar) Plant() string { return b.plant }

// Reload replaces the plant file and sends SIGHUP. It returns the length of
// the log before, for what is said about it.
func (b *Busbar) Reload(plant string) int {
	b.tb.Helper()
	b.WritePlant(plant)
	n := b.Log.Len()
	b.Signal(syscall.SIGHUP)
	return n
}

// Signal sends a signal. In the process of the test SIGHUP reloads and every
// other signal stops in order.
func (b *Busbar) Signal(s os.Signal) { b.signal(s) }

// Kill ends the process without any chance to save, and waits for its end.
func (b *Busbar) Kill() {
	b.tb.Helper()
	b.Signal(syscall.SIGKILL)
	b.Exit()
}

// StartAndKill starts the process and kills it as soon as it has written so
// many lines to its log.
func (b *Busbar) StartAndKill(lines int) {
	b.tb.Helper()
	n := b.Log.Len()
	b.exited = make(chan struct{})
	b.launch()
	Until(b.tb, fmt.Sprintf("%d lines of the log", lines), func() bool {
		return strings.Count(b.Log.After(n), "\n") >= lines
	})
	b.Kill()
}

// Exit waits for the end and returns the exit code.
func (b *Busbar) Exit() int {
	b.tb.Helper()
	Until(b.tb, "Busbar to end", b.ended)
	return b.code
}

func (b *Busbar) ended() bool {
	select {
	case <-b.exited:
		return true
	default:
		return false
	}
}

// Get returns the status and the body of a page of the running Busbar.
func (b *Busbar) Get(path string) (int, string, error) {
	resp, err := http.Get("http://" + b.HTTP + path)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body), err
}

// Metric returns the sum of the figures with this name whose labels contain
// every part, such as `connector="scada"`. It is 0 if there is none.
func (b *Busbar) Metric(name string, labels ...string) float64 {
	b.tb.Helper()
	code, body, err := b.Get("/metrics")
	if err != nil || code != http.StatusOK {
		b.tb.Fatalf("/metrics: status %d, %v", code, err)
	}
	var sum float64
	for line := range strings.Lines(body) {
		rest, ok := strings.CutPrefix(line, name)
		if !ok || !strings.ContainsAny(rest[:1], "{ ") || !hasAll(rest, labels) {
			continue
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(rest[strings.LastIndexByte(rest, ' '):]), 64)
		if err != nil {
			b.tb.Fatalf("/metrics: %q: %v", line, err)
		}
		sum += v
	}
	return sum
}

// AwaitMetric waits until the figure has at least the value.
func (b *Busbar) AwaitMetric(least float64, name string, labels ...string) {
	b.tb.Helper()
	var got float64
	ok := poll(func() bool {
		got = b.Metric(name, labels...)
		return got >= least
	})
	if !ok {
		_, body, _ := b.Get("/metrics")
		b.tb.Fatalf("%s%v is %v, want %v or more; figures of Busbar:\n%s", name, labels, got, least, ownFigures(body))
	}
}

func ownFigures(body string) string {
	var own strings.Builder
	for line := range strings.Lines(body) {
		if strings.HasPrefix(line, "busbar_") {
			own.WriteString(line)
		}
	}
	return own.String()
}
