package connector

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"busbar/internal/plant"
	"busbar/internal/point"
)

// errExpired is why the context of an order ends that got no answer in time.
var errExpired = errors.New("no answer in time")

// execution is one order on its way. It belongs to the goroutine in run; what the
// executor reports after that is late.
type execution struct {
	*router
	command  *command
	order    point.Order
	recorded func() // nil: it was called
	report   func(point.Result)
	progress chan Progress

	mu   sync.Mutex
	over bool // run has ended; the record is guarded by mu from then on

	record   CommandRecord
	noted    CommandRecord   // as it was handed to the book last
	place    int             // of the record in the book
	feedback *feedback       // nil: the order is not terminated by it
	seen     <-chan struct{} // nil: no feedback is awaited
	reached  bool
	overdue  <-chan time.Time // when the feedback is; nil: it is not awaited
	certain  bool             // it is certain that the device has not operated
	returned bool

	final *point.Result    // what ends the order, while it waits to be told
	grace <-chan time.Time // when it is told in any case
}

// run carries the order to its end.
func (x *execution) run() {
	timeout, reason := x.begin()
	if reason != "" {
		x.refuse(reason)
		return
	}
	parent, alive := x.command.executor.life.context()
	if !alive {
		x.refuse("connector " + x.command.To.Connector + " has stopped")
		return
	}
	ctx, cancel := context.WithTimeoutCause(parent, timeout, errExpired)
	defer cancel()
	if x.command.Terminate == plant.TerminateFeedback {
		watching, stop := context.WithCancel(x.ctx)
		defer stop()
		x.feedback = newFeedback(x.img, x.command, x.order.Value)
		x.seen = x.feedback.watch(watching)
	}
	x.counts.running.Add(1)
	defer x.counts.running.Add(-1)
	x.follow(ctx, cancel)
	x.end()
}

// open makes the record of the order. An order that repeats another gets an id
// of its own in the record.
func (x *execution) open(now time.Time) {
	if x.book.knows(x.order.ID) {
		x.order.ID = rand.Text()
	}
	x.record = CommandRecord{Order: x.order, Received: point.InstantOf(now)}
	if x.command != nil {
		x.record.Executor = x.command.To.Connector
		x.record.Terminates = x.command.Terminate != plant.TerminateNone
	}
	x.place = x.book.add(x.record)
}

// begin returns how long the order may take, or why it cannot be carried out.
func (x *execution) begin() (timeout time.Duration, reason string) {
	now := x.now()
	timeout = x.command.Timeout
	if x.order.Expires != 0 {
		timeout = min(timeout, x.order.Expires.Time().Sub(now))
	}
	if timeout <= 0 {
		return 0, "has expired"
	}
	x.order.Expires = point.InstantOf(now.Add(timeout))
	x.record.Order = x.order
	if err := x.note(); err != nil {
		return 0, "cannot be recorded"
	}
	x.wasRecorded()
	if timeout -= x.now().Sub(now); timeout <= 0 {
		return 0, "has expired before it was recorded"
	}
	x.log.Info("command received", x.attrs()...)
	return timeout, ""
}

// wasRecorded tells the requester, once, that the order is recorded or refused.
func (x *execution) wasRecorded() {
	if x.recorded != nil {
		x.recorded()
		x.recorded = nil
	}
}

// note hands the record to the book, if there is news in it.
func (x *execution) note() error {
	if x.record == x.noted {
		return nil
	}
	x.noted = x.record
	err := x.book.update(x.place, x.record)
	if err != nil {
		x.counts.unrecorded.Add(1)
		x.log.Error("record of a command is not kept", append(x.attrs(), "error", err)...)
	}
	return err
}

// follow executes the order and sees to its end.
func (x *execution) follow(ctx context.Context, cancel context.CancelFunc) {
	done := make(chan error, 1)
	go func() {
		err := x.execute(ctx)
		done <- err
	}()
	ended, closed := ctx.Done(), x.ctx.Done()
	for !x.settled() {
		select {
		case p := <-x.progress:
			x.advance(p)
		case err := <-done:
			x.drain()
			x.returned = true
			x.executed(ctx, err)
		case <-ended:
			ended = nil
			x.drain()
			x.unanswered(ctx)
		case _, ok := <-x.seen:
			x.seen = nil
			x.reached = ok
			x.settleFeedback()
		case <-x.overdue:
			x.overdue = nil
			x.terminate("no feedback within " + x.command.FeedbackTimeout.String())
		case <-x.grace:
			x.finish()
		case <-closed:
			closed = nil
			cancel()
			x.refuseRest(stopping)
		}
	}
}

