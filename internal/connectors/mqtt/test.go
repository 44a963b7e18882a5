package mqtt

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"time"

	packets5 "github.com/eclipse/paho.golang/packets"
	packets3 "github.com/eclipse/paho.mqtt.golang/packets"

	"busbar/internal/connector"
	"busbar/internal/tlsconf"
)

// test tries out whether the broker can be reached, takes the user and permits
// subscriptions. It signs in with a client id of its own and leaves no session.
func test(ctx context.Context, s Settings, t *connector.Test) {
	e := tlsconf.New(s.TLS, brokerUse(), t.Log)
	u, text := parseURL(s.URL)
	if text != "" {
		t.Step("url", func() (string, error) { return "", errors.New(text) })
		return
	}
	if secure(u.Scheme) && !e.TestFiles(t) || !t.Step("resolve", func() (string, error) {
		found, err := net.DefaultResolver.LookupHost(ctx, u.Hostname())
		return strings.Join(found, ", "), err
	}) {
		return
	}
	conn := reach(ctx, s, u, e, t)
	if conn == nil {
		return
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() }) // ends what waits for the broker
	defer stop()
	defer func() { _ = conn.Close() }()
	var b taster = taster5{conn}
	if s.Version != "5" {
		b = taster3{conn}
	}
	if !t.Step("CONNECT", func() (string, error) { return answered(ctx)(b.connect(s, "busbar-test-"+rand.Text()[:8])) }) {
		return
	}
	for _, topic := range t.Topics {
		t.Step("SUBSCRIBE", func() (string, error) {
			if text := checkSubscription(topic); text != "" {
				return "", fmt.Errorf("%s: %s", topic, text)
			}
			return answered(ctx)(b.subscribe(unshared(topic)))
		})
	}
	t.Step("DISCONNECT", func() (string, error) { return "", b.disconnect() })
}

// answered tells of an answer that did not come in time that it is this.
func answered(ctx context.Context) func(string, error) (string, error) {
	begun := time.Now()
	return func(detail string, err error) (string, error) {
		if err != nil && ctx.Err() != nil {
			return "", fmt.Errorf("the broker has not answered within %v", time.Since(begun).Round(time.Millisecond))
		}
		return detail, err
	}
}

// reach connects; nil: the broker cannot be reached, which was noted.
func reach(ctx context.Context, s Settings, u *url.URL, e *tlsconf.Endpoint, t *connector.Test) (conn net.Conn) {
	if u.Scheme == "ws" || u.Scheme == "wss" {
		t.Step("WebSocket", func() (_ string, err error) {
			ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
			defer cancel()
			conn, err = dialer(e)(ctx, s)
			return "", err
		})
		return conn
	}
	if !t.Step("TCP", func() (_ string, err error) {
		ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
		defer cancel()
		if conn, err = new(net.Dialer).DialContext(ctx, "tcp", address(u)); err != nil {
			return "", err
		}
		return conn.LocalAddr().String() + " to " + conn.RemoteAddr().String(), nil
	}) {
		return nil
	}
	if !secure(u.Scheme) {
		return conn
	}
	secured, ok := e.TestConnect(ctx, t, conn, u.Hostname())
	if !ok {
		return nil
	}
	return secured
}

// taster is a connection to a broker that is tried out, packet by packet.
type taster interface {
	connect(s Settings, clientID string) (string, error)
	subscribe(filter string) (string, error)
	disconnect() error
}

// maxTaste is the longest packet that is read of a broker, and how many octets are read
// in all for one answer.
const maxTaste = 1 << 20

var (
	errOther = errors.New("broker sent another packet than the answer")
	errLong  = errors.New("broker sent a packet that is too long")
)

// packet returns one packet of a broker, for a library that makes room for whatever length it says.
func packet(from io.Reader) (io.Reader, error) {
	var head [5]byte
	length := 0
	for n := range head {
		if _, err := io.ReadFull(from, head[n:n+1]); err != nil {
			return nil, err
		}
		if n > 0 {
			length |= int(head[n]&0x7f) << (7 * (n - 1))
		}
		switch {
		case length > maxTaste:
			return nil, errLong
		case n > 0 && head[n] < 0x80:
			return io.MultiReader(bytes.NewReader(head[:n+1]), io.LimitReader(from, int64(length))), nil
		}
	}
	return nil, errLong
}

type taster5 struct{ conn net.Conn }

