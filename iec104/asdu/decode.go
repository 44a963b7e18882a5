package asdu

import "encoding/binary"

// decode takes elements and time tags out of b into objs, which are zero but
// for the address. Each element begins stride octets behind the one before it.
func (r *row) decode(objs []Object, b []byte, stride int) {
	switch r.time {
	case CP56:
		decodeCP56(objs, b[r.fixed():], stride)
	case CP24:
		decodeCP24(objs, b[r.fixed():], stride)
	}
	switch r.elem {
	case elSIQ:
		decodeState(objs, b, stride, 1, maskState)
	case elDIQ:
		decodeState(objs, b, stride, 3, maskState)
	case elNVA, elSVA:
		decodeSigned(objs, b, stride)
	case elBSI, elR32, elSCD:
		decodeWord(objs, b, stride)
	default:
		for i := range objs {
			r.decodeOne(&objs[i], b[i*stride:][:r.fixed()])
		}
	}
}

func decodeCP56(objs []Object, b []byte, stride int) {
	for i := range objs {
		objs[i].Time = takeCP56(b[i*stride:])
	}
}

// takeCP56 takes seven octets; the fourth is in both halves.
func takeCP56(b []byte) Time {
	_ = b[6]
	return Time(binary.LittleEndian.Uint32(b)) | Time(binary.LittleEndian.Uint32(b[3:]))<<24
}

func decodeCP24(objs []Object, b []byte, stride int) {
	for i := range objs {
		t := b[i*stride:]
		_ = t[2]
		objs[i].Time = Time(binary.LittleEndian.Uint16(t)) | Time(t[2])<<16
	}
}

// decodeState takes single and double points.
func decodeState(objs []Object, b []byte, stride int, value byte, quality Quality) {
	for i := range objs {
		v := b[i*stride]
		objs[i].Value = uint32(v & value)
		objs[i].Quality = Quality(v) & quality
	}
}

// decodeSigned takes 16-bit numbers with QDS.
func decodeSigned(objs []Object, b []byte, stride int) {
	for i := range objs {
		e := b[i*stride:]
		_ = e[2]
		objs[i].Value = signed(e)
		objs[i].Quality = Quality(e[2]) & maskQDS
	}
}

// decodeWord takes 32-bit values with QDS.
func decodeWord(objs []Object, b []byte, stride int) {
	for i := range objs {
		e := b[i*stride:]
		_ = e[4]
		objs[i].Value = binary.LittleEndian.Uint32(e)
		objs[i].Quality = Quality(e[4]) & maskQDS
	}
}

// decodeOne takes one element of a layout that is rare in large numbers.
func (r *row) decodeOne(o *Object, b []byte) {
	switch r.elem {
	case elVTI:
		o.Value = uint32(int32(int8(b[0]<<1)) >> 1)
		o.Transient = b[0]&0x80 != 0
		o.Quality = Quality(b[1]) & maskQDS
	case elNVAOnly:
		o.Value = signed(b)
	case elBCR:
		decodeBCR(o, b)
	case elAID:
		o.AID = binary.LittleEndian.Uint16(b)
		decodeBCR(o, b[2:])
	case elSEP:
		o.Value = uint32(b[0] & 3)
		o.Quality = Quality(b[0]) & maskQDP
		o.Elapsed = binary.LittleEndian.Uint16(b[1:])
	case elSPE:
		decodePacked(o, b, maskSPE)
	case elOCI:
		decodePacked(o, b, maskOCI)
	case elFile:
		o.Data = b[:len(b):len(b)]
	default:
		r.decodeControl(o, b)
	}
}

// The bits of start events and of output circuits.
const (
	maskSPE = 0x3F
	maskOCI = 0x0F
)

func decodePacked(o *Object, b []byte, mask byte) {
	o.Value = uint32(b[0] & mask)
	o.Quality = Quality(b[1]) & maskQDP
	o.Elapsed = binary.LittleEndian.Uint16(b[2:])
}

// decodeBCR takes a binary counter reading. Its octet of flags has IV in b7, CA
// in b6, CY in b5 and the sequence number below.
func decodeBCR(o *Object, b []byte) {
	o.Value = binary.LittleEndian.Uint32(b)
	o.Sequence = b[4] & 0x1F
	o.Quality = Quality(b[4])&IV | Quality(b[4]>>4)&(CA|CY)
}

// decodeControl is decode for the elements of commands, system commands and
// parameters.
func (r *row) decodeControl(o *Object, b []byte) {
	switch r.elem {
	case elSCO:
		o.Value = uint32(b[0] & 1)
		decodeQU(o, b[0])
	case elDCO, elRCO:
		o.Value = uint32(b[0] & 3)
		decodeQU(o, b[0])
	case elNVAQOS, elSVAQOS:
		o.Value = signed(b)
		decodeQL(o, b[2])
	case elR32QOS:
		o.Value = binary.LittleEndian.Uint32(b)
		decodeQL(o, b[4])
	case elBSIOnly:
		o.Value = binary.LittleEndian.Uint32(b)
	case elCOI, elQOI, elQCC, elQRP, elQPA:
		o.Qualifier = b[0]
	case elFBP, elCP16, elTSC:
		o.Value = uint32(binary.LittleEndian.Uint16(b))
	case elNVAQPM, elSVAQPM:
		o.Value = signed(b)
		o.Qualifier = b[2]
	case elR32QPM:
		o.Value = binary.LittleEndian.Uint32(b)
		o.Qualifier = b[4]
	}
}

func decodeQU(o *Object, b byte) {
	o.Qualifier = b >> 2 & 0x1F
	o.Select = b&0x80 != 0
}

func decodeQL(o *Object, b byte) {
	o.Qualifier = b & 0x7F
	o.Select = b&0x80 != 0
}

// signed returns a 16-bit number as the bits of an int32.
func signed(b []byte) uint32 { return uint32(int32(int16(binary.LittleEndian.Uint16(b)))) }
