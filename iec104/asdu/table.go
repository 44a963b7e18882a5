package asdu

// element is the layout of an information element without its time tag. Each
// has one case in decodeElement, encodeElement and appendValue.
type element uint8

const (
	elRaw     element = iota // octets of a type that is not known
	elNone                   // C_RD_NA_1: address only
	elSIQ                    // single point with quality
	elDIQ                    // double point with quality
	elVTI                    // step position and QDS
	elBSI                    // 32 bits and QDS
	elNVA                    // normalised value and QDS
	elSVA                    // scaled value and QDS
	elR32                    // short float and QDS
	elBCR                    // binary counter reading
	elSEP                    // single event of protection and elapsed time
	elSPE                    // start events, QDP and elapsed time
	elOCI                    // output circuits, QDP and elapsed time
	elSCD                    // 16 states, 16 change bits and QDS
	elNVAOnly                // normalised value without quality
	elAID                    // association and binary counter reading
	elSCO                    // single command
	elDCO                    // double command
	elRCO                    // regulating step command
	elNVAQOS                 // normalised set point
	elSVAQOS                 // scaled set point
	elR32QOS                 // short float set point
	elBSIOnly                // 32 bits
	elCOI                    // cause of initialisation
	elQOI                    // qualifier of interrogation
	elQCC                    // qualifier of counter interrogation
	elClock                  // nothing but the time
	elFBP                    // fixed test pattern
	elQRP                    // qualifier of reset process
	elCP16                   // delay in milliseconds
	elTSC                    // test sequence counter
	elNVAQPM                 // normalised parameter
	elSVAQPM                 // scaled parameter
	elR32QPM                 // short float parameter
	elQPA                    // qualifier of parameter activation
	elFile                   // octets of fixed length, see the views of files
	elSegment                // octets of a length that they state themselves
)

// shape says how many objects an ASDU holds and how they are addressed.
type shape uint8

const (
	one      shape = 1 << iota // SQ=0, exactly one object
	several                    // SQ=0, one or more objects
	sequence                   // SQ=1, one or more elements
)

// row is what the codec knows of a type.
type row struct {
	name     string
	elem     element
	size     uint8 // octets of the element with its time tag
	time     TimeFormat
	shape    shape
	control  causes
	monitor  causes
	untagged TypeID
	in104    bool
}

// The sets of causes.
const (
	request   causes = 1 << Request
	spont     causes = 1 << Spontaneous
	act       causes = 1 << Activation
	actDeact  causes = act | 1<<Deactivation
	file      causes = 1 << File
	returned  causes = 1<<ReturnRemote | 1<<ReturnLocal
	backgr    causes = 1 << Background
	unknown   causes = 1<<UnknownType | 1<<UnknownCause | 1<<UnknownCA | 1<<UnknownIOA
	inrogen   causes = (1<<(InterrogatedGroup16+1) - 1) &^ (1<<InterrogatedGeneral - 1)
	reqco     causes = (1<<(CounterGroup4+1) - 1) &^ (1<<CounterGeneral - 1)
	status    causes = backgr | spont | request | inrogen
	switched  causes = status | returned
	measured  causes = status | 1<<Cyclic
	event     causes = spont | request
	swEvent   causes = event | returned
	counter   causes = spont | reqco
	confirmed causes = 1<<ActivationCon | unknown
	answered  causes = confirmed | 1<<DeactivationCon | 1<<ActivationTerm
	parameter causes = confirmed | inrogen
)

