package connector

import (
	"time"

	"busbar/internal/plant"
	"busbar/internal/point"
)

// refuse ends an order that was never handed to an executor.
func (x *execution) refuse(reason string) {
	x.record.Confirmed, x.record.Confirmation = point.InstantOf(x.now()), confirmation(reason)
	x.counts.refused.Add(1)
	x.log.Warn("command refused", append(x.attrs(), "reason", reason)...)
	_ = x.note() // logged and counted there
	x.wasRecorded()
	result := x.record.Confirmation
	result.Unknown = reason == GivenBefore
	x.tell(result)
}

// confirm gives the one confirmation; it is positive without a reason.
func (x *execution) confirm(reason string) {
	if x.record.Confirmation.Stage != 0 {
		return
	}
	x.record.Confirmed, x.record.Confirmation = point.InstantOf(x.now()), confirmation(reason)
	x.record.Unknown = reason != "" && !x.certain
	_ = x.note() // logged and counted there
	if reason != "" {
		x.counts.failed.Add(1)
		x.log.Warn("command not confirmed", append(x.attrs(), "outcome_unknown", x.record.Unknown, "reason", reason)...)
	} else {
		x.counts.confirmed.Add(1)
		x.log.Info("command confirmed", x.attrs()...)
	}
	x.tell(x.outcome(x.record.Confirmation))
	if reason == "" && x.feedback != nil {
		x.overdue = time.After(x.command.FeedbackTimeout)
		x.reached = x.reached || x.feedback.shown()
		x.settleFeedback()
	}
}

// settleFeedback terminates a confirmed order whose feedback has come.
func (x *execution) settleFeedback() {
	if x.reached && x.record.Confirmation.Positive {
		x.terminate("")
	}
}

// terminate gives the one termination after a positive confirmation; it is
// positive without a reason.
func (x *execution) terminate(reason string) {
	if !x.record.Confirmation.Positive || x.command.Terminate == plant.TerminateNone || x.record.Termination.Stage != 0 {
		return
	}
	x.overdue = nil
	x.record.Terminated = point.InstantOf(x.now())
	x.record.Termination = point.Result{Stage: point.Terminated, Positive: reason == "", Reason: reason}
	x.record.Unknown = reason != "" && !x.certain
	_ = x.note() // logged and counted there
	if reason != "" {
		x.counts.broken.Add(1)
		x.log.Warn("command terminated negatively", append(x.attrs(), "outcome_unknown", x.record.Unknown, "reason", reason)...)
	} else {
		x.counts.terminated.Add(1)
		x.log.Info("command terminated", x.attrs()...)
	}
	x.tell(x.outcome(x.record.Termination))
}

// late takes what the executor reports after the requester was told that the
// order had failed, or after run has ended.
func (x *execution) late(p Progress) {
	now := point.InstantOf(x.now())
	switch {
	case !p.Replied && x.failed():
		x.record.Accepted, x.record.Unknown = now, true
		x.alarm(now, "command handed over late")
	case p.Replied && p.OK && x.failed():
		x.record.Replied, x.record.Unknown = now, false
		x.alarm(now, "command operated late")
	case p.Replied && !p.OK:
		x.record.Replied, x.record.Unknown = now, p.Unknown
		x.log.Info("command refused late", append(x.attrs(), "reason", p.Reason)...)
	}
	_ = x.note() // logged and counted there
}

// alarm tells the operator that the device has operated, or will, though the
// requester was told that it does not.
func (x *execution) alarm(now point.Instant, message string) {
	if x.record.Late == 0 {
		x.counts.late.Add(1)
	}
	x.record.Late = now
	x.log.Warn(message, append(x.attrs(), "after", now.Time().Sub(x.record.Received.Time()))...) //nolint:sloglint // each caller has a constant message
}

// handover is how long the result that ends an order waits for the executor to
// be through with it.
const handover = 100 * time.Millisecond

// tell reports to the requester. What ends the order waits until the command is
// free for the next one, which may come at once, or for a moment.
func (x *execution) tell(r point.Result) {
	if x.last(r) {
		x.final, x.grace = &r, time.After(handover)
		return
	}
	x.deliver(r)
}

// outcome is a stage as it is told to the requester.
func (x *execution) outcome(r point.Result) point.Result {
	r.Unknown = x.record.Unknown
	return r
}

// last reports whether nothing follows a result.
func (x *execution) last(r point.Result) bool {
	return !r.Positive || r.Stage == point.Terminated || x.command.Terminate == plant.TerminateNone
}

// finish delivers what ended the order, if that waits.
func (x *execution) finish() {
	if r := x.final; r != nil {
		x.final, x.grace = nil, nil
		x.deliver(*r)
	}
}

// deliver reports to the requester; a panic there does not end the order.
func (x *execution) deliver(r point.Result) {
	var err error
	defer func() {
		if err != nil {
			x.log.Error("connector panicked on the result of a command", append(x.attrs(), "error", err)...)
		}
	}()
	defer contain(&err)
	x.report(r)
}

// attrs are what every line of the log says of the order.
func (x *execution) attrs() []any { return orderAttrs(&x.order) }

func orderAttrs(o *point.Order) []any {
	attrs := []any{
		"command", o.Command, "value", o.Value.String(), "qualifier", o.Qualifier, "connector", o.Requester.Connector,
		"peer", o.Requester.Peer, "originator", o.Requester.Originator, "order", o.ID,
	}
	if o.Requester.Certificate != "" {
		attrs = append(attrs, "certificate", o.Requester.Certificate)
	}
	return attrs
}

// selected notes a selection, or that it was refused, and returns its record.
func (q *requester) selected(o point.Order, c *command, result point.Result) CommandRecord {
	now := point.InstantOf(q.now())
	record := CommandRecord{Order: o, Select: true, Received: now, Confirmed: now, Confirmation: result}
	if c != nil {
		record.Executor = c.To.Connector
	}
	q.write(record)
	if result.Positive {
		q.counts.selected.Add(1)
		q.log.Info("command selected", orderAttrs(&o)...)
		return record
	}
	q.counts.refused.Add(1)
	q.log.Warn("command refused", append(orderAttrs(&o), "select", true, "reason", result.Reason)...)
	return record
}

// Refused implements [Commands].
func (q *requester) Refused(o point.Order, r Refusal) {
	q.complete(&o)
	now := point.InstantOf(q.now())
	record := CommandRecord{Order: o, Select: r.Select, Received: now, Confirmation: confirmation(r.Reason), Skipped: r.Skipped}
	if r.Answered {
		record.Confirmed = now
	}
	q.mu.Lock()
	if c := q.commands[o.Command]; c != nil {
		record.Executor = c.To.Connector
	}
	q.mu.Unlock()
	q.write(record)
}

// write takes the only record of an order that is not executed.
func (q *requester) write(r CommandRecord) {
	if err := q.book.update(q.book.add(r), r); err != nil {
		q.counts.unrecorded.Add(1)
		q.log.Error("record of a command is not kept", append(orderAttrs(&r.Order), "error", err)...)
	}
}
