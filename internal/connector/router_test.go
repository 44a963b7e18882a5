package connector

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/plant"
	"busbar/internal/point"
)

func TestExecutorThatIsDownRefusesAtOnce(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		run    func(ctx context.Context, f *fake) error
		reason string
	}{
		{"connecting", func(ctx context.Context, f *fake) error {
			f.env.Report(Connecting, "broker away")
			<-ctx.Done()
			return nil
		}, "connector device is connecting: broker away"},
		{"starting", func(ctx context.Context, _ *fake) error {
			<-ctx.Done()
			return nil
		}, "connector device is starting"},
		{"failed", func(context.Context, *fake) error { return errors.New("no route") }, "connector device is failed: no route"},
		{"refused", func(context.Context, *fake) error { return fmt.Errorf("%w: tls", ErrConfig) }, "connector device is refused: invalid configuration: tls"},
		{"degraded", func(ctx context.Context, f *fake) error {
			f.env.Report(Degraded, "one of two")
			<-ctx.Done()
			return nil
		}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := &control{host: newHost(t, func(ctx context.Context, f *fake) error {
					if f.env.ID == "device" {
						return tt.run(ctx, f)
					}
					return runUp(ctx, f)
				})}
				c.start(steps(accepted))
				c.wantDecision(order(), tt.reason)
			})
		})
	}
}

func TestExecutorThatDiesEndsTheOrder(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		policy func(*plant.Command)
		do     behaviour
		want   []string
	}{
		{"before the reply", policy(plant.ConfirmReplied, plant.TerminateNone), waiting(accepted), []string{"3s -con: connector device has stopped"}},
		{"before it said anything", policy(plant.ConfirmAccepted, plant.TerminateNone), waiting(), []string{"3s -con: connector device has stopped"}},
		{"before the termination", policy(plant.ConfirmAccepted, plant.TerminateReplied), waiting(accepted),
			[]string{"0s +con", "3s -term: connector device has stopped"}},
		{"before the feedback", policy(plant.ConfirmAccepted, plant.TerminateFeedback), waiting(accepted),
			[]string{"0s +con", "30s -term: no feedback within 30s"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := &control{host: newHost(t, func(ctx context.Context, f *fake) error {
					f.env.Report(Up, "")
					select {
					case <-ctx.Done():
						return nil
					case <-f.die:
						return errors.New("died")
					}
				})}
				c.start(tt.do, tt.policy)
				c.issue(order())
				c.after(3 * time.Second)
				c.fakes.last("device").die <- struct{}{}
				c.after(time.Minute)
				c.wantResults(tt.want...)
				if !c.record().Unknown {
					t.Error("the outcome is known, want that nobody knows")
				}
				c.issue(order()) // it is up again
				c.wantExecuted(2)
			})
		})
	}
}

func TestChangeOfThePlantWhileAnOrderRuns(t *testing.T) {
	t.Parallel()
	const reply = 5 * time.Second
	other := func(c *plant.Command) { c.Timeout = time.Second }
	tests := []struct {
		name  string
		after func() *plant.Plant
		want  []string
		again string // reason for which the next order is refused while the first runs
	}{
		{"nothing to do with it", func() *plant.Plant { return controlPlant(commandOf("c"), commandOf("d")) },
			[]string{"5s +con"}, "another order of this command is under way"},
		{"other policy", func() *plant.Plant { return controlPlant(commandOf("c", other)) },
			[]string{"5s +con"}, "another order of this command is under way"},
		{"removed", func() *plant.Plant { return controlPlant() },
			[]string{"5s +con"}, "there is no such command at this connector"},
		{"its requester moved", func() *plant.Plant {
			return controlPlant(commandOf("c", func(c *plant.Command) { c.From[0].Connector = "desk-2" }))
		}, []string{"5s +con"}, "there is no such command at this connector"},
		{"its requester restarted", func() *plant.Plant {
			p := controlPlant(commandOf("c"))
			p.Connectors[0].Settings = &fakeSettings{Name: "changed"}
			return p
		}, []string{"5s +con"}, "another order of this command is under way"},
		{"its executor restarted", func() *plant.Plant {
			p := controlPlant(commandOf("c"))
			p.Connectors[2].Settings = &fakeSettings{Name: "changed"}
			return p
		}, []string{"2s -con: connector device has stopped"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newControl(t, waiting(accepted, reply, done), policy(plant.ConfirmReplied, plant.TerminateNone))
				c.issue(order())
				c.after(2 * time.Second)
				c.mustApply(tt.after())
				if got := c.commands("desk").Check(order()).Reason; got != tt.again {
					t.Errorf("the next order: %q, want %q", got, tt.again)
				}
				c.after(time.Minute)
				c.wantResults(tt.want...)
				c.wantExecuted(1)
			})
		})
	}
}

func TestCommandThatComesBackIsStillBusy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newControl(t, waiting(accepted, 5*time.Second, done))
		c.issue(order())
		synctest.Wait()
		c.mustApply(controlPlant())
		c.mustApply(controlPlant(commandOf("c")))
		if got, want := c.commands("desk").Check(order()).Reason, "another order of this command is under way"; got != want {
			t.Errorf("Check = %q, want %q", got, want)
		}
	})
}

