package connectortest

import (
	"context"
	"net"
	"testing"

	"busbar/internal/connector"
)

type echoSettings struct {
	Listen string `json:"listen" required:"true"`
}

func (s echoSettings) Validate() []connector.Problem {
	if _, _, err := net.SplitHostPort(s.Listen); err != nil {
		return []connector.Problem{connector.Faultf("listen", "is %q, want host:port", s.Listen)}
	}
	return nil
}

type echoEnd struct {
	Topic string `json:"topic" required:"true"`
}

// echo listens, and watches its feed and its sources.
type echo struct {
	listen string
	env    connector.Env
	leak   chan struct{} // not nil: a goroutine waits for it and is left behind
}

func (e *echo) Run(ctx context.Context) error {
	if e.leak != nil {
		go func() { <-e.leak }()
	}
	l, err := net.Listen("tcp", e.listen)
	if err != nil {
		return err
	}
	defer func() { _ = l.Close() }()
	e.env.Report(connector.Up, "")
	for {
		if _, err := e.env.Feed.Next(ctx); err != nil {
			return nil
		}
	}
}

func echoKind(leak chan struct{}) connector.Kind {
	return connector.Define("echo", connector.Spec[echoSettings, echoEnd, echoEnd]{
		New: func(s echoSettings, env connector.Env) (connector.Connector, error) {
			return &echo{listen: s.Listen, env: env, leak: leak}, nil
		},
		Selector: func(e echoEnd) string { return e.Topic },
	})
}

func TestSuitePassesAConnectorThatConforms(t *testing.T) {
	Run(t, Case{
		Kind:   echoKind(nil),
		Good:   `listen: "127.0.0.1:0"`,
		Bad:    map[string]string{`listen: nonsense`: "listen", ``: "listen"},
		Points: `a: {type: float, from: {connector: c, topic: x, value: v}, to: [{connector: c, topic: y}]}`,
	})
}

func TestGoroutinesLeftBehindAreFound(t *testing.T) {
	leak := make(chan struct{})
	conn, err := echoKind(leak).New(&echoSettings{Listen: "127.0.0.1:0"}, connector.Env{
		Sink: newDeafSink(), Feed: &emptyFeed{}, Report: func(connector.State, string) {},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done, label := runLabelled(ctx, conn)
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if labelled(label) == "" {
		t.Error("the goroutine left behind is not found")
	}
	close(leak)
	wantNoGoroutines(t, label)
}
