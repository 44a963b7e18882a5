package iec104server

import (
	"fmt"

	"busbar/iec104/asdu"
	"busbar/internal/connector"
	"busbar/internal/iec104keys"
)

// Keys that it has in common with the controlling station.
type (
	// CommonAddress is the common address of a target or command.
	CommonAddress = iec104keys.CommonAddress
	// ObjectAddress is its information object address.
	ObjectAddress = iec104keys.ObjectAddress
	// CommandType is the type identification of a command.
	CommandType = iec104keys.CommandType
	// Zone is the clock of time tags.
	Zone = iec104keys.Zone
	// Allow is a list of controlling stations.
	Allow = iec104keys.Allow
	// Octets are the sizes of the fields of addresses and cause.
	Octets = iec104keys.Octets
)

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

// JSONSchema implements plant.Describer.
func (MonitorType) JSONSchema() connector.Schema {
	return iec104keys.TypeSchema(func(t asdu.TypeID) bool { return t.Time() != asdu.CP24 && forms[t].family != noFamily })
}
