package connector

import (
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
	Reason string // in snake_case
	Count  uint64
	At     time.Time
	Point  point.Index // point.None: the message as a whole
	Text   string
}

// sinkCounts are counted from many goroutines.
type sinkCounts struct {
	messages, values, refused atomic.Uint64

	mu     sync.Mutex
	faults []Fault // by reason
}

func newSinkCounts() *sinkCounts {
	c := &sinkCounts{}
	for _, r := range mapping.Reasons() {
		for int(r) >= len(c.faults) {
			c.faults = append(c.faults, Fault{Point: point.None})
		}
		c.faults[r].Reason = r.String()
	}
	return c
}

func (c *sinkCounts) message(now time.Time, values int, o *mapping.Outcome) {
	c.messages.Add(1)
	c.values.Add(uint64(values))
	if o.Clean() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.faults {
		c.faults[i].Count += uint64(o.Count(mapping.Reason(i)))
	}
	reason, p := o.First()
	if f := &c.faults[reason]; now.Sub(f.At) >= time.Second { // words cost more than the message did
		f.At, f.Point, f.Text = now, p, o.Text()
	}
}

// get returns the figures; reasons that never occurred are left out.
func (c *sinkCounts) get() SinkStatus {
	s := SinkStatus{Messages: c.messages.Load(), Values: c.values.Load(), Refused: c.refused.Load()}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range c.faults {
		if f.Count > 0 {
			s.Faults = append(s.Faults, f)
		}
	}
	return s
}
