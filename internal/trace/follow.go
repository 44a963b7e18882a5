package trace

import (
	"context"
	"slices"
	"time"

	"busbar/internal/tape"
)

const (
	// followEvery is how often a follower looks at the tapes.
	followEvery = 100 * time.Millisecond
	// followMost is how many frames it takes at once; what is more stays on the
	// tapes, and is lost if they are overwritten before.
	followMost = 2000
)

// Follow calls emit with frames that the filter chooses, as they come, in order of time,
// those of 100 ms together. It never delays a link: where frames are overwritten before they
// are read, or there are more than 20,000 in a second, it emits one entry "lost" per link. Of a new
// link it begins with the first frame. It ends with ctx, and with the error of emit.
func (t *Tracer) Follow(ctx context.Context, f Filter, emit func([]Entry) error) error {
	w := &follower{tracer: t, choose: newChooser(&f, t.names), readers: map[*tape.Tape]*tape.Reader{}}
	for _, tp := range f.tapes(t.tapes()) {
		w.readers[tp] = tp.Newest()
	}
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if entries := w.look(); len(entries) > 0 {
			if err := emit(entries); err != nil {
				return err
			}
		}
	}
}

// follower is one who follows the tapes.
type follower struct {
	tracer  *Tracer
	choose  *chooser
	readers map[*tape.Tape]*tape.Reader
	entries []Entry
}

// look returns what has come.
func (w *follower) look() []Entry {
	w.entries = w.entries[:0]
	there := map[*tape.Tape]bool{}
	for _, tp := range w.choose.tapes(w.tracer.tapes()) {
		there[tp] = true
		r := w.readers[tp]
		if r == nil {
			r = tp.Reader()
			w.readers[tp] = r
		}
		w.read(r)
	}
	for tp := range w.readers {
		if !there[tp] {
			delete(w.readers, tp)
		}
	}
	slices.SortStableFunc(w.entries, func(a, b Entry) int { return a.Time.Compare(b.Time) })
	return w.entries
}

// read takes what has come on one tape.
func (w *follower) read(r *tape.Reader) {
	link := r.Tape().Link()
	lost := r.Read(func(rec tape.Record) bool {
		if len(w.entries) >= followMost {
			return false
		}
		if w.choose.passes(&rec) {
			frames(&link, &rec, func(f *frame) bool {
				if w.choose.takes(f) {
					w.entries = append(w.entries, w.tracer.entry(f))
				}
				return true
			})
		}
		return true
	})
	if lost > 0 {
		w.entries = append(w.entries, Entry{
			ID: link.ID, Time: time.Now().UTC(), Link: link.ID, Connector: link.Connector, Conn: link.Conn, Direction: "lost", Lost: lost,
		})
	}
	r.Release()
}
