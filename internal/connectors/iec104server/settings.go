package iec104server

import (
	"fmt"
	"slices"
	"time"

	"busbar/iec104"
	"busbar/iec104/asdu"
	"busbar/internal/connector"
	"busbar/internal/linkprofile"
	"busbar/internal/tlsconf"
)

// Settings are the keys of a connector of kind iec104-server.
type Settings struct {
	Listen string   `json:"listen" doc:"address to listen on, host:port"`
	Dial   []string `json:"dial" min:"1" doc:"addresses of controlling stations that listen themselves, host:port; the server connects to each (reverse connect)"`
	Allow  Allow    `json:"allow" doc:"addresses and CIDR ranges of controlling stations, with tls also names of their certificates, or any; required when listen is not loopback"`

	TLS tlsconf.Settings `json:"tls" doc:"certificates of both sides, as IEC 62351-3 has it; without it the connection is not encrypted"`

	K  int           `json:"k" min:"1" max:"32767" doc:"most I frames sent and not acknowledged"`
	W  int           `json:"w" min:"1" max:"32767" doc:"I frames received after which an acknowledgement is sent at the latest"`
	T1 time.Duration `json:"t1" min:"1s" max:"255s" doc:"longest wait for an acknowledgement or confirmation"`
	T2 time.Duration `json:"t2" min:"1s" max:"255s" doc:"longest delay of an acknowledgement, less than t1"`
	T3 time.Duration `json:"t3" min:"1s" max:"48h" doc:"silence after which the link is tested"`

	Dialect

	Connections int    `json:"connections" min:"1" max:"10000" doc:"most connections at a time"`
	Time        Zone   `json:"time" doc:"clock of time tags: utc, local or an IANA time zone"`
	Clock       string `json:"clock" enum:"trust,kernel" doc:"whether times of this machine count always, or only while the kernel takes its clock for synchronised"`
	Buffer      Buffer `json:"buffer" doc:"queue of each redundancy group"`
	Reset       string `json:"reset" enum:"refuse,confirm" doc:"answer to the reset process command"`
	CommandSettings
	Test104 bool         `json:"test104" doc:"answer C_TS_NA_1, which belongs to IEC 60870-5-101, too"`
	Files   FileSettings `json:"files" doc:"files that controlling stations may read, and write; off without it"`

	Groups   map[string]Group `json:"groups" doc:"redundancy groups by name; without them each client address is one"`
	Replay   Replay           `json:"replay" doc:"what is sent of the events that waited while nobody was connected: all, latest, none, or those up to an age"`
	Priority string           `json:"priority" enum:"occurrence,status" doc:"order of events: of occurrence, or status before counters before measured values"`
}

// Buffer is the key buffer.
type Buffer struct {
	Events int `json:"events" min:"1" max:"100000000" doc:"most events that wait for a group; beyond it the oldest measured values are dropped, then counters, then status"`
}

func defaults() Settings {
	s := Settings{
		CommandSettings: CommandSettings{CommandAhead: 2 * time.Second},
		Connections:     100, Clock: "trust",
		Buffer: Buffer{Events: 1_000_000}, Reset: "refuse", Priority: "occurrence",
		Files: fileDefaults(),
	}
	s.follow(linkprofile.Of(&connector.Node{}))
	return s
}

// Validate implements connector.Validator.
func (s *Settings) Validate() []connector.Problem {
	var problems []connector.Problem
	problems = append(problems, s.checkPlaces()...)
	if s.W > s.K {
		problems = append(problems, connector.Faultf("w", "is %d, want at most k, which is %d", s.W, s.K))
	} else if 3*s.W > 2*s.K+2 {
		problems = append(problems, connector.Warnf("w", "is %d, the standard recommends at most two thirds of k, which is %d", s.W, s.K))
	}
	if s.T2 >= s.T1 {
		problems = append(problems, connector.Faultf("t2", "is %v, want less than t1, which is %v", s.T2, s.T1))
	}
	if s.asksKernel() && !knowsKernel {
		problems = append(problems, connector.Faultf("clock", "is kernel, which only Linux has"))
	}
	problems = append(problems, s.Files.problems()...)
	problems = append(problems, s.TLS.Problems("tls", s.use())...)
	problems = append(problems, s.Allow.NeedsTLS("allow", s.TLS.Enabled())...)
	return append(problems, s.checkGroups()...)
}

// use is what TLS is used for: both sides show certificates. The side that listens
// is the TLS server.
func (s *Settings) use() tlsconf.Use {
	u := tlsconf.Use{Mutual: true}
	if s.Listen != "" || len(s.Dial) == 0 {
		u.Role |= tlsconf.Server
	}
	if len(s.Dial) > 0 {
		u.Role |= tlsconf.Client
	}
	return u
}

// security returns the keys of TLS with the names of allow among the peers.
func (s *Settings) security() tlsconf.Settings {
	t := s.TLS
	t.Allow = slices.Concat(t.Allow, s.Allow.Names)
	return t
}

