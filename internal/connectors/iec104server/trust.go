package iec104server

import (
	"context"
	"time"

	"busbar/internal/connector"
	"busbar/internal/point"
)

// plausible is before any time that the clock of this machine can rightly show:
// one without a battery begins in 1970.
var plausible = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

const plausibleInstant = point.Instant(1577836800 * int64(time.Second))

// asksKernel reports whether the clock counts only while the kernel says that it is
// synchronised.
func (s *Settings) asksKernel() bool { return s.Clock == "kernel" }

// ownTime returns the quality of a time of the clock of this machine.
func (st *station) ownTime(t time.Time) point.TimeQuality {
	if st.doubtful.Load() || t.Before(plausible) {
		return point.TimeInvalid
	}
	return 0
}

// doubt returns a change with its time marked as invalid if that was given by the
// clock of this machine, on arrival, and that cannot be trusted.
func (st *station) doubt(c *connector.Change) *connector.Change {
	if c.TimeQuality&point.TimeSubstituted == 0 || c.Time >= plausibleInstant && !st.doubtful.Load() {
		return c
	}
	marked := *c
	marked.TimeQuality |= point.TimeInvalid
	return &marked
}

// askKernel looks whether the clock of this machine is synchronised.
func (st *station) askKernel(ctx context.Context) {
	if !st.settings.asksKernel() {
		return
	}
	synchronised, err := st.kernel()
	if st.doubtful.Swap(!synchronised) != synchronised {
		return
	}
	if synchronised {
		st.log.InfoContext(ctx, "clock of this machine is synchronised")
		return
	}
	st.log.WarnContext(ctx, "clock of this machine is not synchronised, its times are marked as invalid", "error", err)
}
