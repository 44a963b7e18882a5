package mqtt

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"
	"github.com/eclipse/paho.golang/paho/session"
	"github.com/eclipse/paho.golang/paho/session/state"
	"github.com/eclipse/paho.golang/paho/store/memory"
)

const (
	// ackInterval is how often the library sends acknowledgements. The time
	// limits the rate to what the broker sends ahead in it, by default 20 messages
	// with mosquitto.
	ackInterval = time.Millisecond
	// maxMessage is the longest packet that the broker is asked for. What is
	// longer it drops, what is shorter but too long for a payload the guard cuts.
	maxMessage = 16 << 20
)

// client5 is MQTT 5 with paho.golang.
type client5 struct {
	*paho.Client
	wildcards bool         // the broker takes filters with wildcards
	shares    bool         // the broker takes shared subscriptions
	unsent    atomic.Int64 // acknowledgements that the library has not yet sent
}

// session5 is the part of a session that we keep, with the end of every
// acknowledgement noted.
type session5 struct {
	*state.State
	unsent *atomic.Int64
}

// newSession5 returns the session of one connection. What we have received is
// kept from one connection to the next, so that QoS 2 holds; what we have sent
// is not, so that no command is sent again.
func newSession5(received *memory.Store, unsent *atomic.Int64) session5 {
	return session5{state.New(memory.New(), received), unsent}
}

// Ack implements session.SessionManager.
func (s session5) Ack(p *packets.Publish) error {
	defer s.unsent.Add(-1)
	return s.State.Ack(p)
}

// connect5 signs in at the broker behind conn. Messages go to receive, in order,
// and why the connection is lost to fail.
func connect5(ctx context.Context, conn *guard, s Settings, clientID string, kept *memory.Store,
	receive func(*message), fail func(error)) (client, welcome, error) {
	c := &client5{}
	c.Client = paho.NewClient(paho.ClientConfig{
		Conn: conn, Session: newSession5(kept, &c.unsent),
		PacketTimeout:              24 * time.Hour, // a command is on its way until it is acknowledged, however late
		EnableManualAcknowledgment: true, SendAcksInterval: ackInterval,
		OnPublishReceived: []func(paho.PublishReceived) (bool, error){func(p paho.PublishReceived) (bool, error) {
			receive(c.message(p.Packet))
			return true, nil
		}},
		OnServerDisconnect: func(d *paho.Disconnect) { fail(disconnected(d)) },
		OnClientError:      func(err error) { failed(err, fail) },
	})
	expiry, most, longest := uint32(s.SessionExpiry/time.Second), uint16(s.ReceiveMaximum), uint32(maxMessage)
	ack, err := c.Connect(ctx, &paho.Connect{
		ClientID: clientID, KeepAlive: uint16(s.KeepAlive / time.Second),
		UsernameFlag: s.Username != "", Username: s.Username,
		PasswordFlag: s.Password != "", Password: []byte(s.Password),
		Properties: &paho.ConnectProperties{
			SessionExpiryInterval: &expiry, ReceiveMaximum: &most, MaximumPacketSize: &longest, RequestProblemInfo: true,
		},
	})
	if err != nil {
		if ack != nil && ack.ReasonCode >= 0x80 {
			reason := short((&packets.Connack{ReasonCode: ack.ReasonCode}).Reason(), ack.ReasonCode)
			return nil, welcome{}, refused(reason, ack.Properties.ReasonString)
		}
		return nil, welcome{}, fmt.Errorf("CONNACK: %w", err)
	}
	c.wildcards, c.shares = ack.Properties.WildcardSubAvailable, ack.Properties.SharedSubAvailable
	if seconds := ack.Properties.ServerKeepAlive; seconds != nil {
		conn.keepAlive.Store(int64(*seconds) * int64(time.Second))
	}
	return c, welcomeOf(ack), nil
}

// welcomeOf returns what a broker says of itself. What is longer than a packet of
// ours may be is none of its business.
func welcomeOf(ack *paho.Connack) welcome {
	p := ack.Properties
	w := welcome{
		present: ack.SessionPresent, identifiers: p.SubIDAvailable, window: mostInFlight, longest: maxMessage, qos: 2, retain: p.RetainAvailable,
	}
	if p.ReceiveMaximum != nil {
		w.window = max(1, int(*p.ReceiveMaximum))
	}
	if p.MaximumPacketSize != nil && *p.MaximumPacketSize > 0 { // 0 is an error of the broker
		w.longest = min(w.longest, int(*p.MaximumPacketSize))
	}
	if p.MaximumQoS != nil {
		w.qos = *p.MaximumQoS
	}
	return w
}

// failed hands on why the library gave up a connection, unless the guard did.
func failed(err error, fail func(error)) {
	if !errors.Is(err, errEnded) {
		fail(fmt.Errorf("%w: %w", errMalformed, within(err)))
	}
}