// rows is the table of the type identifications; it is never written.
var rows = [256]row{
	M_SP_NA_1: {"M_SP_NA_1", elSIQ, 1, NoTime, several | sequence, 0, switched, M_SP_NA_1, true},
	M_SP_TA_1: {"M_SP_TA_1", elSIQ, 4, CP24, several, 0, swEvent, M_SP_NA_1, false},
	M_DP_NA_1: {"M_DP_NA_1", elDIQ, 1, NoTime, several | sequence, 0, switched, M_DP_NA_1, true},
	M_DP_TA_1: {"M_DP_TA_1", elDIQ, 4, CP24, several, 0, swEvent, M_DP_NA_1, false},
	M_ST_NA_1: {"M_ST_NA_1", elVTI, 2, NoTime, several | sequence, 0, switched, M_ST_NA_1, true},
	M_ST_TA_1: {"M_ST_TA_1", elVTI, 5, CP24, several, 0, swEvent, M_ST_NA_1, false},
	M_BO_NA_1: {"M_BO_NA_1", elBSI, 5, NoTime, several | sequence, 0, status, M_BO_NA_1, true},
	M_BO_TA_1: {"M_BO_TA_1", elBSI, 8, CP24, several, 0, event, M_BO_NA_1, false},
	M_ME_NA_1: {"M_ME_NA_1", elNVA, 3, NoTime, several | sequence, 0, measured, M_ME_NA_1, true},
	M_ME_TA_1: {"M_ME_TA_1", elNVA, 6, CP24, several, 0, event, M_ME_NA_1, false},
	M_ME_NB_1: {"M_ME_NB_1", elSVA, 3, NoTime, several | sequence, 0, measured, M_ME_NB_1, true},
	M_ME_TB_1: {"M_ME_TB_1", elSVA, 6, CP24, several, 0, event, M_ME_NB_1, false},
	M_ME_NC_1: {"M_ME_NC_1", elR32, 5, NoTime, several | sequence, 0, measured, M_ME_NC_1, true},
	M_ME_TC_1: {"M_ME_TC_1", elR32, 8, CP24, several, 0, event, M_ME_NC_1, false},
	M_IT_NA_1: {"M_IT_NA_1", elBCR, 5, NoTime, several | sequence, 0, counter, M_IT_NA_1, true},
	M_IT_TA_1: {"M_IT_TA_1", elBCR, 8, CP24, several, 0, counter, M_IT_NA_1, false},
	M_EP_TA_1: {"M_EP_TA_1", elSEP, 6, CP24, several, 0, spont, 0, false},
	M_EP_TB_1: {"M_EP_TB_1", elSPE, 7, CP24, one, 0, spont, 0, false},
	M_EP_TC_1: {"M_EP_TC_1", elOCI, 7, CP24, one, 0, spont, 0, false},
	M_PS_NA_1: {"M_PS_NA_1", elSCD, 5, NoTime, several | sequence, 0, switched, M_PS_NA_1, true},
	M_ME_ND_1: {"M_ME_ND_1", elNVAOnly, 2, NoTime, several | sequence, 0, measured, M_ME_ND_1, true},
	M_SP_TB_1: {"M_SP_TB_1", elSIQ, 8, CP56, several, 0, swEvent, M_SP_NA_1, true},
	M_DP_TB_1: {"M_DP_TB_1", elDIQ, 8, CP56, several, 0, swEvent, M_DP_NA_1, true},
	M_ST_TB_1: {"M_ST_TB_1", elVTI, 9, CP56, several, 0, swEvent, M_ST_NA_1, true},
	M_BO_TB_1: {"M_BO_TB_1", elBSI, 12, CP56, several, 0, event, M_BO_NA_1, true},
	M_ME_TD_1: {"M_ME_TD_1", elNVA, 10, CP56, several, 0, event, M_ME_NA_1, true},
	M_ME_TE_1: {"M_ME_TE_1", elSVA, 10, CP56, several, 0, event, M_ME_NB_1, true},
	M_ME_TF_1: {"M_ME_TF_1", elR32, 12, CP56, several, 0, event, M_ME_NC_1, true},
	M_IT_TB_1: {"M_IT_TB_1", elBCR, 12, CP56, several, 0, counter, M_IT_NA_1, true},
	M_EP_TD_1: {"M_EP_TD_1", elSEP, 10, CP56, several, 0, spont, 0, true},
	M_EP_TE_1: {"M_EP_TE_1", elSPE, 11, CP56, one, 0, spont, 0, true},
	M_EP_TF_1: {"M_EP_TF_1", elOCI, 11, CP56, one, 0, spont, 0, true},
	S_IT_TC_1: {"S_IT_TC_1", elAID, 14, CP56, several, 0, counter, 0, true},

	C_SC_NA_1: {"C_SC_NA_1", elSCO, 1, NoTime, one, actDeact, answered, C_SC_NA_1, true},
	C_DC_NA_1: {"C_DC_NA_1", elDCO, 1, NoTime, one, actDeact, answered, C_DC_NA_1, true},
	C_RC_NA_1: {"C_RC_NA_1", elRCO, 1, NoTime, one, actDeact, answered, C_RC_NA_1, true},
	C_SE_NA_1: {"C_SE_NA_1", elNVAQOS, 3, NoTime, one, actDeact, answered, C_SE_NA_1, true},
	C_SE_NB_1: {"C_SE_NB_1", elSVAQOS, 3, NoTime, one, actDeact, answered, C_SE_NB_1, true},
	C_SE_NC_1: {"C_SE_NC_1", elR32QOS, 5, NoTime, one, actDeact, answered, C_SE_NC_1, true},
	C_BO_NA_1: {"C_BO_NA_1", elBSIOnly, 4, NoTime, one, actDeact, answered, C_BO_NA_1, true},
	C_SC_TA_1: {"C_SC_TA_1", elSCO, 8, CP56, one, actDeact, answered, C_SC_NA_1, true},
	C_DC_TA_1: {"C_DC_TA_1", elDCO, 8, CP56, one, actDeact, answered, C_DC_NA_1, true},
	C_RC_TA_1: {"C_RC_TA_1", elRCO, 8, CP56, one, actDeact, answered, C_RC_NA_1, true},
	C_SE_TA_1: {"C_SE_TA_1", elNVAQOS, 10, CP56, one, actDeact, answered, C_SE_NA_1, true},
	C_SE_TB_1: {"C_SE_TB_1", elSVAQOS, 10, CP56, one, actDeact, answered, C_SE_NB_1, true},
	C_SE_TC_1: {"C_SE_TC_1", elR32QOS, 12, CP56, one, actDeact, answered, C_SE_NC_1, true},
	C_BO_TA_1: {"C_BO_TA_1", elBSIOnly, 11, CP56, one, actDeact, answered, C_BO_NA_1, true},

	M_EI_NA_1: {"M_EI_NA_1", elCOI, 1, NoTime, one, 0, 1 << Initialised, M_EI_NA_1, true},
	C_IC_NA_1: {"C_IC_NA_1", elQOI, 1, NoTime, one, actDeact, answered, C_IC_NA_1, true},
	C_CI_NA_1: {"C_CI_NA_1", elQCC, 1, NoTime, one, act, answered, C_CI_NA_1, true},
	C_RD_NA_1: {"C_RD_NA_1", elNone, 0, NoTime, one, request, unknown, C_RD_NA_1, true},
	C_CS_NA_1: {"C_CS_NA_1", elClock, 7, CP56, one, act, confirmed | spont, 0, true},
	C_TS_NA_1: {"C_TS_NA_1", elFBP, 2, NoTime, one, act, confirmed, C_TS_NA_1, false},
	C_RP_NA_1: {"C_RP_NA_1", elQRP, 1, NoTime, one, act, confirmed, C_RP_NA_1, true},
	C_CD_NA_1: {"C_CD_NA_1", elCP16, 2, NoTime, one, act | spont, confirmed, C_CD_NA_1, false},
	C_TS_TA_1: {"C_TS_TA_1", elTSC, 9, CP56, one, act, confirmed, 0, true},
	P_ME_NA_1: {"P_ME_NA_1", elNVAQPM, 3, NoTime, one, act, parameter, P_ME_NA_1, true},
	P_ME_NB_1: {"P_ME_NB_1", elSVAQPM, 3, NoTime, one, act, parameter, P_ME_NB_1, true},
	P_ME_NC_1: {"P_ME_NC_1", elR32QPM, 5, NoTime, one, act, parameter, P_ME_NC_1, true},
	P_AC_NA_1: {"P_AC_NA_1", elQPA, 1, NoTime, one, actDeact, confirmed | 1<<DeactivationCon, P_AC_NA_1, true},

	F_FR_NA_1: {"F_FR_NA_1", elFile, 6, NoTime, one, file, file | unknown, F_FR_NA_1, true},
	F_SR_NA_1: {"F_SR_NA_1", elFile, 7, NoTime, one, file, file | unknown, F_SR_NA_1, true},
	F_SC_NA_1: {"F_SC_NA_1", elFile, 4, NoTime, one, file | request, file | unknown, F_SC_NA_1, true},
	F_LS_NA_1: {"F_LS_NA_1", elFile, 5, NoTime, one, file, file | unknown, F_LS_NA_1, true},
	F_AF_NA_1: {"F_AF_NA_1", elFile, 4, NoTime, one, file, file | unknown, F_AF_NA_1, true},
	F_SG_NA_1: {"F_SG_NA_1", elSegment, 0, NoTime, one, file, file | unknown, F_SG_NA_1, true},
	F_DR_TA_1: {"F_DR_TA_1", elFile, 13, CP56, sequence, 0, event, 0, true},
	F_SC_NB_1: {"F_SC_NB_1", elFile, 16, NoTime, one, file, unknown, F_SC_NB_1, true},
}

func (t TypeID) row() *row { return &rows[t] }

// fixed returns the octets of the element without its time tag.
func (r *row) fixed() int { return int(r.size) - r.time.Len() }

// octets returns the octets that the element of o takes with its time tag.
func (r *row) octets(o *Object) int {
	if r.elem == elRaw || r.elem == elSegment {
		return len(o.Data)
	}
	return int(r.size)
}
