package iec104

import (
	"bytes"
	"sync"
	"time"

	"busbar/iec104/asdu"
)

// Answer answers one command after [Session.Command] has returned [Pending].
// Its methods may be called from any goroutine and with any lock held, also
// before Command has returned; they never block. An answer belongs to the data
// transfer in which the command came: after STOPDT, or the end of the
// connection, it is dropped. Nothing is sent twice.
type Answer struct {
	conn *ServerConn
	asdu []byte // as received
	ends bool   // an activation that executes: a termination may follow

	// Guarded by the lock of the connection's late answers.
	transfer uint64
	stage    answerStage
}

type answerStage uint8

const (
	answerOpen answerStage = iota
	answerConfirmed
	answerDone
)

// Confirm sends the confirmation, ACTCON or DEACTCON, before everything else
// that waits. It mirrors the command; not positive sets P/N. False: nothing is
// sent, because there was a confirmation already or the transfer is over.
func (a *Answer) Confirm(positive bool) bool {
	next := answerDone
	if positive && a.ends {
		next = answerConfirmed
	}
	return a.conn.late.put(a, answerOpen, next, lateAnswer{answer: a, negative: !positive})
}

// Terminate sends ACTTERM, not positive with P/N, behind the events that wait,
// so that return information comes first; but it waits for them no longer than
// two seconds. False: nothing is sent, because the command was not confirmed
// positively, is no execution or was terminated already, or the transfer is over.
func (a *Answer) Terminate(positive bool) bool {
	return a.conn.late.put(a, answerConfirmed, answerDone, lateAnswer{answer: a, ends: true, negative: !positive})
}

// spend makes an answer without effect, if it was not used: the command was
// answered at once.
func (a *Answer) spend() {
	a.conn.late.mu.Lock()
	defer a.conn.late.mu.Unlock()
	a.stage = answerDone
}

// lateAnswer is one that a connection has not looked at.
type lateAnswer struct {
	answer   *Answer
	ends     bool // a termination
	negative bool
}

// lateAnswers are on their way from any goroutine to the one that writes. Their
// lock is taken last.
type lateAnswers struct {
	wake func()

	mu       sync.Mutex
	transfer uint64 // counts the changes of data transfer
	over     bool   // the connection is
	queue    []lateAnswer
}

// put takes an answer whose stage is from.
func (l *lateAnswers) put(a *Answer, from, to answerStage, late lateAnswer) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over || a.transfer != l.transfer || a.stage != from {
		return false
	}
	a.stage = to
	l.queue = append(l.queue, late)
	l.wake()
	return true
}

// take empties the queue.
func (l *lateAnswers) take() []lateAnswer {
	l.mu.Lock()
	defer l.mu.Unlock()
	queue := l.queue
	l.queue = nil
	return queue
}

// renew drops all answers, and those to come to the commands so far.
func (l *lateAnswers) renew(over bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.transfer++
	l.over = l.over || over
	l.queue = nil
}

// endWait is how long a termination waits for events at most.
const endWait = 2 * time.Second

// ending is a termination that waits for events.
type ending struct {
	asdu  []byte
	since time.Duration // on the clock of the link
}

// takeLate makes confirmations due, and lets terminations wait for the events
// that wait. It is called with the lock of the link.
func (c *ServerConn) takeLate() {
	for _, late := range c.late.take() {
		b := late.answer.asdu
		if !late.ends {
			c.pending--
			c.confirm(b, !late.negative)
			continue
		}
		asdu.SetCause(b, asdu.ActivationTerm, late.negative)
		c.endings = append(c.endings, ending{asdu: b, since: c.link.clock})
		c.dry.Store(false) // ask for events once more
	}
	for len(c.endings) > 0 && c.link.clock >= c.endings[0].since+endWait {
		c.responses.add(c.nextEnding())
	}
}

// nextEnding takes the oldest termination out.
func (c *ServerConn) nextEnding() []byte {
	b := c.endings[0].asdu
	c.endings = c.endings[1:]
	if len(c.endings) == 0 {
		c.endings = nil
	}
	return b
}

// newAnswer returns the answer to a command that is being received.
func (c *ServerConn) newAnswer(b []byte, ends bool) *Answer {
	c.late.mu.Lock()
	defer c.late.mu.Unlock()
	return &Answer{conn: c, asdu: bytes.Clone(b), ends: ends, transfer: c.late.transfer}
}