// message returns a message. Of several subscription identifiers the library
// shows the last one.
func (c *client5) message(p *paho.Publish) *message {
	m := &message{acker: received5{c, p}, topic: p.Topic, payload: p.Payload, qos: p.QoS, retained: p.Retain, repeated: p.Duplicate()}
	if id := p.Properties.SubscriptionIdentifier; id != nil {
		m.subscription = uint32(*id)
	}
	m.correlation, m.answer = p.Properties.CorrelationData, p.Properties.ResponseTopic
	if at := p.Properties.MessageExpiry; at != nil {
		m.expires = max(1, *at)
	}
	return m
}

// received5 is a message to be acknowledged.
type received5 struct {
	c *client5
	p *paho.Publish
}

// Ack implements acker. A message of a connection that is lost stays with the broker.
func (r received5) Ack() {
	r.c.unsent.Add(1)
	if r.c.Client.Ack(r.p) != nil {
		r.c.unsent.Add(-1)
	}
}

func (c *client5) subscribe(ctx context.Context, batch []request) ([]byte, error) {
	codes := make([]byte, len(batch))
	asked := make([]int, 0, len(batch)) // indices of what the library does not refuse itself
	p := &paho.Subscribe{}
	for i, r := range batch {
		if !c.wildcards && strings.ContainsAny(r.filter, "+#") {
			codes[i] = packets.SubackWildcardsubscriptionsnotsupported
			continue
		}
		if !c.shares && isShared(r.filter) {
			codes[i] = packets.SubackSharedSubscriptionnotsupported
			continue
		}
		asked = append(asked, i)
		options := paho.SubscribeOptions{Topic: r.filter, QoS: r.qos, RetainHandling: packets.RetainSendOnSubscribeIfNew}
		if r.resend {
			options.RetainHandling = packets.RetainSendOnSubscribe
		}
		p.Subscriptions = append(p.Subscriptions, options)
		if r.id != 0 {
			id := int(r.id)
			p.Properties = &paho.SubscribeProperties{SubscriptionIdentifier: &id}
		}
	}
	if len(asked) == 0 {
		return codes, nil
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	ack, err := c.Subscribe(ctx, p)
	switch {
	case ack == nil:
		return nil, unanswered(err)
	case len(ack.Reasons) < len(asked):
		return nil, errTooFew
	}
	for i, at := range asked {
		codes[at] = ack.Reasons[i]
	}
	return codes, nil
}

func (c *client5) unsubscribe(ctx context.Context, filters []string) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	if ack, err := c.Unsubscribe(ctx, &paho.Unsubscribe{Topics: filters}); ack == nil {
		return unanswered(err)
	}
	return nil
}

// unanswered is the error of a request without an answer.
func unanswered(err error) error {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return errNoAnswer
	case errors.Is(err, errEnded), errors.Is(err, paho.ErrConnectionLost), errors.Is(err, session.ErrNoConnection), errors.Is(err, context.Canceled):
		return errGone
	}
	return err
}

func (*client5) refusal(code byte) string {
	return short((&packets.Suback{Reasons: []byte{code}}).Reason(0), code)
}

// close waits for the acknowledgements, which the library sends on a timer.
func (c *client5) close(orderly bool) {
	tick := time.NewTicker(ackInterval)
	defer tick.Stop()
	for ends := time.Now().Add(farewellTimeout); orderly && c.unsent.Load() > 0 && time.Now().Before(ends); {
		<-tick.C
	}
	// It fails if the connection is lost; the library ends all the same.
	_ = c.Disconnect(&paho.Disconnect{})
}

// pubackReason returns a reason code of PUBACK in words.
func pubackReason(code byte) string {
	switch code {
	case packets.PubackNotAuthorized:
		return "not authorized"
	case packets.PubackTopicNameInvalid:
		return "topic name invalid"
	case packets.PubackQuotaExceeded:
		return "quota exceeded"
	case packets.PubackPayloadFormatInvalid:
		return "payload format invalid"
	default:
		return fmt.Sprintf("reason code %#02x", code)
	}
}

// disconnected returns why the broker closes the connection.
func disconnected(d *paho.Disconnect) error {
	text := "broker closes the connection: "
	switch d.ReasonCode {
	case packets.DisconnectServerShuttingDown:
		text += "it shuts down"
	case packets.DisconnectSessionTakenOver:
		text += "another client uses the same client id"
	default:
		text += short(d.Packet().Reason(), d.ReasonCode)
	}
	if d.Properties.ReasonString != "" {
		text += " (" + d.Properties.ReasonString + ")"
	}
	return errors.New(text)
}

// short returns the beginning of a reason in the words of the library.
func short(reason string, code byte) string {
	name, _, ok := strings.Cut(reason, " - ")
	if !ok {
		return fmt.Sprintf("reason code %#02x", code)
	}
	return strings.ToLower(name)
}
