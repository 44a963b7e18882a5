package app

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/config"
	"busbar/internal/connector"
	"busbar/internal/plant"
	"busbar/internal/point"
)

// The environment of a child process: its directory, and the orders that it
// gives.
const (
	childDir    = "BUSBAR_APP_CHILD_DIR"
	childOrders = "BUSBAR_APP_CHILD_ORDERS"
)

// TestMain becomes the child process of TestKillInTheMiddleOfACommand when it is
// told to.
func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		if err := child(dir, strings.Fields(os.Getenv(childOrders))); err != nil {
			fmt.Println("failed:", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

const switchPlant = `version: 1
connectors:
  desk: {kind: desk}
  device: {kind: device}
commands:
  switch: {type: single, from: [{connector: desk, address: 1}], to: {connector: device, output: 1}}
`

// child runs Busbar until its input ends. It prints what becomes of orders.
func child(dir string, orders []string) error {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer cancel()
		_, _ = io.Copy(io.Discard, os.Stdin)
	}()
	file := filepath.Join(dir, "plant.yaml")
	if err := os.WriteFile(file, []byte(switchPlant), 0o600); err != nil {
		return err
	}
	log := NewLog(os.Stdout, "text", "info")
	defer log.Close()
	return Run(ctx, log, config.Config{Data: filepath.Join(dir, "data"), Plant: file}, Options{Kinds: []connector.Kind{deskKind(orders), deviceKind()}})
}

type deskEnd struct {
	Address int `json:"address" required:"true"`
}

type deviceEnd struct {
	Output int `json:"output" required:"true"`
}

// desk gives orders, one after the other.
type desk struct {
	env    connector.Env
	orders []string // ids
}

func deskKind(orders []string) connector.Kind {
	return connector.Define("desk", connector.Spec[struct{}, connector.None, connector.None]{
		New: func(_ struct{}, env connector.Env) (connector.Connector, error) {
			return &desk{env: env, orders: orders}, nil
		},
		Requester: connector.RequesterOf(deskEnd{}, nil),
	})
}

func (d *desk) Run(ctx context.Context) error {
	d.env.Report(connector.Up, "")
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for !d.env.Commands.Check(switchOn("")).Positive { // until the device is there
		select {
		case <-look.C:
		case <-ctx.Done():
			return nil
		}
	}
	for _, id := range d.orders {
		done := make(chan point.Result, 2)
		d.env.Commands.Issue(switchOn(id), func(r point.Result) { done <- r })
		select {
		case r := <-done:
			fmt.Printf("answered %s %t: %s\n", id, r.Positive, r.Reason)
		case <-ctx.Done():
			return nil
		}
	}
	<-ctx.Done()
	return nil
}

func switchOn(id string) point.Order {
	return point.Order{ID: id, Command: "switch", Value: point.SingleValue(true), Requester: point.Requester{Peer: "somebody"}}
}

// device takes orders and never answers.
type device struct{ env connector.Env }

func deviceKind() connector.Kind {
	return connector.Define("device", connector.Spec[struct{}, connector.None, connector.None]{
		New:      func(_ struct{}, env connector.Env) (connector.Connector, error) { return &device{env}, nil },
		Executor: connector.ExecutorOf(deviceEnd{}, func(deviceEnd, *plant.Command) []connector.Problem { return nil }, func(deviceEnd) bool { return true }),
	})
}

func (d *device) Run(ctx context.Context) error {
	d.env.Report(connector.Up, "")
	<-ctx.Done()
	return nil
}

func (d *device) Execute(ctx context.Context, o point.Order, _ any, report func(connector.Progress)) error {
	report(connector.Progress{})
	fmt.Println("executed", o.ID)
	<-ctx.Done()
	return nil
}

// life is one child process.
type life struct {
	t     *testing.T
	cmd   *exec.Cmd
	in    io.Closer
	lines *bufio.Scanner
	text  []string // lines so far
}

func live(t *testing.T, dir string, orders string) *life {
	t.Helper()
	l := &life{t: t, cmd: exec.Command(os.Args[0], "-test.run=^$")}
	l.cmd.Env = append(os.Environ(), childDir+"="+dir, childOrders+"="+orders)
	in, err := l.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := l.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	l.cmd.Stderr = os.Stderr
	if err := l.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	l.in, l.lines = in, bufio.NewScanner(out)
	stop := time.AfterFunc(patience, func() { _ = l.cmd.Process.Kill() })
	t.Cleanup(func() {
		stop.Stop()
		_ = l.cmd.Process.Kill() // if it has not ended
		if t.Failed() {
			t.Logf("child:\n%s", strings.Join(l.text, "\n"))
		}
	})
	return l
}

// await reads until a line.
func (l *life) await(line string) {
	l.t.Helper()
	for l.lines.Scan() {
		l.text = append(l.text, l.lines.Text())
		if l.lines.Text() == line {
			return
		}
	}
	l.t.Fatalf("the child has ended without the line %q", line)
}

// has reports whether a line with all parts was read.
func (l *life) has(parts ...string) bool {
	return slices.ContainsFunc(l.text, func(line string) bool {
		return !slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(line, p) })
	})
}