// params returns the parameters of the link.
func (s *Settings) params() iec104.Params {
	return iec104.Params{K: s.K, W: s.W, T1: s.T1, T2: s.T2, T3: s.T3, Sizes: s.Octets.Sizes(), MaxAPDU: s.MaxAPDU}
}

// config returns the configuration of the library.
func (s *Settings) config() iec104.ServerConfig {
	return iec104.ServerConfig{
		Params:            s.params(),
		Allow:             s.Allow.Prefixes,
		MaxConnections:    s.Connections,
		MaxObjectsPerASDU: s.MaxObjects,
		Test104:           s.Test104,
		NoOriginator:      s.Originator == "zero",
		ConfirmUnknown:    s.UnknownRequests == "confirmation",
	}
}

// byClass reports whether events go in order of their class.
func (s *Settings) byClass() bool { return s.Priority == "status" }

func (s *Settings) tagged() bool { return s.Interrogation == "tagged" }

// Target is the keys of an entry of `to` that names an iec104-server.
type Target struct {
	CA         CommonAddress `json:"ca" required:"true" doc:"common address, 1 to 65534"`
	IOA        ObjectAddress `json:"ioa" required:"true" doc:"information object address, 1 to 16777215"`
	As         MonitorType   `json:"as" required:"true" doc:"type identification of spontaneous data, such as M_ME_TF_1"`
	Groups     Groups        `json:"groups" doc:"interrogation groups, 1 to 16"`
	Cyclic     time.Duration `json:"cyclic" min:"1s" max:"24h" doc:"period of cyclic transmission"`
	Background time.Duration `json:"background" min:"1s" max:"24h" doc:"period of background scan"`
	Counter    Counter       `json:"counter" doc:"of an integrated total"`
}

// address takes the address out of a target: what is left many targets share.
func (t Target) address() (uint64, Target) {
	address := uint64(t.CA)<<24 | uint64(t.IOA)
	t.CA, t.IOA = 0, 0
	return address, t
}

// addressOfTarget returns the address of a target of the host.
func addressOfTarget(t *connector.Target) (ca uint16, ioa uint32) {
	return uint16(t.Address >> 24), uint32(t.Address & asdu.MaxIOA)
}

// Groups is a set of interrogation groups: bit n−1 is group n.
type Groups uint16

// UnmarshalNode implements plant.NodeDecoder.
func (g *Groups) UnmarshalNode(n *connector.Node) error {
	*g = 0
	for _, item := range n.Items {
		i, err := item.Int(1, 16)
		if err != nil {
			return fmt.Errorf("%w in the list of groups", err)
		}
		*g |= 1 << (i - 1)
	}
	if *g == 0 {
		return fmt.Errorf("want a list of groups from 1 to 16")
	}
	return nil
}

// Counter is the key counter of a target.
type Counter struct {
	Freeze      time.Duration `json:"freeze" min:"1s" max:"24h" doc:"period of freezing, aligned to the clock"`
	Spontaneous bool          `json:"spontaneous" doc:"send readings spontaneously"`
	Group       uint8         `json:"group" min:"1" max:"4" doc:"counter group"`
}

func targetDefaults() Target { return Target{Counter: Counter{Spontaneous: true}} }

// Validate implements connector.Validator.
func (t *Target) Validate() []connector.Problem {
	f := forms[t.As.TypeID].family
	var problems []connector.Problem
	if t.Groups != 0 && !f.interrogated() {
		problems = append(problems, connector.Faultf("groups", "%s is not in answers to an interrogation", t.As))
	}
	if t.Cyclic != 0 && !f.cyclic() {
		problems = append(problems, connector.Faultf("cyclic", "%s is not a measured value: the standard sends those only", t.As))
	}
	if t.Background != 0 && !f.interrogated() {
		problems = append(problems, connector.Faultf("background", "%s is not sent as background scan", t.As))
	}
	return append(problems, t.Counter.problems(t.As.TypeID)...)
}

func (c Counter) problems(as asdu.TypeID) []connector.Problem {
	switch {
	case c == Counter{Spontaneous: true}:
		return nil
	case forms[as].family != total:
		return []connector.Problem{connector.Faultf("counter", "%s is not an integrated total, want M_IT_NA_1 or M_IT_TB_1", as)}
	case c.Freeze != 0 && (24*time.Hour)%c.Freeze != 0:
		return []connector.Problem{connector.Faultf("counter.freeze", "is %v, want a part of a day such as 15m or 1h", c.Freeze)}
	default:
		return nil
	}
}

// JSONSchema implements plant.Describer.
func (Groups) JSONSchema() connector.Schema {
	group := connector.Schema{"type": "integer", "minimum": 1, "maximum": 16}
	return connector.Schema{"type": "array", "items": group, "minItems": 1}
}
