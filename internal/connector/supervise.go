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
	running atomic.Bool   // within Run of the connector
	repeat  chan struct{} // asks for another run
	alive   atomic.Bool   // run is running
	// before is called before each run, after when it has failed, up when the
	// connector reports that it works, be it in part.
	before, after, up func()
}

// run returns when ctx has ended and the connector has returned.
func (s *supervisor) run(ctx context.Context, c Connector) {
	s.alive.Store(true)
	defer s.set(Stopped, "")
	defer s.alive.Store(false)
	var pause backOff
	for {
		s.set(Starting, "")
		s.before()
		started := time.Now()
		repeat, err := s.once(ctx, c)
		if ctx.Err() != nil {
			s.logLate(ctx, err)
			return
		}
		if repeat {
			s.logLate(ctx, err)
			s.track.repeated()
			s.set(Stopped, "is restarted by hand")
			s.after()
			pause = backOff{}
			continue
		}
		if err == nil {
			err = errors.New("ended by itself")
		}
		s.track.failed(err)
		if errors.Is(err, ErrConfig) {
			s.track.set(Refused, err.Error())
			s.log.WarnContext(ctx, "connector refused its configuration", "error", err)
			s.after()
			select {
			case <-s.repeat:
				s.track.repeated()
				continue
			case <-ctx.Done():
				return
			}
		}
		if time.Since(started) >= backOffMax {
			pause = backOff{}
		}
		delay := pause.next()
		s.track.set(Failed, err.Error())
		s.logFailure(ctx, err, delay)
		s.after()
		switch s.wait(ctx, delay) {
		case ended:
			return
		case hurried:
			s.track.repeated()
			pause = backOff{}
		}
	}
}

// once runs the connector until it returns. repeat tells that it was ended to be run
// again.
func (s *supervisor) once(ctx context.Context, c Connector) (repeat bool, err error) {
	run, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan struct{})
	asked := make(chan bool, 1)
	go func() {
		select {
		case <-s.repeat:
			cancel()
			asked <- true
		case <-done:
			asked <- false
		}
	}()
	s.running.Store(true)
	err = runContained(run, c)
	s.running.Store(false)
	close(done)
	return <-asked, err
}

// again asks for another run; false: the connector is stopped.
func (s *supervisor) again() bool {
	if !s.alive.Load() {
		return false
	}
	select {
	case s.repeat <- struct{}{}:
	default: // somebody has asked already
	}
	return true
}

// How a wait has ended.
type waited uint8

const (
	elapsed waited = iota
	hurried        // another run was asked for
	ended          // the context has
)

// wait waits before the next run.
func (s *supervisor) wait(ctx context.Context, d time.Duration) waited {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return elapsed
	case <-s.repeat:
		return hurried
	case <-ctx.Done():
		return ended
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
