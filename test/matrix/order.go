package matrix

import "busbar/iec104/asdu"

// Orders returns the objects of a command type: every value with every
// qualifier, without address, time tag and selection.
func Orders(t asdu.TypeID) []asdu.Object { return contents(t).objects() }

// Selectable reports whether a command can be selected before it is executed.
func Selectable(t asdu.TypeID) bool { return t.Untagged() != asdu.C_BO_NA_1 }

// orders are commands and set points. What a station must refuse is not among
// their values.
func orders(t asdu.TypeID) content {
	switch t.Untagged() {
	case asdu.C_SC_NA_1:
		return content{values: []uint32{0, 1}, vary: qualified(31), octets: switched}
	case asdu.C_DC_NA_1, asdu.C_RC_NA_1:
		return content{values: []uint32{1, 2}, vary: qualified(31), octets: switched}
	case asdu.C_SE_NA_1, asdu.C_SE_NB_1:
		return content{values: shorts, vary: qualified(127), octets: func(b []byte, o *asdu.Object) []byte {
			return append(little16(b, uint16(o.Value)), o.Qualifier|flag(o.Select, 0x80))
		}}
	case asdu.C_SE_NC_1:
		return content{values: floats[:7], vary: qualified(127), octets: func(b []byte, o *asdu.Object) []byte {
			return append(little32(b, o.Value), o.Qualifier|flag(o.Select, 0x80))
		}}
	case asdu.C_BO_NA_1:
		return content{values: words, octets: func(b []byte, o *asdu.Object) []byte { return little32(b, o.Value) }}
	default:
		return content{}
	}
}

// switched has value, qualifier and selection in one octet.
func switched(b []byte, o *asdu.Object) []byte {
	return append(b, byte(o.Value)|o.Qualifier<<2|flag(o.Select, 0x80))
}

// qualified returns all qualifiers up to most.
func qualified(most int) func(o asdu.Object) []asdu.Object {
	return func(o asdu.Object) (list []asdu.Object) {
		for q := range most + 1 {
			o.Qualifier = uint8(q)
			list = append(list, o)
		}
		return list
	}
}
