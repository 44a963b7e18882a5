package iec104server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"busbar/iec104"
	"busbar/internal/connector"
)

// deskCounters count commands since the process started.
type deskCounters struct {
	selected, issued, cancelled, refused, discarded, unknown, positive, negative atomic.Uint64
}

// verdict answers a command at once and records it: err is why it is refused.
func (d *desk) verdict(c *order, err error) iec104.Verdict {
	if err != nil {
		d.count.refused.Add(1)
		d.refused(c, err)
		return iec104.Refused
	}
	if c.step == "deactivate" {
		d.count.cancelled.Add(1)
	}
	d.record(c, "confirmed", nil)
	return iec104.Accepted
}

// late answers a command whose time tag forbids to execute it.
func (d *desk) late(c *order, err error) iec104.Verdict {
	if d.settings.LateCommands == "refuse" {
		return d.verdict(c, err)
	}
	d.count.discarded.Add(1)
	d.keep(c, fmt.Errorf("discarded: %w", err), false)
	d.doctor.Refused(c.owner.conn, kindOf(err), true)
	if skipped, ok := d.refusals.due(); ok {
		d.record(c, "discarded", err, slog.Uint64("skipped", skipped))
	}
	return iec104.Discarded
}

// refused records a refusal by the station itself, within limits: each of the
// others was passed on by somebody who had to select or wait before.
func (d *desk) refused(c *order, err error) {
	d.doctor.Refused(c.owner.conn, kindOf(err), false)
	if !c.passed && c.step != "deactivate" {
		d.keep(c, err, true)
	}
	if skipped, ok := d.refusals.due(); ok {
		d.record(c, "refused", err, slog.Uint64("skipped", skipped))
	}
}

// keep has an order recorded that is not passed on, within limits of its own: the
// records of those that are must not be displaced by them.
func (d *desk) keep(c *order, err error, answered bool) {
	if d.host == nil {
		return
	}
	skipped, ok := d.records.due()
	if !ok {
		return
	}
	d.host.Refused(c.pointOrder(d.zone), connector.Refusal{Reason: err.Error(), Select: c.Select, Answered: answered, Skipped: skipped})
}

// kindOf returns why a command is refused, without figures where there are any.
func kindOf(err error) string {
	if late, ok := errors.AsType[*untimelyError](err); ok {
		return late.kind
	}
	return err.Error()
}

// record logs what became of a command.
func (d *desk) record(c *order, outcome string, err error, more ...slog.Attr) {
	level := slog.LevelInfo
	attrs := append([]slog.Attr{
		slog.String("peer", c.from.peer.String()), slog.Uint64("conn", c.owner.conn), slog.Uint64("oa", uint64(c.OA)),
		slog.Uint64("ca", uint64(c.CA)), slog.Uint64("ioa", uint64(c.IOA)), slog.String("type", c.Type.String()),
		slog.String("step", c.step), slog.String("value", fmt.Sprintf("%#x", c.Value)), slog.Uint64("qualifier", uint64(c.Qualifier)),
		slog.String("outcome", outcome),
	}, more...)
	if c.from.certificate != "" {
		attrs = append(attrs, slog.String("certificate", c.from.certificate))
	}
	if err != nil {
		level = slog.LevelWarn
		attrs = append(attrs, slog.Any("error", err))
	}
	d.log.LogAttrs(context.Background(), level, "command", attrs...)
}

// Refusals are logged and recorded up to so many at once, and one more in each of
// these times.
const (
	refusalBurst = 100
	logEvery     = time.Second
	recordEvery  = 10 * time.Second
)

// limiter lets so much through that a log stays readable.
type limiter struct {
	every   time.Duration
	mu      sync.Mutex
	tokens  float64
	at      time.Time
	skipped uint64
}

// due reports whether to log, and how often that was not done before.
func (l *limiter) due() (skipped uint64, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if l.at.IsZero() {
		l.tokens = refusalBurst
	} else {
		l.tokens = min(refusalBurst, l.tokens+now.Sub(l.at).Seconds()/l.every.Seconds())
	}
	l.at = now
	if l.tokens < 1 {
		l.skipped++
		return 0, false
	}
	l.tokens--
	skipped, l.skipped = l.skipped, 0
	return skipped, true
}

// collect emits the figures of commands.
func (d *desk) collect(emit func(connector.Metric)) {
	for _, c := range []struct {
		outcome string
		value   *atomic.Uint64
	}{
		{"selected", &d.count.selected}, {"issued", &d.count.issued}, {"cancelled", &d.count.cancelled},
		{"refused", &d.count.refused}, {"discarded", &d.count.discarded}, {"unknown", &d.count.unknown},
	} {
		count(emit, "iec104_commands_total", "Commands received, by what became of them.", c.value.Load(),
			[]connector.Label{{Name: "outcome", Value: c.outcome}})
	}
	for _, c := range []struct {
		sign  string
		value *atomic.Uint64
	}{{"positive", &d.count.positive}, {"negative", &d.count.negative}} {
		count(emit, "iec104_command_confirmations_total", "Confirmations of commands that were issued.", c.value.Load(),
			[]connector.Label{{Name: "sign", Value: c.sign}})
	}
}
