// Package address looks at the addresses of points and commands of a plant at their IEC
// 60870-5-104 servers: which are taken, twice or free.
package address

import (
	"cmp"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"

	"busbar/iec104/asdu"
	"busbar/internal/plantdoc"
)

// Use is one end of a point or command that has an address.
type Use struct {
	Server  string // id of the connector
	CA      uint16
	IOA     uint32
	Class   Class
	Section plantdoc.Section // Points or Commands
	ID      string
	Path    string // of the end within the object, such as to[0]
}

// Class is a kind of information that has mostly a range of addresses of its own.
type Class string

// The classes of types of information.
const (
	Single   Class = "single"
	Double   Class = "double"
	Step     Class = "step"
	Bits     Class = "bits"
	Measured Class = "measured"
	Counter  Class = "counter"
	Other    Class = "other"
)

// ClassOf returns the class of a type identification, as mnemonic or number.
func ClassOf(as string) Class {
	t, _ := asdu.ParseTypeID(as)
	switch t.Untagged() {
	case asdu.M_SP_NA_1, asdu.C_SC_NA_1, asdu.M_PS_NA_1:
		return Single
	case asdu.M_DP_NA_1, asdu.C_DC_NA_1:
		return Double
	case asdu.M_ST_NA_1, asdu.C_RC_NA_1:
		return Step
	case asdu.M_BO_NA_1, asdu.C_BO_NA_1:
		return Bits
	case asdu.M_ME_NA_1, asdu.M_ME_NB_1, asdu.M_ME_NC_1, asdu.M_ME_ND_1, asdu.C_SE_NA_1, asdu.C_SE_NB_1, asdu.C_SE_NC_1:
		return Measured
	case asdu.M_IT_NA_1:
		return Counter
	default:
		return Other
	}
}

// end is what an end says of its address.
type end struct {
	Connector string `json:"connector"`
	CA        text   `json:"ca"`
	IOA       text   `json:"ioa"`
	As        text   `json:"as"`
}

// text is a text or number as it is written.
type text string

// UnmarshalJSON implements [json.Unmarshaler].
func (t *text) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		return json.Unmarshal(data, (*string)(t))
	}
	*t = text(data)
	return nil
}

// Uses returns the ends with an address of the points and commands that each yields, in order of server,
// common address, information object address, section and id. Ends without one, and objects that
// cannot be read, are left out.
func Uses(objs iter.Seq[plantdoc.Object]) []Use {
	var uses []Use
	for o := range objs {
		switch o.Section {
		case plantdoc.Points:
			var point struct{ To []end }
			if json.Unmarshal(o.Body, &point) == nil {
				uses = appendUses(uses, o, "to", point.To)
			}
		case plantdoc.Commands:
			var command struct{ From []end }
			if json.Unmarshal(o.Body, &command) == nil {
				uses = appendUses(uses, o, "from", command.From)
			}
		}
	}
	slices.SortFunc(uses, func(a, b Use) int {
		return cmp.Or(strings.Compare(a.Server, b.Server), cmp.Compare(a.CA, b.CA), cmp.Compare(a.IOA, b.IOA),
			strings.Compare(string(b.Section), string(a.Section)), strings.Compare(a.ID, b.ID), strings.Compare(a.Path, b.Path))
	})
	return uses
}

func appendUses(uses []Use, o plantdoc.Object, list string, ends []end) []Use {
	for i, e := range ends {
		ca, okCA := ParseCA(string(e.CA))
		ioa, okIOA := ParseIOA(string(e.IOA))
		if e.Connector != "" && okCA && okIOA {
			uses = append(uses, Use{e.Connector, ca, ioa, ClassOf(string(e.As)), o.Section, o.ID, fmt.Sprintf("%s[%d]", list, i)})
		}
	}
	return uses
}

// ParseCA reads a common address, 1 to 65534: decimal, hexadecimal (0x00E1) or structured (0.225).
func ParseCA(s string) (uint16, bool) {
	v, ok := parse(s, 2)
	return uint16(v), ok && v >= 1 && v <= 65534
}

// ParseIOA reads an information object address, 1 to 16777215: decimal, hexadecimal (0x000064) or
// structured (0.0.100).
func ParseIOA(s string) (uint32, bool) {
	v, ok := parse(s, 3)
	return v, ok && v >= 1 && v <= asdu.MaxIOA
}

func parse(s string, octets int) (uint32, bool) {
	if digits, ok := strings.CutPrefix(strings.ToLower(s), "0x"); ok {
		v, err := strconv.ParseUint(digits, 16, 32)
		return uint32(v), err == nil
	}
	parts := strings.Split(s, ".")
	if len(parts) == 1 {
		v, err := strconv.ParseUint(s, 10, 32)
		return uint32(v), err == nil
	}
	var v uint32
	for _, part := range parts {
		octet, err := strconv.ParseUint(part, 10, 8)
		if err != nil {
			return 0, false
		}
		v = v<<8 | uint32(octet)
	}
	return v, len(parts) == octets
}

// StructuredCA returns a common address octet by octet, such as 0.225.
func StructuredCA(ca uint16) string { return fmt.Sprintf("%d.%d", ca>>8, ca&0xff) }

// StructuredIOA returns an information object address octet by octet, such as 0.0.100.
func StructuredIOA(ioa uint32) string { return fmt.Sprintf("%d.%d.%d", ioa>>16, ioa>>8&0xff, ioa&0xff) }

// HexIOA returns an information object address such as 0x000064.
func HexIOA(ioa uint32) string { return fmt.Sprintf("0x%06X", ioa) }
