package mqtt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	packets5 "github.com/eclipse/paho.golang/packets"
	packets3 "github.com/eclipse/paho.mqtt.golang/packets"
)

// codec writes and reads the control packets that differ between the versions
// of MQTT. Those of the data path are the same and handled in packet.go.
type codec interface {
	connect(s Settings, clientID string) ([]byte, error)
	connack(body []byte) (welcome, error)
	subscribe(id uint16, batch []request) ([]byte, error)
	unsubscribe(id uint16, filters []string) ([]byte, error)
	// acknowledged reads a SUBACK or UNSUBACK.
	acknowledged(f frame) (answer, error)
	// refusal says in words why a filter was refused.
	refusal(code byte) string
}

// welcome is what a broker says of itself in CONNACK.
type welcome struct {
	present     bool // it has kept the session
	identifiers bool // it knows subscription identifiers
	keepAlive   time.Duration
}

// request is one filter of a SUBSCRIBE packet.
type request struct {
	filter string
	subscription
	resend bool // send retained messages also if the subscription is not new
}

// answer is what a SUBACK or UNSUBACK says.
type answer struct {
	id    uint16
	codes []byte // one per filter; an UNSUBACK of MQTT 3.1.1 has none
	text  string // what the broker adds
}

var errSubID = errors.New("one subscription identifier for several filters")

// codec5 is MQTT 5.
type codec5 struct{}

func (codec5) connect(s Settings, clientID string) ([]byte, error) {
	expiry := uint32(s.SessionExpiry / time.Second)
	receive := uint16(s.ReceiveMaximum)
	var b bytes.Buffer
	_, err := (&packets5.Connect{
		ProtocolName: "MQTT", ProtocolVersion: 5, ClientID: clientID,
		KeepAlive:    uint16(s.KeepAlive / time.Second),
		UsernameFlag: s.Username != "", Username: s.Username,
		PasswordFlag: s.Password != "", Password: []byte(s.Password),
		Properties: &packets5.Properties{SessionExpiryInterval: &expiry, ReceiveMaximum: &receive},
	}).WriteTo(&b)
	return b.Bytes(), err
}

func (codec5) connack(body []byte) (welcome, error) {
	p := packets5.Connack{Properties: &packets5.Properties{}}
	if err := p.Unpack(bytes.NewBuffer(body)); err != nil {
		return welcome{}, fmt.Errorf("CONNACK: %w", noEOF(err))
	}
	if p.ReasonCode >= 0x80 {
		return welcome{}, refused(short(p.Reason(), p.ReasonCode), p.Properties.ReasonString)
	}
	w := welcome{present: p.SessionPresent, identifiers: true}
	if available := p.Properties.SubIDAvailable; available != nil {
		w.identifiers = *available != 0
	}
	if seconds := p.Properties.ServerKeepAlive; seconds != nil {
		w.keepAlive = time.Duration(*seconds) * time.Second
	}
	return w, nil
}

func (codec5) subscribe(id uint16, batch []request) ([]byte, error) {
	p := packets5.Subscribe{PacketID: id, Properties: &packets5.Properties{}}
	for _, r := range batch {
		if r.id != 0 {
			if len(batch) > 1 {
				return nil, errSubID
			}
			n := int(r.id)
			p.Properties.SubscriptionIdentifier = &n
		}
		handling := byte(packets5.RetainSendOnSubscribeIfNew)
		if r.resend {
			handling = packets5.RetainSendOnSubscribe
		}
		p.Subscriptions = append(p.Subscriptions, packets5.SubOptions{Topic: r.filter, QoS: r.qos, RetainHandling: handling})
	}
	var b bytes.Buffer
	_, err := p.WriteTo(&b)
	return b.Bytes(), err
}

func (codec5) unsubscribe(id uint16, filters []string) ([]byte, error) {
	var b bytes.Buffer
	_, err := (&packets5.Unsubscribe{PacketID: id, Topics: filters, Properties: &packets5.Properties{}}).WriteTo(&b)
	return b.Bytes(), err
}

func (codec5) acknowledged(f frame) (answer, error) {
	if f.kind == suback {
		p := packets5.Suback{Properties: &packets5.Properties{}}
		if err := p.Unpack(bytes.NewBuffer(f.body)); err != nil {
			return answer{}, fmt.Errorf("SUBACK: %w", noEOF(err))
		}
		return answer{p.PacketID, bytes.Clone(p.Reasons), p.Properties.ReasonString}, nil
	}
	p := packets5.Unsuback{Properties: &packets5.Properties{}}
	if err := p.Unpack(bytes.NewBuffer(f.body)); err != nil {
		return answer{}, fmt.Errorf("UNSUBACK: %w", noEOF(err))
	}
	return answer{p.PacketID, bytes.Clone(p.Reasons), p.Properties.ReasonString}, nil
}

