package iec104

import (
	"context"
	"errors"
	"fmt"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar/iec104/asdu"
)

// outcome is what came of a request.
type outcome struct {
	res Result
	err error
}

// asked runs a request and returns where its outcome comes.
func (r *rig) asked(request func(ctx context.Context) (Result, error)) <-chan outcome {
	r.t.Helper()
	out := make(chan outcome, 1)
	go func() {
		res, err := request(context.Background())
		out <- outcome{res, err}
	}()
	synctest.Wait()
	return out
}

// gi asks for a general interrogation of a common address.
func (r *rig) gi(ca uint16) <-chan outcome {
	r.t.Helper()
	return r.asked(func(ctx context.Context) (Result, error) { return r.c.Interrogate(ctx, ca, 20) })
}

// request is asked for a request without result.
func (r *rig) request(f func(ctx context.Context) error) <-chan outcome {
	r.t.Helper()
	return r.asked(func(ctx context.Context) (Result, error) { return Result{}, f(ctx) })
}

// outcome returns what came of a request, and fails if it still waits.
func (r *rig) outcome(out <-chan outcome) outcome {
	r.t.Helper()
	synctest.Wait()
	select {
	case o := <-out:
		return o
	default:
		r.t.Fatal("the request is still waiting")
		return outcome{}
	}
}

// succeeds checks that a request came to its end.
func (r *rig) succeeds(out <-chan outcome) Result {
	r.t.Helper()
	o := r.outcome(out)
	if o.err != nil {
		r.t.Fatalf("failed: %v", o.err)
	}
	return o.res
}

// fails checks how a request failed.
func (r *rig) fails(out <-chan outcome, want error) Result {
	r.t.Helper()
	o := r.outcome(out)
	if !errors.Is(o.err, want) {
		r.t.Fatalf("got %v, want %v", o.err, want)
	}
	return o.res
}

// denied checks that a request was refused.
func (r *rig) denied(out <-chan outcome, cause asdu.Cause) {
	r.t.Helper()
	var negative *NegativeError
	if o := r.outcome(out); !errors.As(o.err, &negative) || negative.Cause != cause {
		r.t.Fatalf("got %v, want a refusal with %v", o.err, cause)
	}
}

// waits checks that a request is not over.
func (r *rig) waits(out <-chan outcome) {
	r.t.Helper()
	synctest.Wait()
	select {
	case o := <-out:
		r.t.Fatalf("got %+v, want it to wait", o)
	default:
	}
}

// ignored checks how many ASDUs were ignored so far.
func (r *rig) ignored(want uint64) {
	r.t.Helper()
	if n := r.c.Info().Ignored; n != want {
		r.t.Fatalf("%d ignored, want %d", n, want)
	}
}

