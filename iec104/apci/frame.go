package apci

import (
	"errors"
	"fmt"
)

// Sizes of a frame in octets.
const (
	HeaderLen = 6                   // start, length and control field
	MaxASDU   = 249                 // longest ASDU
	MaxLen    = HeaderLen + MaxASDU // longest frame
)

const (
	start     = 0x68
	minLength = 4   // of the length octet: the control field alone
	maxLength = 253 // of the length octet: control field and longest ASDU

	tlsHandshake = 0x16 // first octets of a ClientHello
	tlsMajor     = 0x03
)

// Each of these errors ends the connection: the stream cannot be followed any
// further, and looking for the next start octet could begin inside data.
var (
	// ErrStart reports an octet other than 68H where a frame has to begin.
	ErrStart = errors.New("apci: no start octet")
	// ErrLength reports a length octet outside 4 … 253.
	ErrLength = errors.New("apci: length not in 4 to 253")
	// ErrControlLength reports an S or U frame with a length other than 4.
	ErrControlLength = errors.New("apci: length of S or U frame not 4")
	// ErrFunction reports a U frame with no function or several.
	ErrFunction = errors.New("apci: not exactly one function in U frame")
)

// Format is the kind of a frame.
type Format uint8

// The formats.
const (
	FormatI Format = iota + 1 // numbered information transfer, carries an ASDU
	FormatS                   // numbered supervisory: acknowledgement only
	FormatU                   // unnumbered control
)

// String returns "I", "S" or "U".
func (f Format) String() string {
	switch f {
	case FormatI:
		return "I"
	case FormatS:
		return "S"
	case FormatU:
		return "U"
	default:
		return "unknown"
	}
}

// Function is the function of a U frame, the whole first control octet.
type Function uint8

// The functions of a U frame.
const (
	StartDTAct Function = 0x07
	StartDTCon Function = 0x0B
	StopDTAct  Function = 0x13
	StopDTCon  Function = 0x23
	TestFRAct  Function = 0x43
	TestFRCon  Function = 0x83
)

// String returns the name, such as "STARTDT act".
func (f Function) String() string {
	switch f {
	case StartDTAct:
		return "STARTDT act"
	case StartDTCon:
		return "STARTDT con"
	case StopDTAct:
		return "STOPDT act"
	case StopDTCon:
		return "STOPDT con"
	case TestFRAct:
		return "TESTFR act"
	case TestFRCon:
		return "TESTFR con"
	default:
		return "unknown"
	}
}

// Frame is one parsed frame.
type Frame struct {
	ASDU     []byte   // I: the octets of the ASDU, a part of the buffer; may be empty
	NS       Seq      // I: send sequence number
	NR       Seq      // I and S: receive sequence number
	Format   Format   // I, S or U
	Function Function // U
	Reserved bool     // a reserved bit of the control field is set: to be accepted and counted
}

// ParseI returns the numbers of the I frame at the beginning of b and how many
// octets it takes; zero octets if b does not begin with a whole one that is as it
// should be, which [Parse] tells more about.
func ParseI(b []byte) (ns, nr Seq, n int) {
	if len(b) < HeaderLen || b[0] != start || b[2]&1 != 0 || b[4]&1 != 0 {
		return 0, 0, 0
	}
	n = int(b[1])
	if n < minLength || n > maxLength || len(b) < n+2 {
		return 0, 0, 0
	}
	return seqOf(b[2], b[3]), seqOf(b[4], b[5]), n + 2
}

// Parse returns the frame at the beginning of b and how many octets it takes.
// With zero octets and no error b does not hold a whole frame yet: call again
// with more. [MaxLen] octets always hold one.
//
// The ASDU is a part of b and not checked. An error is one of the sentinel
// errors with details and is reported as soon as the octet that causes it is
// there; the connection has to be closed.
func Parse(b []byte) (Frame, int, error) {
	if len(b) >= HeaderLen && b[0] == start && b[2]&1 == 0 {
		n := int(b[1])
		if n >= minLength && n <= maxLength {
			if len(b) < n+2 {
				return Frame{}, 0, nil
			}
			return Frame{
				Format:   FormatI,
				NS:       seqOf(b[2], b[3]),
				NR:       seqOf(b[4], b[5]),
				Reserved: b[4]&1 != 0,
				ASDU:     b[HeaderLen : n+2 : n+2],
			}, n + 2, nil
		}
	}
	if err := check(b); err != nil {
		return Frame{}, 0, err
	}
	if len(b) < HeaderLen {
		return Frame{}, 0, nil
	}
	if b[2]&2 == 0 {
		return Frame{
			Format:   FormatS,
			NR:       seqOf(b[4], b[5]),
			Reserved: b[2] != 1 || b[3] != 0 || b[4]&1 != 0,
		}, HeaderLen, nil
	}
	return Frame{
		Format:   FormatU,
		Function: Function(b[2]),
		Reserved: b[3]|b[4]|b[5] != 0,
	}, HeaderLen, nil
}

// check looks for what is wrong in the octets that are there.
func check(b []byte) error {
	if len(b) > 1 && b[0] == tlsHandshake && b[1] == tlsMajor {
		return fmt.Errorf("%w: TLS on a port without TLS", ErrStart)
	}
	if len(b) > 0 && b[0] != start {
		return fmt.Errorf("%w: %02XH in its place", ErrStart, b[0])
	}
	if len(b) > 1 && (b[1] < minLength || b[1] > maxLength) {
		return fmt.Errorf("%w: %d", ErrLength, b[1])
	}
	if len(b) < 3 || b[2]&1 == 0 {
		return nil
	}
	if b[1] != minLength {
		return fmt.Errorf("%w: %d", ErrControlLength, b[1])
	}
	if b[2]&2 != 0 && Function(b[2]).String() == "unknown" {
		return fmt.Errorf("%w: %02XH", ErrFunction, b[2])
	}
	return nil
}

// PutI writes the first [HeaderLen] octets of an I frame that carries an ASDU
// of size octets, 0 … [MaxASDU], into b. It is meant for frames that are laid
// out in place; [AppendI] copies.
func PutI(b []byte, size int, ns, nr Seq) {
	_ = b[HeaderLen-1]
	b[0] = start
	b[1] = byte(size + minLength)
	SetNS(b, ns)
	SetNR(b, nr)
}

// SetNS sets N(S) in the I frame that begins b.
func SetNS(b []byte, ns Seq) {
	_ = b[3]
	b[2] = byte(ns << 1)
	b[3] = byte(ns >> 7)
}

// SetNR sets N(R) in the I or S frame that begins b.
func SetNR(b []byte, nr Seq) {
	_ = b[5]
	b[4] = byte(nr << 1)
	b[5] = byte(nr >> 7)
}

// AppendI appends an I frame. The ASDU has at most [MaxASDU] octets.
func AppendI(dst []byte, ns, nr Seq, asdu []byte) []byte {
	var h [HeaderLen]byte
	PutI(h[:], len(asdu), ns, nr)
	return append(append(dst, h[:]...), asdu...)
}

// AppendS appends an S frame.
func AppendS(dst []byte, nr Seq) []byte {
	return append(dst, start, minLength, 1, 0, byte(nr<<1), byte(nr>>7))
}

// AppendU appends a U frame.
func AppendU(dst []byte, f Function) []byte {
	return append(dst, start, minLength, byte(f), 0, 0, 0)
}
