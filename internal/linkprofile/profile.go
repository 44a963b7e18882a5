// Package linkprofile holds link profiles: named sets of the parameters and switches
// in which controlling and controlled stations differ, so that one word stands for
// what would otherwise be a dozen keys.
//
// Only what the standard says is certain. What a maker has published is marked
// as published, and all else is a hypothesis: values to begin a project with, which
// say what they rest on and are to be agreed with the other side.
//
// A connector takes one with [Of] before its keys are decoded, so that a key that is given
// wins over the profile.
package linkprofile

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"busbar/iec104"
	"busbar/iec104/asdu"
	"busbar/internal/connector"
)

// Standing says how much a profile is worth.
type Standing uint8

// The standings.
const (
	Standard   Standing = iota + 1 // the defaults of the standard
	Published                      // values that a maker has published
	Hypothesis                     // no values are public: to be agreed with the other side
)

var standings = [...]string{Standard: "standard", Published: "published", Hypothesis: "hypothesis"}

// String returns the word for the standing.
func (s Standing) String() string { return standings[s] }

// Profile is a named set of parameters and switches, for both roles. Each role
// takes what it has.
type Profile struct {
	Name     string
	Title    string // what the other side is
	Standing Standing
	Basis    string // what the profile as a whole rests on

	Params     iec104.Params // of the link, complete
	MaxObjects int           // most information objects in an ASDU

	LocalTime  bool // time tags show local time; otherwise UTC
	SummerTime bool // SU is set in summer where tags show local time
	Weekday    bool // day of the week in time tags; otherwise 0

	Tagged            bool // answers to an interrogation keep the time tag
	EndOfInit         bool // M_EI_NA_1 is sent
	MirrorOriginator  bool // answers have the originator address of the request; otherwise 0
	ConfirmUnknown    bool // unknown requests get a negative confirmation; otherwise causes 44 … 47
	Termination       Termination
	UnknownQualifiers string        // of commands: refuse, or zero: those above 8 count as 0
	LateCommands      string        // with a time tag that is too old: discard, or refuse
	CommandAge        time.Duration // how old a time tag of a command may be

	rests map[string]string // what the values rest on that are not of the standard, by key
}

// Termination says when ACTTERM is sent.
type Termination = string

// When ACTTERM is sent.
const (
	ByCommand   Termination = "command"   // as the command says
	Immediately Termination = "immediate" // right after the positive confirmation
	Never       Termination = "none"
)

// standard returns what the standard, or where it is silent Busbar, has.
func standard() Profile {
	return Profile{
		Name: "standard", Title: "the defaults of the standard", Standing: Standard,
		Basis: "IEC 60870-5-104, Edition 2; where it leaves a choice, what most stations have",
		Params: iec104.Params{
			K: 12, W: 8, T0: 30 * time.Second, T1: 15 * time.Second, T2: 10 * time.Second, T3: 20 * time.Second,
			Sizes: asdu.Sizes{COT: 2, CA: 2, IOA: 3}, MaxAPDU: 253,
		},
		MaxObjects: 127, SummerTime: true, Weekday: true, EndOfInit: true, MirrorOriginator: true,
		Termination: ByCommand, UnknownQualifiers: "refuse", LateCommands: "discard", CommandAge: 10 * time.Second,
	}
}

// Names returns the names of all profiles, in the order in which they are shown.
func Names() []string {
	var names []string
	for _, p := range All() {
		names = append(names, p.Name)
	}
	return names
}

// Find returns the profile with a name.
func Find(name string) (Profile, error) {
	all := All()
	at := slices.IndexFunc(all, func(p Profile) bool { return p.Name == name })
	if at < 0 {
		return Profile{}, fmt.Errorf("there is no profile %q, want one of %s", name, strings.Join(Names(), ", "))
	}
	return all[at], nil
}

// Of returns the profile that the key `profile` of a connector names, and the
// standard one if it names none. A name that is not known is not reported here: the type
// [Name] of the key does that.
func Of(keys *connector.Node) Profile {
	if n := keys.Get("profile"); n != nil {
		if name, err := n.Str(); err == nil {
			if p, err := Find(name); err == nil {
				return p
			}
		}
	}
	return standard()
}

// Name is the key `profile` of a connector. Empty is the standard.
type Name string

// UnmarshalNode implements plant.NodeDecoder.
func (n *Name) UnmarshalNode(node *connector.Node) error {
	text, err := node.Str()
	if err != nil {
		return fmt.Errorf("want one of %s", strings.Join(Names(), ", "))
	}
	if _, err := Find(text); err != nil {
		return err
	}
	*n = Name(text)
	return nil
}

// JSONSchema implements plant.Describer.
func (Name) JSONSchema() connector.Schema { return connector.EnumSchema(Names()...) }
