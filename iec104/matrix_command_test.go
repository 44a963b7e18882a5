package iec104

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"busbar/iec104/asdu"
	"busbar/test/matrix"
)

// treatment is how a station treats an order, and what a client makes of it.
type treatment struct {
	name    string
	verdict Verdict
	act     func(a *Answer)     // for Pending
	more    func(op *Operation) // changes the order
	want    error               // of Command; nil: done
	refused asdu.Cause          // instead: refused with it
	answers []string            // to the execution: cause with P/N, in hexadecimal digits
	sel     string              // to the selection; "": as an acceptance
	handed  bool                // the station gets the execution
}

func treatments() []treatment {
	later := func(a *Answer, d time.Duration, positive bool) {
		time.AfterFunc(d, func() { a.Terminate(positive) })
	}
	return []treatment{
		{name: "accepted", verdict: Accepted, answers: []string{"07", "0a"}, handed: true},
		{name: "confirmed, terminated later", verdict: Pending, answers: []string{"07", "0a"}, handed: true,
			act: func(a *Answer) { a.Confirm(true); later(a, 5*time.Second, true) }},
		{name: "confirmed later, never terminated", verdict: Pending, answers: []string{"07"}, handed: true,
			act:  func(a *Answer) { time.AfterFunc(time.Second, func() { a.Confirm(true) }) },
			more: func(op *Operation) { op.Unterminated = true }},
		{name: "confirmed, the termination does not come", verdict: Pending, answers: []string{"07"}, handed: true, want: ErrIncomplete,
			act: func(a *Answer) { a.Confirm(true) }},
		{name: "failed", verdict: Pending, answers: []string{"07", "4a"}, handed: true, refused: asdu.ActivationTerm,
			act: func(a *Answer) { a.Confirm(true); later(a, time.Second, false) }},
		{name: "refused", verdict: Refused, answers: []string{"47"}, handed: true, refused: asdu.ActivationCon, sel: "47"},
		{name: "refused later", verdict: Pending, answers: []string{"47"}, handed: true, refused: asdu.ActivationCon, sel: "47",
			act: func(a *Answer) { time.AfterFunc(time.Second, func() { a.Confirm(false) }) }},
		{name: "unknown object", verdict: UnknownObject, answers: []string{"6f"}, handed: true, refused: asdu.UnknownIOA, sel: "6f"},
		{name: "unknown type", answers: []string{"6c"}, refused: asdu.UnknownType, sel: "6c"},
		{name: "unknown common address", answers: []string{"6e"}, refused: asdu.UnknownCA, sel: "6e", more: func(op *Operation) { op.CA = 9 }},
		{name: "discarded", verdict: Discarded, want: ErrTimeout, handed: true, sel: "-"},
		{name: "never answered", verdict: Pending, act: func(*Answer) {}, want: ErrTimeout, handed: true, sel: "-"},
	}
}

// bench is a client and a station that keep what they exchange of commands.
type bench struct {
	*testStation
	t     *testing.T
	c     *Client
	treat *treatment // guarded by mu, as what follows

	lock    sync.Mutex
	handed  []string // commands that the station was handed: octets of the element
	answers []string // cause and element of each answer
}

func (b *bench) Open(c *ServerConn) (Session, error) {
	s, err := b.testStation.Open(c)
	return &benchSession{s.(*testSession), b}, err
}

type benchSession struct {
	*testSession
	bench *bench
}

func (s *benchSession) HasCommands(asdu.TypeID) bool {
	s.bench.lock.Lock()
	defer s.bench.lock.Unlock()
	return s.bench.treat.name != "unknown type"
}

func (s *benchSession) Command(c Command) Verdict {
	b := s.bench
	b.lock.Lock()
	defer b.lock.Unlock()
	kind := "activation "
	if c.Deactivate {
		kind = "deactivation "
	}
	b.handed = append(b.handed, fmt.Sprintf("%s%v oa %d %d/%d %x", kind, c.Type, c.OA, c.CA, c.IOA, matrix.Octets(c.Type, &c.Object)))
	if c.Select && b.treat.sel == "" {
		return Accepted
	}
	if b.treat.verdict == Pending {
		b.treat.act(c.Answer)
	}
	return b.treat.verdict
}

// take is the handler of the client.
func (b *bench) take(a asdu.ASDU) {
	b.lock.Lock()
	defer b.lock.Unlock()
	b.answers = append(b.answers, hex.EncodeToString(a.Octets()[2:3])+" "+hex.EncodeToString(a.Octets()[9:]))
}

// gotten returns what was exchanged since the last call.
func (b *bench) gotten() (handed, answers []string) {
	synctest.Wait()
	b.lock.Lock()
	defer b.lock.Unlock()
	handed, answers = b.handed, b.answers
	b.handed, b.answers = nil, nil
	return handed, answers
}

const benchTime = asdu.Time(0x1a074e8d2d69f3)

func newBench(t *testing.T, join func() (near, far net.Conn)) *bench {
	t.Helper()
	b := &bench{testStation: newTestStation(), t: t, treat: &treatments()[0]}
	limits := RequestLimits{Confirm: 4 * time.Second, Silence: 10 * time.Second, Overdue: time.Millisecond}
	b.c = joined(t, b, ServerConfig{}, join, WithHandler(b.take), WithOriginator(5), WithRequestLimits(limits),
		WithTime(func() asdu.Time { return benchTime }))
	return b
}