func (codec5) refusal(code byte) string {
	return short((&packets5.Suback{Reasons: []byte{code}}).Reason(0), code)
}

// disconnected returns why the broker closes the connection.
func (codec5) disconnected(body []byte) error {
	if len(body) == 0 {
		return errors.New("broker closes the connection")
	}
	p := packets5.Disconnect{Properties: &packets5.Properties{}}
	if err := p.Unpack(bytes.NewBuffer(body)); err != nil {
		return fmt.Errorf("DISCONNECT: %w", noEOF(err))
	}
	text := "broker closes the connection: " + disconnectReason(p.ReasonCode)
	if p.Properties.ReasonString != "" {
		text += " (" + p.Properties.ReasonString + ")"
	}
	return errors.New(text)
}

func disconnectReason(code byte) string {
	switch code {
	case packets5.DisconnectServerShuttingDown:
		return "it shuts down"
	case packets5.DisconnectSessionTakenOver:
		return "another client uses the same client id"
	case packets5.DisconnectNotAuthorized:
		return "not authorised"
	case packets5.DisconnectKeepAliveTimeout:
		return "it heard nothing within the keep-alive time"
	case packets5.DisconnectAdministrativeAction:
		return "administrative action"
	case packets5.DisconnectReceiveMaximumExceeded:
		return "receive maximum exceeded"
	case packets5.DisconnectQuotaExceeded:
		return "quota exceeded"
	default:
		return fmt.Sprintf("reason code %#02x", code)
	}
}

// codec3 is MQTT 3.1.1.
type codec3 struct{}

func (codec3) connect(s Settings, clientID string) ([]byte, error) {
	var b bytes.Buffer
	p := packets3.NewControlPacket(packets3.Connect).(*packets3.ConnectPacket)
	p.ProtocolName, p.ProtocolVersion, p.ClientIdentifier = "MQTT", 4, clientID
	p.Keepalive = uint16(s.KeepAlive / time.Second)
	p.UsernameFlag, p.Username = s.Username != "", s.Username
	p.PasswordFlag, p.Password = s.Password != "", []byte(s.Password)
	err := p.Write(&b)
	return b.Bytes(), err
}

func (codec3) connack(body []byte) (welcome, error) {
	if len(body) != 2 {
		return welcome{}, errors.New("CONNACK: want two octets")
	}
	if code := body[1]; code != 0 {
		if err := packets3.ConnErrors[code]; err != nil {
			return welcome{}, refused(strings.ToLower(err.Error()), "")
		}
		return welcome{}, refused(fmt.Sprintf("return code %d", code), "")
	}
	return welcome{present: body[0]&1 != 0}, nil
}

func (codec3) subscribe(id uint16, batch []request) ([]byte, error) {
	var b bytes.Buffer
	p := packets3.NewControlPacket(packets3.Subscribe).(*packets3.SubscribePacket)
	p.MessageID = id
	for _, r := range batch {
		p.Topics, p.Qoss = append(p.Topics, r.filter), append(p.Qoss, r.qos)
	}
	err := p.Write(&b)
	return b.Bytes(), err
}

func (codec3) unsubscribe(id uint16, filters []string) ([]byte, error) {
	var b bytes.Buffer
	p := packets3.NewControlPacket(packets3.Unsubscribe).(*packets3.UnsubscribePacket)
	p.MessageID, p.Topics = id, filters
	err := p.Write(&b)
	return b.Bytes(), err
}

func (codec3) acknowledged(f frame) (answer, error) {
	if len(f.body) < 2 {
		return answer{}, errTruncated
	}
	return answer{id: binary.BigEndian.Uint16(f.body), codes: bytes.Clone(f.body[2:])}, nil
}

func (codec3) refusal(byte) string { return "refused by the broker" }

// refused is the error of a CONNACK that does not accept.
func refused(reason, text string) error {
	if text != "" && !strings.EqualFold(text, reason) {
		reason += " (" + text + ")"
	}
	return errors.New("broker refuses the connection: " + reason)
}

// short returns the beginning of a reason in the words of the library.
func short(reason string, code byte) string {
	name, _, ok := strings.Cut(reason, " - ")
	if !ok {
		return fmt.Sprintf("reason code %#02x", code)
	}
	return strings.ToLower(name)
}
