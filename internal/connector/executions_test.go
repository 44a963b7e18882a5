package connector

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/plant"
)

func TestExecutorLearnsWhatItCarriesOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newControl(t, steps(accepted))
		output := func(n int) func(*plant.Command) {
			return func(p *plant.Command) { p.To = &plant.Execution{Connector: "device", End: &deviceEnd{Output: n}} }
		}
		duties := c.fakes.last("device").env.Executions
		ends, changed := duties.Ends()
		if diff := cmp.Diff([]any{&deviceEnd{Output: 1}}, ends); diff != "" {
			t.Errorf("ends: want -, got +\n%s", diff)
		}
		c.mustApply(controlPlant(commandOf("c", output(1))))
		select {
		case <-changed:
			t.Error("told of a change, though the ends are as before")
		default:
		}
		c.mustApply(controlPlant(commandOf("d", output(3)), commandOf("c", output(2))))
		<-changed
		ends, _ = duties.Ends()
		if diff := cmp.Diff([]any{&deviceEnd{Output: 2}, &deviceEnd{Output: 3}}, ends); diff != "" {
			t.Errorf("ends: want -, got +\n%s", diff)
		}
		if ends, _ := c.fakes.last("desk").env.Executions.Ends(); ends != nil {
			t.Errorf("a desk carries out %v", ends)
		}
	})
}

func TestExecutorThatDoesNotKnowTheOutcome(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		err     error
		unknown bool
	}{
		{"not handed over", fmt.Errorf("not connected"), false},
		{"perhaps handed over", fmt.Errorf("connection lost: %w", ErrOutcomeUnknown), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newControl(t, steps(tt.err))
				c.issue(order())
				c.wantResults("0s -con: connector device: " + tt.err.Error())
				if got := c.record().Unknown; got != tt.unknown {
					t.Errorf("outcome unknown %t, want %t", got, tt.unknown)
				}
			})
		})
	}
}
