package mqttbroker

import (
	"math"
	"net"
	"net/netip"
	"strconv"

	broker "github.com/mochi-mqtt/server/v2"

	"busbar/internal/connector"
	"busbar/internal/tlsconf"
)

// Settings are the keys of a connector of kind mqtt-broker.
type Settings struct {
	Listen    string                      `json:"listen" doc:"address to listen on, host:port"`
	Users     map[string]connector.Secret `json:"users" doc:"user names and their passwords; required when listen is not loopback"`
	TLS       tlsconf.Settings            `json:"tls" doc:"certificate of the broker; without it the connection is not encrypted. With ca clients must show one too"`
	Clients   int                         `json:"clients" min:"1" max:"100000" doc:"most connections at a time"`
	MaxPacket int                         `json:"maxPacket" min:"1024" max:"16777216" doc:"longest packet, in octets"`
	Retained  int                         `json:"retained" min:"0" max:"1000000" doc:"most retained messages; beyond it a message is taken but not retained"`
}

// Source are the keys of a point that comes from a connector of kind mqtt-broker.
type Source struct {
	Topic string `json:"topic" required:"true" doc:"topic, or filter with + and #"`
}

func defaults() Settings {
	return Settings{Listen: "127.0.0.1:1883", Clients: 1000, MaxPacket: 1 << 20, Retained: 10_000}
}

// Limits that are not settings.
const (
	receiveMaximum   = 1024          // messages of one client that are not yet acknowledged; those of QoS 2 count until they are complete
	maxOpenOctets    = 4 << 20       // of topic and payload of these
	writesPending    = 1000          // messages that wait for a slow subscriber; further ones are dropped
	sessionExpiry    = 60 * 60       // seconds that a session is kept without connection
	maxSubscriptions = 1000          // of one client
	maxLevels        = 200           // of a topic or filter
	never            = math.MaxInt32 // seconds
)

// Validate implements [connector.Validator]. Where + and # may stand the host
// checks for all kinds.
func (s *Source) Validate() []connector.Problem {
	if text := wrongTopic(s.Topic); text != "" {
		return []connector.Problem{connector.Faultf("topic", "%s", text)}
	}
	return nil
}

// Validate implements [connector.Validator].
func (s *Settings) Validate() []connector.Problem {
	var problems []connector.Problem
	host, port, err := net.SplitHostPort(s.Listen)
	_, portErr := strconv.ParseUint(port, 10, 16)
	switch {
	case err != nil || portErr != nil:
		problems = append(problems, connector.Faultf("listen", "is %q, want host:port such as 127.0.0.1:1883", s.Listen))
	case loopback(host):
	case len(s.Users) == 0:
		problems = append(problems, connector.Faultf("users", "is missing, want user names and passwords, "+
			"because %s is reached from other machines", s.Listen))
	case !s.TLS.Enabled():
		problems = append(problems, connector.Warnf("tls", "is missing: passwords and values cross the network in clear text"))
	}
	for name, password := range s.Users {
		if name == "" || password == "" {
			problems = append(problems, connector.Faultf("users", "want a name and a password for every user"))
			break
		}
	}
	return append(problems, s.TLS.Problems("tls", clientUse())...)
}

// clientUse is the role of TLS: clients need a certificate only with ca.
func clientUse() tlsconf.Use { return tlsconf.Use{Role: tlsconf.Server} }

// loopback reports whether only this machine reaches a host. An empty host is
// every address.
func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.Unmap().IsLoopback()
}

// capabilities are the limits that the library keeps.
func (s *Settings) capabilities() *broker.Capabilities {
	c := broker.NewDefaultServerCapabilities()
	c.MaximumPacketSize = uint32(s.MaxPacket)
	c.MaximumClients = int64(s.Clients)
	c.ReceiveMaximum = receiveMaximum
	c.MaximumClientWritesPending = writesPending
	c.MaximumSessionExpiryInterval = sessionExpiry
	c.MaximumMessageExpiryInterval = 0 // none: retained messages stay as long as the broker runs
	c.TopicAliasMaximum = 0
	c.Compatibilities.NoInheritedPropertiesOnAck = true
	return c
}
