package iec104

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"busbar/iec104/asdu"
)

// Answers to the command "2d 01 06 05 01 00 88 13 00 01" and its kin.
const (
	ordered    = "2d 01 06 05 01 00 88 13 00 01"
	orderedCon = "2d 01 07 05 01 00 88 13 00 01"
	orderedEnd = "2d 01 0a 05 01 00 88 13 00 01"
)

// late has a station answer commands when the test does.
func late(t *testing.T, f func(t *testing.T, st *testStation, p *peer, answers func() *Answer)) {
	t.Helper()
	bubble(t, ServerConfig{}, func(t *testing.T, st *testStation, p *peer) {
		var got []*Answer
		st.verdict = func(c Command) Verdict {
			got = append(got, c.Answer)
			return Pending
		}
		p.start()
		f(t, st, p, func() *Answer {
			t.Helper()
			synctest.Wait()
			if len(got) == 0 {
				t.Fatal("no command was handed on")
			}
			a := got[0]
			got = got[1:]
			return a
		})
	})
}

func wantSent(t *testing.T, what string, sent, want bool) {
	t.Helper()
	if sent != want {
		t.Errorf("%s = %v, want %v", what, sent, want)
	}
}

func TestCommandIsAnsweredLater(t *testing.T) {
	t.Parallel()
	late(t, func(t *testing.T, _ *testStation, p *peer, answers func() *Answer) {
		p.tell(ordered)
		p.expectSilence()
		a := answers()
		wantSent(t, "termination before confirmation", a.Terminate(true), false)
		p.wait(3 * time.Second)
		wantSent(t, "confirmation", a.Confirm(true), true)
		p.expectASDU(orderedCon)
		wantSent(t, "second confirmation", a.Confirm(false), false)
		p.ack()
		p.wait(3 * time.Second)
		wantSent(t, "termination", a.Terminate(false), true)
		p.expectASDU("2d 01 4a 05 01 00 88 13 00 01")
		wantSent(t, "second termination", a.Terminate(true), false)
		p.expectSilence()
	})
}

func TestNegativeConfirmationIsTheEnd(t *testing.T) {
	t.Parallel()
	late(t, func(t *testing.T, _ *testStation, p *peer, answers func() *Answer) {
		p.tell("3a 01 06 05 01 00 88 13 00 01 f3 69 2d 8d 4e 07 1a")
		a := answers()
		wantSent(t, "confirmation", a.Confirm(false), true)
		wantSent(t, "termination", a.Terminate(true), false)
		p.expectASDU("3a 01 47 05 01 00 88 13 00 01 f3 69 2d 8d 4e 07 1a")
		p.expectSilence()
	})
}

func TestOnlyExecutionsAreTerminated(t *testing.T) {
	t.Parallel()
	late(t, func(t *testing.T, _ *testStation, p *peer, answers func() *Answer) {
		p.tell("2d 01 06 05 01 00 88 13 00 85", "2d 01 08 05 01 00 88 13 00 01")
		sel, cancel := answers(), answers()
		wantSent(t, "confirmation of the cancel", cancel.Confirm(true), true)
		wantSent(t, "confirmation of the select", sel.Confirm(true), true)
		p.expectASDU("2d 01 09 05 01 00 88 13 00 01", "2d 01 07 05 01 00 88 13 00 85")
		wantSent(t, "termination of a select", sel.Terminate(true), false)
		wantSent(t, "termination of a cancel", cancel.Terminate(true), false)
		p.expectSilence()
	})
}

func TestReturnInformationComesBeforeTheTermination(t *testing.T) {
	t.Parallel()
	late(t, func(t *testing.T, st *testStation, p *peer, answers func() *Answer) {
		p.tell(ordered)
		a := answers()
		back := event(100, 1)
		back.Cause = asdu.ReturnRemote
		// A goroutine that answers and publishes at once: the order of the calls counts.
		wantSent(t, "confirmation", a.Confirm(true), true)
		st.put(back)
		wantSent(t, "termination", a.Terminate(true), true)
		p.expectASDU(orderedCon, "01 01 0b 00 01 00 64 00 00 01", orderedEnd)
	})
}

// flooded is a station whose events never end.
type flooded struct{ *testSession }

func (flooded) Next(dst []Event) int {
	for i := range dst {
		dst[i] = event(7, 1)
	}
	return len(dst)
}

type floodedStation struct{ *testStation }

func (s floodedStation) Open(c *ServerConn) (Session, error) {
	return flooded{&testSession{testStation: s.testStation, conn: c}}, nil
}

