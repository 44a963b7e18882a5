package iec104keys

import (
	"fmt"

	"busbar/iec104/asdu"
	"busbar/internal/connector"
	"busbar/internal/point"
)

// CommandType is the type identification of a command, written as mnemonic or
// number.
type CommandType struct{ asdu.TypeID }

// UnmarshalNode implements plant.NodeDecoder.
func (c *CommandType) UnmarshalNode(n *connector.Node) error {
	const want = "want a command such as C_SC_NA_1, C_DC_TA_1 or 45"
	text, err := n.Str()
	if err != nil {
		return fmt.Errorf("%s", want)
	}
	t, ok := asdu.ParseTypeID(text)
	if !ok || Carries(t) == nil {
		return fmt.Errorf("is %s, %s", text, want)
	}
	c.TypeID = t
	return nil
}

// Carries returns the types of commands in the plant that a type identification
// can carry, the natural one first; nil if it is not a command.
func Carries(t asdu.TypeID) []point.Type {
	switch t.Untagged() {
	case asdu.C_SC_NA_1:
		return []point.Type{point.Single, point.Double}
	case asdu.C_DC_NA_1:
		return []point.Type{point.Double, point.Single}
	case asdu.C_RC_NA_1:
		return []point.Type{point.Step}
	case asdu.C_SE_NA_1, asdu.C_SE_NB_1, asdu.C_SE_NC_1:
		return []point.Type{point.Float, point.Int}
	case asdu.C_BO_NA_1:
		return []point.Type{point.Bits}
	default:
		return nil
	}
}