func TestStopEndsOrders(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		policy func(*plant.Command)
		want   []string
	}{
		{"that wait for the executor", policy(plant.ConfirmReplied, plant.TerminateNone), []string{"1s -con: connector device has stopped"}},
		{"that wait for the feedback", policy(plant.ConfirmAccepted, plant.TerminateFeedback), []string{"0s +con", "1s -term: busbar is stopping"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newControl(t, waiting(accepted), tt.policy)
				commands := c.commands("desk")
				c.issue(order())
				c.after(time.Second)
				if err := c.stop(); err != nil {
					t.Errorf("stop = %v", err)
				}
				c.wantResults(tt.want...)
				commands.Issue(order(), c.note)
				c.wantResults(append(tt.want, "1s -con: busbar is stopping")...)
				if r, _ := commands.Select(order()); r.Positive {
					t.Error("selected after the end")
				}
			})
		})
	}
}

// TestRequesterOfThePast issues orders with what a connector was given that
// has been replaced since.
func TestRequesterOfThePast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newControl(t, steps(accepted))
		old := c.commands("desk")
		p := controlPlant(commandOf("c"))
		p.Connectors[0].Settings = &fakeSettings{Name: "changed"}
		c.mustApply(p)
		old.Issue(order(), c.note)
		c.wantResults("0s -con: its connector has stopped")
		if r, _ := old.Select(order()); r.Positive {
			t.Error("selected, want a refusal")
		}
		c.issue(order())
		c.wantResults("0s -con: its connector has stopped", "0s +con")
	})
}

func TestConnectorWithoutExecutorIsRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, runUp)
		tests := []struct {
			name   string
			change func(*plant.Command)
			want   string
		}{
			{"no executor", func(c *plant.Command) { c.To.Connector = "source" }, "command c: connector source carries out no commands"},
			{"executor not there", func(c *plant.Command) { c.To.Connector = "x" }, `command c: there is no connector "x"`},
			{"requester not there", func(c *plant.Command) { c.From[0].Connector = "x" }, `command c: there is no connector "x"`},
			{"feedback not there", func(c *plant.Command) { c.Feedback = "x" }, "command c: there is no point x"},
			{"interlock wrong", func(c *plant.Command) { c.Interlock = `point("x")` }, "command c: there is no point x"},
		}
		for _, tt := range tests {
			err := h.Apply(t.Context(), controlPlant(commandOf("c", tt.change)))
			if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s: Apply = %v, want %q", tt.name, err, tt.want)
			}
		}
	})
}

func TestEndsAreAnnounced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		withFeedback := func(c *plant.Command) { c.Feedback, c.From[0].Direct = "double", false }
		c := newControl(t, steps(accepted), withFeedback)
		feedback, _ := c.image.Lookup("double")
		ends, changed := c.commands("desk").Ends()
		want := []CommandEnd{{Command: "c", Type: point.Double, Qualifiers: []uint8{0}, Select: true, SelectTimeout: 10 * time.Second,
			Feedback: feedback, End: &deskEnd{Address: 1}}}
		if diff := cmp.Diff(want, ends); diff != "" {
			t.Errorf("ends (-want +got):\n%s", diff)
		}
		if ends, _ := c.commands("desk-2").Ends(); len(ends) != 0 {
			t.Errorf("ends %v at another connector, want none", ends)
		}
		announced := func() bool {
			select {
			case <-changed:
				return true
			default:
				return false
			}
		}
		c.mustApply(controlPlant(commandOf("c", withFeedback)))
		if announced() {
			t.Error("announced although the ends are the same")
		}
		c.mustApply(controlPlant(commandOf("c")))
		if !announced() {
			t.Error("not announced")
		}
		if ends, changed = c.commands("desk").Ends(); len(ends) != 1 || ends[0].Feedback != point.None || !ends[0].Direct {
			t.Errorf("ends %+v, want a direct one without feedback", ends)
		}
		c.mustApply(controlPlant())
		if ends, _ := c.commands("desk").Ends(); !announced() || len(ends) != 0 {
			t.Errorf("ends %v, want none, announced", ends)
		}
	})
}

// TestLogTellsEachStage compares the messages and levels of an order.
func TestLogTellsEachStage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log lockedBuffer
		handler := slog.NewTextHandler(&log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey || a.Key == "order" {
				return slog.Attr{}
			}
			return a
		}})
		c := &control{host: newLoggingHost(t, slog.New(handler), runUp)}
		var hear func(Progress)
		c.start(func(ctx context.Context, o point.Order, report func(Progress)) error {
			hear = report
			return waiting(accepted)(ctx, o, report)
		}, policy(plant.ConfirmReplied, plant.TerminateNone))
		log.Reset()
		c.issue(order())
		c.after(time.Minute)
		hear(done)
		const of = ` command=c value=on qualifier=0 connector=desk peer=10.0.0.1 originator=3`
		want := []string{
			`level=INFO msg="command received"` + of,
			`level=WARN msg="command not confirmed"` + of + ` outcome_unknown=true reason="no answer within 10s"`,
			`level=WARN msg="command operated late"` + of + ` after=1m0s`,
		}
		if diff := cmp.Diff(want, strings.Split(strings.TrimSpace(log.String()), "\n")); diff != "" {
			t.Errorf("log (-want +got):\n%s", diff)
		}
	})
}

// lockedBuffer is a buffer for the log of many goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}
