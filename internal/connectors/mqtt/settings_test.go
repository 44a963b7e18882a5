package mqtt

import (
	"strings"
	"testing"

	"busbar/internal/connector"
	"busbar/internal/connector/connectortest"
	"busbar/internal/plant"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	connectortest.Run(t, connectortest.Case{
		Kind: Kind(),
		Good: `url: "mqtt://127.0.0.1:1", username: u, password: p, qos: 2, version: 3.1.1, alive: {topic: a}`,
		Bad: map[string]string{
			`clientId: x`:                            "url",
			`url: broker`:                            "url",
			`url: "http://b"`:                        "url",
			`url: "mqtt://"`:                         "url",
			`url: "mqtt://u:p@b"`:                    "url",
			`url: "mqtt://b/path"`:                   "url",
			`url: "mqtt://b", version: 4`:            "version",
			`url: "mqtt://b", qos: 3`:                "qos",
			`url: "mqtt://b", tls: {ca: f}`:          "tls",
			`url: "mqtts://b", tls: {cert: f}`:       "tls",
			`url: "mqtts://b", tls: {skip: 1}`:       "tls.skip",
			`url: "mqtt://b", password: x`:           "password",
			`url: "mqtt://b", keepAlive: 1s`:         "keepAlive",
			`url: "mqtt://b", alive: {topic: "a/#"}`: "alive.topic",
			`url: "mqtt://b", alive: {online: "1"}`:  "alive",
			`url: "mqtt://b", alive: {topic: a, online: "1", offline: "1"}`: "alive",
			`url: "mqtt://b", receiveMaximum: 0`:                            "receiveMaximum",
			`url: "mqtt://b", username: "\0"`:                               "username",
		},
		Points: `p: {type: float, from: {connector: c, topic: "a/+", value: v}}, q: {type: float, from: {connector: c, topic: b, qos: 0, value: v}}`,
	})
}

// decode returns the problems and warnings of a plant with one connector "c".
func decode(t *testing.T, settings, points string) string {
	t.Helper()
	registry, err := connector.NewRegistry(Kind())
	if err != nil {
		t.Fatal(err)
	}
	p, problems := plant.Decode("plant.yaml",
		[]byte("version: 1\nconnectors:\n  c: {kind: mqtt, "+settings+"}\npoints: {"+points+"}\n"), registry, plant.Options{})
	var all strings.Builder
	for _, problem := range problems {
		all.WriteString(problem.String() + "\n")
	}
	if p != nil {
		for _, warning := range p.Warnings {
			all.WriteString("warning " + warning.String() + "\n")
		}
	}
	return all.String()
}

func TestProblemsOfSources(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, settings, points, want string }{
		{"a filter that is none", `url: "mqtt://127.0.0.1"`, `p: {type: float, from: {connector: c, topic: "a/#/b", value: v}}`,
			`points.p.from: topic filter a/#/b: want`},
		{"a shared subscription of one broker", `url: "mqtt://127.0.0.1"`, `p: {type: float, from: {connector: c, topic: "$queue/a", value: v}}`,
			"want no shared subscription ($queue/…) here"},
		{"a shared subscription without a group", `url: "mqtt://127.0.0.1"`, `p: {type: float, from: {connector: c, topic: "$share//a", value: v}}`,
			"want $share/<group>/<topic or filter>"},
		{"a shared subscription without a topic", `url: "mqtt://127.0.0.1"`, `p: {type: float, from: {connector: c, topic: "$share/g", value: v}}`,
			"want $share/<group>/<topic or filter>"},
		{"a shared subscription beside another", `url: "mqtt://127.0.0.1"`,
			`p: {type: float, from: {connector: c, topic: "$share/g/a/b", value: v}}, q: {type: float, from: {connector: c, topic: "a/+", value: v}}`,
			"overlaps another filter, one of them shared"},
		{"two groups", `url: "mqtt://127.0.0.1"`,
			`p: {type: float, from: {connector: c, topic: "$share/g/a", value: v}}, q: {type: float, from: {connector: c, topic: "$share/h/a", value: v}}`,
			"a message would come twice"},
		{"an alive topic that is shared", `url: "mqtt://127.0.0.1", alive: {topic: $share/g/a}`, ``, "want no shared subscription"},
		{"a QoS that is none", `url: "mqtt://127.0.0.1"`, `p: {type: float, from: {connector: c, topic: a, qos: 3, value: v}}`,
			"points.p.from.qos"},
		{"overlap in part with 3.1.1", `url: "mqtt://127.0.0.1", version: 3.1.1`,
			`p: {type: float, from: {connector: c, topic: "a/+", value: v}}, q: {type: float, from: {connector: c, topic: "+/b", value: v}}`,
			"points.p.from.topic: overlaps another filter in part"},
		{"password in clear text", `url: "mqtt://broker.example", username: u, password: p`, "", "connectors.c.password: is sent in clear text"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := decode(t, tt.settings, tt.points); !strings.Contains(got, tt.want) {
				t.Errorf("problems:\n%s\nwant one with %q", got, tt.want)
			}
		})
	}
	quiet := []struct{ name, settings, points string }{
		{"overlap in part with 5", `url: "mqtt://127.0.0.1"`,
			`p: {type: float, from: {connector: c, topic: "a/+", value: v}}, q: {type: float, from: {connector: c, topic: "+/b", value: v}}`},
		{"covered with 3.1.1", `url: "mqtt://127.0.0.1", version: 3.1.1`,
			`p: {type: float, from: {connector: c, topic: "a/#", value: v}}, q: {type: float, from: {connector: c, topic: "a/+", value: v}}`},
		{"password over TLS", `url: "mqtts://broker.example", username: u, password: p`, ""},
		{"password to this machine", `url: "mqtt://localhost", username: u, password: p`, ""},
	}
	for _, tt := range quiet {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for line := range strings.Lines(decode(t, tt.settings, tt.points)) {
				if !strings.Contains(line, "is not used by any point") && !strings.Contains(line, "has no target") {
					t.Errorf("problem: %s", line)
				}
			}
		})
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	t.Parallel()
	s := newSink()
	settings := defaults()
	settings.URL, settings.Username, settings.Password = "mqtt://127.0.0.1:"+freePort(t), "u", "very-secret"
	r := start(t, settings, s)
	state := until(t, "reason", s.states, func(got string) bool { return strings.Contains(got, "refused") })
	r.stop()
	if strings.Contains(state, "very-secret") {
		t.Errorf("state %q shows the password", state)
	}
}

func TestAddressOfTheBroker(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"mqtt://b": "b:1883", "mqtts://b": "b:8883", "ws://b/mqtt": "b:80", "wss://b/mqtt": "b:443",
		"mqtt://b:1": "b:1", "mqtt://[::1]": "[::1]:1883", "mqtt://[::1]:2": "[::1]:2",
	} {
		if got := dials(Settings{URL: url}); len(got) != 1 || got[0] != want {
			t.Errorf("%s dials %v, want %s", url, got, want)
		}
	}
}
