package asdu

import "time"

// The words for states of two bits. States of a command that the standard does
// not permit are printed all the same.
var (
	doubleWords = [4]string{"intermediate", "off", "on", "indeterminate"}
	stepWords   = [4]string{"not-permitted-0", "lower", "higher", "not-permitted-3"}
	startNames  = []string{"gs", "sl1", "sl2", "sl3", "sie", "srd"}
	outputNames = []string{"gc", "cl1", "cl2", "cl3"}
)

// hasQuality reports whether the element has a quality descriptor.
func (e element) hasQuality() bool {
	switch e {
	case elSIQ, elDIQ, elVTI, elBSI, elNVA, elSVA, elR32, elBCR, elSEP, elSPE, elOCI, elSCD, elAID:
		return true
	default:
		return false
	}
}

// appendValue appends the member value, if the element has one.
func (r *row) appendValue(dst []byte, o *Object) []byte {
	switch r.elem {
	case elSIQ, elSCO:
		return appendBool(dst, "value", o.On())
	case elDIQ, elSEP, elDCO:
		return appendWord(dst, "value", doubleWords[o.Value&3])
	case elRCO:
		return appendWord(dst, "value", stepWords[o.Value&3])
	case elVTI, elSVA, elSVAQOS, elSVAQPM, elBCR, elAID:
		return appendInt(dst, "value", int64(o.Int()))
	case elBSI, elBSIOnly:
		return appendInt(dst, "value", int64(o.Value))
	case elNVA, elNVAOnly, elNVAQOS, elNVAQPM:
		return appendFloat(appendKey(dst, "value"), o.Normalized(), 64)
	case elR32, elR32QOS, elR32QPM:
		return appendFloat(appendKey(dst, "value"), float64(o.Float()), 32)
	case elSCD:
		dst = append(appendKey(dst, "value"), '{')
		dst = appendInt(dst, "st", int64(o.Value&0xFFFF))
		dst = appendInt(dst, "cd", int64(o.Value>>16))
		return append(dst, '}')
	case elSPE:
		return appendBits(dst, o.Value, startNames)
	case elOCI:
		return appendBits(dst, o.Value, outputNames)
	default:
		return dst
	}
}

// appendBits appends a value of named bits, from bit 0 upwards.
func appendBits(dst []byte, v uint32, names []string) []byte {
	dst = append(appendKey(dst, "value"), '{')
	for i, name := range names {
		dst = appendBool(dst, name, v>>i&1 != 0)
	}
	return append(dst, '}')
}

// appendFurther appends the members that only some elements have.
func (r *row) appendFurther(dst []byte, t TypeID, o *Object, loc *time.Location) []byte {
	switch r.elem {
	case elVTI:
		return appendBool(dst, "transient", o.Transient)
	case elBCR:
		return appendCounter(dst, o)
	case elAID:
		return appendInt(appendCounter(dst, o), "aid", int64(o.AID))
	case elSEP, elSPE, elOCI:
		return appendInt(dst, "elapsedMs", int64(o.Elapsed))
	case elSCO, elDCO, elRCO:
		return appendInt(appendBool(dst, "select", o.Select), "qu", int64(o.Qualifier))
	case elNVAQOS, elSVAQOS, elR32QOS:
		return appendInt(appendBool(dst, "select", o.Select), "ql", int64(o.Qualifier))
	case elFile, elSegment:
		return appendFile(dst, t, o.Data, loc)
	case elRaw:
		return appendHex(dst, "raw", o.Data)
	default:
		return r.appendQualifier(dst, o)
	}
}

// appendQualifier is appendFurther for system commands and parameters.
func (r *row) appendQualifier(dst []byte, o *Object) []byte {
	q := int64(o.Qualifier)
	switch r.elem {
	case elCOI:
		return appendBool(appendInt(dst, "coi", q&0x7F), "localParamChange", q&0x80 != 0)
	case elQOI:
		return appendInt(dst, "qoi", q)
	case elQCC:
		return appendInt(appendInt(dst, "rqt", int64(o.RQT())), "frz", int64(o.FRZ()))
	case elQRP:
		return appendInt(dst, "qrp", q)
	case elQPA:
		return appendInt(dst, "qpa", q)
	case elNVAQPM, elSVAQPM, elR32QPM:
		dst = appendInt(dst, "kpa", q&0x3F)
		return appendBool(appendBool(dst, "lpc", q&0x40 != 0), "pop", q&0x80 != 0)
	case elFBP:
		return appendInt(dst, "fbp", int64(o.Value))
	case elCP16:
		return appendInt(dst, "delayMs", int64(o.Value))
	case elTSC:
		return appendInt(dst, "tsc", int64(o.Value))
	default:
		return dst
	}
}

func appendCounter(dst []byte, o *Object) []byte {
	dst = append(appendKey(dst, "counter"), '{')
	dst = appendInt(dst, "sequence", int64(o.Sequence))
	dst = appendBool(dst, "carry", o.Quality&CY != 0)
	dst = appendBool(dst, "adjusted", o.Quality&CA != 0)
	dst = appendBool(dst, "invalid", o.Quality&IV != 0)
	return append(dst, '}')
}