// end reads the rest and returns whether the process ended well.
func (l *life) end() error {
	for l.lines.Scan() {
		l.text = append(l.text, l.lines.Text())
	}
	return l.cmd.Wait()
}

// logged is what the test looks at of a line of the log of commands.
type logged struct {
	ID       string
	Stage    string
	Positive *bool
	Unknown  bool
}

func commandLines(t *testing.T, dir string) (lines []logged) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "data", "commands", "*.jsonl"))
	if err != nil || len(names) != 1 {
		t.Fatalf("files %q, %v, want one", names, err)
	}
	text, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		var l logged
		if err := json.Unmarshal(line, &l); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		lines = append(lines, l)
	}
	return lines
}

// TestKillInTheMiddleOfACommand kills a process while a device has a command.
func TestKillInTheMiddleOfACommand(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := live(t, dir, "order-1")
	first.await("executed order-1")
	if err := first.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := first.end(); err == nil {
		t.Fatal("the child ended by itself")
	}
	if diff := cmp.Diff([]logged{{ID: "order-1", Stage: "received"}}, commandLines(t, dir)); diff != "" {
		t.Fatalf("log of commands after the kill (-want +got):\n%s", diff)
	}

	second := live(t, dir, "order-1 order-2")
	second.await("executed order-2")
	if err := second.in.Close(); err != nil {
		t.Fatal(err)
	}
	if err := second.end(); err != nil {
		t.Errorf("the child ended with %v", err)
	}
	if second.has("executed order-1") {
		t.Error("the order was executed twice")
	}
	if !second.has("answered order-1 false: an order with this id was given before") {
		t.Error("the order is not refused when it is given again")
	}
	if !second.has("level=WARN", "command outcome unknown after a restart", "order=order-1", "command=switch", "requester=desk", "peer=somebody", "executor=device") {
		t.Error("it is not logged that the outcome is unknown")
	}
	no := false
	lines := commandLines(t, dir)
	if len(lines) != 5 || lines[2].ID == "order-1" {
		t.Fatalf("log of commands %+v, want 5 lines, the third of a refusal under its own id", lines)
	}
	lines[2].ID = ""
	want := []logged{
		{ID: "order-1", Stage: "received"},
		{ID: "order-1", Stage: "confirmed", Positive: &no, Unknown: true},
		{Stage: "confirmed", Positive: &no},
		{ID: "order-2", Stage: "received"},
		{ID: "order-2", Stage: "confirmed", Positive: &no, Unknown: true}, // it was stopped in order
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("log of commands (-want +got):\n%s", diff)
	}
}

func TestRunFailsWithoutALogOfCommands(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "commands"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	log := NewLog(io.Discard, "text", "info")
	defer log.Close()
	err := Run(t.Context(), log, config.Config{Data: dir}, Options{})
	if err == nil || !strings.Contains(err.Error(), "command log: ") {
		t.Errorf("Run = %v, want that the log of commands cannot be opened", err)
	}
}

func TestMetricsOfTheLogOfCommandsAreDocumented(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, "", nil)
	_, text := p.get("/metrics")
	p.stop()
	names := 0
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if !strings.HasPrefix(name, "busbar_command_log_") {
			continue
		}
		names++
		if !strings.Contains(string(doc), "`"+name+"`") {
			t.Errorf("%s is not in docs/metrics.md", name)
		}
		if name == "busbar_command_log_up" && value != "1" {
			t.Errorf("%s is %s, want 1", name, value)
		}
	}
	if names != 6 {
		t.Errorf("%d metrics, want 6", names)
	}
}
