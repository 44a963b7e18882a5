package mqtt

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
)

// front carries MQTT from WebSockets to a broker, as the proxies before brokers
// do. It returns its URL.
func front(t *testing.T, m *mosquitto, config *tls.Config) string {
	t.Helper()
	upgrader := websocket.Upgrader{Subprotocols: []string{"mqtt"}}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/mqtt" || !slices.Contains(websocket.Subprotocols(r), "mqtt") {
			http.Error(w, "no MQTT here", http.StatusNotFound)
			return
		}
		ws, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			t.Errorf("upgrade: %v", err)
			return
		}
		tcp, err := net.Dial("tcp", "127.0.0.1:"+m.port)
		if err != nil {
			t.Errorf("dial: %v", err)
			return
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			carryBack(ws, tcp)
		}()
		for {
			_, data, err := ws.ReadMessage()
			if err != nil {
				break
			}
			if _, err := tcp.Write(data); err != nil {
				break
			}
		}
		_ = tcp.Close()
		<-done
	}))
	server.TLS = config
	if config != nil {
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	return strings.Replace(server.URL, "http", "ws", 1) + "/mqtt"
}

// carryBack sends what the broker sends in messages of seven octets, which cut
// packets anywhere.
func carryBack(ws *websocket.Conn, tcp net.Conn) {
	defer func() { _ = ws.Close() }()
	piece := make([]byte, 7)
	for {
		n, err := io.ReadAtLeast(tcp, piece, 1)
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			return
		}
		if err := ws.WriteMessage(websocket.BinaryMessage, piece[:n]); err != nil {
			return
		}
	}
}

func TestWebSockets(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		ca := newAuthority(t)
		ca.issue("front", "127.0.0.1")
		pair, err := tls.LoadX509KeyPair(ca.path("front.pem"), ca.path("front.key"))
		if err != nil {
			t.Fatal(err)
		}
		m := broker(t)
		for _, config := range []*tls.Config{nil, {Certificates: []tls.Certificate{pair}}} {
			settings := m.settings(version)
			settings.URL = front(t, m, config)
			if config != nil {
				settings.TLS.CA = ca.path("ca.pem")
			}
			s := newSink(Source{Topic: "a"})
			r := start(t, settings, s)
			s.state(t, "up: ")
			p := m.publisher()
			for range 20 {
				p.publish("a", 2, strings.Repeat("x", 3000))
				s.expect(t, "a", strings.Repeat("x", 3000))
			}
			r.stop()
		}
	})
}

func TestWebSocketThatIsNoMQTTIsShown(t *testing.T) {
	eachVersion(t, func(t *testing.T, version string) {
		m := broker(t)
		settings := m.settings(version)
		settings.URL = front(t, m, nil) + "/elsewhere"
		s := newSink()
		start(t, settings, s)
		until(t, "reason", s.states, func(got string) bool { return strings.Contains(got, "bad handshake") })
	})
}
