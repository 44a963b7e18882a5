package mqtt

import (
	"context"
	"net"
	"net/url"
	"strings"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// client3 is MQTT 3.1.1 with paho.mqtt.golang.
type client3 struct{ paho.Client }

// connect3 is connect5 for MQTT 3.1.1. The session is kept by the broker alone:
// the library knows nothing of an earlier connection.
func connect3(conn *guard, s Settings, clientID string, receive func(*message), fail func(error)) (client, welcome, error) {
	o := paho.NewClientOptions().AddBroker("mqtt://broker").SetProtocolVersion(4).SetClientID(clientID)
	o.SetCustomOpenConnectionFn(func(*url.URL, paho.ClientOptions) (net.Conn, error) { return conn, nil })
	o.SetUsername(s.Username).SetPassword(string(s.Password))
	o.SetCleanSession(false).SetAutoReconnect(false).SetAutoAckDisabled(true).SetOrderMatters(true)
	o.SetKeepAlive(s.KeepAlive).SetPingTimeout(24 * time.Hour) // the guard finds a silent broker
	o.SetWriteTimeout(2 * farewellTimeout)                     // what a request may wait on a lost connection
	o.SetConnectionLostHandler(func(_ paho.Client, err error) { failed(err, fail) })
	o.SetDefaultPublishHandler(func(_ paho.Client, m paho.Message) {
		receive(&message{acker: m, topic: m.Topic(), payload: m.Payload(), qos: m.Qos(), retained: m.Retained(), repeated: m.Duplicate()})
	})
	c := &client3{paho.NewClient(o)}
	token := c.Connect().(*paho.ConnectToken)
	<-token.Done() // the guard ends the wait
	if err := token.Error(); err != nil {
		return nil, welcome{}, refused(strings.ToLower(err.Error()), "")
	}
	return c, welcome{present: token.SessionPresent(), window: mostInFlight, longest: maxMessage, qos: 2, retain: true}, nil
}

// subscribe sends a packet for each filter, see [guard.check].
func (c *client3) subscribe(ctx context.Context, batch []request) ([]byte, error) {
	codes := make([]byte, len(batch))
	tokens := make([]*paho.SubscribeToken, len(batch))
	for i, r := range batch {
		tokens[i] = c.Subscribe(r.filter, r.qos, nil).(*paho.SubscribeToken)
		if ctx.Err() != nil {
			return nil, errGone
		}
	}
	for i, token := range tokens {
		if err := c.answered(ctx, token); err != nil {
			return nil, err
		}
		code, ok := token.Result()[unshared(batch[i].filter)] // as the library names it
		if !ok {
			return nil, errTooFew
		}
		codes[i] = code
	}
	return codes, nil
}

func (c *client3) unsubscribe(ctx context.Context, filters []string) error {
	return c.answered(ctx, c.Unsubscribe(filters...))
}

// answered waits for the answer to a request.
func (c *client3) answered(ctx context.Context, token paho.Token) error {
	timeout := time.NewTimer(answerTimeout)
	defer timeout.Stop()
	select {
	case <-token.Done():
	case <-ctx.Done():
		return errGone
	case <-timeout.C:
		return errNoAnswer
	}
	if err := token.Error(); err != nil && c.IsConnectionOpen() {
		return err
	} else if err != nil {
		return errGone
	}
	return nil
}

func (*client3) refusal(byte) string { return "refused by the broker" }

// close ends the library; an orderly end has handed it all acknowledgements, which
// it sends in turn.
func (c *client3) close(bool) { c.Disconnect(uint(answerTimeout / time.Millisecond)) }
