package mqtt

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
)

const (
	// firstID is the first packet identifier of what is published. The library,
	// which counts up from 1, has those below for its subscriptions.
	firstID = 1 << 15
	// firstDouble is the first packet identifier of what is published with QoS 2.
	firstDouble = firstID + mostInFlight
	// mostInFlight is how many identifiers there are for either.
	mostInFlight = 1 << 14
	// reserved is how much of the window of the broker is kept for commands and
	// answers to commands, at most a quarter of it.
	reserved = 8
	// maxWrite is how much is collected at most before it is written.
	maxWrite = 64 << 10
)

// outflow publishes on one connection: commands, answers and what goes from points
// to topics. It writes packets itself, many at once, and takes their
// acknowledgements from the guard; the library knows of none of them. Nothing is
// sent again on it.
type outflow struct {
	v5      bool
	longest int                // packet that the broker takes
	write   func([]byte) error // writes whole packets
	fill    func([]byte, *outflow) []byte
	wake    chan struct{} // has an element when there is something to write
	room    chan struct{} // has an element when a flight has ended

	mu      sync.Mutex
	vacant  int      // messages that may be sent
	flights []flight // by identifier, from firstID
	free    []uint16 // identifiers of them that are not in use, a ring
	first   int      // of free
	unused  int      // in free
	// Of QoS 2 identifiers ascend, and begin again when none is in use: so they are in
	// the order of the messages. See appendReleases.
	doubles []flight // by identifier, from firstDouble; nil: none was sent yet
	next    int      // index of the next of doubles
	double  int      // of doubles that are in use
	urgent  []byte   // packets that do not wait for fill
	over    bool     // the connection is lost
}

// flight is a message that is not acknowledged.
type flight struct {
	receipt  receipt
	qos      byte
	released bool // PUBREC has come
}

// receipt learns what the broker says of a message: a reason code of PUBACK,
// PUBREC or PUBCOMP. It must not wait.
type receipt interface{ answered(code byte) }

func newOutflow(v5 bool, w welcome, window int, write func([]byte) error, fill func([]byte, *outflow) []byte) *outflow {
	n := max(1, min(window, w.window, mostInFlight))
	o := &outflow{
		v5: v5, longest: w.longest, write: write, fill: fill, wake: make(chan struct{}, 1), room: make(chan struct{}, 1),
		flights: make([]flight, n), free: make([]uint16, n), unused: n, vacant: n,
	}
	for i := range o.free {
		o.free[i] = uint16(firstID + i)
	}
	return o
}

// signal puts an element into a channel that has room for one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// run writes what there is to write until ctx ends.
func (o *outflow) run(ctx context.Context) {
	buf := make([]byte, 0, maxWrite)
	for {
		buf = o.take(buf[:0])
		if o.fill != nil {
			buf = o.fill(buf, o)
		}
		if len(buf) > 0 {
			if o.write(buf) != nil || ctx.Err() != nil {
				return // the guard has told why
			}
			continue
		}
		select {
		case <-o.wake:
		case <-ctx.Done():
			return
		}
	}
}

// take appends the urgent packets.
func (o *outflow) take(b []byte) []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	b = append(b, o.urgent...)
	o.urgent = o.urgent[:0]
	return b
}

// begin takes an identifier for a message, of those that are kept for commands only
// if it is one. It is 0 if there is none.
func (o *outflow) begin(qos byte, r receipt, command bool) uint16 {
	o.mu.Lock()
	defer o.mu.Unlock()
	keep := 0
	if !command {
		keep = min(reserved, len(o.free)/4)
	}
	if o.over || o.vacant <= keep {
		return 0
	}
	id := o.identifier(qos)
	if id != 0 {
		o.vacant--
		*o.flight(id) = flight{receipt: r, qos: qos}
	}
	return id
}

// identifier returns one that is not in use, 0 if there is none. The caller holds mu.
func (o *outflow) identifier(qos byte) uint16 {
	if qos == 1 {
		id := o.free[o.first]
		o.first = (o.first + 1) % len(o.free)
		o.unused--
		return id
	}
	if o.doubles == nil {
		o.doubles = make([]flight, mostInFlight)
	}
	if o.next == len(o.doubles) {
		if o.double > 0 {
			return 0
		}
		o.next = 0
	}
	o.next++
	o.double++
	return uint16(firstDouble + o.next - 1)
}

