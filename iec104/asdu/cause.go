package asdu

import "strconv"

// Cause is the cause of transmission, 0 … 63.
type Cause uint8

// The causes of transmission.
const (
	Cyclic              Cause = 1
	Background          Cause = 2
	Spontaneous         Cause = 3
	Initialised         Cause = 4
	Request             Cause = 5 // request or requested
	Activation          Cause = 6
	ActivationCon       Cause = 7
	Deactivation        Cause = 8
	DeactivationCon     Cause = 9
	ActivationTerm      Cause = 10
	ReturnRemote        Cause = 11 // return information of a remote command
	ReturnLocal         Cause = 12 // return information of a local command
	File                Cause = 13
	Authentication      Cause = 14
	SessionKey          Cause = 15
	UserRole            Cause = 16
	InterrogatedGeneral Cause = 20
	InterrogatedGroup1  Cause = 21 // group n is InterrogatedGeneral + n, 1 … 16
	InterrogatedGroup16 Cause = 36
	CounterGeneral      Cause = 37
	CounterGroup1       Cause = 38 // group n is CounterGeneral + n, 1 … 4
	CounterGroup4       Cause = 41
	UnknownType         Cause = 44
	UnknownCause        Cause = 45
	UnknownCA           Cause = 46
	UnknownIOA          Cause = 47
)

const maxCause = 63

// causeWords is the vocabulary of the JSON format.
var causeWords = [maxCause + 1]string{
	Cyclic:                  "periodic",
	Background:              "background",
	Spontaneous:             "spontaneous",
	Initialised:             "initialised",
	Request:                 "request",
	Activation:              "activation",
	ActivationCon:           "activation-con",
	Deactivation:            "deactivation",
	DeactivationCon:         "deactivation-con",
	ActivationTerm:          "activation-term",
	ReturnRemote:            "return-remote",
	ReturnLocal:             "return-local",
	File:                    "file",
	Authentication:          "authentication",
	SessionKey:              "session-key",
	UserRole:                "user-role",
	InterrogatedGeneral:     "interrogated-general",
	InterrogatedGroup1:      "interrogated-group-1",
	InterrogatedGroup1 + 1:  "interrogated-group-2",
	InterrogatedGroup1 + 2:  "interrogated-group-3",
	InterrogatedGroup1 + 3:  "interrogated-group-4",
	InterrogatedGroup1 + 4:  "interrogated-group-5",
	InterrogatedGroup1 + 5:  "interrogated-group-6",
	InterrogatedGroup1 + 6:  "interrogated-group-7",
	InterrogatedGroup1 + 7:  "interrogated-group-8",
	InterrogatedGroup1 + 8:  "interrogated-group-9",
	InterrogatedGroup1 + 9:  "interrogated-group-10",
	InterrogatedGroup16 - 5: "interrogated-group-11",
	InterrogatedGroup16 - 4: "interrogated-group-12",
	InterrogatedGroup16 - 3: "interrogated-group-13",
	InterrogatedGroup16 - 2: "interrogated-group-14",
	InterrogatedGroup16 - 1: "interrogated-group-15",
	InterrogatedGroup16:     "interrogated-group-16",
	CounterGeneral:          "counter-general",
	CounterGroup1:           "counter-group-1",
	CounterGroup1 + 1:       "counter-group-2",
	CounterGroup1 + 2:       "counter-group-3",
	CounterGroup4:           "counter-group-4",
	UnknownType:             "unknown-type",
	UnknownCause:            "unknown-cause",
	UnknownCA:               "unknown-ca",
	UnknownIOA:              "unknown-ioa",
}

// String returns the word for the cause, "spontaneous". Causes without one are
// "unused" (0), "reserved-17" (17 … 19, 42, 43) and "private-48" (48 … 63).
func (c Cause) String() string {
	switch {
	case c == 0:
		return "unused"
	case c > maxCause:
		return "invalid-" + strconv.Itoa(int(c))
	case causeWords[c] != "":
		return causeWords[c]
	case c >= 48:
		return "private-" + strconv.Itoa(int(c))
	default:
		return "reserved-" + strconv.Itoa(int(c))
	}
}

// Interrogated reports whether the cause is that of an answer to a general or
// group interrogation.
func (c Cause) Interrogated() bool { return c >= InterrogatedGeneral && c <= InterrogatedGroup16 }

// Unknown reports whether the cause says that the type, cause, common address
// or object address of a request is unknown. It is a refusal whether or not
// the P/N bit is set.
func (c Cause) Unknown() bool { return c >= UnknownType && c <= UnknownIOA }

// causes is a set of causes.
type causes uint64

func (s causes) has(c Cause) bool { return c <= maxCause && s>>c&1 != 0 }
