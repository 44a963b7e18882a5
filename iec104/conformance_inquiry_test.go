package iec104

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar/iec104/asdu"
)

// inquiryRows are the procedures of a controlling station.
func inquiryRows() []clientCheck {
	return slices.Concat(interrogateRows(), readRows(), systemRows(), parameterRows())
}

// interrogateRows are the rows of general and group interrogation.
func interrogateRows() []clientCheck {
	return []clientCheck{
		{row: "5.2 controlling interrogation: ACTCON, data, ACTTERM, spontaneous data between", script: func(r *rig) {
			r.start()
			out := r.gi(1)
			r.expectASDU(giAct)
			r.tell(giCon, "01 82 14 00 01 00 64 00 00 01 00", spont(7), "0d 01 14 00 01 00 01 00 00 00 00 80 3f 00", "6e 01 14 00 01 00 09 00 00 01 00 01", giEnd)
			if diff := cmp.Diff(Result{Stations: []uint16{1}, Objects: 4}, r.succeeds(out)); diff != "" {
				r.t.Errorf("(-want +got):\n%s", diff)
			}
			r.objects(7)
		}},
		{row: "5.2 controlling interrogation: data with time tag", script: func(r *rig) {
			r.start()
			out := r.gi(1)
			r.expectASDU(giAct)
			r.tell(giCon, "1e 01 14 00 01 00 64 00 00 01 f3 69 2d 8d 4e 07 1a", giEnd)
			if res := r.succeeds(out); res.Objects != 1 {
				r.t.Errorf("%d objects, want 1", res.Objects)
			}
		}},
		{row: "5.2 controlling interrogation: negative ACTCON", script: func(r *rig) {
			r.start()
			out := r.gi(1)
			r.expectASDU(giAct)
			r.tell("64 01 47 00 01 00 00 00 00 14")
			r.denied(out, asdu.ActivationCon)
		}},
		{row: "5.2 controlling interrogation: no ACTCON", script: func(r *rig) {
			r.start()
			out := r.gi(1)
			r.expectASDU(giAct)
			r.ack()
			r.wait(10*time.Second - time.Millisecond)
			r.waits(out)
			r.wait(time.Millisecond)
			if err := r.outcome(out).err; !errors.Is(err, ErrTimeout) || errors.Is(err, ErrIncomplete) {
				r.t.Errorf("got %v, want ErrTimeout", err)
			}
		}},
		{row: "5.2 controlling interrogation: never two of one common address", script: func(r *rig) {
			r.start()
			one := r.gi(1)
			r.expectASDU(giAct)
			r.fails(r.gi(1), ErrBusy)
			r.fails(r.gi(asdu.GlobalCA), ErrBusy)
			r.fails(r.asked(func(ctx context.Context) (Result, error) { return r.c.Interrogate(ctx, 1, 21) }), ErrBusy)
			r.expectSilence()
			r.tell(giCon, giEnd)
			r.succeeds(one)
		}},
		{row: "5.2 controlling interrogation: group", script: func(r *rig) {
			r.start()
			out := r.asked(func(ctx context.Context) (Result, error) { return r.c.Interrogate(ctx, 1, 36) })
			r.expectASDU("64 01 06 00 01 00 00 00 00 24")
			r.tell("64 01 07 00 01 00 00 00 00 24", "01 01 14 00 01 00 01 00 00 01", "01 01 24 00 01 00 02 00 00 01", "64 01 0a 00 01 00 00 00 00 24")
			if res := r.succeeds(out); res.Objects != 1 {
				r.t.Errorf("%d objects, want that of the group", res.Objects)
			}
		}},
		{row: "5.2 controlling interrogation: to all, answers under the own common addresses", script: func(r *rig) {
			r.start()
			out := r.gi(asdu.GlobalCA)
			r.expectASDU("64 01 06 00 ff ff 00 00 00 14")
			r.tell(giCon, "64 01 07 00 02 00 00 00 00 14", "01 01 14 00 01 00 01 00 00 01", giEnd)
			r.wait(2 * time.Second)
			r.waits(out) // the second is open
			r.tell("01 01 14 00 02 00 01 00 00 01", "64 01 0a 00 02 00 00 00 00 14")
			r.wait(time.Second - time.Millisecond)
			r.waits(out) // others may answer
			r.wait(time.Millisecond)
			if diff := cmp.Diff(Result{Stations: []uint16{1, 2}, Objects: 2}, r.succeeds(out)); diff != "" {
				r.t.Errorf("(-want +got):\n%s", diff)
			}
		}},
		{row: "5.2 controlling interrogation: to all, answers under 65535", script: func(r *rig) {
			r.c.opt.stations = []uint16{1, 2}
			r.start()
			out := r.gi(asdu.GlobalCA)
			r.expectASDU("64 01 06 00 ff ff 00 00 00 14")
			r.tell("64 01 07 00 ff ff 00 00 00 14", "01 01 14 00 01 00 01 00 00 01", "64 01 0a 00 ff ff 00 00 00 14")
			if diff := cmp.Diff(Result{Stations: []uint16{asdu.GlobalCA}, Objects: 1}, r.succeeds(out)); diff != "" {
				r.t.Errorf("(-want +got):\n%s", diff)
			}
		}},
		{row: "5.2 controlling interrogation: to all stations that are known", script: func(r *rig) {
			r.c.opt.stations = []uint16{1, 2}
			r.start()
			out := r.gi(asdu.GlobalCA)
			r.expectASDU("64 01 06 00 ff ff 00 00 00 14")
			r.tell(giCon, giEnd)
			r.keptAlive(9 * time.Second)
			r.waits(out)
			r.tell("64 01 6d 00 01 00 00 00 00 14") // it has answered
			r.ignored(1)
			r.tell("64 01 07 00 02 00 00 00 00 14", "64 01 0a 00 02 00 00 00 00 14")
			r.succeeds(out) // at once
			out = r.gi(asdu.GlobalCA)
			r.expectASDU("64 01 06 00 ff ff 00 00 00 14")
			r.tell(giCon, giEnd)
			r.keptAlive(10 * time.Second)
			if diff := cmp.Diff(Result{Stations: []uint16{1}, Missing: []uint16{2}}, r.fails(out, ErrIncomplete)); diff != "" {
				r.t.Errorf("(-want +got):\n%s", diff)
			}
		}},
		{row: "5.2 controlling interrogation: to all, one refuses", script: func(r *rig) {
			r.c.opt.stations = []uint16{1, 2}
			r.start()
			out := r.gi(asdu.GlobalCA)
			r.expectASDU("64 01 06 00 ff ff 00 00 00 14")
			r.tell("64 01 47 00 01 00 00 00 00 14", "64 01 07 00 02 00 00 00 00 14")
			r.waits(out)
			r.tell("64 01 0a 00 02 00 00 00 00 14")
			r.denied(out, asdu.ActivationCon)
		}},
		{row: "5.2 controlling interrogation: cancelled", script: func(r *rig) {
			r.start()
			out := r.gi(1)
			r.expectASDU(giAct)
			r.tell(giCon)
			cancel := r.request(func(ctx context.Context) error { return r.c.CancelInterrogation(ctx, 1, 20) })
			r.expectASDU("64 01 08 00 01 00 00 00 00 14")
			r.tell("01 01 14 00 01 00 01 00 00 01", "64 01 09 00 01 00 00 00 00 14")
			r.succeeds(cancel)
			r.fails(out, ErrCancelled)
			cancel = r.request(func(ctx context.Context) error { return r.c.CancelInterrogation(ctx, 1, 20) })
			r.expectASDU("64 01 08 00 01 00 00 00 00 14")
			r.tell("64 01 49 00 01 00 00 00 00 14")
			r.denied(cancel, asdu.DeactivationCon)
		}},
	}
}

