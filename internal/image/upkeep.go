package image

import (
	"errors"
	"time"

	"busbar/internal/image/journal"
	"busbar/internal/point"
)

const (
	// upkeepEvery is how often the journal is looked after.
	upkeepEvery = time.Second
	// checkpointAfter is how much is appended before there is another checkpoint,
	// in octets. It bounds what is read when the image is opened.
	checkpointAfter = 64 << 20
	// retryAfter is how long after a checkpoint has failed there is another attempt.
	retryAfter = 10 * time.Second
)

// upkeep writes checkpoints and trims the journal until the image is closed.
func (e *Embedded) upkeep() {
	ticker := time.NewTicker(upkeepEvery)
	defer ticker.Stop()
	first, failed := true, time.Time{}
	for {
		select {
		case <-e.stop:
			return
		case now := <-ticker.C:
			if (first || e.due()) && now.Sub(failed) >= retryAfter {
				if err := e.checkpoint(); err != nil {
					e.keeper.log.Warn("no checkpoint, will try again", "error", err)
					failed = now
				} else {
					first = false
				}
			}
			e.trim()
		}
	}
}

// due reports whether there should be another checkpoint.
func (e *Embedded) due() bool {
	s, octets := e.keeper.journal.Status(), e.keeper.octets.Load()
	switch {
	case octets == 0, s.State == journal.Failed:
		return false
	case s.State == journal.Full:
		return true
	case s.Used > s.Limit/2:
		return octets >= min(checkpointAfter, s.Limit/32)
	default:
		return octets >= min(checkpointAfter, s.Limit/8)
	}
}

// trim removes what nobody needs any more.
func (e *Embedded) trim() {
	var cursors []journal.Position
	for _, list := range []map[string]journal.Position{e.keeper.journal.Saved(), e.keeper.journal.Cursors()} {
		for _, pos := range list {
			cursors = append(cursors, pos)
		}
	}
	for c := range journal.Quiet + 1 {
		to := e.keeper.journal.Committed()
		for _, pos := range cursors {
			if c < point.Classes {
				to = min(to, pos[c])
			}
		}
		if err := e.keeper.journal.Trim(c, to); err != nil && !errors.Is(err, journal.ErrClosed) {
			e.keeper.log.Warn("journal not trimmed, will try again", "error", err)
			return
		}
	}
}

// lastCheckpoint writes down what there is at the end, if it is not yet.
func (e *Embedded) lastCheckpoint() error {
	if e.keeper.octets.Load() == 0 || errors.Is(e.keeper.journal.Accepting(), journal.ErrFailed) {
		return nil
	}
	if err := e.checkpoint(); err != nil && !errors.Is(err, errUnkept) {
		return err
	}
	return nil
}