func (b taster5) exchange(p io.WriterTo, kind byte) (*packets5.ControlPacket, error) {
	if _, err := p.WriteTo(b.conn); err != nil {
		return nil, err
	}
	in := io.LimitReader(b.conn, maxTaste)
	for {
		one, err := packet(in)
		if err != nil {
			return nil, err
		}
		got, err := packets5.ReadPacket(one)
		switch {
		case err != nil:
			return nil, err
		case got.Type == kind:
			return got, nil
		case got.Type != packets5.PUBLISH:
			return nil, errOther
		}
	}
}

func (b taster5) connect(s Settings, clientID string) (string, error) {
	got, err := b.exchange(&packets5.Connect{
		ProtocolName: "MQTT", ProtocolVersion: 5, CleanStart: true, ClientID: clientID, KeepAlive: uint16(s.KeepAlive / time.Second),
		UsernameFlag: s.Username != "", Username: s.Username, PasswordFlag: s.Password != "", Password: []byte(s.Password), Properties: &packets5.Properties{},
	}, packets5.CONNACK)
	if err != nil {
		return "", err
	}
	ack := got.Content.(*packets5.Connack)
	words := fmt.Sprintf("reason code %#02x", ack.ReasonCode)
	if ack.ReasonCode >= refusalCode {
		return "", fmt.Errorf("%s: %w", words, refused(short(ack.Reason(), ack.ReasonCode), ack.Properties.ReasonString))
	}
	return words + ", as " + clientID, nil
}

func (b taster5) subscribe(filter string) (string, error) {
	got, err := b.exchange(&packets5.Subscribe{
		PacketID: 1, Subscriptions: []packets5.SubOptions{{Topic: filter, RetainHandling: 2}}, Properties: &packets5.Properties{},
	}, packets5.SUBACK)
	if err != nil {
		return "", err
	}
	ack := got.Content.(*packets5.Suback)
	if len(ack.Reasons) != 1 {
		return "", errTooFew
	}
	if code := ack.Reasons[0]; code >= refusalCode {
		return "", fmt.Errorf("%s: reason code %#02x: %s", filter, code, (&client5{}).refusal(code))
	}
	return filter, nil
}

func (b taster5) disconnect() error {
	_, err := (&packets5.Disconnect{Properties: &packets5.Properties{}}).WriteTo(b.conn)
	return err
}

type taster3 struct{ conn net.Conn }

func (b taster3) exchange(p packets3.ControlPacket, is func(packets3.ControlPacket) bool) error {
	if err := p.Write(b.conn); err != nil {
		return err
	}
	in := io.LimitReader(b.conn, maxTaste)
	for {
		one, err := packet(in)
		if err != nil {
			return err
		}
		got, err := packets3.ReadPacket(one)
		if err != nil {
			return err
		}
		if is(got) {
			return nil
		}
		if _, ok := got.(*packets3.PublishPacket); !ok {
			return errOther
		}
	}
}

func (b taster3) connect(s Settings, clientID string) (string, error) {
	p := packets3.NewControlPacket(packets3.Connect).(*packets3.ConnectPacket)
	p.ProtocolName, p.ProtocolVersion, p.CleanSession, p.ClientIdentifier = "MQTT", 4, true, clientID
	p.Keepalive = uint16(s.KeepAlive / time.Second)
	p.UsernameFlag, p.Username, p.PasswordFlag, p.Password = s.Username != "", s.Username, s.Password != "", []byte(s.Password)
	var code byte
	err := b.exchange(p, func(got packets3.ControlPacket) bool {
		ack, ok := got.(*packets3.ConnackPacket)
		if ok {
			code = ack.ReturnCode
		}
		return ok
	})
	words := fmt.Sprintf("return code %d", code)
	switch {
	case err != nil:
		return "", err
	case code != 0:
		return "", fmt.Errorf("%s: %w", words, refused(strings.ToLower(strings.TrimPrefix(packets3.ConnackReturnCodes[code], "Connection Refused: ")), ""))
	}
	return words + ", as " + clientID, nil
}

func (b taster3) subscribe(filter string) (string, error) {
	p := packets3.NewControlPacket(packets3.Subscribe).(*packets3.SubscribePacket)
	p.MessageID, p.Topics, p.Qoss = 1, []string{filter}, []byte{0}
	var codes []byte
	err := b.exchange(p, func(got packets3.ControlPacket) bool {
		ack, ok := got.(*packets3.SubackPacket)
		if ok {
			codes = ack.ReturnCodes
		}
		return ok
	})
	switch {
	case err != nil:
		return "", err
	case len(codes) != 1:
		return "", errTooFew
	case codes[0] >= refusalCode:
		return "", fmt.Errorf("%s: refused by the broker", filter)
	}
	return filter, nil
}

func (b taster3) disconnect() error {
	return packets3.NewControlPacket(packets3.Disconnect).Write(b.conn)
}
