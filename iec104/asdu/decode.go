package asdu

import "encoding/binary"

// decode takes the element and its time tag from b, which has exactly their
// octets, into o, which is zero but for the address.
func (r *row) decode(o *Object, b []byte) {
	switch r.time {
	case CP56:
		t := b[len(b)-7:]
		o.Time = Time(binary.LittleEndian.Uint32(t)) | Time(binary.LittleEndian.Uint32(t[3:]))<<24
	case CP24:
		t := b[len(b)-3:]
		o.Time = Time(binary.LittleEndian.Uint16(t)) | Time(t[2])<<16
	}
	switch r.elem {
	case elSIQ:
		o.Value = uint32(b[0] & 1)
		o.Quality = Quality(b[0]) & maskState
	case elDIQ:
		o.Value = uint32(b[0] & 3)
		o.Quality = Quality(b[0]) & maskState
	case elVTI:
		o.Value = uint32(int32(int8(b[0]<<1)) >> 1)
		o.Transient = b[0]&0x80 != 0
		o.Quality = Quality(b[1]) & maskQDS
	case elNVA, elSVA:
		o.Value = signed(b)
		o.Quality = Quality(b[2]) & maskQDS
	case elNVAOnly:
		o.Value = signed(b)
	case elBSI, elR32, elSCD:
		o.Value = binary.LittleEndian.Uint32(b)
		o.Quality = Quality(b[4]) & maskQDS
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
		o.Data = b[:r.fixed():r.fixed()]
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
