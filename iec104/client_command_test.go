package iec104

import (
	"context"
	"errors"
	"testing/synctest"
	"time"

	"busbar/iec104/asdu"
)

// operate has the client carry out an operation.
func (r *rig) operate(op Operation) <-chan error {
	r.t.Helper()
	result := make(chan error, 1)
	go func() { result <- r.c.Command(context.Background(), op) }()
	synctest.Wait()
	return result
}

// result returns what came of it, and fails if nothing did.
func (r *rig) result(result <-chan error) error {
	r.t.Helper()
	synctest.Wait()
	select {
	case err := <-result:
		return err
	default:
		r.t.Fatal("the command is still waiting")
		return nil
	}
}

func (r *rig) refused(result <-chan error, cause asdu.Cause) {
	r.t.Helper()
	var negative *NegativeError
	if err := r.result(result); !errors.As(err, &negative) || negative.Cause != cause {
		r.t.Fatalf("Command = %v, want it refused with %v", err, cause)
	}
}

// commandRows are the ways a command can go, as the controlling station sees them.
func commandRows() []clientCheck {
	single := Operation{CA: 1, IOA: 5000, Type: asdu.C_SC_NA_1, Value: 1}
	selected := Operation{CA: 1, IOA: 5001, Type: asdu.C_DC_NA_1, Value: 2, Qualifier: 3, Select: true}
	return []clientCheck{
		{row: "5.6 controlling direct: confirmation, return information, termination", script: func(r *rig) {
			r.start()
			done := r.operate(single)
			r.expectASDU("2d 01 06 00 01 00 88 13 00 01")
			r.tell("2d 01 07 00 01 00 88 13 00 01", "01 01 0b 00 01 00 64 00 00 01")
			r.wait(29 * time.Second)
			r.tell("2d 01 0a 00 01 00 88 13 00 01")
			if err := r.result(done); err != nil {
				r.t.Fatal(err)
			}
			r.objects(3)
		}},
		{row: "5.6 controlling select before operate", script: func(r *rig) {
			r.start()
			done := r.operate(selected)
			r.expectASDU("2e 01 06 00 01 00 89 13 00 8e")
			r.tell("2e 01 07 00 01 00 89 13 00 8e")
			r.expectASDU("2e 01 06 00 01 00 89 13 00 0e")
			r.tell("2e 01 07 00 01 00 89 13 00 0e", "2e 01 0a 00 01 00 89 13 00 0e")
			if err := r.result(done); err != nil {
				r.t.Fatal(err)
			}
		}},
		{row: "5.6 controlling a refused select is not executed", script: func(r *rig) {
			r.start()
			done := r.operate(selected)
			r.expectASDU("2e 01 06 00 01 00 89 13 00 8e")
			r.tell("2e 01 47 00 01 00 89 13 00 8e")
			r.refused(done, asdu.ActivationCon)
			r.expectSilence()
		}},
		{row: "5.6 controlling negative confirmation", script: func(r *rig) {
			r.start()
			done := r.operate(single)
			r.expectASDU("2d 01 06 00 01 00 88 13 00 01")
			r.tell("2d 01 47 00 01 00 88 13 00 01")
			r.refused(done, asdu.ActivationCon)
		}},
		{row: "5.6 controlling unknown address", script: func(r *rig) {
			r.start()
			done := r.operate(single)
			r.expectASDU("2d 01 06 00 01 00 88 13 00 01")
			r.tell("2d 01 2f 00 01 00 88 13 00 01") // without P/N
			r.refused(done, asdu.UnknownIOA)
		}},
		{row: "5.6 controlling negative termination", script: func(r *rig) {
			r.start()
			done := r.operate(single)
			r.expectASDU("2d 01 06 00 01 00 88 13 00 01")
			r.tell("2d 01 07 00 01 00 88 13 00 01", "2d 01 4a 00 01 00 88 13 00 01")
			r.refused(done, asdu.ActivationTerm)
		}},
		{row: "5.6 controlling no confirmation", script: func(r *rig) {
			r.start()
			done := r.operate(single)
			r.expectASDU("2d 01 06 00 01 00 88 13 00 01")
			r.ack0()
			r.wait(10 * time.Second)
			if err := r.result(done); !errors.Is(err, ErrTimeout) || errors.Is(err, ErrIncomplete) {
				r.t.Fatalf("Command = %v, want ErrTimeout", err)
			}
		}},
		{row: "5.6 controlling no termination", script: func(r *rig) {
			r.start()
			done := r.operate(single)
			r.expectASDU("2d 01 06 00 01 00 88 13 00 01")
			r.tell("2d 01 07 00 01 00 88 13 00 01")
			r.wait(30 * time.Second)
			if err := r.result(done); !errors.Is(err, ErrTimeout) || !errors.Is(err, ErrIncomplete) {
				r.t.Fatalf("Command = %v, want ErrIncomplete and ErrTimeout", err)
			}
		}},
		{row: "5.6 controlling station that does not terminate", script: func(r *rig) {
			r.start()
			op := Operation{CA: 1, IOA: 5005, Type: asdu.C_SE_NC_1, Value: 0x4247eb85, Unterminated: true}
			done := r.operate(op)
			r.expectASDU("32 01 06 00 01 00 8d 13 00 85 eb 47 42 00")
			r.tell("32 01 07 00 01 00 8d 13 00 85 eb 47 42 00")
			if err := r.result(done); err != nil {
				r.t.Fatal(err)
			}
		}},
		{row: "5.6 controlling answers of another value or step are not taken", script: func(r *rig) {
			r.start()
			done := r.operate(single)
			r.expectASDU("2d 01 06 00 01 00 88 13 00 01")
			r.tell("2d 01 47 00 01 00 88 13 00 00", "2d 01 07 00 01 00 88 13 00 81", "2d 01 07 00 01 00 89 13 00 01")
			r.ignored(3)
			r.tell("2d 01 07 00 01 00 88 13 00 01", "2d 01 0a 00 01 00 88 13 00 01")
			if err := r.result(done); err != nil {
				r.t.Fatal(err)
			}
		}},
		{row: "5.6 controlling time tag of the moment of writing", script: func(r *rig) {
			r.start()
			stamp := func() asdu.Time { return 0x1a074e8d2d69f3 }
			done := r.operate(Operation{CA: 1, IOA: 5000, Type: asdu.C_SC_TA_1, Value: 1, Stamp: stamp, Unterminated: true})
			r.expectASDU("3a 01 06 00 01 00 88 13 00 01 f3 69 2d 8d 4e 07 1a")
			r.tell("3a 01 07 00 01 00 88 13 00 01 f3 69 2d 8d 4e 07 1a")
			if err := r.result(done); err != nil {
				r.t.Fatal(err)
			}
		}},
		{row: "5.6 controlling what cannot be sent", script: func(r *rig) {
			r.start()
			for _, op := range []Operation{
				{CA: 1, IOA: 1, Type: asdu.M_SP_NA_1},
				{CA: 65535, IOA: 1, Type: asdu.C_SC_NA_1},
				{CA: 1, IOA: 1, Type: asdu.C_BO_TA_1, Select: true},
				{CA: 1, IOA: 1 << 24, Type: asdu.C_SC_NA_1},
			} {
				if r.result(r.operate(op)) == nil {
					r.t.Errorf("%+v was sent", op)
				}
			}
			r.expectSilence()
		}},
	}
}

// ack0 acknowledges the first I frame.
func (r *rig) ack0() {
	r.t.Helper()
	r.send(sframe(1))
}