// answerCases are the edge cases of answers and data in monitor direction.
func answerCases() []clientCheck {
	return []clientCheck{
		{row: "E079 the station sends STARTDT act and STOPDT act", script: func(r *rig) {
			r.start()
			r.send(startDTAct, stopDTAct, iframe(0, 0, spont(1)))
			r.expectSilence()
			r.objects(1)
			r.ignored(2)
		}},
		{row: "E080 I-format before STARTDT con", script: func(r *rig) {
			r.starting()
			r.send(iframe(0, 0, spont(1)))
			r.expectClosed(NotStarted)
			r.objects(0)
		}},
		{row: "E081 positive ACTCON without address and qualifier", script: func(r *rig) {
			r.start()
			out := r.gi(1)
			r.expectASDU(giAct)
			r.tell("64 01 07 00 01 00", "01 01 14 00 01 00 64 00 00 01", "64 01 0a 00 01 00")
			r.succeeds(out)
			if n := r.c.Info().Tolerated; n != 2 {
				r.t.Errorf("%d tolerated, want 2", n)
			}
		}},
		{row: "E081 every request with an answer without contents", script: func(r *rig) {
			r.start()
			for _, request := range []func(ctx context.Context) error{
				func(ctx context.Context) error { _, err := r.c.Counters(ctx, 1, 5, 1); return err },
				func(ctx context.Context) error { _, err := r.c.ClockSync(ctx, 1, nil); return err },
				func(ctx context.Context) error { return r.c.Test(ctx, 1, 5) },
				func(ctx context.Context) error { _, err := r.c.Reset(ctx, 1, 1); return err },
				func(ctx context.Context) error { return r.c.ActivateParameter(ctx, 1, 9, 3) },
				func(ctx context.Context) error {
					_, err := r.c.SetParameter(ctx, Parameter{CA: 1, IOA: 9, Type: asdu.P_ME_NC_1, Qualifier: 1})
					return err
				},
				func(ctx context.Context) error {
					return r.c.Select(ctx, Operation{CA: 1, IOA: 5, Type: asdu.C_SE_NC_1})
				},
			} {
				out := r.request(request)
				r.tell(fmt.Sprintf("%02x 01 07 00 01 00", r.nextASDU()[0]))
				r.succeeds(out)
			}
			out := r.request(func(ctx context.Context) error { _, err := r.c.Read(ctx, 1, 5); return err })
			r.expectASDU("66 01 05 00 01 00 05 00 00")
			r.tell("66 01 05 00 01 00", "66 01 07 00 01 00", "0d 01 05 00 01 00")
			r.waits(out) // none is a value
			r.tell("66 01 2f 00 01 00")
			r.denied(out, asdu.UnknownIOA)
		}},
		{row: "E081 the same with two requests open is not matched", script: func(r *rig) {
			r.start()
			one, two := r.gi(1), r.gi(2)
			r.expectASDU(giAct, "64 01 06 00 02 00 00 00 00 14")
			r.tell("64 01 07 00 01 00")
			r.waits(one)
			r.waits(two)
			if n := r.c.Info().Discarded; n != 1 {
				r.t.Errorf("%d discarded, want 1", n)
			}
		}},
		{row: "E082 COT 44 to 47 with P/N=0 is negative", script: func(r *rig) {
			r.start()
			for cause := asdu.UnknownType; cause <= asdu.UnknownIOA; cause++ {
				out := r.gi(1)
				r.expectASDU(giAct)
				r.tell(fmt.Sprintf("64 01 %02x 00 01 00 00 00 00 14", uint8(cause)))
				r.denied(out, cause)
				out = r.request(func(ctx context.Context) error { _, err := r.c.Read(ctx, 1, 5); return err })
				r.expectASDU("66 01 05 00 01 00 05 00 00")
				r.tell(fmt.Sprintf("66 01 %02x 00 01 00 05 00 00", uint8(cause)))
				r.denied(out, cause)
			}
		}},
		{row: "E083 ACTTERM never comes", script: func(r *rig) {
			r.start()
			out := r.gi(1)
			r.expectASDU(giAct)
			r.tell(giCon, "01 01 14 00 01 00 64 00 00 01")
			r.keptAlive(29 * time.Second)
			r.tell("01 01 14 00 01 00 65 00 00 01") // a part of the answer: from the beginning
			r.keptAlive(30*time.Second - time.Millisecond)
			r.waits(out)
			r.wait(time.Millisecond)
			if res := r.fails(out, ErrIncomplete); res.Objects != 2 {
				r.t.Errorf("%d objects, want 2", res.Objects)
			}
			r.objects(3)
		}},
		{row: "E084 ACTCON and ACTTERM that match no request", script: func(r *rig) {
			r.start()
			r.tell(giCon, giEnd, "2d 01 07 05 01 00 88 13 00 01", "67 01 03 00 01 00 00 00 00 f3 69 2d 8d 4e 07 1a")
			r.ignored(4)
			out := r.gi(1)
			r.expectASDU(giAct)
			r.tell("64 01 07 00 02 00 00 00 00 14", "64 01 07 00 01 00 00 00 00 15", "65 01 07 00 01 00 00 00 00 05", giEnd)
			r.waits(out) // another station, group, type; no confirmation
			r.ignored(8)
			r.tell(giCon, giEnd)
			r.succeeds(out)
		}},
		{row: "E086 strict: an ASDU cut off closes", script: func(r *rig) {
			r.c.opt.strict = true
			r.start()
			r.tell(spont(100), "01 02 03 00 01 00 64 00 00 01")
			r.expectClosed(BadASDU)
			r.objects(1)
		}},
		{row: "E088 impossible CP56Time2a keeps value and quality", script: func(r *rig) {
			var got []asdu.Object
			r.c.opt.handler = func(a asdu.ASDU) { got = a.AppendObjects(got) }
			r.start()
			for _, tag := range []string{"ff ff 2d 0d 4e 07 1a", "f3 69 2d 0d 40 07 1a", "f3 69 2d 0d 4e 0d 1a", "f3 69 2d 1f 4e 07 1a"} {
				r.tell("1e 01 03 00 01 00 64 00 00 11 " + tag)
			}
			if len(got) != 4 {
				r.t.Fatalf("%d objects, want 4", len(got))
			}
			for _, o := range got {
				if _, ok := o.Time.Date(nil); ok || o.Value != 1 || o.Quality != asdu.BL {
					r.t.Errorf("%+v with a possible time", o)
				}
			}
		}},
		{row: "E090 private causes are handed up, private types discarded", script: func(r *rig) {
			r.start()
			r.tell("01 01 30 00 01 00 64 00 00 01", "01 01 3f 00 01 00 64 00 00 01", "c8 01 03 00 01 00 64 00 00 01")
			if diff := cmp.Diff([]string{"M_SP_NA_1 private-48 1/100=1", "M_SP_NA_1 private-63 1/100=1"}, r.got.all()); diff != "" {
				r.t.Errorf("handler (-want +got):\n%s", diff)
			}
			if n := r.c.Info().Discarded; n != 1 {
				r.t.Errorf("%d discarded, want 1", n)
			}
		}},
		{row: "E100 controlling: system clock jumps", script: func(r *rig) { onlyMonotonic(r.t) }},
		{row: "4.4 controlling CP24Time2a is completed with hour and date", script: func(r *rig) {
			var at []string
			r.c.opt.handler = func(a asdu.ASDU) {
				for _, o := range a.AppendObjects(nil) {
					instant, ok := o.Time.Complete(time.Date(2026, 7, 14, 14, 0, 5, 0, time.UTC)).Date(nil)
					at = append(at, fmt.Sprintf("%s %t", instant.Format(time.RFC3339Nano), ok))
				}
			}
			r.start()
			r.tell("02 01 03 00 01 00 64 00 00 01 f3 69 2d", "02 01 03 00 01 00 64 00 00 01 01 00 00")
			if diff := cmp.Diff([]string{"2026-07-14T13:45:27.123Z true", "2026-07-14T14:00:00.001Z true"}, at); diff != "" {
				r.t.Errorf("(-want +got):\n%s", diff)
			}
		}},
	}
}

