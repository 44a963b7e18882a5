package mqtt

import (
	"context"
	"errors"
	"strings"
	"time"
)

const (
	// handshakeTimeout bounds connecting, up to CONNACK.
	handshakeTimeout = 10 * time.Second
	// answerTimeout bounds the wait for SUBACK and UNSUBACK, and for a broker
	// that does not take what is sent to it.
	answerTimeout = 20 * time.Second
	// farewellTimeout bounds what is sent at the end: a broker that does not read
	// must not hold up the end of the program.
	farewellTimeout = time.Second
)

// client is a connection to a broker, of the library for its version of MQTT.
type client interface {
	// subscribe asks for filters and returns a return code for each; with an
	// identifier there is only one. It fails with errGone if the connection is lost.
	subscribe(ctx context.Context, batch []request) ([]byte, error)
	// unsubscribe fails like subscribe.
	unsubscribe(ctx context.Context, filters []string) error
	// refusal says in words why a filter was refused.
	refusal(code byte) string
	// close ends the connection, orderly with what is due and DISCONNECT, and
	// returns when the library has ended.
	close(orderly bool)
}

// errGone means that the connection is lost. Why comes from somebody else.
var errGone = errors.New("connection to the broker lost")

var (
	errNoAnswer  = errors.New("broker does not answer a subscription")
	errTooFew    = errors.New("broker answers for fewer filters than it was asked for")
	errMalformed = errors.New("broker sent a malformed packet")
)

// welcome is what a broker says of itself in CONNACK.
type welcome struct {
	present     bool // it has kept the session
	identifiers bool // it knows subscription identifiers
	window      int  // messages it takes before it has acknowledged the first
	longest     int  // packet that it takes, in octets
	qos         byte // highest that it takes
	retain      bool // it keeps retained messages
}

// request is one filter to subscribe to.
type request struct {
	filter string
	subscription
	resend bool // send retained messages also if the subscription is not new
}

// notSent is the error of a command that nobody has taken.
type notSent struct{ error }

// Unwrap returns why.
func (e notSent) Unwrap() error { return e.error }

// message is a message as it came.
type message struct {
	acker
	topic        string
	payload      []byte
	qos          byte
	retained     bool
	repeated     bool   // it may have been sent before (DUP)
	subscription uint32 // subscription identifier, 0: none
	correlation  []byte // correlation data of a reply or request
	answer       string // response topic of a request
	expires      uint32 // seconds until it expires; 0: never
}

// acker acknowledges a message of QoS 1 or 2. The order is up to the caller.
type acker interface{ Ack() }

// refused is the error of a CONNACK that does not accept.
func refused(reason, text string) error {
	if text != "" && !strings.EqualFold(text, reason) {
		reason += " (" + text + ")"
	}
	return errors.New("broker refuses the connection: " + reason)
}
