package mqtt

import "encoding/binary"

// outgoing is a message to be published. What belongs to MQTT 5 is left out with
// 3.1.1.
type outgoing struct {
	topic   string
	payload []byte
	qos     byte
	retain  bool

	expiry      uint32 // seconds; 0: it does not expire
	isJSON      bool
	answer      string // topic for the reply; empty: none, or one with a wildcard
	correlation string
	user        []byte // user properties, encoded
}

// The identifiers of the properties of a PUBLISH that are sent.
const (
	propertyFormat      = 0x01
	propertyExpiry      = 0x02
	propertyContentType = 0x03
	propertyResponse    = 0x08
	propertyCorrelation = 0x09
	propertyUser        = 0x26
)

const contentType = "application/json"

// appendPublish appends a PUBLISH with a packet identifier, which QoS 0 has not.
func appendPublish(b []byte, v5 bool, id uint16, m *outgoing) []byte {
	length := 2 + len(m.topic) + len(m.payload)
	if m.qos > 0 {
		length += 2
	}
	properties := 0
	if v5 {
		properties = m.properties()
		length += sizeOfLength(properties) + properties
	}
	first := byte(publish<<4) | m.qos<<1
	if m.retain {
		first |= 1
	}
	b = appendLength(append(b, first), length)
	b = appendText(b, m.topic)
	if m.qos > 0 {
		b = binary.BigEndian.AppendUint16(b, id)
	}
	if v5 {
		b = m.appendProperties(appendLength(b, properties))
	}
	return append(b, m.payload...)
}

// properties returns the length of what appendProperties appends.
func (m *outgoing) properties() (n int) {
	if m.isJSON {
		n += 2 + 3 + len(contentType)
	}
	if m.expiry > 0 {
		n += 5
	}
	if m.answer != "" {
		n += 3 + len(m.answer)
	}
	if m.correlation != "" {
		n += 3 + len(m.correlation)
	}
	return n + len(m.user)
}

func (m *outgoing) appendProperties(b []byte) []byte {
	if m.isJSON {
		b = append(b, propertyFormat, 1)
		b = appendText(append(b, propertyContentType), contentType)
	}
	if m.expiry > 0 {
		b = binary.BigEndian.AppendUint32(append(b, propertyExpiry), m.expiry)
	}
	if m.answer != "" {
		b = appendText(append(b, propertyResponse), m.answer)
	}
	if m.correlation != "" {
		b = appendText(append(b, propertyCorrelation), m.correlation)
	}
	return append(b, m.user...)
}

// appendUser appends a user property.
func appendUser(b []byte, name, value string) []byte {
	return appendText(appendText(append(b, propertyUser), name), value)
}

// appendRelease appends a PUBREL.
func appendRelease(b []byte, id uint16) []byte {
	return binary.BigEndian.AppendUint16(append(b, pubrel<<4|2, 2), id)
}

// appendText appends a text with its length before it.
func appendText(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}

// appendLength appends a number as a variable byte integer.
func appendLength(b []byte, n int) []byte {
	for ; n >= 0x80; n >>= 7 {
		b = append(b, byte(n)|0x80)
	}
	return append(b, byte(n))
}

func sizeOfLength(n int) int {
	size := 1
	for ; n >= 0x80; n >>= 7 {
		size++
	}
	return size
}
