package mqtt

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The types of control packets that a client receives or sends by hand.
const (
	connack    = 2
	publish    = 3
	puback     = 4
	pubrec     = 5
	pubrel     = 6
	pubcomp    = 7
	suback     = 9
	unsuback   = 11
	pingreq    = 12
	pingresp   = 13
	disconnect = 14
)

const (
	// maxPayload is the longest payload that the host takes. Longer ones are cut
	// to one octet more, so that it refuses them.
	maxPayload = 1 << 20
	// maxPacket is what is read of a packet at most: the payload, the longest
	// topic and some properties.
	maxPacket = maxPayload + 1 + maxTopic + 4096
	// readBuffer holds whole packets of the usual size, so that they are not copied.
	readBuffer = 64 << 10
)

var (
	errLength    = errors.New("malformed length of packet")
	errTruncated = errors.New("packet ends too early")
	errTooLong   = errors.New("packet is too long")
)

// frame is a control packet with its body not yet looked into.
type frame struct {
	kind  byte
	flags byte
	body  []byte // valid until the next frame is read
}

// frameReader splits what a broker sends into frames. Its memory is bounded,
// whatever length the broker announces.
type frameReader struct {
	r    *bufio.Reader
	held int // octets of the last frame that are still in r
}

func newFrameReader(r io.Reader) *frameReader {
	return &frameReader{r: bufio.NewReaderSize(r, readBuffer)}
}

// next reads one frame. A PUBLISH that is too long is cut off at its end; any
// other packet of that length is an error.
func (f *frameReader) next() (frame, error) {
	if _, err := f.r.Discard(f.held); err != nil {
		return frame{}, err
	}
	f.held = 0
	first, err := f.r.ReadByte()
	if err != nil {
		return frame{}, err
	}
	length, err := f.length()
	if err != nil {
		return frame{}, err
	}
	fr := frame{kind: first >> 4, flags: first & 15}
	switch {
	case length <= readBuffer:
		fr.body, err = f.r.Peek(length)
		f.held = length
	case length <= maxPacket:
		fr.body = make([]byte, length)
		_, err = io.ReadFull(f.r, fr.body)
	case fr.kind != publish:
		err = errTooLong
	default:
		fr.body, err = f.cut(length)
	}
	if err != nil {
		return frame{}, noEOF(err)
	}
	return fr, nil
}

// length reads a remaining length: one to four octets, seven bits each.
func (f *frameReader) length() (int, error) {
	n := 0
	for shift := 0; shift < 28; shift += 7 {
		b, err := f.r.ReadByte()
		if err != nil {
			return 0, noEOF(err)
		}
		n |= int(b&0x7f) << shift
		if b < 0x80 {
			return n, nil
		}
	}
	return 0, errLength
}

// cut reads the beginning of a body and skips the rest.
func (f *frameReader) cut(length int) ([]byte, error) {
	body := make([]byte, maxPacket)
	if _, err := io.ReadFull(f.r, body); err != nil {
		return nil, err
	}
	if _, err := f.r.Discard(length - maxPacket); err != nil {
		return nil, err
	}
	return body, nil
}

// noEOF makes an end within a packet an error of its own.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// message is a PUBLISH packet.
type message struct {
	topic, payload []byte // part of the frame
	id             uint16 // packet identifier, with QoS 1 and 2
	qos            byte
	retained       bool
	repeated       bool     // it may have been sent before (DUP)
	subscriptions  []uint32 // subscription identifiers, only with MQTT 5
}

// parse reads a PUBLISH packet into m.
func (m *message) parse(f frame, v5 bool) error {
	m.qos, m.retained, m.repeated = f.flags>>1&3, f.flags&1 != 0, f.flags&8 != 0
	m.subscriptions = m.subscriptions[:0]
	if m.qos == 3 {
		return errors.New("PUBLISH with QoS 3")
	}
	topic, rest, ok := field(f.body)
	if !ok {
		return errTruncated
	}
	if len(topic) == 0 {
		return errors.New("PUBLISH without topic")
	}
	m.topic, m.id = topic, 0
	if m.qos > 0 {
		if len(rest) < 2 {
			return errTruncated
		}
		m.id, rest = binary.BigEndian.Uint16(rest), rest[2:]
		if m.id == 0 {
			return errors.New("PUBLISH with packet identifier 0")
		}
	}
	if v5 {
		var err error
		if rest, err = m.properties(rest); err != nil {
			return fmt.Errorf("properties of PUBLISH: %w", err)
		}
	}
	m.payload = rest[:min(len(rest), maxPayload+1)]
	return nil
}

// properties reads the properties of a PUBLISH packet, of which only the
// subscription identifiers are of use, and returns what follows them.
func (m *message) properties(b []byte) ([]byte, error) {
	length, b, ok := varint(b)
	if !ok || int(length) > len(b) {
		return nil, errTruncated
	}
	rest := b[length:]
	for b = b[:length]; len(b) > 0; {
		kind := b[0]
		b = b[1:]
		skip := 0
		switch kind {
		case 0x01: // payload format indicator
			skip = 1
		case 0x23: // topic alias: none was allowed to the broker
			return nil, errors.New("topic alias")
		case 0x02: // message expiry interval
			skip = 4
		case 0x0b:
			var id uint32
			if id, b, ok = varint(b); !ok {
				return nil, errTruncated
			}
			m.subscriptions = append(m.subscriptions, id)
		case 0x03, 0x08, 0x09: // content type, response topic, correlation data
			if _, b, ok = field(b); !ok {
				return nil, errTruncated
			}
		case 0x26: // user property
			if _, b, ok = field(b); !ok {
				return nil, errTruncated
			}
			if _, b, ok = field(b); !ok {
				return nil, errTruncated
			}
		default:
			return nil, fmt.Errorf("unknown property %#02x", kind)
		}
		if skip > len(b) {
			return nil, errTruncated
		}
		b = b[skip:]
	}
	return rest, nil
}

// field reads a string or binary data with a length of two octets before it.
func field(b []byte) (data, rest []byte, ok bool) {
	if len(b) < 2 {
		return nil, nil, false
	}
	n := int(binary.BigEndian.Uint16(b)) + 2
	if n > len(b) {
		return nil, nil, false
	}
	return b[2:n], b[n:], true
}

// varint reads a number of one to four octets, seven bits each.
func varint(b []byte) (n uint32, rest []byte, ok bool) {
	for i := 0; i < len(b) && i < 4; i++ {
		n |= uint32(b[i]&0x7f) << (7 * i)
		if b[i] < 0x80 {
			return n, b[i+1:], true
		}
	}
	return 0, nil, false
}

// appendShort appends a packet whose body is a packet identifier. It is the
// same in all versions; in MQTT 5 it means success.
func appendShort(dst []byte, kind byte, id uint16) []byte {
	flags := byte(0)
	if kind == pubrel {
		flags = 2
	}
	return binary.BigEndian.AppendUint16(append(dst, kind<<4|flags, 2), id)
}
