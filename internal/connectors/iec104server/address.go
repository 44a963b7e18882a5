package iec104server

import (
	"fmt"
	"strconv"
	"strings"

	"busbar/iec104/asdu"
	"busbar/internal/connector"
)

// CommonAddress is the common address of ASDU of a target, 1 … 65534. It is
// written as a number or structured, "0.225", the high octet first.
type CommonAddress uint16

// UnmarshalNode implements plant.NodeDecoder.
func (a *CommonAddress) UnmarshalNode(n *connector.Node) error {
	v, err := address(n, 2, 65534)
	*a = CommonAddress(v)
	return err
}

// ObjectAddress is an information object address, 1 … 16777215. It is written as
// a number or structured, "0.0.100", the high octet first.
type ObjectAddress uint32

// UnmarshalNode implements plant.NodeDecoder.
func (a *ObjectAddress) UnmarshalNode(n *connector.Node) error {
	v, err := address(n, 3, asdu.MaxIOA)
	*a = ObjectAddress(v)
	return err
}

// address reads an address of the given number of octets.
func address(n *connector.Node, octets int, high uint64) (uint64, error) {
	form := "0" + strings.Repeat(".0", octets-2) + ".100"
	text, err := n.Str()
	if err != nil {
		return 0, fmt.Errorf("want a number from 1 to %d, or structured such as %q", high, form)
	}
	v, ok := parseAddress(text, octets)
	if !ok || v < 1 || v > high {
		return 0, fmt.Errorf("is %s, want a number from 1 to %d, or structured such as %q", text, high, form)
	}
	return v, nil
}

func parseAddress(text string, octets int) (uint64, bool) {
	if !strings.Contains(text, ".") {
		v, err := strconv.ParseUint(text, 10, 32)
		return v, err == nil
	}
	parts := strings.Split(text, ".")
	if len(parts) != octets {
		return 0, false
	}
	var v uint64
	for _, part := range parts {
		octet, err := strconv.ParseUint(part, 10, 8)
		if err != nil {
			return 0, false
		}
		v = v<<8 | octet
	}
	return v, true
}

// MonitorType is the type identification of a target, written as mnemonic or
// number.
type MonitorType struct{ asdu.TypeID }

// UnmarshalNode implements plant.NodeDecoder.
func (m *MonitorType) UnmarshalNode(n *connector.Node) error {
	text, err := n.Str()
	if err != nil {
		return fmt.Errorf("want a type identification such as M_ME_TF_1 or 36")
	}
	t, ok := asdu.ParseTypeID(text)
	switch {
	case !ok || !t.Known():
		return fmt.Errorf("is %s, want a type identification such as M_ME_TF_1 or 36", text)
	case t.Time() == asdu.CP24:
		return fmt.Errorf("%s (%d) belongs to IEC 60870-5-101, want a type without time tag or with CP56Time2a%s", t, uint8(t), instead(t))
	case forms[t].family == noFamily:
		return fmt.Errorf("%s (%d) is not a type of process information in monitor direction", t, uint8(t))
	}
	m.TypeID = t
	return nil
}

// instead names the type with CP56Time2a that stands for one with CP24Time2a.
func instead(t asdu.TypeID) string {
	for i := range forms {
		if c := asdu.TypeID(i); forms[i].tagged && c.Untagged() == t.Untagged() && t.Untagged() != 0 {
			return ", such as " + c.String()
		}
	}
	return ""
}