// give gives an order in a way and checks everything that came of it.
func (b *bench) give(typ asdu.TypeID, o asdu.Object, sel bool, tr *treatment) {
	b.t.Helper()
	b.lock.Lock()
	b.treat = tr
	b.lock.Unlock()
	op := Operation{CA: 1, IOA: 4711, Type: typ, Value: o.Value, Qualifier: o.Qualifier, Select: sel}
	if tr.more != nil {
		tr.more(&op)
	}
	err := b.c.Command(b.t.Context(), op)
	time.Sleep(2 * time.Second) // for what should not come
	o.Time = 0
	if typ.Time() != asdu.NoTime {
		o.Time = benchTime
	}
	execute := hex.EncodeToString(matrix.Octets(typ, &o))
	o.Select = true
	selected := hex.EncodeToString(matrix.Octets(typ, &o))
	var handed, answers []string
	line := fmt.Sprintf("activation %v oa 5 1/4711 ", typ)
	switch {
	case sel && tr.sel != "": // it ends with the selection
		if tr.handed {
			handed = []string{line + selected}
		}
		if tr.sel != "-" {
			answers = []string{tr.sel + " " + selected}
		}
	default:
		if sel {
			handed, answers = []string{line + selected}, []string{"07 " + selected}
		}
		if tr.handed {
			handed = append(handed, line+execute)
		}
		for _, a := range tr.answers {
			answers = append(answers, a+" "+execute)
		}
	}
	gotHanded, gotAnswers := b.gotten()
	if !slices.Equal(gotHanded, handed) || !slices.Equal(gotAnswers, answers) {
		b.t.Fatalf("%s, %+v:\nstation was handed %q, want %q\nclient was answered %q, want %q", tr.name, op, gotHanded, handed, gotAnswers, answers)
	}
	b.outcome(tr, op, err)
}

func (b *bench) outcome(tr *treatment, op Operation, err error) {
	b.t.Helper()
	var negative *NegativeError
	switch {
	case tr.refused != 0:
		if !errors.As(err, &negative) || negative.Cause != tr.refused {
			b.t.Fatalf("%s, %+v: %v, want it refused with %v", tr.name, op, err, tr.refused)
		}
	case !errors.Is(err, tr.want):
		b.t.Fatalf("%s, %+v: %v, want %v", tr.name, op, err, tr.want)
	}
}

// TestMatrixCommands gives every command with every value and qualifier,
// directly and with selection, and treats a part of them in all ways.
func TestMatrixCommands(t *testing.T) {
	t.Parallel()
	for _, typ := range matrix.Commands() {
		for name, join := range ways() {
			t.Run(fmt.Sprintf("%v/%s", typ, name), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					every := map[string]int{"pipe": 1, "socket": 11, "octet by octet": 97, "late and in bits": 97}[name]
					commandMatrix(newBench(t, join), typ, every)
				})
			})
		}
	}
}

func commandMatrix(b *bench, typ asdu.TypeID, every int) {
	modes := []bool{false, true}
	if !matrix.Selectable(typ) {
		modes = modes[:1]
	}
	all := treatments()
	for i, o := range matrix.Orders(typ) {
		for _, sel := range modes {
			if i%every == 0 {
				b.give(typ, o, sel, &all[0])
			}
			for k := range all {
				if (i+7*k)%(5*every+31) == 0 || i == 0 {
					b.give(typ, o, sel, &all[k])
				}
			}
		}
		if i%(3*every) == 0 {
			b.cancel(typ, o, modes)
		}
	}
}

// cancel gives orders up: when selected, when under way, and when there are none.
func (b *bench) cancel(typ asdu.TypeID, o asdu.Object, modes []bool) {
	b.t.Helper()
	op := Operation{CA: 1, IOA: 4711, Type: typ, Value: o.Value, Qualifier: o.Qualifier}
	for _, op.Select = range modes {
		waiting := treatment{name: "waiting", verdict: Pending, sel: "-", act: func(a *Answer) { a.Confirm(true) }}
		b.lock.Lock()
		b.treat = &waiting
		b.lock.Unlock()
		running := make(chan error, 1)
		if op.Select {
			running <- b.c.Select(b.t.Context(), op)
		} else {
			go func() { running <- b.c.Execute(b.t.Context(), op) }()
			time.Sleep(time.Second)
		}
		if err := b.c.Cancel(b.t.Context(), op); err != nil {
			b.t.Fatalf("cancel of %+v: %v", op, err)
		}
		want := map[bool]error{false: ErrCancelled, true: nil}[op.Select]
		if err := <-running; !errors.Is(err, want) {
			b.t.Fatalf("%+v, cancelled: %v, want %v", op, err, want)
		}
		b.lock.Lock()
		b.treat = &treatment{name: "nothing to cancel", verdict: Refused}
		if op.Select {
			b.treat.sel = "49"
		}
		b.lock.Unlock()
		var negative *NegativeError
		if err := b.c.Cancel(b.t.Context(), op); !errors.As(err, &negative) || negative.Cause != asdu.DeactivationCon {
			b.t.Fatalf("cancel of nothing: %v, want it refused", err)
		}
		handed, answers := b.gotten()
		if len(handed) != 3 || strings.Count(strings.Join(handed, " "), "deactivation") != 2 || len(answers) != 3 ||
			answers[0][:2] != "07" || answers[1][:2] != "09" || answers[2][:2] != "49" {
			b.t.Fatalf("%+v, cancelled: station was handed %q, client was answered %q", op, handed, answers)
		}
	}
}
