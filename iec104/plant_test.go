package iec104

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"busbar/iec104/asdu"
)

// plant is a station for tests of everything at once: points that change and
// are interrogated, and commands of which it knows how often each was carried
// out. Its connections are one redundancy group.
type plant struct {
	redundant

	points   sync.Mutex
	values   []uint32 // by object address, from 1 on; a change adds one
	occurred int      // events so far

	commands sync.Mutex
	random   *rand.Rand
	executed map[uint32]int    // by the number of the command
	selected map[orderKey]bool // on a connection
	wrong    []string
}

type orderKey struct {
	conn *ServerConn
	ioa  uint32
}

func newPlant(points int, random *rand.Rand) *plant {
	p := &plant{values: make([]uint32, points+1), random: random, executed: map[uint32]int{}, selected: map[orderKey]bool{}}
	p.testStation = newTestStation()
	return p
}

// change changes a point: an event with the time of its occurrence, so that
// no two are the same. Its number is in its time tag.
func (p *plant) change(ioa uint32) {
	p.points.Lock()
	defer p.points.Unlock()
	p.values[ioa]++
	p.occurred++
	p.put(Event{CA: 1, Type: asdu.M_ME_TE_1, Cause: asdu.Spontaneous,
		Object: asdu.Object{IOA: ioa, Value: p.values[ioa], Time: numberTag(p.occurred)}})
}

// numberTag hides a number, up to a day's milliseconds, in a time tag.
func numberTag(n int) asdu.Time {
	return asdu.TimeOf(time.Date(2026, 7, 14, 0, 0, 0, 0, time.UTC).Add(time.Duration(n)*time.Millisecond), nil)
}

func tagNumber(t asdu.Time) int {
	at, _ := t.Date(nil)
	return int(at.Sub(time.Date(2026, 7, 14, 0, 0, 0, 0, time.UTC)) / time.Millisecond)
}

func (p *plant) Open(c *ServerConn) (Session, error) {
	s, err := p.redundant.Open(c)
	return &plantSession{s.(*memberSession), p}, err
}

type plantSession struct {
	*memberSession
	plant *plant
}

func (s *plantSession) Interrogate(uint16, uint8) Interrogation {
	return &plantAnswer{p: s.plant, next: 1}
}

// plantAnswer yields the present values, and waits while events do.
type plantAnswer struct {
	p    *plant
	next int
}

func (a *plantAnswer) Next(dst []Item) (n int, done bool) {
	a.p.points.Lock()
	defer a.p.points.Unlock()
	for n < len(dst) && a.next < len(a.p.values) {
		if events, taken := a.p.queue.Len(); events > taken {
			return n, false
		}
		dst[n] = Item{Type: asdu.M_ME_NB_1, Object: asdu.Object{IOA: uint32(a.next), Value: a.p.values[a.next]}}
		n++
		a.next++
	}
	return n, a.next == len(a.p.values)
}

// The ways a plant treats a command, by its number. The object address of a
// command is firstOrder and its number, its value is its number.
const (
	orderAccepted     = iota // at once, terminated at once
	orderLater               // confirmed and terminated after a while
	orderRefused             // negative confirmation
	orderUnknown             // cause 47
	orderFails               // confirmed, and terminated negatively
	orderUnterminated        // confirmed only
	orderUnanswered          // nothing
	orderWays
)

const firstOrder = 10_000

// Command implements Session.
func (s *plantSession) Command(c Command) Verdict {
	p := s.plant
	p.commands.Lock()
	defer p.commands.Unlock()
	number := c.IOA - firstOrder
	if c.Type.Untagged() != asdu.C_BO_NA_1 && c.Type.Untagged() != asdu.C_SE_NC_1 || c.Value != number {
		p.wrong = append(p.wrong, fmt.Sprintf("%+v", c))
		return Refused
	}
	key, way := orderKey{s.conn, c.IOA}, number%orderWays
	selects := mustSelect(number, c.Type)
	switch {
	case way == orderUnknown:
		return UnknownObject
	case c.Deactivate:
		delete(p.selected, key)
		return Accepted
	case c.Select:
		p.selected[key] = true
		return Accepted
	case selects && !p.selected[key]:
		p.wrong = append(p.wrong, fmt.Sprintf("%d executed without select", number))
		return Refused
	}
	delete(p.selected, key)
	switch way {
	case orderRefused:
		return Refused
	case orderAccepted:
		p.executed[number]++
		return Accepted
	}
	p.executed[number]++
	if way == orderUnanswered {
		return Pending
	}
	confirm := time.Duration(p.random.IntN(2000)) * time.Millisecond
	time.AfterFunc(confirm, func() { c.Answer.Confirm(true) })
	if way != orderUnterminated {
		time.AfterFunc(2*confirm+time.Millisecond, func() { c.Answer.Terminate(way == orderLater) })
	}
	return Pending
}

// mustSelect reports whether a command is to be selected first.
func mustSelect(number uint32, t asdu.TypeID) bool {
	return number/orderWays%2 == 1 && t.Untagged() != asdu.C_BO_NA_1
}

// Closed implements Session: a selection ends with its connection.
func (s *plantSession) Closed(reason error) {
	s.plant.commands.Lock()
	for key := range s.plant.selected {
		if key.conn == s.conn {
			delete(s.plant.selected, key)
		}
	}
	s.plant.commands.Unlock()
	s.memberSession.Closed(reason)
}