// keptAlive lets time pass while the station acknowledges and answers tests.
func (r *rig) keptAlive(d time.Duration) {
	r.t.Helper()
	r.ack()
	for end := time.Now().Add(d); time.Now().Before(end); {
		r.wait(min(5*time.Second, time.Until(end)))
		for b := r.next(); b != nil; b = r.next() {
			if b[2] == 0x43 {
				r.send(testFRCon)
			}
		}
	}
}

// overdueRows are answers that come late, twice, or for nobody.
func overdueRows() []clientCheck {
	single := Operation{CA: 1, IOA: 5000, Type: asdu.C_SC_NA_1, Value: 1, Unterminated: true}
	const order, confirmed = "2d 01 06 00 01 00 88 13 00 01", "2d 01 07 00 01 00 88 13 00 01"
	return []clientCheck{
		{row: "5.6 controlling a late answer does not satisfy the next request", script: func(r *rig) {
			r.start()
			first := r.request(func(ctx context.Context) error { return r.c.Command(ctx, single) })
			r.expectASDU(order)
			r.keptAlive(10 * time.Second)
			r.fails(first, ErrTimeout)
			r.fails(r.request(func(ctx context.Context) error { return r.c.Command(ctx, single) }), ErrBusy)
			other := single
			other.Value = 0
			second := r.request(func(ctx context.Context) error { return r.c.Command(ctx, other) })
			r.expectASDU("2d 01 06 00 01 00 88 13 00 00")
			r.tell(confirmed) // of the first
			r.waits(second)
			r.ignored(1)
			third := r.request(func(ctx context.Context) error { return r.c.Command(ctx, single) })
			r.fails(third, ErrBusy) // of the same object, as the second
			r.tell("2d 01 07 00 01 00 88 13 00 00")
			r.succeeds(second)
			third = r.request(func(ctx context.Context) error { return r.c.Command(ctx, single) })
			r.expectASDU(order) // the first is answered: its turn again
			r.tell(confirmed)
			r.succeeds(third)
		}},
		{row: "5.6 controlling an answer that never comes is not waited for longer than Overdue", script: func(r *rig) {
			r.start()
			ctx, cancel := context.WithCancel(context.Background())
			first := r.request(func(context.Context) error { return r.c.Command(ctx, single) })
			r.expectASDU(order)
			cancel()
			r.fails(first, context.Canceled)
			r.keptAlive(30*time.Second - time.Millisecond)
			r.fails(r.request(func(ctx context.Context) error { return r.c.Command(ctx, single) }), ErrBusy)
			r.wait(time.Millisecond)
			second := r.request(func(ctx context.Context) error { return r.c.Command(ctx, single) })
			r.expectASDU(order)
			r.tell(confirmed)
			r.succeeds(second)
		}},
		{row: "5.6 controlling a late read is not that of the next", script: func(r *rig) {
			r.start()
			read := func(ctx context.Context) error { _, err := r.c.Read(ctx, 1, 100); return err }
			first := r.request(read)
			r.expectASDU("66 01 05 00 01 00 64 00 00")
			r.keptAlive(10 * time.Second)
			r.fails(first, ErrTimeout)
			r.fails(r.request(read), ErrBusy)
			r.tell("01 01 05 00 01 00 64 00 00 01")
			second := r.request(read)
			r.expectASDU("66 01 05 00 01 00 64 00 00")
			r.tell("01 01 05 00 01 00 64 00 00 00")
			r.succeeds(second)
		}},
		{row: "5.6 controlling the end of an interrogation given up is not that of the next", script: func(r *rig) {
			r.start()
			ctx, cancel := context.WithCancel(context.Background())
			first := r.asked(func(context.Context) (Result, error) { return r.c.Interrogate(ctx, 1, 20) })
			r.expectASDU(giAct)
			r.tell(giCon)
			cancel()
			r.fails(first, context.Canceled)
			second := r.gi(1)
			r.expectASDU(giAct)
			r.tell(giEnd)
			r.waits(second)
			r.tell(giCon, giEnd)
			r.succeeds(second)
		}},
		{row: "5.6 controlling a station that answers twice", script: func(r *rig) {
			r.start()
			first := r.gi(1)
			r.expectASDU(giAct)
			r.tell(giCon, giCon, "01 01 14 00 01 00 64 00 00 01", giEnd, giEnd)
			if res := r.succeeds(first); len(res.Stations) != 1 || res.Objects != 1 {
				r.t.Errorf("result %+v, want one station and object", res)
			}
			r.ignored(2)
			second := r.gi(1)
			r.expectASDU(giAct)
			r.tell(giEnd, "64 01 4a 00 01 00 00 00 00 14", "64 01 09 00 01 00 00 00 00 14")
			r.waits(second)
			r.tell(giCon, "64 01 47 00 01 00 00 00 00 14")
			r.waits(second) // confirmed is confirmed
		}},
		{row: "5.6 controlling answers out of order, of requests to several stations", script: func(r *rig) {
			r.start()
			one, two := r.gi(1), r.gi(2)
			r.expectASDU(giAct, "64 01 06 00 02 00 00 00 00 14")
			r.tell("64 01 07 00 02 00 00 00 00 14", giCon, "01 01 14 00 01 00 64 00 00 01", "64 01 0a 00 02 00 00 00 00 14")
			if res := r.succeeds(two); res.Objects != 0 {
				r.t.Errorf("%d objects of station 2, want none", res.Objects)
			}
			r.waits(one)
			r.tell(giEnd)
			if res := r.succeeds(one); res.Objects != 1 {
				r.t.Errorf("%d objects of station 1, want 1", res.Objects)
			}
		}},
		{row: "5.6 controlling a request that was not sent is not sent later", p: Params{K: 1, W: 1}, script: func(r *rig) {
			r.start()
			blocking := r.gi(2)
			r.expectASDU("64 01 06 00 02 00 00 00 00 14")
			late := r.request(func(ctx context.Context) error { return r.c.Command(ctx, single) })
			r.wait(10 * time.Second)
			r.fails(late, ErrTimeout)
			r.fails(blocking, ErrTimeout)
			r.ack()
			r.expectSilence()
			again := r.request(func(ctx context.Context) error { return r.c.Command(ctx, single) })
			r.expectASDU(order) // nothing is overdue
			r.tell(confirmed)
			r.succeeds(again)
		}},
		{row: "5.6 controlling a request waiting to be sent when data transfer stops is not sent when it starts again", p: Params{K: 1, W: 1}, script: func(r *rig) {
			r.start()
			sent := r.gi(2)
			r.expectASDU("64 01 06 00 02 00 00 00 00 14")
			waiting := r.request(func(ctx context.Context) error { return r.c.Command(ctx, single) })
			r.command() // which nobody waits for
			stopping := r.stopping()
			r.expect(stopDTAct)
			r.ack()
			r.send(stopDTCon)
			if err := <-stopping; err != nil {
				r.t.Fatal(err)
			}
			r.fails(sent, ErrNotStarted)
			r.fails(waiting, ErrNotStarted)
			r.start()
			r.expectSilence()
		}},
		{row: "5.6 controlling requests and answers of another originator are told apart", script: func(r *rig) {
			r.c.opt.oa = 3
			r.start()
			out := r.gi(1)
			r.expectASDU("64 01 06 03 01 00 00 00 00 14")
			r.tell("64 01 07 04 01 00 00 00 00 14")
			r.waits(out)
			r.tell(giCon, "64 01 0a 03 01 00 00 00 00 14") // with none, and with its own
			r.succeeds(out)
		}},
	}
}
