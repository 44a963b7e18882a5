package asdu

import "encoding/binary"

// encode puts the element and its time tag into b, which has exactly their
// octets. It reports whether the value fits.
func (r *row) encode(b []byte, o *Object) bool {
	switch r.time {
	case CP56:
		putCP56(b[len(b)-7:], o.Time)
	case CP24:
		t := b[len(b)-3:]
		binary.LittleEndian.PutUint16(t, uint16(o.Time))
		t[2] = byte(o.Time >> 16)
	}
	switch r.elem {
	case elSIQ:
		b[0] = byte(o.Value&1) | byte(o.Quality&maskState)
		return o.Value <= 1
	case elDIQ:
		b[0] = byte(o.Value&3) | byte(o.Quality&maskState)
		return o.Value <= 3
	case elVTI:
		b[0] = byte(o.Value)&0x7F | bit(o.Transient, 0x80)
		b[1] = byte(o.Quality & maskQDS)
		return o.Int() >= -64 && o.Int() <= 63
	case elNVA, elSVA:
		b[2] = byte(o.Quality & maskQDS)
		return putSigned(b, o.Value)
	case elNVAOnly:
		return putSigned(b, o.Value)
	case elBSI, elR32, elSCD:
		binary.LittleEndian.PutUint32(b, o.Value)
		b[4] = byte(o.Quality & maskQDS)
		return true
	case elBCR:
		return encodeBCR(b, o)
	case elAID:
		binary.LittleEndian.PutUint16(b, o.AID)
		return encodeBCR(b[2:], o)
	case elSEP:
		b[0] = byte(o.Value&3) | byte(o.Quality&maskQDP)
		binary.LittleEndian.PutUint16(b[1:], o.Elapsed)
		return o.Value <= 3
	case elSPE:
		return encodePacked(b, o, maskSPE)
	case elOCI:
		return encodePacked(b, o, maskOCI)
	case elFile:
		return copy(b, o.Data) == r.fixed() && len(o.Data) == r.fixed()
	case elSegment:
		n := copy(b, o.Data)
		return n >= segmentHeader && n == len(b) && int(o.Data[segmentHeader-1]) == n-segmentHeader
	case elRaw:
		copy(b, o.Data)
		return true
	default:
		return r.encodeControl(b, o)
	}
}

func encodePacked(b []byte, o *Object, mask uint32) bool {
	b[0] = byte(o.Value & mask)
	b[1] = byte(o.Quality & maskQDP)
	binary.LittleEndian.PutUint16(b[2:], o.Elapsed)
	return o.Value <= mask
}

func encodeBCR(b []byte, o *Object) bool {
	binary.LittleEndian.PutUint32(b, o.Value)
	b[4] = o.Sequence&0x1F | byte(o.Quality&IV) | byte(o.Quality&(CA|CY))<<4
	return o.Sequence <= 0x1F
}

// encodeControl is encode for the elements of commands, system commands and
// parameters.
func (r *row) encodeControl(b []byte, o *Object) bool {
	switch r.elem {
	case elSCO:
		b[0] = byte(o.Value&1) | o.Qualifier&0x1F<<2 | bit(o.Select, 0x80)
		return o.Value <= 1 && o.Qualifier <= 0x1F
	case elDCO, elRCO:
		b[0] = byte(o.Value&3) | o.Qualifier&0x1F<<2 | bit(o.Select, 0x80)
		return o.Value <= 3 && o.Qualifier <= 0x1F
	case elNVAQOS, elSVAQOS:
		b[2] = o.Qualifier&0x7F | bit(o.Select, 0x80)
		return putSigned(b, o.Value) && o.Qualifier <= 0x7F
	case elR32QOS:
		binary.LittleEndian.PutUint32(b, o.Value)
		b[4] = o.Qualifier&0x7F | bit(o.Select, 0x80)
		return o.Qualifier <= 0x7F
	case elBSIOnly:
		binary.LittleEndian.PutUint32(b, o.Value)
	case elCOI, elQOI, elQCC, elQRP, elQPA:
		b[0] = o.Qualifier
	case elFBP, elCP16, elTSC:
		binary.LittleEndian.PutUint16(b, uint16(o.Value))
		return o.Value <= 0xFFFF
	case elNVAQPM, elSVAQPM:
		b[2] = o.Qualifier
		return putSigned(b, o.Value)
	case elR32QPM:
		binary.LittleEndian.PutUint32(b, o.Value)
		b[4] = o.Qualifier
	}
	return true
}

// putCP56 puts seven octets; the fourth is in both halves.
func putCP56(b []byte, t Time) {
	_ = b[6]
	binary.LittleEndian.PutUint32(b, uint32(t))
	binary.LittleEndian.PutUint32(b[3:], uint32(t>>24))
}

// putSigned puts a number of 16 bits and reports whether it is one.
func putSigned(b []byte, v uint32) bool {
	binary.LittleEndian.PutUint16(b, uint16(v))
	return int32(v) == int32(int16(v))
}
