package mqttbroker

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"busbar/internal/connector"
	"busbar/internal/connector/connectortest"
	"busbar/internal/plant"
	"busbar/internal/tlsconf"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	connectortest.Run(t, connectortest.Case{
		Kind: Kind(),
		Good: `listen: "127.0.0.1:0"`,
		Bad: map[string]string{
			`listen: "1883"`:                         "listen",
			`listen: "0.0.0.0:1883"`:                 "users",
			`listen: ":1883"`:                        "users",
			`users: {"": x}`:                         "users",
			`users: {a: ""}`:                         "users",
			`tls: {cert: a}`:                         "tls",
			`tls: {ca: a}`:                           "tls",
			`clients: 0`:                             "clients",
			`maxPacket: 1`:                           "maxPacket",
			`retained: -1`:                           "retained",
			`listen: "[::]:1883", users: {}`:         "users",
			`listen: "127.0.0.1:0", tls: {crt: "a"}`: "tls.crt",
			`listen: "127.0.0.1:"`:                   "listen",
			`listen: "127.0.0.1:99999"`:              "listen",
			`listen: "127.0.0.1:mqtt-x"`:             "listen",
			`clients: 100001`:                        "clients",
			`maxPacket: 16777217`:                    "maxPacket",
			`retained: 1000001`:                      "retained",
			`tls: {key: a}`:                          "tls",
			`users: [a]`:                             "users",
		},
		Points: `p: {type: float, from: {connector: c, topic: "a/+", value: v}}`,
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
		[]byte("version: 1\nconnectors:\n  c: {kind: mqtt-broker, "+settings+"}\npoints: {"+points+"}\n"), registry, plant.Options{})
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

func TestProblems(t *testing.T) {
	t.Parallel()
	from := func(topic string) string {
		return fmt.Sprintf(`p: {type: float, from: {connector: c, topic: %q, value: v}}`, topic)
	}
	tests := []struct{ name, settings, points, want string }{
		{"a filter that is none", `listen: "127.0.0.1:1883"`, from("a/#/b"), `topic filter a/#/b`},
		{"a shared subscription", `listen: "127.0.0.1:1883"`, from("$share/g/a"), "points.p.from.topic: shared subscriptions ($share/…)"},
		{"a topic of the broker", `listen: "127.0.0.1:1883"`, from("$SYS/a"), "points.p.from.topic: begins with $"},
		{"a topic too deep", `listen: "127.0.0.1:1883"`, from(strings.Repeat("a/", maxLevels)), "points.p.from.topic: has more than 200 levels"},
		{"no topic", `listen: "127.0.0.1:1883"`, `p: {type: float, from: {connector: c, value: v}}`, "points.p.from.topic"},
		{"passwords in clear text", `listen: "0.0.0.0:1883", users: {a: b}`, from("a"), "warning "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := decode(t, tt.settings, tt.points); !strings.Contains(got, tt.want) {
				t.Errorf("problems:\n%s\nwant one with %q", got, tt.want)
			}
		})
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	t.Parallel()
	s := defaults()
	s.Users = map[string]secret{"station": "very-secret"}
	marshalled, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		string(marshalled), fmt.Sprint(s), fmt.Sprintf("%+v", s), fmt.Sprintf("%#v", s), fmt.Sprintf("%q", s.Users),
		decode(t, `listen: "0.0.0.0:1883", clients: 0, users: {station: very-secret}`, ""),
	} {
		if strings.Contains(text, "very-secret") {
			t.Errorf("%s shows the password", text)
		}
	}
}

func TestBadCertificatesAreTriedAgain(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	ca.issue("broker", "127.0.0.1")
	if err := os.WriteFile(ca.path("empty"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tls := range map[string]tlsconf.Settings{
		"no such file":      {Cert: ca.path("none"), Key: ca.path("none")},
		"key of another":    {Cert: ca.path("broker.pem"), Key: ca.path("ca.key")},
		"no such authority": {Cert: ca.path("broker.pem"), Key: ca.path("broker.key"), CA: ca.path("none")},
		"empty authority":   {Cert: ca.path("broker.pem"), Key: ca.path("broker.key"), CA: ca.path("empty")},
	} {
		settings := defaults()
		settings.Listen, settings.TLS = "127.0.0.1:0", tls
		s := newSink()
		made, err := build(settings, envOf(t, s))
		if err != nil {
			t.Fatal(err)
		}
		if err := made.Run(t.Context()); !errors.Is(err, tlsconf.FaultyFiles) || errors.Is(err, connector.ErrConfig) {
			t.Errorf("%s: Run = %v, want a failure that is tried again", name, err)
		}
		if len(s.presence) > 0 {
			t.Errorf("%s: presence %q though it never listened", name, <-s.presence)
		}
	}
}
