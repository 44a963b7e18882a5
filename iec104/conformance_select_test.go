package iec104

import (
	"context"
	"errors"

	"busbar/iec104/asdu"
)

// gated is a context whose owner, between two steps, has to wait: where it asks
// whether the context has ended.
type gatedContext struct {
	context.Context
	gate chan struct{}
}

func (c gatedContext) Err() error {
	<-c.gate
	return c.Context.Err()
}

// selectionRows have a selection end between select and execute: the execution
// must not be sent where nothing is selected.
func selectionRows() []fleetCheck {
	const sel, con = "2e 01 06 00 01 00 88 13 00 82", "2e 01 07 00 01 00 88 13 00 82"
	op := Operation{CA: 1, IOA: 5000, Type: asdu.C_DC_NA_1, Value: 2, Select: true}
	command := func(f *fleet) (chan<- struct{}, <-chan error) {
		gate := make(chan struct{})
		return gate, f.after(func(ctx context.Context) error { return f.c.Command(gatedContext{ctx, gate}, op) })
	}
	return []fleetCheck{
		{row: "5.6 controlling command: selected on one connection, not executed on another", addrs: 2, script: func(f *fleet) {
			a := f.start("a")
			gate, done := command(f)
			a.expectASDU(sel)
			a.tell(con)
			a.conn.Close()
			b := f.start("b")
			close(gate)
			if err := f.ended(done); !errors.Is(err, ErrClosed) {
				f.t.Errorf("Command = %v, want ErrClosed", err)
			}
			b.expectSilence()
		}},
		{row: "5.6 controlling command: selected in one data transfer, not executed in the next", script: func(f *fleet) {
			a := f.start("a")
			gate, done := command(f)
			a.expectASDU(sel)
			a.tell(con)
			stopped := f.after(f.c.StopDT)
			a.expect(sframe(1), stopDTAct)
			a.send(sframe(1), stopDTCon)
			if err := f.ended(stopped); err != nil {
				f.t.Fatal(err)
			}
			started := f.after(f.c.StartDT)
			a.expect(startDTAct)
			a.send(startDTCon)
			if err := f.ended(started); err != nil {
				f.t.Fatal(err)
			}
			close(gate)
			if err := f.ended(done); !errors.Is(err, ErrNotStarted) {
				f.t.Errorf("Command = %v, want ErrNotStarted", err)
			}
			a.expectSilence()
		}},
	}
}