// readRows are the rows of restart, counters and read.
func readRows() []clientCheck {
	const ei = "46 01 04 00 01 00 00 00 00 00"
	return []clientCheck{
		{row: "5.1 controlling M_EI ends the requests the station had received before", script: func(r *rig) {
			r.start()
			one, two := r.gi(1), r.gi(2)
			r.expectASDU(giAct, "64 01 06 00 02 00 00 00 00 14")
			r.tell(ei)
			r.fails(one, ErrRestarted)
			r.waits(two)
			again := r.gi(1)
			r.expectASDU(giAct)
			r.tell(giCon, giEnd)
			r.succeeds(again)
		}},
		{row: "5.1 controlling M_EI does not end a request the station had not received", script: func(r *rig) {
			r.start()
			out := r.gi(1)
			r.next()
			r.send(iframe(0, 0, ei), iframe(1, 1, giCon), iframe(2, 1, giEnd))
			r.succeeds(out)
		}},
		{row: "5.3 controlling counters: read", script: func(r *rig) {
			r.start()
			out := r.asked(func(ctx context.Context) (Result, error) { return r.c.Counters(ctx, 1, 5, 0) })
			r.expectASDU("65 01 06 00 01 00 00 00 00 05")
			r.tell("65 01 07 00 01 00 00 00 00 05", "0f 01 25 00 01 00 20 03 00 15 cd 5b 07 05",
				"25 01 25 00 01 00 21 03 00 15 cd 5b 07 05 f3 69 2d 8d 4e 07 1a", "65 01 0a 00 01 00 00 00 00 05")
			if res := r.succeeds(out); res.Objects != 2 {
				r.t.Errorf("%d counters, want 2", res.Objects)
			}
		}},
		{row: "5.3 controlling counters: group, freeze without ACTTERM, and read after it", script: func(r *rig) {
			r.start()
			freeze := r.asked(func(ctx context.Context) (Result, error) { return r.c.Counters(ctx, 1, 2, 1) })
			r.expectASDU("65 01 06 00 01 00 00 00 00 42")
			r.tell("65 01 07 00 01 00 00 00 00 42")
			r.succeeds(freeze)
			read := r.asked(func(ctx context.Context) (Result, error) { return r.c.Counters(ctx, 1, 2, 0) })
			r.expectASDU("65 01 06 00 01 00 00 00 00 02")
			r.tell("65 01 07 00 01 00 00 00 00 02", "65 01 0a 00 01 00 00 00 00 42") // the end of the freeze
			r.waits(read)
			r.tell("0f 01 27 00 01 00 20 03 00 15 cd 5b 07 05", "65 01 0a 00 01 00 00 00 00 02")
			if res := r.succeeds(read); res.Objects != 1 {
				r.t.Errorf("%d counters, want 1", res.Objects)
			}
		}},
		{row: "5.4 controlling read: with and without time tag, a parameter", script: func(r *rig) {
			r.start()
			for _, answer := range []string{
				"0d 01 05 00 01 00 64 00 00 00 00 80 3f 00", "24 01 05 00 01 00 64 00 00 00 00 80 3f 00 f3 69 2d 8d 4e 07 1a",
				"70 01 05 00 01 00 64 00 00 00 00 80 3f 01",
			} {
				var got Reading
				out := r.request(func(ctx context.Context) (err error) { got, err = r.c.Read(ctx, 1, 100); return err })
				r.expectASDU("66 01 05 00 01 00 64 00 00")
				r.tell("0d 01 03 00 01 00 64 00 00 00 00 00 00 00", "0d 01 05 00 01 00 65 00 00 00 00 00 00 00") // spontaneous; another
				r.waits(out)
				r.tell(answer)
				r.succeeds(out)
				if got.Object.Float() != 1 || got.Header.Cause != asdu.Request {
					r.t.Errorf("read %+v, want 1", got)
				}
			}
		}},
		{row: "2 controlling what must not go to all stations is not sent", script: func(r *rig) {
			r.start()
			ctx := r.t.Context()
			_, read := r.c.Read(ctx, asdu.GlobalCA, 1)
			_, set := r.c.SetParameter(ctx, Parameter{CA: asdu.GlobalCA, IOA: 1, Type: asdu.P_ME_NC_1, Qualifier: 1})
			if read == nil || set == nil || r.c.Test(ctx, asdu.GlobalCA, 1) == nil || r.c.ActivateParameter(ctx, asdu.GlobalCA, 0, 1) == nil {
				r.t.Error("sent to all stations")
			}
			r.expectSilence()
		}},
	}
}

