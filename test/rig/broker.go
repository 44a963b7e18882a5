package rig

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"busbar/test/capture"
)

// Broker is a mosquitto on a loopback port of its own.
type Broker struct {
	Log Log

	tb   testing.TB
	addr string
	dir  string
	cmd  *exec.Cmd
	gone chan error // the result of the process
}

// StartBroker starts a mosquitto and waits until it listens. Its sessions and
// retained messages survive Stop and Start, not Kill.
func StartBroker(tb testing.TB) *Broker {
	tb.Helper()
	b := &Broker{tb: tb, addr: FreeAddr(tb), dir: tb.TempDir()}
	_, port, err := net.SplitHostPort(b.addr)
	if err != nil {
		tb.Fatal(err)
	}
	conf := []string{
		"listener " + port + " 127.0.0.1", "allow_anonymous true",
		"persistence true", "persistence_location " + b.dir + "/",
		"max_inflight_messages 1000", "max_queued_messages 0", "log_dest stderr",
	}
	for _, kind := range []string{"error", "warning", "notice", "information", "subscribe"} {
		conf = append(conf, "log_type "+kind)
	}
	if os.Geteuid() == 0 {
		conf = append(conf, "user root") // otherwise it gives up its rights to the directory
	}
	err = os.WriteFile(filepath.Join(b.dir, "mosquitto.conf"), []byte(strings.Join(conf, "\n")+"\n"), 0o600)
	if err != nil {
		tb.Fatal(err)
	}
	b.Start()
	tb.Cleanup(func() {
		b.Kill()
		if tb.Failed() {
			tb.Logf("log of mosquitto:\n%s", b.Log.String())
		}
	})
	return b
}

// Start starts the broker again on the same port.
func (b *Broker) Start() {
	b.tb.Helper()
	n := b.Log.Len()
	b.cmd = exec.Command(capture.Tool(b.tb, "mosquitto"), "-c", filepath.Join(b.dir, "mosquitto.conf"))
	b.cmd.Stderr = &b.Log
	if err := b.cmd.Start(); err != nil {
		b.tb.Fatalf("mosquitto: %v", err)
	}
	gone := make(chan error, 1)
	b.gone = gone
	cmd := b.cmd
	go func() { gone <- cmd.Wait() }()
	Until(b.tb, "mosquitto to listen on "+b.addr, func() bool {
		select {
		case err := <-gone:
			b.tb.Fatalf("mosquitto ended: %v\n%s", err, b.Log.String())
		default:
		}
		return strings.Contains(b.Log.After(n), " running\n")
	})
}

// Kill ends the broker without any chance to save or to say goodbye.
func (b *Broker) Kill() { b.end(syscall.SIGKILL) }

// Stop ends the broker in order; it keeps sessions and what waits in them.
func (b *Broker) Stop() { b.end(syscall.SIGTERM) }

func (b *Broker) end(sig syscall.Signal) {
	if b.cmd == nil {
		return
	}
	if err := b.cmd.Process.Signal(sig); err != nil {
		b.tb.Errorf("%v mosquitto: %v", sig, err)
	}
	<-b.gone
	b.cmd = nil
}

// Addr returns host:port of the listener.
func (b *Broker) Addr() string { return b.addr }

// AwaitSubscription waits until a client has subscribed to the topic filter
// since the first n octets of the log.
func (b *Broker) AwaitSubscription(n int, filter string) {
	b.tb.Helper()
	b.Log.Await(b.tb, n, " "+filter+"\n")
}

// Publisher is an MQTT 3.1.1 client that publishes.
type Publisher struct {
	tb     testing.TB
	client mqtt.Client
}

// NewPublisher connects a publisher to the broker at addr, host:port.
func NewPublisher(tb testing.TB, addr string) *Publisher {
	tb.Helper()
	options := mqtt.NewClientOptions().AddBroker("tcp://" + addr).SetAutoReconnect(false).SetConnectTimeout(Patience).
		SetClientID(fmt.Sprintf("test-%d", time.Now().UnixNano()))
	p := &Publisher{tb: tb, client: mqtt.NewClient(options)}
	p.await("connect to "+addr, p.client.Connect())
	tb.Cleanup(func() { p.client.Disconnect(0) })
	return p
}

// Publish publishes with QoS 1 and returns once the broker has acknowledged it.
func (p *Publisher) Publish(topic, payload string) {
	p.tb.Helper()
	p.await("publish to "+topic, p.client.Publish(topic, 1, false, payload))
}

// Retain publishes with QoS 1 for late subscribers too.
func (p *Publisher) Retain(topic, payload string) {
	p.tb.Helper()
	p.await("publish to "+topic, p.client.Publish(topic, 1, true, payload))
}

// Acknowledged waits until what was queued is acknowledged by the broker.
func (p *Publisher) Acknowledged(token mqtt.Token) {
	p.tb.Helper()
	p.await("publish", token)
}

// Queue publishes with QoS 1 without waiting.
func (p *Publisher) Queue(topic, payload string) mqtt.Token {
	return p.client.Publish(topic, 1, false, payload)
}

func (p *Publisher) await(what string, token mqtt.Token) {
	p.tb.Helper()
	if !token.WaitTimeout(Patience) {
		p.tb.Fatalf("%s: no answer in %v", what, Patience)
	}
	if err := token.Error(); err != nil {
		p.tb.Fatalf("%s: %v", what, err)
	}
}
