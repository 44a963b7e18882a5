package matrix

import "busbar/iec104/asdu"

// content is what the types have in common that differ in their time tag only.
type content struct {
	values  []uint32
	quality asdu.Quality                          // the bits it has
	vary    func(o asdu.Object) []asdu.Object     // its other members; nil: it has none
	octets  func(b []byte, o *asdu.Object) []byte // without time tag
}

func (c content) objects() (list []asdu.Object) {
	for _, v := range c.values {
		o := asdu.Object{Value: v}
		if c.vary == nil {
			list = append(list, o)
		} else {
			list = append(list, c.vary(o)...)
		}
	}
	return list
}

// Sets of quality bits.
const (
	siq = asdu.IV | asdu.NT | asdu.SB | asdu.BL // of points
	qds = siq | asdu.OV                         // of values
	qdp = siq | asdu.EI                         // of protection equipment
	bcr = asdu.IV | asdu.CA | asdu.CY           // of counters
)

// contents returns what a type has; nothing if the matrix does not know it.
func contents(t asdu.TypeID) content {
	for _, known := range []func(asdu.TypeID) content{status, measured, protection, orders} {
		if c := known(t); c.octets != nil {
			return c
		}
	}
	return content{octets: nil}
}

// status are points, step positions and bits.
func status(t asdu.TypeID) content {
	switch t {
	case asdu.M_SP_NA_1, asdu.M_SP_TA_1, asdu.M_SP_TB_1:
		return content{values: []uint32{0, 1}, quality: siq, octets: point}
	case asdu.M_DP_NA_1, asdu.M_DP_TA_1, asdu.M_DP_TB_1:
		return content{values: []uint32{0, 1, 2, 3}, quality: siq, octets: point}
	case asdu.M_ST_NA_1, asdu.M_ST_TA_1, asdu.M_ST_TB_1:
		return content{values: []uint32{0, 1, 63, 0xffffffff, 0xffffffc0}, quality: qds, vary: transient,
			octets: func(b []byte, o *asdu.Object) []byte {
				return append(b, byte(o.Value)&0x7f|flag(o.Transient, 0x80), byte(o.Quality))
			}}
	case asdu.M_BO_NA_1, asdu.M_BO_TA_1, asdu.M_BO_TB_1, asdu.M_PS_NA_1:
		return content{values: words, quality: qds, octets: word}
	default:
		return content{}
	}
}

// measured are measured values and counters.
func measured(t asdu.TypeID) content {
	switch t {
	case asdu.M_ME_NA_1, asdu.M_ME_TA_1, asdu.M_ME_TD_1, asdu.M_ME_NB_1, asdu.M_ME_TB_1, asdu.M_ME_TE_1:
		return content{values: shorts, quality: qds, octets: func(b []byte, o *asdu.Object) []byte {
			return append(little16(b, uint16(o.Value)), byte(o.Quality))
		}}
	case asdu.M_ME_NC_1, asdu.M_ME_TC_1, asdu.M_ME_TF_1:
		return content{values: floats, quality: qds, octets: word}
	case asdu.M_ME_ND_1:
		return content{values: shorts, octets: func(b []byte, o *asdu.Object) []byte { return little16(b, uint16(o.Value)) }}
	case asdu.M_IT_NA_1, asdu.M_IT_TA_1, asdu.M_IT_TB_1:
		return content{values: words, quality: bcr, vary: sequence, octets: reading}
	case asdu.S_IT_TC_1:
		return content{values: words, quality: bcr, vary: association, octets: func(b []byte, o *asdu.Object) []byte {
			return reading(little16(b, o.AID), o)
		}}
	default:
		return content{}
	}
}

// protection are events of protection equipment.
func protection(t asdu.TypeID) content {
	packed := func(b []byte, o *asdu.Object) []byte {
		return little16(append(b, byte(o.Value), byte(o.Quality)), o.Elapsed)
	}
	switch t {
	case asdu.M_EP_TA_1, asdu.M_EP_TD_1:
		return content{values: []uint32{0, 1, 2, 3}, quality: qdp, vary: elapsed, octets: func(b []byte, o *asdu.Object) []byte {
			return little16(point(b, o), o.Elapsed)
		}}
	case asdu.M_EP_TB_1, asdu.M_EP_TE_1:
		return content{values: []uint32{0, 1, 2, 4, 8, 16, 32, 63}, quality: qdp, vary: elapsed, octets: packed}
	case asdu.M_EP_TC_1, asdu.M_EP_TF_1:
		return content{values: []uint32{0, 1, 2, 4, 8, 15}, quality: qdp, vary: elapsed, octets: packed}
	default:
		return content{}
	}
}

// point has value and quality in one octet.
func point(b []byte, o *asdu.Object) []byte { return append(b, byte(o.Value)|byte(o.Quality)) }

func word(b []byte, o *asdu.Object) []byte { return append(little32(b, o.Value), byte(o.Quality)) }

// reading is a binary counter reading: number, then IV, CA, CY and sequence.
func reading(b []byte, o *asdu.Object) []byte {
	return append(little32(b, o.Value),
		flag(o.Quality&asdu.IV != 0, 0x80)|flag(o.Quality&asdu.CA != 0, 0x40)|flag(o.Quality&asdu.CY != 0, 0x20)|o.Sequence)
}

func transient(o asdu.Object) []asdu.Object {
	moving := o
	moving.Transient = true
	return []asdu.Object{o, moving}
}

func sequence(o asdu.Object) (list []asdu.Object) {
	for _, s := range []uint8{0, 1, 31} {
		o.Sequence = s
		list = append(list, o)
	}
	return list
}

func association(o asdu.Object) (list []asdu.Object) {
	for _, aid := range []uint16{0, 1, 0xffff} {
		o.AID, o.Sequence = aid, uint8(aid)&31
		list = append(list, o)
	}
	return list
}

func elapsed(o asdu.Object) (list []asdu.Object) {
	for _, ms := range []uint16{0, 59999, 0xffff} {
		o.Elapsed = ms
		list = append(list, o)
	}
	return list
}
