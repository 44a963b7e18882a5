package iec104

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar/iec104/asdu"
)

// commandSupervision are further ways a command can go, as the controlling
// station sees them.
func commandSupervision() []clientCheck {
	const (
		order = "2e 01 06 00 01 00 88 13 00 02"
		con   = "2e 01 07 00 01 00 88 13 00 02"
		term  = "2e 01 0a 00 01 00 88 13 00 02"
		sel   = "2e 01 06 00 01 00 88 13 00 82"
	)
	op := Operation{CA: 1, IOA: 5000, Type: asdu.C_DC_NA_1, Value: 2}
	selected := op
	selected.Select = true
	return []clientCheck{
		{row: "5.6 controlling command: a select that is not confirmed is never executed", script: func(r *rig) {
			r.start()
			out := r.operate(selected)
			r.expectASDU(sel)
			r.keptAlive(10 * time.Second)
			if err := r.result(out); !errors.Is(err, ErrTimeout) {
				r.t.Fatalf("Command = %v, want ErrTimeout", err)
			}
			r.tell("2e 01 07 00 01 00 88 13 00 82") // too late
			r.expectSilence()
		}},
		{row: "5.6 controlling command: the connection is lost between select and execute", script: func(r *rig) {
			r.start()
			out := r.operate(selected)
			r.expectASDU(sel)
			r.conn.Close()
			if err := r.result(out); !errors.Is(err, ErrClosed) {
				r.t.Fatalf("Command = %v, want ErrClosed", err)
			}
			r.fresh()
			r.expectSilence() // nothing is sent again
		}},
		{row: "5.6 controlling command: executed at once after the select", script: func(r *rig) {
			r.start()
			begin := time.Now()
			out := r.operate(selected)
			r.expectASDU(sel)
			r.tell("2e 01 07 00 01 00 88 13 00 82")
			r.expectASDU(order)
			if d := time.Since(begin); d != 0 {
				r.t.Errorf("executed after %v, want at once", d)
			}
			r.tell(con, term)
			if err := r.result(out); err != nil {
				r.t.Fatal(err)
			}
		}},
		{row: "5.6 controlling command: STOPDT between select and execute", script: func(r *rig) {
			r.start()
			out := r.operate(selected)
			r.expectASDU(sel)
			stopping := r.stopping()
			r.expect(stopDTAct)
			r.tell("2e 01 07 00 01 00 88 13 00 82")
			r.expect(sframe(1))
			if err := r.result(out); !errors.Is(err, ErrNotStarted) {
				r.t.Fatalf("Command = %v, want ErrNotStarted", err)
			}
			r.send(stopDTCon)
			if err := <-stopping; err != nil {
				r.t.Fatal(err)
			}
			r.start()
			r.expectSilence()
		}},
		{row: "5.6 controlling command: ACTTERM before ACTCON is not taken", script: func(r *rig) {
			r.start()
			out := r.operate(op)
			r.expectASDU(order)
			r.tell(term)
			r.ignored(1)
			r.tell(con)
			r.keptAlive(29 * time.Second)
			r.tell(term)
			if err := r.result(out); err != nil {
				r.t.Fatal(err)
			}
		}},
		{row: "5.6 controlling command: return information with cause 3, 11 or 12 is handed up, with and without time tag", script: func(r *rig) {
			r.start()
			out := r.operate(op)
			r.expectASDU(order)
			r.tell(con, "03 01 0b 00 01 00 64 00 00 02", "03 01 0c 00 01 00 64 00 00 02", "03 01 03 00 01 00 64 00 00 02",
				"1f 01 0b 00 01 00 64 00 00 02 f3 69 2d 8d 4e 07 1a", term)
			if err := r.result(out); err != nil {
				r.t.Fatal(err)
			}
			want := []string{"C_DC_NA_1 activation-con 1/5000=2", "M_DP_NA_1 return-remote 1/100=2", "M_DP_NA_1 return-local 1/100=2",
				"M_DP_NA_1 spontaneous 1/100=2", "M_DP_TB_1 return-remote 1/100=2", "C_DC_NA_1 activation-term 1/5000=2"}
			if diff := cmp.Diff(want, r.got.all()); diff != "" {
				r.t.Errorf("handler (-want +got):\n%s", diff)
			}
		}},
		{row: "5.6 controlling command: one per object, several objects side by side", script: func(r *rig) {
			r.start()
			one := r.operate(op)
			r.expectASDU(order)
			if err := r.result(r.operate(op)); !errors.Is(err, ErrBusy) {
				r.t.Errorf("the same again: %v, want ErrBusy", err)
			}
			other := op
			other.IOA = 5001
			two := r.operate(other)
			r.expectASDU("2e 01 06 00 01 00 89 13 00 02")
			r.tell("2e 01 07 00 01 00 89 13 00 02", con, term, "2e 01 4a 00 01 00 89 13 00 02")
			if err := r.result(one); err != nil {
				r.t.Error(err)
			}
			r.refused(two, asdu.ActivationTerm)
		}},
		{row: "5.6 controlling command: the limit for the termination is a setting", script: func(r *rig) {
			r.c.opt.limits.Silence = 4 * time.Second
			r.start()
			out := r.operate(op)
			r.expectASDU(order)
			r.tell(con)
			r.wait(4*time.Second - time.Millisecond)
			r.tell(spont(9)) // not a part of it
			r.wait(time.Millisecond)
			if err := r.result(out); !errors.Is(err, ErrIncomplete) {
				r.t.Fatalf("Command = %v, want ErrIncomplete", err)
			}
		}},
		{row: "5.6 controlling command: every type, select and execute, qualifier and value mirrored", script: func(r *rig) {
			r.start()
			r.c.opt.stamp = func() asdu.Time { return 0x1a074e8d2d69f3 }
			for i, c := range everyCommand() {
				typ := asdu.TypeID(octets(r.t, c.typ)[0])
				values := map[asdu.TypeID]uint32{asdu.C_SC_NA_1: 1, asdu.C_DC_NA_1: 2, asdu.C_RC_NA_1: 1, asdu.C_SE_NA_1: 0x4000,
					asdu.C_SE_NB_1: 1234, asdu.C_SE_NC_1: 0x3e000000, asdu.C_BO_NA_1: 0xcafebabe}
				o := Operation{CA: 1, IOA: 5000 + uint32(i%7), Type: typ, Value: values[typ.Untagged()]}
				out := r.operate(o)
				r.expectASDU(c.typ + "01 06 00 01 00" + c.object)
				r.tell(c.typ+"01 07 00 01 00"+c.object, c.typ+"01 0a 00 01 00"+c.object)
				if err := r.result(out); err != nil {
					r.t.Errorf("%v: %v", typ, err)
				}
			}
		}},
	}
}

