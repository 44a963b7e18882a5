package trace

import (
	"bytes"
	"slices"

	"busbar/internal/tape"
)

// Limits of a snapshot.
const (
	DefaultEntries = 1000
	MaxEntries     = 10000
)

// Snapshot returns the last frames that the filter chooses, at most limit, oldest first.
func (t *Tracer) Snapshot(f Filter, limit int) []Entry {
	limit = max(1, min(limit, MaxEntries))
	choose := newChooser(&f, t.names)
	var all []frame
	for _, tp := range f.tapes(t.tapes()) {
		all = append(all, last(tp, choose, limit)...)
		if len(all) > 2*limit {
			all = newest(all, limit)
		}
	}
	all = newest(all, limit)
	entries := make([]Entry, len(all))
	for i := range all {
		entries[i] = t.entry(&all[i])
	}
	return entries
}

// last returns the last frames of a tape that are chosen, as copies.
func last(tp *tape.Tape, choose *chooser, limit int) []frame {
	link := tp.Link()
	var ring []frame
	next := 0
	tp.Reader().Read(func(r tape.Record) bool {
		if !choose.passes(&r) {
			return true
		}
		return frames(&link, &r, func(f *frame) bool {
			if !choose.takes(f) {
				return true
			}
			if len(ring) < limit {
				ring = append(ring, f.copy())
				return true
			}
			ring[next] = f.copy()
			next = (next + 1) % limit
			return true
		})
	})
	return slices.Concat(ring[next:], ring[:next])
}

// copy returns the frame with octets of its own.
func (f *frame) copy() frame {
	c := frame{link: f.link, record: f.record, index: f.index, at: f.at, sent: f.sent}
	c.octets = bytes.Clone(f.octets)
	c.parse(c.octets)
	return c
}

// newest returns the last frames, in order of time.
func newest(all []frame, limit int) []frame {
	slices.SortStableFunc(all, func(a, b frame) int { return a.at.Compare(b.at) })
	if n := len(all) - limit; n > 0 {
		all = slices.Delete(all, 0, n)
	}
	return all
}
