package asdu

import "strconv"

// TypeID is a type identification, the first octet of an ASDU.
type TypeID uint8

// The type identifications, named as in the standard. NA, NB, NC and ND are
// without time tag, TA … TF with one.
const (
	M_SP_NA_1 TypeID = 1  // single point
	M_SP_TA_1 TypeID = 2  // single point, CP24
	M_DP_NA_1 TypeID = 3  // double point
	M_DP_TA_1 TypeID = 4  // double point, CP24
	M_ST_NA_1 TypeID = 5  // step position
	M_ST_TA_1 TypeID = 6  // step position, CP24
	M_BO_NA_1 TypeID = 7  // bitstring of 32 bits
	M_BO_TA_1 TypeID = 8  // bitstring of 32 bits, CP24
	M_ME_NA_1 TypeID = 9  // measured value, normalised
	M_ME_TA_1 TypeID = 10 // measured value, normalised, CP24
	M_ME_NB_1 TypeID = 11 // measured value, scaled
	M_ME_TB_1 TypeID = 12 // measured value, scaled, CP24
	M_ME_NC_1 TypeID = 13 // measured value, short float
	M_ME_TC_1 TypeID = 14 // measured value, short float, CP24
	M_IT_NA_1 TypeID = 15 // integrated total
	M_IT_TA_1 TypeID = 16 // integrated total, CP24
	M_EP_TA_1 TypeID = 17 // event of protection equipment, CP24
	M_EP_TB_1 TypeID = 18 // packed start events of protection equipment, CP24
	M_EP_TC_1 TypeID = 19 // packed output circuit information, CP24
	M_PS_NA_1 TypeID = 20 // 16 single points with change detection
	M_ME_ND_1 TypeID = 21 // measured value, normalised, without quality
	M_SP_TB_1 TypeID = 30 // single point, CP56
	M_DP_TB_1 TypeID = 31 // double point, CP56
	M_ST_TB_1 TypeID = 32 // step position, CP56
	M_BO_TB_1 TypeID = 33 // bitstring of 32 bits, CP56
	M_ME_TD_1 TypeID = 34 // measured value, normalised, CP56
	M_ME_TE_1 TypeID = 35 // measured value, scaled, CP56
	M_ME_TF_1 TypeID = 36 // measured value, short float, CP56
	M_IT_TB_1 TypeID = 37 // integrated total, CP56
	M_EP_TD_1 TypeID = 38 // event of protection equipment, CP56
	M_EP_TE_1 TypeID = 39 // packed start events of protection equipment, CP56
	M_EP_TF_1 TypeID = 40 // packed output circuit information, CP56
	S_IT_TC_1 TypeID = 41 // security statistics counter, CP56

	C_SC_NA_1 TypeID = 45 // single command
	C_DC_NA_1 TypeID = 46 // double command
	C_RC_NA_1 TypeID = 47 // regulating step command
	C_SE_NA_1 TypeID = 48 // set point, normalised
	C_SE_NB_1 TypeID = 49 // set point, scaled
	C_SE_NC_1 TypeID = 50 // set point, short float
	C_BO_NA_1 TypeID = 51 // bitstring of 32 bits
	C_SC_TA_1 TypeID = 58 // single command, CP56
	C_DC_TA_1 TypeID = 59 // double command, CP56
	C_RC_TA_1 TypeID = 60 // regulating step command, CP56
	C_SE_TA_1 TypeID = 61 // set point, normalised, CP56
	C_SE_TB_1 TypeID = 62 // set point, scaled, CP56
	C_SE_TC_1 TypeID = 63 // set point, short float, CP56
	C_BO_TA_1 TypeID = 64 // bitstring of 32 bits, CP56

	M_EI_NA_1 TypeID = 70  // end of initialisation
	C_IC_NA_1 TypeID = 100 // general or group interrogation
	C_CI_NA_1 TypeID = 101 // counter interrogation
	C_RD_NA_1 TypeID = 102 // read
	C_CS_NA_1 TypeID = 103 // clock synchronisation
	C_TS_NA_1 TypeID = 104 // test
	C_RP_NA_1 TypeID = 105 // reset process
	C_CD_NA_1 TypeID = 106 // delay acquisition
	C_TS_TA_1 TypeID = 107 // test, CP56
	P_ME_NA_1 TypeID = 110 // parameter of measured value, normalised
	P_ME_NB_1 TypeID = 111 // parameter of measured value, scaled
	P_ME_NC_1 TypeID = 112 // parameter of measured value, short float
	P_AC_NA_1 TypeID = 113 // parameter activation
	F_FR_NA_1 TypeID = 120 // file ready
	F_SR_NA_1 TypeID = 121 // section ready
	F_SC_NA_1 TypeID = 122 // call or select directory, file or section
	F_LS_NA_1 TypeID = 123 // last section, last segment
	F_AF_NA_1 TypeID = 124 // acknowledge file or section
	F_SG_NA_1 TypeID = 125 // segment
	F_DR_TA_1 TypeID = 126 // directory
	F_SC_NB_1 TypeID = 127 // query log
)