func (x *execution) execute(ctx context.Context) (err error) {
	defer contain(&err)
	return x.command.execute.Execute(ctx, x.order, x.command.To.End, x.hear)
}

// hear takes what the executor reports, at any time.
func (x *execution) hear(p Progress) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.over {
		x.late(p)
		return
	}
	select {
	case x.progress <- p:
	default:
		x.log.Error("connector reports on a command without end", "executor", x.command.To.Connector, "order", x.order.ID)
	}
}

// drain takes what was reported before the event at hand.
func (x *execution) drain() {
	for {
		select {
		case p := <-x.progress:
			x.advance(p)
		default:
			return
		}
	}
}

// end lets everything that is reported from now on be late.
func (x *execution) end() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.drain()
	x.over = true
	_ = x.note() // logged and counted there
}

// settled reports whether nothing more can come of the order in time.
func (x *execution) settled() bool {
	return x.returned && x.record.Ended()
}

// failed reports whether the requester was told that the order has failed.
func (x *execution) failed() bool {
	c, t := x.record.Confirmation, x.record.Termination
	return c.Stage != 0 && !c.Positive || t.Stage != 0 && !t.Positive
}

// advance takes a report that came in time, or before the order was settled.
func (x *execution) advance(p Progress) {
	if p.Told != nil {
		defer close(p.Told)
	}
	now := point.InstantOf(x.now())
	switch {
	case x.failed():
		x.late(p)
	case !p.Replied:
		x.record.Accepted = now
		if x.command.Confirm == plant.ConfirmAccepted {
			x.confirm("")
		}
	case p.OK:
		x.record.Replied = now
		x.confirm("")
		if x.command.Terminate == plant.TerminateReplied {
			x.terminate("")
		}
	default:
		x.certain = !p.Unknown
		x.record.Replied = now
		x.refuseRest("refused by the device" + because(p.Reason))
	}
}

// executed takes the end of Execute.
func (x *execution) executed(ctx context.Context, err error) {
	if notHandedOver(err) && x.record.Accepted == 0 && x.record.Replied == 0 {
		x.certain, x.record.Unknown = true, false
	}
	switch {
	case ctx.Err() != nil:
		x.unanswered(ctx)
	case err != nil:
		x.refuseAnswer("connector " + x.command.To.Connector + ": " + err.Error())
	default:
		x.refuseAnswer("connector " + x.command.To.Connector + " got no answer")
	}
}

// notHandedOver reports whether the error of an executor tells that the order
// was certainly not handed over. Where it says so, panicked or ran out of time,
// nobody knows.
func notHandedOver(err error) bool {
	_, panicked := errors.AsType[*panicError](err)
	return err != nil && !panicked && !errors.Is(err, ErrOutcomeUnknown) && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
}

// unanswered takes the end of the time in which the executor can answer.
func (x *execution) unanswered(ctx context.Context) {
	if errors.Is(context.Cause(ctx), errExpired) {
		x.refuseAnswer(fmt.Sprintf("no answer within %v", x.order.Expires.Time().Sub(x.record.Received.Time()).Round(time.Millisecond)))
		return
	}
	x.refuseAnswer("connector " + x.command.To.Connector + " has stopped")
}

// refuseAnswer ends what waits for an answer of the executor. A feedback may
// still come.
func (x *execution) refuseAnswer(reason string) {
	if x.record.Confirmation.Stage == 0 || x.command.Terminate == plant.TerminateReplied {
		x.refuseRest(reason)
	}
}

// refuseRest ends all that the requester still waits for.
func (x *execution) refuseRest(reason string) {
	if x.record.Confirmation.Stage == 0 {
		x.confirm(reason)
		return
	}
	if x.command.Terminate == plant.TerminateNone && x.record.Confirmation.Positive {
		x.log.Warn("command failed after its confirmation", append(x.attrs(), "reason", reason)...)
		x.record.Failure = reason
		return
	}
	x.terminate(reason)
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}
