package mqtt

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// mosquitto is a broker of its own for one test.
type mosquitto struct {
	t       testing.TB
	dir     string
	port    string
	cmd     *exec.Cmd
	exited  chan struct{}
	lines   chan string
	mu      sync.Mutex
	logged  bytes.Buffer
	scheme  string
	listens string // lines of the configuration that belong to the listener
}

// program returns the path of a test peer.
func program(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/" + name)
	}
	if err != nil {
		t.Fatalf("%s is missing: run `make tools`", name)
	}
	return path
}

// broker starts mosquitto with these lines of configuration for its listener,
// and kills it at the end of the test.
func broker(t testing.TB, lines ...string) *mosquitto {
	t.Helper()
	m := &mosquitto{t: t, dir: t.TempDir(), scheme: "mqtt"}
	// mosquitto gives up its rights when it is started by root.
	for _, dir := range []string{m.dir, filepath.Dir(m.dir)} {
		if err := os.Chmod(dir, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	m.listens = strings.Join(lines, "\n")
	if !strings.Contains(m.listens, "password_file") {
		m.listens += "\nallow_anonymous true"
	}
	t.Cleanup(func() {
		m.kill()
		if t.Failed() {
			m.mu.Lock()
			defer m.mu.Unlock()
			t.Logf("log of mosquitto:\n%s", tail(m.logged.String(), 4000))
		}
	})
	// Another program may take the free port before mosquitto does.
	for range 10 {
		m.port = freePort(t)
		if m.run() {
			return m
		}
	}
	t.Fatalf("mosquitto does not start:\n%s", m.logged.String())
	return nil
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }

func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return port
}

// run starts the process and reports whether it came up.
func (m *mosquitto) run() bool {
	m.t.Helper()
	logType := "all"
	if _, ok := m.t.(*testing.B); ok {
		logType = "information" // a line per packet would be measured, too
	}
	config := filepath.Join(m.dir, "mosquitto.conf")
	text := fmt.Sprintf(`listener %s 127.0.0.1
%s
max_inflight_messages 1000
max_queued_messages 0
persistence true
persistence_location %s/
log_dest stderr
log_type %s
`, m.port, m.listens, m.dir, logType)
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		m.t.Fatal(err)
	}
	m.cmd = exec.Command(program(m.t, "mosquitto"), "-c", config)
	stderr, err := m.cmd.StderrPipe()
	if err != nil {
		m.t.Fatal(err)
	}
	if err := m.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	up := make(chan bool, 2)
	m.exited, m.lines = make(chan struct{}), make(chan string, 1000)
	go m.watch(m.cmd, bufio.NewScanner(stderr), up, m.exited, m.lines)
	return next(m.t, "start of mosquitto", up)
}

// watch keeps the log, and hands on its lines as far as somebody reads them.
func (m *mosquitto) watch(cmd *exec.Cmd, log *bufio.Scanner, up chan<- bool, exited chan<- struct{}, lines chan<- string) {
	for log.Scan() {
		m.mu.Lock()
		m.logged.WriteString(log.Text() + "\n")
		m.mu.Unlock()
		if strings.HasSuffix(log.Text(), " running") {
			up <- true
		}
		select {
		case lines <- log.Text():
		default:
		}
	}
	_ = cmd.Wait() // it was killed
	up <- false
	close(exited)
}

// kill ends the process as a power failure would.
func (m *mosquitto) kill() {
	if m.cmd == nil || m.cmd.Process == nil {
		return
	}
	_ = m.cmd.Process.Kill() // it may have ended
	<-m.exited
}

// start starts the process again, on the same port with what it has stored.
func (m *mosquitto) start() {
	m.t.Helper()
	if !m.run() {
		m.t.Fatal("mosquitto does not start again")
	}
}

func (m *mosquitto) url() string { return m.scheme + "://127.0.0.1:" + m.port }

// settings are those of a connector at the broker.
func (m *mosquitto) settings(version string) Settings {
	s := defaults()
	s.URL, s.Version = m.url(), version
	return s
}

// publisher is a client that publishes; change may set further options.
func (m *mosquitto) publisher(change ...func(*paho.ClientOptions)) *publisher {
	m.t.Helper()
	opts := paho.NewClientOptions().AddBroker("tcp://127.0.0.1:" + m.port).SetAutoReconnect(false).
		SetProtocolVersion(4).SetConnectTimeout(patience).SetWriteTimeout(patience)
	for _, c := range change {
		c(opts)
	}
	client := paho.NewClient(opts)
	p := &publisher{m.t, client}
	p.done(client.Connect())
	m.t.Cleanup(func() { client.Disconnect(0) })
	return p
}

type publisher struct {
	t      testing.TB
	client paho.Client
}

func (p *publisher) done(token paho.Token) {
	p.t.Helper()
	if !token.WaitTimeout(patience) {
		p.t.Fatal("broker does not answer the publisher")
	}
	if token.Error() != nil {
		p.t.Fatal(token.Error())
	}
}

// publish publishes and waits for the acknowledgement.
func (p *publisher) publish(topic string, qos byte, payload string) {
	p.t.Helper()
	p.done(p.client.Publish(topic, qos, false, payload))
}

func (p *publisher) retain(topic string, payload string) {
	p.t.Helper()
	p.done(p.client.Publish(topic, 1, true, payload))
}

// passwd writes a password file with the user "station", whose password is "right".
func passwd(t testing.TB, file string) {
	t.Helper()
	if out, err := exec.Command(program(t, "mosquitto_passwd"), "-b", "-c", file, "station", "right").CombinedOutput(); err != nil {
		t.Fatalf("mosquitto_passwd: %v: %s", err, out)
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
}
