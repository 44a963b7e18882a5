package connector

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"busbar/internal/mapping"
	"busbar/internal/point"
)

// SinkStatus are the figures of what a connector has received.
type SinkStatus struct {
	Messages uint64 // delivered, useful or not
	Values   uint64 // point updates that were made of them
	Refused  uint64 // batches that the image did not keep
	Faults   []Fault
}

// Fault is a reason for which messages or values were not taken as they were,
// with an example: of the last occurrence, or one at most a second older.
type Fault struct {
	Reason  string // in snake_case
	Count   uint64
	At      time.Time // of the example
	PointID string    // empty: the message as a whole, or a point that was removed
	Text    string
}

// faultLogEvery is how often a reason is logged at most.
const faultLogEvery = time.Minute

// sinkCounts are counted from many goroutines.
type sinkCounts struct {
	log  *slog.Logger
	name func(point.Index) string // id of a point

	messages, values, refused atomic.Uint64

	mu     sync.Mutex
	faults []faultCount // by reason
}

type faultCount struct {
	count  uint64
	at     time.Time
	point  point.Index
	text   string
	logged time.Time
}

func newSinkCounts(log *slog.Logger, name func(point.Index) string) *sinkCounts {
	c := &sinkCounts{log: log, name: name}
	for _, r := range mapping.Reasons() {
		for int(r) >= len(c.faults) {
			c.faults = append(c.faults, faultCount{})
		}
	}
	return c
}

func (c *sinkCounts) message(ctx context.Context, now time.Time, values int, o *mapping.Outcome) {
	c.messages.Add(1)
	c.values.Add(uint64(values))
	if !o.Clean() {
		c.fault(ctx, now, o)
	}
}

func (c *sinkCounts) fault(ctx context.Context, now time.Time, o *mapping.Outcome) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.faults {
		c.faults[i].count += uint64(o.Count(mapping.Reason(i)))
	}
	reason, p := o.First()
	f := &c.faults[reason]
	if now.Sub(f.at) < time.Second { // words cost more than the message did
		return
	}
	f.at, f.point, f.text = now, p, o.Text()
	if now.Sub(f.logged) < faultLogEvery {
		return
	}
	f.logged = now
	c.log.Log(ctx, levelOf(reason), "reading not taken as it was",
		"reason", reason.String(), "point", c.name(p), "example", f.text, "count", f.count)
}

// levelOf is the log level of a reason: what is usual where topics and messages
// are shared with others is not worth a warning.
func levelOf(r mapping.Reason) slog.Level {
	switch r {
	case mapping.NoSelector, mapping.Empty, mapping.Missing:
		return slog.LevelDebug
	default:
		return slog.LevelWarn
	}
}

// get returns the figures; reasons that never occurred are left out.
func (c *sinkCounts) get() SinkStatus {
	s := SinkStatus{Messages: c.messages.Load(), Values: c.values.Load(), Refused: c.refused.Load()}
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, f := range c.faults {
		if f.count > 0 {
			s.Faults = append(s.Faults, Fault{
				Reason: mapping.Reason(i).String(), Count: f.count, At: f.at, PointID: c.name(f.point), Text: f.text,
			})
		}
	}
	return s
}
