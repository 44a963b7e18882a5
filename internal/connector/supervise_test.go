package connector

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// script is a connector whose runs are given one after the other; the last one
// is repeated.
type script struct {
	runs []func(ctx context.Context) error
	n    atomic.Int32
}

func (s *script) Run(ctx context.Context) error {
	n := int(s.n.Add(1))
	return s.runs[min(n, len(s.runs))-1](ctx)
}

func fails(err error) func(context.Context) error { return func(context.Context) error { return err } }

func lasts(d time.Duration, err error) func(context.Context) error {
	return func(ctx context.Context) error {
		if wait(ctx, d) {
			return err
		}
		return nil
	}
}

func untilEnd(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// supervised runs a script; stop ends it and waits.
func supervised(t *testing.T, log *slog.Logger, s *script) (sup *supervisor, stop func()) {
	t.Helper()
	sup = &supervisor{
		log: log, track: newTracker("id", "fake", time.Now),
		before: func() {}, after: func() {}, up: func() {}, repeat: make(chan struct{}, 1),
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		sup.run(ctx, s)
	}()
	stop = func() {
		cancel()
		<-done
	}
	t.Cleanup(stop)
	return sup, stop
}

func TestBackOffGrowsAndIsBounded(t *testing.T) {
	for range 100 {
		var b backOff
		low := time.Second
		for range 10 {
			if d := b.next(); d < low || d > min(2*low, backOffMax) {
				t.Fatalf("delay %v, want %v to %v", d, low, min(2*low, backOffMax))
			}
			low = min(2*low, backOffMax/2)
		}
	}
}

func TestFailedIsRestarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{runs: []func(context.Context) error{fails(errors.New("one")), fails(errors.New("two")), untilEnd}}
		sup, _ := supervised(t, slog.New(slog.DiscardHandler), s)
		synctest.Wait()
		if got := sup.track.get(); got.State != Failed || got.Reason != "one" || s.n.Load() != 1 {
			t.Errorf("after the first failure %+v and %d runs, want failed, one, 1", got, s.n.Load())
		}
		time.Sleep(2*time.Second + 4*time.Second)
		synctest.Wait()
		got := sup.track.get()
		if got.State != Starting || got.Restarts != 2 || got.LastError != "two" || s.n.Load() != 3 {
			t.Errorf("after two failures %+v and %d runs, want starting, two, 3", got, s.n.Load())
		}
	})
}

func TestLongRunResetsBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		boom := errors.New("boom")
		s := &script{runs: []func(context.Context) error{
			fails(boom), fails(boom), fails(boom), fails(boom), fails(boom), lasts(time.Minute, boom), untilEnd,
		}}
		_, _ = supervised(t, slog.New(slog.DiscardHandler), s)
		time.Sleep((2 + 4 + 8 + 16 + 32) * time.Second) // the longest that five delays can be
		time.Sleep(time.Minute + 2*time.Second)
		synctest.Wait()
		if s.n.Load() != 7 {
			t.Errorf("%d runs, want 7: the delay after a run of a minute is that of a first failure", s.n.Load())
		}
	})
}

func TestEndWithoutReasonIsAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sup, _ := supervised(t, slog.New(slog.DiscardHandler), &script{runs: []func(context.Context) error{fails(nil)}})
		synctest.Wait()
		if got := sup.track.get(); got.State != Failed || got.Reason != "ended by itself" {
			t.Errorf("status %+v, want failed", got)
		}
	})
}

func TestRefusedIsNotRestarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{runs: []func(context.Context) error{fails(fmt.Errorf("%w: no such certificate", ErrConfig))}}
		sup, stop := supervised(t, slog.New(slog.DiscardHandler), s)
		time.Sleep(time.Hour)
		if got := sup.track.get(); got.State != Refused || s.n.Load() != 1 {
			t.Errorf("status %+v after %d runs, want refused after 1", got, s.n.Load())
		}
		stop()
		if got := sup.track.get().State; got != Stopped {
			t.Errorf("state %v after the end, want stopped", got)
		}
	})
}

func TestPanicIsContainedAndLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		s := &script{runs: []func(context.Context) error{func(context.Context) error { panic("oh no") }, untilEnd}}
		sup, stop := supervised(t, slog.New(slog.NewTextHandler(&out, nil)), s)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := sup.track.get(); got.LastError != "panic: oh no" || s.n.Load() != 2 {
			t.Errorf("status %+v after %d runs, want a restart after the panic", got, s.n.Load())
		}
		stop()
		if log := out.String(); !strings.Contains(log, "level=ERROR") || !strings.Contains(log, "supervise_test.go") {
			t.Errorf("log %q, want an error with the stack", log)
		}
	})
}

func TestReportOutsideOfRunHasNoEffect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sup, stop := supervised(t, slog.New(slog.DiscardHandler), &script{runs: []func(context.Context) error{untilEnd}})
		synctest.Wait()
		sup.report(Up, "")
		stop()
		sup.report(Degraded, "late")
		want := []StateChange{{State: Starting}, {State: Up}, {State: Stopped}}
		got := sup.track.changesSoFar()
		for i := range got {
			got[i].At = time.Time{}
		}
		if diff := cmp.Diff(got, want); diff != "" {
			t.Errorf("history (-got +want):\n%s", diff)
		}
	})
}

func TestHistoryKeepsTheLastHundred(t *testing.T) {
	track := newTracker("id", "fake", time.Now)
	for i := range 250 {
		track.set(Degraded, fmt.Sprint(i))
		track.set(Degraded, fmt.Sprint(i)) // not a change
	}
	got := track.changesSoFar()
	if len(got) != 100 || got[0].Reason != "150" || got[99].Reason != "249" {
		t.Errorf("%d changes from %q to %q, want 100 from 150 to 249", len(got), got[0].Reason, got[len(got)-1].Reason)
	}
}

// wait waits; it returns false if ctx ends before.
func wait(ctx context.Context, d time.Duration) bool {
	return (&supervisor{}).wait(ctx, d) == elapsed
}

func TestRestartBeginsAnotherRunAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &script{runs: []func(context.Context) error{untilEnd}}
		sup, stop := supervised(t, slog.New(slog.DiscardHandler), c)
		synctest.Wait()
		began := time.Now()
		for range 3 {
			if !sup.again() {
				t.Error("cannot be restarted")
			}
			synctest.Wait()
		}
		if n := c.n.Load(); n != 4 || !time.Now().Equal(began) {
			t.Errorf("%d runs after %v, want 4 at once", n, time.Since(began))
		}
		if got := sup.track.get(); got.Repeats != 3 || got.Restarts != 0 || got.State != Starting {
			t.Errorf("status %+v, want 3 restarts by hand and no failure", got)
		}
		stop()
		if sup.again() {
			t.Error("a connector that is stopped can be restarted")
		}
	})
}

func TestRestartCutsBackOffShort(t *testing.T) {
	for _, fault := range []error{errors.New("broken"), ErrConfig} {
		synctest.Test(t, func(t *testing.T) {
			c := &script{runs: []func(context.Context) error{fails(fault)}}
			sup, stop := supervised(t, slog.New(slog.DiscardHandler), c)
			synctest.Wait()
			began := time.Now()
			sup.again()
			synctest.Wait()
			if n := c.n.Load(); n != 2 || !time.Now().Equal(began) {
				t.Errorf("%v: %d runs after %v, want 2 at once", fault, n, time.Since(began))
			}
			stop()
		})
	}
}
