package mqtt

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"
)

// choosy is a broker that refuses subscriptions to some filters, which mosquitto
// does not without a plugin.
type choosy struct {
	mochi.HookBase
	mu      sync.Mutex
	refused map[string]bool
}

func (*choosy) Provides(b byte) bool {
	return bytes.Contains([]byte{mochi.OnConnectAuthenticate, mochi.OnACLCheck}, []byte{b})
}

func (*choosy) OnConnectAuthenticate(*mochi.Client, packets.Packet) bool { return true }

func (c *choosy) OnACLCheck(_ *mochi.Client, topic string, _ bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.refused[topic]
}

// start runs the broker and returns its URL, and the server to publish with.
func (c *choosy) start(t *testing.T) (string, *mochi.Server) {
	t.Helper()
	server := mochi.New(&mochi.Options{InlineClient: true, Logger: slog.New(slog.DiscardHandler)})
	return serveOn(t, server, c), server
}

// serve runs a broker with a hook and returns its URL.
func serve(t *testing.T, hook mochi.Hook) string {
	t.Helper()
	return serveOn(t, mochi.New(&mochi.Options{Logger: slog.New(slog.DiscardHandler)}), hook)
}

func serveOn(t *testing.T, server *mochi.Server, hook mochi.Hook) string {
	t.Helper()
	if err := server.AddHook(hook, nil); err != nil {
		t.Fatal(err)
	}
	l := listeners.NewTCP(listeners.Config{ID: "tcp", Address: "127.0.0.1:0"})
	if err := server.AddListener(l); err != nil {
		t.Fatal(err)
	}
	if err := server.Serve(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return "mqtt://" + l.Address()
}

func TestRefusedSubscriptionsAreShown(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		c := &choosy{refused: map[string]bool{"a/#": true, "x": true}}
		url, server := c.start(t)
		settings := defaults()
		settings.URL, settings.Version = url, version
		s := newSink(Source{Topic: "a/#"}, Source{Topic: "a/b"}, Source{Topic: "c"}, Source{Topic: "x"})
		r := start(t, settings, s)
		state := until(t, "state", s.states, func(got string) bool { return strings.HasPrefix(got, "degraded: ") })
		if !strings.HasPrefix(state, "degraded: broker refuses the subscription to a/#: ") || !strings.HasSuffix(state, ", and 1 more") {
			t.Errorf("state %q, want the refused filter named", state)
		}
		if version == "5" && !strings.Contains(state, "not authorized") {
			t.Errorf("state %q, want the reason", state)
		}
		for _, topic := range []string{"a/b", "c"} { // what a/# would have covered comes by itself
			if err := server.Publish(topic, []byte("1"), false, 1); err != nil {
				t.Fatal(err)
			}
			s.expect(t, topic, "1")
		}
		if got := r.figure(t, "mqtt_refused_subscriptions"); got != 2 {
			t.Errorf("%v refused subscriptions counted, want 2", got)
		}
		// It is tried again with the next change.
		c.mu.Lock()
		c.refused = nil
		c.mu.Unlock()
		s.setSources(Source{Topic: "a/#"}, Source{Topic: "a/b"})
		s.state(t, "up: ")
		if err := server.Publish("a/z", []byte("2"), false, 1); err != nil {
			t.Fatal(err)
		}
		s.expect(t, "a/z", "2")
	})
}