func TestTerminationDoesNotWaitForEndlessEvents(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		st := newTestStation()
		var a *Answer
		st.verdict = func(c Command) Verdict {
			a = c.Answer
			return Pending
		}
		p := connect(t, newTestServer(t, floodedStation{st}, ServerConfig{MaxObjectsPerASDU: 1}))
		p.start()
		p.tell(ordered)
		a.Confirm(true)
		a.Terminate(true)
		for begun, got := time.Now(), 0; got < 2; {
			for b := p.nextIgnoring(); b != nil; b = p.nextIgnoring() {
				if b[0] == 0x2d {
					got++
				}
			}
			p.ack()
			p.wait(100 * time.Millisecond)
			if time.Since(begun) > endWait+time.Second {
				t.Fatalf("%d answers after %v, want 2", got, time.Since(begun))
			}
		}
	})
}

// nextIgnoring is nextASDU without a look at N(R).
func (p *peer) nextIgnoring() []byte {
	p.t.Helper()
	b := p.next()
	if b == nil {
		return nil
	}
	p.vr++
	return b[6:]
}

func TestAnswersBelongToTheirTransfer(t *testing.T) {
	t.Parallel()
	late(t, func(t *testing.T, _ *testStation, p *peer, answers func() *Answer) {
		p.tell(ordered, "2d 01 06 05 01 00 89 13 00 01")
		first, second := answers(), answers()
		wantSent(t, "confirmation", first.Confirm(true), true)
		p.expectASDU(orderedCon)
		p.ack()
		p.send(stopDTAct)
		p.expect(stopDTCon)
		p.start()
		wantSent(t, "termination after STOPDT", first.Terminate(true), false)
		wantSent(t, "confirmation after STOPDT", second.Confirm(true), false)
		p.expectSilence()
		p.tell(ordered)
		third := answers()
		p.conn.Close()
		synctest.Wait()
		wantSent(t, "confirmation after the end", third.Confirm(true), false)
	})
}

func TestAnswersFromEverywhere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		st := newTestStation()
		var all sync.WaitGroup
		st.verdict = func(c Command) Verdict {
			// Before Command has returned, and from several goroutines at once.
			if c.IOA == 5000 {
				c.Answer.Confirm(true)
				c.Answer.Terminate(true)
				return Pending
			}
			for range 4 {
				all.Go(func() { c.Answer.Confirm(true); c.Answer.Terminate(true) })
			}
			return Pending
		}
		p := connect(t, newTestServer(t, st, ServerConfig{}))
		p.start()
		p.tell(ordered)
		p.expectASDU(orderedCon, orderedEnd)
		p.tell("2d 01 06 05 01 00 89 13 00 01")
		all.Wait()
		p.expectASDU("2d 01 07 05 01 00 89 13 00 01", "2d 01 0a 05 01 00 89 13 00 01")
		p.expectSilence()
	})
}

func TestVerdictsLeaveTheAnswerWithoutEffect(t *testing.T) {
	t.Parallel()
	bubble(t, ServerConfig{}, func(t *testing.T, st *testStation, p *peer) {
		var a *Answer
		verdict := Refused
		st.verdict = func(c Command) Verdict {
			a = c.Answer
			return verdict
		}
		p.start()
		p.tell(ordered)
		p.expectASDU("2d 01 47 05 01 00 88 13 00 01")
		wantSent(t, "confirmation of a refused command", a.Confirm(true), false)
		verdict = Discarded
		p.tell(ordered)
		wantSent(t, "confirmation of a discarded command", a.Confirm(true), false)
		p.expectSilence()
	})
}

func TestCommandsWithoutAnswerAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		st := newTestStation()
		st.verdict = func(Command) Verdict { return Pending }
		p := connect(t, newTestServer(t, st, ServerConfig{}))
		p.start()
		for range maxRequests + 2 {
			p.tell(ordered)
		}
		for p.next() != nil { // acknowledgements
		}
		p.expectClosed(TooManyRequests)
	})
}

// someTypes has single commands only.
type someTypes struct{ *testSession }

func (someTypes) HasCommands(t asdu.TypeID) bool { return t == asdu.C_SC_NA_1 }

type someTypesStation struct{ *testStation }

func (s someTypesStation) Open(c *ServerConn) (Session, error) {
	return someTypes{&testSession{testStation: s.testStation, conn: c}}, nil
}

func TestTypesWithoutCommandsAreUnknown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, newTestServer(t, someTypesStation{newTestStation()}, ServerConfig{}))
		p.start()
		// Type before cause before common address.
		p.tell("2e 01 03 05 09 00 89 13 00 02", "2d 01 03 05 09 00 88 13 00 01", "2d 01 06 05 09 00 88 13 00 01", ordered)
		p.expectASDU("2e 01 6c 05 09 00 89 13 00 02", "2d 01 6d 05 09 00 88 13 00 01", "2d 01 6e 05 09 00 88 13 00 01",
			"2d 01 6f 05 01 00 88 13 00 01")
		p.expectSilence()
	})
}
