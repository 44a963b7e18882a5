// Package iec104keys has the keys of the plant file that connectors of IEC
// 60870-5-104 have in common, whichever station they are: addresses, the clock of
// time tags, and the types of commands.
package iec104keys

import (
	"fmt"
	"strconv"
	"strings"

	"busbar/iec104/asdu"
	"busbar/internal/connector"
)

// CommonAddress is the common address of ASDU of a point or command, 1 … 65534. It is
// written as a number, decimal or as "0x00E1", or structured, "0.225", the high octet first.
type CommonAddress uint16

// UnmarshalNode implements plant.NodeDecoder.
func (a *CommonAddress) UnmarshalNode(n *connector.Node) error {
	v, err := address(n, 2, 65534)
	*a = CommonAddress(v)
	return err
}

// ObjectAddress is an information object address, 1 … 16777215. It is written as
// a number, decimal or as "0x000064", or structured, "0.0.100", the high octet first.
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
	if digits, ok := strings.CutPrefix(strings.ToLower(text), "0x"); ok {
		v, err := strconv.ParseUint(digits, 16, 32)
		return v, err == nil
	}
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
