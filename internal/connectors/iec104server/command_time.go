package iec104server

import (
	"fmt"
	"time"

	"busbar/iec104/asdu"
)

// CommandSettings are the keys of a server about commands.
type CommandSettings struct {
	CommandAge   time.Duration `json:"commandAge" min:"100ms" max:"24h" doc:"how old a command with time tag may be"`
	CommandAhead time.Duration `json:"commandAhead" min:"0s" max:"24h" doc:"how far a time tag of a command may lie in the future"`
	LateCommands string        `json:"lateCommands" enum:"discard,refuse" doc:"answer to a command with a time tag beyond that: none, or a negative confirmation"`

	Termination       string `json:"termination" enum:"command,immediate,none" doc:"when ACTTERM is sent: as the command says, right after the positive confirmation, or never"`
	UnknownQualifiers string `json:"unknownQualifiers" enum:"refuse,zero" doc:"qualifiers that a command does not list: refuse, or take those above 8 for 0"`
}

// timely returns why a command with this time tag must not be executed now.
func (s *CommandSettings) timely(t asdu.Time, zone *time.Location, now time.Time) error {
	issued, possible := t.Date(zone)
	age := now.Sub(issued)
	switch {
	case t.Invalid():
		return &untimelyError{kind: "time tag is marked invalid"}
	case !possible:
		return &untimelyError{kind: "time tag is no possible date"}
	case age > s.CommandAge:
		return &untimelyError{"time tag too old", fmt.Sprintf("is %v old", age.Round(time.Millisecond))}
	case -age > s.CommandAhead:
		return &untimelyError{"time tag in the future", fmt.Sprintf("time tag is %v ahead", -age.Round(time.Millisecond))}
	default:
		return nil
	}
}

// untimelyError is why the time tag of a command forbids to execute it.
type untimelyError struct{ kind, detail string }

func (e *untimelyError) Error() string {
	if e.detail == "" {
		return e.kind
	}
	return e.detail
}
