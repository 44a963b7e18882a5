package iec104server

import "busbar/iec104/asdu"

// family is what monitor types with and without time tag have in common: their
// information element.
type family uint8

const (
	noFamily   family = iota
	single            // SIQ
	double            // DIQ
	step              // VTI QDS
	bitstring         // BSI QDS
	normalized        // NVA QDS
	bare              // NVA
	scaled            // SVA QDS
	float             // R32 QDS
	total             // BCR
	packed            // SCD QDS
	protection        // SEP
	start             // SPE QDP
	output            // OCI QDP
	families
)

// form is what the connector has to know of a monitor type.
type form struct {
	family   family
	untagged asdu.TypeID // the type of the same family without time tag; itself where there is none
	tagged   bool        // has a CP56Time2a
}

// forms holds the monitor types that 104 permits. The types with CP24Time2a
// belong to 101, 41 to 60870-5-7.
var forms = [256]form{
	asdu.M_SP_NA_1: {single, asdu.M_SP_NA_1, false},
	asdu.M_DP_NA_1: {double, asdu.M_DP_NA_1, false},
	asdu.M_ST_NA_1: {step, asdu.M_ST_NA_1, false},
	asdu.M_BO_NA_1: {bitstring, asdu.M_BO_NA_1, false},
	asdu.M_ME_NA_1: {normalized, asdu.M_ME_NA_1, false},
	asdu.M_ME_NB_1: {scaled, asdu.M_ME_NB_1, false},
	asdu.M_ME_NC_1: {float, asdu.M_ME_NC_1, false},
	asdu.M_IT_NA_1: {total, asdu.M_IT_NA_1, false},
	asdu.M_PS_NA_1: {packed, asdu.M_PS_NA_1, false},
	asdu.M_ME_ND_1: {bare, asdu.M_ME_ND_1, false},
	asdu.M_SP_TB_1: {single, asdu.M_SP_NA_1, true},
	asdu.M_DP_TB_1: {double, asdu.M_DP_NA_1, true},
	asdu.M_ST_TB_1: {step, asdu.M_ST_NA_1, true},
	asdu.M_BO_TB_1: {bitstring, asdu.M_BO_NA_1, true},
	asdu.M_ME_TD_1: {normalized, asdu.M_ME_NA_1, true},
	asdu.M_ME_TE_1: {scaled, asdu.M_ME_NB_1, true},
	asdu.M_ME_TF_1: {float, asdu.M_ME_NC_1, true},
	asdu.M_IT_TB_1: {total, asdu.M_IT_NA_1, true},
	asdu.M_EP_TD_1: {protection, asdu.M_EP_TD_1, true},
	asdu.M_EP_TE_1: {start, asdu.M_EP_TE_1, true},
	asdu.M_EP_TF_1: {output, asdu.M_EP_TF_1, true},
}

// interrogated reports whether the family is in the answer to a general or group
// interrogation, may be read, and may be sent as background scan. Integrated
// totals have their own interrogation; events of protection equipment are
// events only.
func (f family) interrogated() bool {
	return f >= single && f < families && f != total && f < protection
}

// cyclic reports whether the family may be sent with the cause cyclic: the
// measured values.
func (f family) cyclic() bool { return f >= normalized && f <= float }

var familyNames = [families]string{
	"", "single", "double", "step", "bits", "normalised", "normalised without quality", "scaled", "float",
	"counter", "16 single points", "protection event", "start events", "output circuits",
}

// String returns what the family carries.
func (f family) String() string { return familyNames[f] }

// asType returns the type identification with a number of forms.
func asType(i int) asdu.TypeID { return asdu.TypeID(i) }
