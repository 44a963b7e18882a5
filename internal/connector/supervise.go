package connector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// Limits of the delay before a failed connector is run again.
const (
	backOffMin = time.Second
	backOffMax = time.Minute
)

// supervisor runs one connector until its context ends, again and again.
type supervisor struct {
	log     *slog.Logger
	track   *tracker
	running atomic.Bool // within Run of the connector
	// before is called before each run, after when it has failed, up when the
	// connector reports that it works, be it in part.
	before, after, up func()
}

// run returns when ctx has ended and the connector has returned.
func (s *supervisor) run(ctx context.Context, c Connector) {
	defer s.set(Stopped, "")
	var pause backOff
	for {
		s.set(Starting, "")
		s.before()
		started := time.Now()
		s.running.Store(true)
		err := runContained(ctx, c)
		s.running.Store(false)
		if ctx.Err() != nil {
			s.logLate(ctx, err)
			return
		}
		if err == nil {
			err = errors.New("ended by itself")
		}
		s.track.failed(err)
		if errors.Is(err, ErrConfig) {
			s.track.set(Refused, err.Error())
			s.log.WarnContext(ctx, "connector refused its configuration", "error", err)
			s.after()
			<-ctx.Done()
			return
		}
		if time.Since(started) >= backOffMax {
			pause = backOff{}
		}
		delay := pause.next()
		s.track.set(Failed, err.Error())
		s.logFailure(ctx, err, delay)
		s.after()
		if !wait(ctx, delay) {
			return
		}
	}
}

// report is the Report of the connector's Env. What a connector reports while
// it is not running has no effect.
func (s *supervisor) report(state State, reason string) {
	if !s.running.Load() {
		return
	}
	s.set(state, reason)
	if state == Up || state == Degraded {
		s.up()
	}
}

// set shows and logs a change of state.
func (s *supervisor) set(state State, reason string) {
	s.show(s.track.set(state, reason))
}

// hinder tells why the connector cannot do its work, though it runs; empty: it can.
func (s *supervisor) hinder(reason string) { s.show(s.track.hinder(reason)) }

func (s *supervisor) show(shown StateChange, changed bool) {
	if !changed {
		return
	}
	level := slog.LevelInfo
	if shown.State == Degraded {
		level = slog.LevelWarn
	}
	attrs := []any{"state", shown.State.String()}
	if shown.Reason != "" {
		attrs = append(attrs, "reason", shown.Reason)
	}
	s.log.Log(context.Background(), level, "connector state changed", attrs...)
}

func (s *supervisor) logFailure(ctx context.Context, err error, delay time.Duration) {
	if p, ok := errors.AsType[*panicError](err); ok {
		s.log.ErrorContext(ctx, "connector panicked, will restart", "retry_in", delay, "stack", p.stack, "error", err)
		return
	}
	s.log.WarnContext(ctx, "connector failed, will restart", "retry_in", delay, "error", err)
}

// logLate logs how a run ended that was told to end.
func (s *supervisor) logLate(ctx context.Context, err error) {
	if p, ok := errors.AsType[*panicError](err); ok {
		s.log.ErrorContext(ctx, "connector panicked while stopping", "stack", p.stack, "error", err)
	} else if err != nil && !errors.Is(err, context.Canceled) {
		s.log.WarnContext(ctx, "connector failed while stopping", "error", err)
	}
}

// runContained runs the connector; a panic becomes an error. Goroutines that
// the connector starts are beyond reach: they must contain their own.
func runContained(ctx context.Context, c Connector) (err error) {
	defer contain(&err)
	return c.Run(ctx)
}

// panicError is a panic in the code of a connector.
type panicError struct {
	value any
	stack string
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

// contain, deferred, makes an error of a panic.
func contain(err *error) {
	if v := recover(); v != nil {
		*err = &panicError{value: v, stack: string(debug.Stack())}
	}
}

// backOff is the delay before the next run: it doubles from backOffMin to
// backOffMax, and lies anywhere in the upper half, so that connectors that
// failed together do not come back together.
type backOff struct{ last time.Duration }

func (b *backOff) next() time.Duration {
	b.last = min(max(2*b.last, 2*backOffMin), backOffMax)
	return b.last/2 + rand.N(b.last/2)
}

// wait waits; it returns false if ctx ends before.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