// systemRows are the rows of clock, test and reset.
func systemRows() []clientCheck {
	return []clientCheck{
		{row: "5.5 controlling clock synchronisation: the time is that of writing", p: Params{K: 1, W: 1}, script: func(r *rig) {
			r.start()
			r.gi(2)
			r.expectASDU("64 01 06 00 02 00 00 00 00 14")
			stamps := 0
			out := r.asked(func(ctx context.Context) (Result, error) {
				return r.c.ClockSync(ctx, 1, func() asdu.Time { stamps++; return utcNow() })
			})
			r.wait(3 * time.Second)
			if stamps != 0 {
				r.t.Fatal("stamped before the window was open")
			}
			r.ack() // the bubble begins at midnight of 2000-01-01, a Saturday
			r.expectASDU("67 01 06 00 01 00 00 00 00 b8 0b 00 00 c1 01 00")
			r.tell("67 01 07 00 01 00 00 00 00 00 00 00 00 c1 01 00") // the time of the station
			r.succeeds(out)
		}},
		{row: "5.5 controlling clock synchronisation: refused", script: func(r *rig) {
			r.start()
			out := r.asked(func(ctx context.Context) (Result, error) {
				return r.c.ClockSync(ctx, 1, func() asdu.Time { return 0x1a074e8d2d69f3 })
			})
			r.expectASDU("67 01 06 00 01 00 00 00 00 f3 69 2d 8d 4e 07 1a")
			r.tell("67 01 47 00 01 00 00 00 00 f3 69 2d 8d 4e 07 1a")
			r.denied(out, asdu.ActivationCon)
		}},
		{row: "5.7 controlling test 107: counter and time mirrored", script: func(r *rig) {
			r.c.opt.stamp = func() asdu.Time { return 0x1a074e8d2d69f3 }
			r.start()
			out := r.request(func(ctx context.Context) error { return r.c.Test(ctx, 1, 513) })
			r.expectASDU("6b 01 06 00 01 00 00 00 00 01 02 f3 69 2d 8d 4e 07 1a")
			r.tell("6b 01 07 00 01 00 00 00 00 00 02 f3 69 2d 8d 4e 07 1a") // another counter
			r.waits(out)
			r.tell("6b 01 07 00 01 00 00 00 00 01 02 f3 69 2d 8d 4e 07 1a")
			r.succeeds(out)
		}},
		{row: "5.7 controlling test 104: pattern mirrored, or unknown type", script: func(r *rig) {
			r.start()
			out := r.request(func(ctx context.Context) error { return r.c.TestPattern(ctx, 1) })
			r.expectASDU("68 01 06 00 01 00 00 00 00 aa 55")
			r.tell("68 01 07 00 01 00 00 00 00 aa 55")
			r.succeeds(out)
			out = r.request(func(ctx context.Context) error { return r.c.TestPattern(ctx, 1) })
			r.expectASDU("68 01 06 00 01 00 00 00 00 aa 55")
			r.tell("68 01 6c 00 01 00 00 00 00 aa 55")
			r.denied(out, asdu.UnknownType)
		}},
		{row: "5.7 controlling reset process: confirmed before the station goes", script: func(r *rig) {
			r.start()
			out := r.asked(func(ctx context.Context) (Result, error) { return r.c.Reset(ctx, 1, 1) })
			r.expectASDU("69 01 06 00 01 00 00 00 00 01")
			r.tell("69 01 07 00 01 00 00 00 00 01")
			r.conn.Close()
			r.succeeds(out)
		}},
	}
}

