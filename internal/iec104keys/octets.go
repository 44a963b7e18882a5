package iec104keys

import (
	"fmt"

	"busbar/iec104/asdu"
)

// Octets is the key octets: the sizes that IEC 60870-5-104 fixes, and peers that
// come from IEC 60870-5-101 may not keep.
type Octets struct {
	Cause uint8 `json:"cause" min:"1" max:"2" doc:"cause of transmission; with 2 the originator address follows it"`
	CA    uint8 `json:"ca" min:"1" max:"2" doc:"common address"`
	IOA   uint8 `json:"ioa" min:"1" max:"3" doc:"information object address"`
}

// Sizes returns the octets as the library has them.
func (o Octets) Sizes() asdu.Sizes { return asdu.Sizes{COT: o.Cause, CA: o.CA, IOA: o.IOA} }

// Fault returns why an address cannot be sent or received, and which key is wrong; empty: it can.
func (o Octets) Fault(ca uint16, ioa uint32) (key, text string) {
	highest := uint32(1)<<(8*o.IOA) - 1
	switch {
	case o.CA == 1 && ca > 254:
		return "ca", fmt.Sprintf("is %d, want 1 to 254, because octets.ca is 1", ca)
	case ioa > highest:
		return "ioa", fmt.Sprintf("is %d, want 1 to %d, because octets.ioa is %d", ioa, highest, o.IOA)
	default:
		return "", ""
	}
}