// refusalRows have every request refused in every way.
func refusalRows() (rows []clientCheck) {
	for _, q := range inquiries() {
		rows = append(rows, clientCheck{row: "5.12 controlling every refusal of: " + q.name[len("5.2 controlling "):], script: func(r *rig) {
			r.start()
			for cause := asdu.UnknownType; cause <= asdu.UnknownIOA; cause++ {
				for _, negative := range []byte{0x40, 0} {
					out := r.asks(q)
					b := octets(r.t, q.asdu)
					b[2] = byte(cause) | negative
					r.tell(hexOf(b))
					r.denied(out, cause)
				}
			}
			if q.confirm == "" {
				return
			}
			out := r.asks(q)
			b := octets(r.t, q.confirm)
			cause := asdu.Cause(b[2])
			b[2] |= 0x40
			r.tell(hexOf(b))
			r.denied(out, cause)
		}})
	}
	return append(rows, clientCheck{row: "5.12 controlling requests received are never mirrored", script: func(r *rig) {
		r.start()
		requests := []string{command, giAct, "65 01 06 00 01 00 00 00 00 05", "66 01 05 00 01 00 64 00 00", "67 01 06 00 01 00 00 00 00 f3 69 2d 8d 4e 07 1a",
			"69 01 06 00 01 00 00 00 00 01", "2d 01 6c 00 01 00 88 13 00 01", "64 01 6d 00 01 00 00 00 00 14", "2d 01 08 00 01 00 88 13 00 81"}
		for i, a := range requests {
			r.send(iframe(i, 0, a))
			if i == 7 {
				r.expect(sframe(8))
			}
			r.expectSilence()
		}
		r.ignored(uint64(len(requests)) - 1) // a read is no answer of whatever kind
		r.sendsAfter(10*time.Second, sframe(len(requests)))
	}})
}

// dataRows are what a controlling station does with data it did not ask for.
func dataRows() []clientCheck {
	return []clientCheck{
		{row: "5.9 controlling cyclic, background, spontaneous and local data are handed up with their cause", script: func(r *rig) {
			r.start()
			r.tell("0b 01 01 00 01 00 01 00 00 05 00 00", "01 01 02 00 01 00 02 00 00 01", spont(3), "01 01 0c 00 01 00 04 00 00 01")
			want := []string{"M_ME_NB_1 periodic 1/1=5", "M_SP_NA_1 background 1/2=1", "M_SP_NA_1 spontaneous 1/3=1", "M_SP_NA_1 return-local 1/4=1"}
			if diff := cmp.Diff(want, r.got.all()); diff != "" {
				r.t.Errorf("handler (-want +got):\n%s", diff)
			}
		}},
		{row: "5.9 controlling data with time tag and cause 1, 2 or of an interrogation are taken", script: func(r *rig) {
			r.start()
			for i, cause := range []string{"01", "02", "14", "24"} {
				r.tell("24 01" + cause + "00 01 00 64 00 00 00 00 80 3f 00 f3 69 2d 8d 4e 07 1a")
				r.objects(i + 1)
			}
		}},
		{row: "5.9 controlling a point sent twice, without and with time tag, is handed up twice", script: func(r *rig) {
			r.start()
			r.tell(spont(3), "1e 01 03 00 01 00 03 00 00 01 f3 69 2d 8d 4e 07 1a")
			r.objects(2)
		}},
		{row: "5.9 controlling order of what is handed up is that of the line", script: func(r *rig) {
			r.start()
			var want []string
			for i := range 100 {
				r.tell(spont(i % 7))
				want = append(want, fmt.Sprintf("M_SP_NA_1 spontaneous 1/%d=1", i%7))
			}
			if diff := cmp.Diff(want, r.got.all()); diff != "" {
				r.t.Errorf("handler (-want +got):\n%s", diff)
			}
		}},
		{row: "5.12 controlling a request after a refusal is sent", script: func(r *rig) {
			r.start()
			for range 3 {
				out := r.asked(func(ctx context.Context) (Result, error) { return r.c.Interrogate(ctx, 1, 20) })
				r.expectASDU(giAct)
				r.tell("64 01 47 00 01 00 00 00 00 14")
				r.denied(out, asdu.ActivationCon)
			}
		}},
	}
}