// parameterRows are the rows of parameters, and of the steps of commands.
func parameterRows() []clientCheck {
	return []clientCheck{
		{row: "5.8 controlling parameter: loaded, not in operation, activated", script: func(r *rig) {
			r.start()
			var got Reading
			out := r.request(func(ctx context.Context) (err error) {
				got, err = r.c.SetParameter(ctx, Parameter{CA: 1, IOA: 9, Type: asdu.P_ME_NC_1, Value: 0x3f800000, Qualifier: 1})
				return err
			})
			r.expectASDU("70 01 06 00 01 00 09 00 00 00 00 80 3f 01")
			r.tell("70 01 07 00 01 00 09 00 00 00 00 80 3f 02") // another kind
			r.waits(out)
			r.tell("70 01 07 00 01 00 09 00 00 00 00 80 3f 81")
			r.succeeds(out)
			if got.Object.Qualifier != 0x81 || got.Object.Float() != 1 {
				r.t.Errorf("confirmed %+v, want POP", got.Object)
			}
			out = r.request(func(ctx context.Context) error { return r.c.ActivateParameter(ctx, 1, 0, 1) })
			r.expectASDU("71 01 06 00 01 00 00 00 00 01")
			r.tell("71 01 07 00 01 00 00 00 00 01")
			r.succeeds(out)
			out = r.request(func(ctx context.Context) error { return r.c.DeactivateParameter(ctx, 1, 9, 3) })
			r.expectASDU("71 01 08 00 01 00 09 00 00 03")
			r.tell("71 01 09 00 01 00 09 00 00 03")
			r.succeeds(out)
		}},
		{row: "5.8 controlling parameter: refused, unknown type", script: func(r *rig) {
			r.start()
			set := func(ctx context.Context) error {
				_, err := r.c.SetParameter(ctx, Parameter{CA: 1, IOA: 9, Type: asdu.P_ME_NA_1, Value: 1, Qualifier: 3})
				return err
			}
			out := r.request(set)
			r.expectASDU("6e 01 06 00 01 00 09 00 00 01 00 03")
			r.tell("6e 01 47 00 01 00 09 00 00 01 00 03")
			r.denied(out, asdu.ActivationCon)
			out = r.request(set)
			r.expectASDU("6e 01 06 00 01 00 09 00 00 01 00 03")
			r.tell("6e 01 6c 00 01 00 09 00 00 01 00 03")
			r.denied(out, asdu.UnknownType)
			if _, err := r.c.SetParameter(r.t.Context(), Parameter{CA: 1, IOA: 9, Type: asdu.M_ME_NC_1}); err == nil {
				r.t.Error("a measured value was sent as parameter")
			}
		}},
		{row: "5.6 controlling command: select, execute and cancel one by one, confirmation told before the end", script: func(r *rig) {
			r.start()
			confirmed := 0
			op := Operation{CA: 1, IOA: 5001, Type: asdu.C_DC_NA_1, Value: 2, Select: true, Confirmed: func() { confirmed++ }}
			sel := r.request(func(ctx context.Context) error { return r.c.Select(ctx, op) })
			r.expectASDU("2e 01 06 00 01 00 89 13 00 82")
			r.tell("2e 01 07 00 01 00 89 13 00 82")
			r.succeeds(sel)
			exe := r.request(func(ctx context.Context) error { return r.c.Execute(ctx, op) })
			r.expectASDU("2e 01 06 00 01 00 89 13 00 02")
			r.tell("2e 01 07 00 01 00 89 13 00 02")
			r.waits(exe)
			if confirmed != 1 {
				r.t.Errorf("told of %d confirmations, want 1", confirmed)
			}
			r.tell("2e 01 0a 00 01 00 89 13 00 02")
			r.succeeds(exe)
			cancel := r.request(func(ctx context.Context) error { return r.c.Cancel(ctx, op) })
			r.expectASDU("2e 01 08 00 01 00 89 13 00 82")
			r.tell("2e 01 49 00 01 00 89 13 00 82")
			r.denied(cancel, asdu.DeactivationCon)
		}},
		{row: "5.6 controlling command: running, cancelled", script: func(r *rig) {
			r.start()
			op := Operation{CA: 1, IOA: 5001, Type: asdu.C_RC_NA_1, Value: 2}
			exe := r.request(func(ctx context.Context) error { return r.c.Command(ctx, op) })
			r.expectASDU("2f 01 06 00 01 00 89 13 00 02")
			r.tell("2f 01 07 00 01 00 89 13 00 02")
			selected := op
			selected.Select = true
			deselect := r.request(func(ctx context.Context) error { return r.c.Cancel(ctx, selected) })
			r.expectASDU("2f 01 08 00 01 00 89 13 00 82")
			r.tell("2f 01 09 00 01 00 89 13 00 82")
			r.succeeds(deselect)
			r.waits(exe) // that was of the selection
			cancel := r.request(func(ctx context.Context) error { return r.c.Cancel(ctx, op) })
			r.expectASDU("2f 01 08 00 01 00 89 13 00 02")
			r.tell("2f 01 09 00 01 00 89 13 00 02")
			r.succeeds(cancel)
			r.fails(exe, ErrCancelled)
		}},
		{row: "5.6 controlling command: given up after the select, which is cancelled", script: func(r *rig) {
			r.start()
			ctx, cancel := context.WithCancel(context.Background())
			r.c.opt.handler = func(a asdu.ASDU) { cancel() } // when the select is confirmed
			op := Operation{CA: 1, IOA: 5001, Type: asdu.C_DC_NA_1, Value: 2, Select: true}
			out := r.request(func(context.Context) error { return r.c.Command(ctx, op) })
			r.expectASDU("2e 01 06 00 01 00 89 13 00 82")
			r.tell("2e 01 07 00 01 00 89 13 00 82")
			r.fails(out, context.Canceled)
			r.expectASDU("2e 01 08 00 01 00 89 13 00 82")
			r.expectSilence()
		}},
	}
}
