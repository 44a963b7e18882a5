// Package interop makes the interoperability statement of a link of IEC
// 60870-5-104: the list that both sides of a project exchange before the first
// connection, in the order of the standard's own list (clause 9), from the configuration that
// runs. It writes it as Markdown and XLSX, reads it back, and compares that of a
// controlled station with that of a controlling one.
package interop

import (
	"time"

	"busbar/iec104"
	"busbar/iec104/asdu"
	"busbar/internal/connector"
)

// Role is the role of a station.
type Role string

// The roles.
const (
	Controlled  Role = "controlled station"
	Controlling Role = "controlling station"
)

// Describer is implemented by the settings of connectors that speak IEC
// 60870-5-104. id is that of the connector; points and commands are those of the plant,
// of which only the ends at this connector count.
type Describer interface {
	Interop(id string, points []connector.PointKeys, commands []connector.CommandKeys) Facts
}

// Facts are what a connector says of itself.
type Facts struct {
	Name    string // id of the connector
	Role    Role
	Profile string
	Params  iec104.Params // zero fields are their defaults

	Address     string // host:port that it listens on or connects to
	Connections int    // most of them at a time
	Security    string // in words; empty: no TLS

	// Types are the type identifications in use, with the causes that are sent or
	// accepted: of the controlled station those that it sends in monitor direction
	// and accepts in control direction, of the controlling one the other way round.
	Types map[asdu.TypeID][]asdu.Cause
	CAs   []uint16

	Groups        map[int]int // objects by group of interrogation, 1 … 16
	CounterGroups map[int]int // counters by group, 1 … 4
	Answers       Answers
	MaxObjects    int

	Time       string // utc, or the zone of time tags
	SummerTime bool
	Weekday    bool

	Commands   Modes // of single, double and regulating step commands
	SetPoints  Modes
	Qualifiers []uint8
	CommandAge time.Duration // 0: not supervised
	Late       string        // reaction to a command that is too old

	CounterModes string  // of A, B, C and D those that are used
	Freezes      []uint8 // FRZ that counter interrogations have, 0 … 3; nil: all, where there are counter interrogations
	Double       bool    // of a controlling station: an event that comes twice, with and without time tag, is taken for one
	Queue        int     // most events that wait, 0: none
	Originator   string
	Unknown      string // answer to unknown requests
}

// Answers is which types come in answers to an interrogation, or are taken.
type Answers string

// The answers.
const (
	Untagged Answers = "untagged"
	Tagged   Answers = "tagged"
	Either   Answers = "both"
)

// Modes are how commands of a kind are given, and whether they are terminated.
type Modes struct {
	Direct, Select bool
	Terminated     bool // ACTTERM is sent, or expected
	Unterminated   bool // some are not, or need not be
}

// add adds what a command has.
func (m *Modes) add(direct, selected, terminated bool) {
	m.Direct, m.Select = m.Direct || direct, m.Select || selected
	m.Terminated, m.Unterminated = m.Terminated || terminated, m.Unterminated || !terminated
}

// Use notes a command of a type that is given directly or by select before
// operate, and terminated or not.
func (f *Facts) Use(t asdu.TypeID, direct, selected, terminated bool) {
	switch t.Untagged() {
	case asdu.C_SC_NA_1, asdu.C_DC_NA_1, asdu.C_RC_NA_1:
		f.Commands.add(direct, selected, terminated)
	default:
		f.SetPoints.add(direct, selected, terminated)
	}
	causes := []asdu.Cause{asdu.Activation, asdu.ActivationCon, asdu.UnknownType, asdu.UnknownCause, asdu.UnknownCA, asdu.UnknownIOA}
	if selected {
		causes = append(causes, asdu.Deactivation, asdu.DeactivationCon)
	}
	if terminated {
		causes = append(causes, asdu.ActivationTerm)
	}
	f.Cause(t, causes...)
}

// Cause adds causes with which a type is used.
func (f *Facts) Cause(t asdu.TypeID, causes ...asdu.Cause) {
	if f.Types == nil {
		f.Types = map[asdu.TypeID][]asdu.Cause{}
	}
	for _, c := range causes {
		if !has(f.Types[t], c) {
			f.Types[t] = append(f.Types[t], c)
		}
	}
}