// flight returns the flight with an identifier, nil if it is none of ours. The caller
// holds mu.
func (o *outflow) flight(id uint16) *flight {
	switch at := int(id); {
	case at >= firstDouble && at-firstDouble < len(o.doubles):
		return &o.doubles[at-firstDouble]
	case at >= firstID && at-firstID < len(o.flights):
		return &o.flights[at-firstID]
	default:
		return nil
	}
}

// end gives back an identifier. The caller holds mu.
func (o *outflow) end(id uint16) {
	*o.flight(id) = flight{}
	if id >= firstDouble {
		o.double--
	} else {
		o.free[(o.first+o.unused)%len(o.free)] = id
		o.unused++
	}
	o.vacant++
	signal(o.room)
	signal(o.wake)
}

// cancel gives back the identifier of a message that was not sent.
func (o *outflow) cancel(id uint16) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.end(id)
}

// acknowledged takes a PUBACK, PUBREC or PUBCOMP from the broker. One that nothing
// waits for is left alone: it may answer what a connection before has sent.
func (o *outflow) acknowledged(kind byte, body []byte) {
	id, code := binary.BigEndian.Uint16(body), byte(0)
	if len(body) > 2 {
		code = body[2]
	}
	if r := o.answer(kind, id, code); r != nil {
		r.answered(code)
	}
}

// answer returns who is to know of an acknowledgement; nil: nobody. Some brokers
// refuse a message of QoS 2 with PUBACK.
func (o *outflow) answer(kind byte, id uint16, code byte) receipt {
	o.mu.Lock()
	defer o.mu.Unlock()
	f := o.flight(id)
	if f == nil || f.receipt == nil {
		return nil
	}
	r := f.receipt
	switch {
	case kind == puback && f.qos != 1 && code < refusalCode || kind == pubrec && f.qos != 2 || kind == pubcomp && !f.released:
		return nil
	case kind == pubrec && code < refusalCode:
		f.released = true
		o.urgent = appendRelease(o.urgent, id)
		signal(o.wake)
		return nil
	}
	o.end(id)
	return r
}

// refusalCode is the lowest reason code that is a failure.
const refusalCode = 0x80

// appendReleases releases every identifier that a message of QoS 2 may have had on an
// earlier connection of the session: otherwise the broker would take a new message with
// that identifier for the old one, and drop it. It hands on then what it had not been told
// to, in the order in which it was sent, since identifiers ascend.
func appendReleases(b []byte) []byte {
	for i := range mostInFlight {
		b = appendRelease(b, uint16(firstDouble+i))
	}
	return b
}

// publish sends a command or an answer with QoS 1 under an identifier of begin, and
// returns when the broker has acknowledged it or the connection is lost. An error is a
// notSent if it was certainly not taken.
func (o *outflow) publish(ctx context.Context, id uint16, m *outgoing, answer <-chan byte) error {
	o.mu.Lock()
	if o.over {
		o.mu.Unlock()
		return notSent{errOffline}
	}
	at := len(o.urgent)
	o.urgent = appendPublish(o.urgent, o.v5, id, m)
	if len(o.urgent)-at > o.longest {
		o.urgent = o.urgent[:at]
		o.end(id)
		o.mu.Unlock()
		return notSent{fmt.Errorf("broker takes packets of at most %d octets", o.longest)}
	}
	o.mu.Unlock()
	signal(o.wake)
	select {
	case code := <-answer:
		return verdict(code)
	case <-ctx.Done():
		return errGone
	}
}

// verdict is the error of a command that the broker has acknowledged with a reason
// code.
func verdict(code byte) error {
	switch {
	case code == noMatchingSubscribers:
		return notSent{errNobody}
	case code >= refusalCode:
		return notSent{errors.New("broker refuses the message: " + pubackReason(code))}
	}
	return nil
}

// noMatchingSubscribers is a reason code of PUBACK that is no failure.
const noMatchingSubscribers = 0x10

// waiting is the receipt of a message that somebody waits for.
type waiting chan byte

// answered implements receipt.
func (w waiting) answered(code byte) { w <- code }

// close lets nothing more be sent.
func (o *outflow) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.over = true
}
