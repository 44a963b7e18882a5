package linkprofile

import (
	"fmt"
	"strconv"
	"time"
)

// Value is one parameter or switch of a profile as the plant file writes it.
type Value struct {
	Key   string `json:"key"`
	Value string `json:"value"`
	Basis string `json:"basis"` // what it rests on
}

// Values returns every value of the profile, with what it rests on.
func (p *Profile) Values() []Value {
	s := p.Params.Sizes
	values := []Value{
		{"k", strconv.Itoa(p.Params.K), ""},
		{"w", strconv.Itoa(p.Params.W), ""},
		{"t0", short(p.Params.T0), ""},
		{"t1", short(p.Params.T1), ""},
		{"t2", short(p.Params.T2), ""},
		{"t3", short(p.Params.T3), ""},
		{"maxAPDU", strconv.Itoa(p.Params.MaxAPDU), ""},
		{"octets", fmt.Sprintf("{cause: %d, ca: %d, ioa: %d}", s.COT, s.CA, s.IOA), ""},
		{"maxObjects", strconv.Itoa(p.MaxObjects), ""},
		{"time", choose(p.LocalTime, "local", "utc"), ""},
		{"summerTime", strconv.FormatBool(p.SummerTime), ""},
		{"weekday", strconv.FormatBool(p.Weekday), ""},
		{"interrogation", choose(p.Tagged, "tagged", "untagged"), ""},
		{"endOfInitialisation", strconv.FormatBool(p.EndOfInit), ""},
		{"originator", choose(p.MirrorOriginator, "mirror", "zero"), ""},
		{"unknownRequests", choose(p.ConfirmUnknown, "confirmation", "cause"), ""},
		{"termination", p.Termination, ""},
		{"unknownQualifiers", p.UnknownQualifiers, ""},
		{"lateCommands", p.LateCommands, ""},
		{"commandAge", short(p.CommandAge), ""},
	}
	for i := range values {
		values[i].Basis = p.rests[values[i].Key]
		if values[i].Basis == "" {
			values[i].Basis = ofStandard(values[i].Key)
		}
	}
	return values
}

// ofStandard says what a default rests on.
func ofStandard(key string) string {
	switch key {
	case "k", "w", "t0", "t1", "t2", "t3", "maxAPDU", "octets", "interrogation":
		return "standard"
	case "time", "summerTime":
		return "the standard leaves it to the project; UTC has no hour twice"
	default:
		return "the standard leaves it to the project; what most stations do"
	}
}

func choose(first bool, a, b string) string {
	if first {
		return a
	}
	return b
}

// short writes a duration as the plant file does.
func short(d time.Duration) string {
	switch {
	case d >= time.Hour && d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d%time.Second == 0:
		return fmt.Sprintf("%ds", d/time.Second)
	default:
		return d.String()
	}
}