// TimeFormat is the kind of time tag that ends an information object.
type TimeFormat uint8

// The time formats.
const (
	NoTime TimeFormat = iota
	CP24              // three octets: minute and millisecond
	CP56              // seven octets: date and time
)

// Len returns the octets of the time tag: 0, 3 or 7.
func (f TimeFormat) Len() int {
	switch f {
	case CP24:
		return 3
	case CP56:
		return 7
	default:
		return 0
	}
}

// Direction is the direction in which an ASDU is sent.
type Direction uint8

// The directions.
const (
	Monitor Direction = iota // from the controlled to the controlling station
	Control                  // from the controlling to the controlled station
)

// Known reports whether the codec knows the type: it is one of the constants.
func (t TypeID) Known() bool { return t.row().name != "" }

// String returns the mnemonic, "M_ME_TF_1", or the decimal number of a type
// that is not known.
func (t TypeID) String() string {
	if name := t.row().name; name != "" {
		return name
	}
	return strconv.Itoa(int(t))
}

// ParseTypeID returns the type with the given mnemonic or decimal number.
// Numbers 1 … 255 are accepted whether known or not.
func ParseTypeID(s string) (TypeID, bool) {
	for i := range rows {
		if rows[i].name == s && s != "" {
			return TypeID(i), true
		}
	}
	n, err := strconv.ParseUint(s, 10, 8)
	return TypeID(n), err == nil && n > 0
}

// Time returns the format of the time tag that ends each object. The two times
// of F_SC_NB_1 are not a tag but content.
func (t TypeID) Time() TimeFormat { return t.row().time }

// Size returns the octets of one element with its time tag, without address.
// It is zero for C_RD_NA_1, which has no element, for F_SG_NA_1, whose length
// varies, and for types that are not known.
func (t TypeID) Size() int { return int(t.row().size) }

// Single reports whether an ASDU of the type holds exactly one object.
func (t TypeID) Single() bool { return t.row().shape == one }

// Sequence reports whether the type may be sent with SQ=1: one address and
// elements for that and the following addresses.
func (t TypeID) Sequence() bool { return t.row().shape&sequence != 0 }

// In104 reports whether the type belongs to IEC 60870-5-104. The others belong
// to -101 only: they are decoded, but not to be sent unless configured.
func (t TypeID) In104() bool { return t.row().in104 }

// Permits reports whether the cause of transmission is one that the standard
// has for the type in that direction.
func (t TypeID) Permits(c Cause, d Direction) bool {
	r := t.row()
	if d == Control {
		return r.control.has(c)
	}
	return r.monitor.has(c)
}

// Command reports whether the type is one that a controlling station sends.
func (t TypeID) Command() bool { return t.row().control != 0 }

// Untagged returns the type of the same content without time tag, as answers
// to an interrogation use it: M_ME_NC_1 for M_ME_TF_1. A type without time tag
// is its own; where there is none, as for protection events, it is zero.
func (t TypeID) Untagged() TypeID { return t.row().untagged }
