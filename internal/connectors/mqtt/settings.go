package mqtt

import (
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"busbar/internal/connector"
	"busbar/internal/tlsconf"
)

// Settings are the keys of a connector of kind mqtt.
type Settings struct {
	URL            string           `json:"url" required:"true" doc:"address of the broker: mqtt://host, mqtts://host, ws://host/path or wss://host/path"`
	Version        string           `json:"version" enum:"5,3.1.1" doc:"version of MQTT"`
	ClientID       string           `json:"clientId" max:"65535" doc:"name of the session at the broker; default busbar-<id of the connector>"`
	Username       string           `json:"username" max:"65535" doc:"user name at the broker"`
	Password       connector.Secret `json:"password" max:"65535" doc:"password of the user"`
	QoS            int              `json:"qos" min:"0" max:"2" doc:"quality of service of subscriptions that say none"`
	TLS            tlsconf.Settings `json:"tls" doc:"how the broker is verified, with mqtts and wss"`
	Alive          Alive            `json:"alive" doc:"topic that says whether the source behind the broker lives"`
	KeepAlive      time.Duration    `json:"keepAlive" min:"5s" max:"18h" doc:"longest silence before the connection is checked"`
	SessionExpiry  time.Duration    `json:"sessionExpiry" min:"1s" max:"1193046h" doc:"how long the broker keeps messages while Busbar is away; MQTT 5 only"`
	ReceiveMaximum int              `json:"receiveMaximum" min:"1" max:"65535" doc:"most messages that are not yet acknowledged"`
	Buffer         Buffer           `json:"buffer" doc:"what waits to be published"`
	RefusedFor     time.Duration    `json:"refusedFor" min:"1s" max:"24h" doc:"how long messages that the broker refuses are tried again"`
	SendMaximum    int              `json:"sendMaximum" min:"1" max:"16384" doc:"most published messages that the broker has not yet acknowledged"`
}

// Buffer is the key buffer.
type Buffer struct {
	Events int `json:"events" min:"1" max:"100000000" doc:"most events that wait to be published; beyond it the oldest measured values are dropped, then counters, then status"`
}

// Alive names a topic that says whether the source lives, mostly the last will
// of a gateway. Without a topic the connection to the broker decides alone.
type Alive struct {
	Topic   string `json:"topic" doc:"topic without wildcards"`
	Online  string `json:"online" doc:"payload that says that the source lives"`
	Offline string `json:"offline" doc:"payload that says that it does not"`
}

// Source are the keys of a point that comes from a connector of kind mqtt.
type Source struct {
	Topic string `json:"topic" required:"true" doc:"topic, or filter with + and #, or $share/<group>/ and one of them"`
	QoS   string `json:"qos" enum:"0,1,2" doc:"quality of service; default that of the connector"`
}

// defaults are the settings where the plant says nothing.
func defaults() Settings {
	return Settings{
		Version: "5", QoS: 1,
		Alive:     Alive{Online: "online", Offline: "offline"},
		KeepAlive: 30 * time.Second, SessionExpiry: 24 * time.Hour, ReceiveMaximum: 1000, SendMaximum: 1000,
		Buffer: Buffer{Events: 1_000_000}, RefusedFor: 10 * time.Minute,
	}
}

// Validate implements [connector.Validator].
func (s *Settings) Validate() []connector.Problem {
	var problems []connector.Problem
	fault := func(path, text string) { problems = append(problems, connector.Faultf(path, "%s", text)) }
	u, text := parseURL(s.URL)
	if text != "" {
		fault("url", text)
	} else {
		if !secure(u.Scheme) && s.TLS.Given() {
			fault("tls", "has no effect with "+u.Scheme+", want mqtts or wss in url")
		}
		if !secure(u.Scheme) && s.Password != "" && !local(u.Hostname()) {
			problems = append(problems, connector.Warnf("password", "is sent in clear text, want mqtts or wss in url"))
		}
	}
	for _, t := range []struct{ path, text string }{
		{"clientId", s.ClientID}, {"username", s.Username}, {"password", string(s.Password)},
	} {
		if len(t.text) > maxTopic || !utf8.ValidString(t.text) || strings.ContainsRune(t.text, 0) {
			fault(t.path, "want at most 65535 octets of UTF-8 without NUL")
		}
	}
	if s.Password != "" && s.Username == "" {
		fault("password", "is without effect without username")
	}
	problems = append(problems, s.TLS.Problems("tls", brokerUse())...)
	if s.Alive.Topic == "" && s.Alive != defaults().Alive {
		fault("alive", "want a topic")
	}
	if s.Alive.Topic != "" {
		if text := checkTopic(s.Alive.Topic); text != "" {
			fault("alive.topic", text)
		} else if strings.ContainsAny(s.Alive.Topic, "+#") {
			fault("alive.topic", "want a topic without wildcards")
		}
		if s.Alive.Online == s.Alive.Offline {
			fault("alive", "want different payloads for online and offline")
		}
	}
	return problems
}

// Validate implements [connector.Validator].
func (s *Source) Validate() []connector.Problem {
	if text := checkSubscription(s.Topic); text != "" {
		return []connector.Problem{connector.Faultf("topic", "%s", text)}
	}
	return nil
}

// qos returns the QoS of the source at a connector.
func (s *Source) qos(at Settings) byte {
	if s.QoS == "" {
		return byte(at.QoS)
	}
	return s.QoS[0] - '0'
}

// secure reports whether the connection has TLS.
func (s *Settings) secure() bool {
	u, text := parseURL(s.URL)
	return text == "" && secure(u.Scheme)
}

// brokerUse is the role of TLS: the broker is always verified, and may want a
// certificate of ours.
func brokerUse() tlsconf.Use { return tlsconf.Use{Role: tlsconf.Client} }

// parseURL returns a URL or what is wrong with it.
func parseURL(text string) (*url.URL, string) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "":
		return nil, "want an address such as mqtt://broker:1883"
	case u.Scheme != "mqtt" && u.Scheme != "ws" && !secure(u.Scheme):
		return nil, "has the scheme " + u.Scheme + ", want mqtt, mqtts, ws or wss"
	case u.User != nil:
		return nil, "want user name and password in username and password"
	case (u.Scheme == "mqtt" || u.Scheme == "mqtts") && (strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != ""):
		return nil, "want nothing after host and port"
	}
	return u, ""
}

func local(host string) bool {
	return host == "localhost" || host == "::1" || strings.HasPrefix(host, "127.")
}

// dials returns the address of the broker.
func dials(s Settings) []string {
	u, text := parseURL(s.URL)
	if text != "" {
		return nil
	}
	return []string{address(u)}
}

// checkOverlaps warns about filters whose messages a broker may deliver twice,
// which only MQTT 5 lets us tell.
func checkOverlaps(s Settings, sources []connector.End[Source]) []connector.Problem {
	if s.Version == "5" {
		return nil
	}
	wanted := make(map[string]byte)
	for _, end := range sources {
		if !isShared(end.End.Topic) {
			wanted[end.End.Topic] = 0
		}
	}
	ambiguous := (&planner{identifiers: true}).plan(wanted, nil)
	var problems []connector.Problem
	for _, end := range sources {
		if sub := ambiguous[end.End.Topic]; sub.id != 0 {
			problems = append(problems, end.Warnf("topic", "overlaps another filter in part: with version 3.1.1 the broker may deliver messages twice, version 5 prevents it"))
			delete(ambiguous, end.End.Topic)
		}
	}
	return problems
}
