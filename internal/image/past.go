package image

import (
	"errors"
	"fmt"
	"sync"

	"busbar/internal/image/journal"
	"busbar/internal/point"
)

// past lets a follower read in the journal what the log in memory does not hold
// any more, or never did in this process.
type past struct {
	image  *Memory
	keeper *keeper
	// quiet: up to here changes that were no event are left out.
	quiet uint64
	// exact: every number above it that is passed over is a change that was lost.
	// Below it only the journal knows what is.
	exact uint64

	mu     sync.Mutex // held while the reader is used
	reader *journal.Reader
	batch  []journal.Record // that were read
	at     int              // of batch: the next to deliver
	gap    uint64           // changes lost before it
}

func newPast(m *Memory, from Position) *past {
	if m.keeper == nil {
		return nil
	}
	p := &past{image: m, keeper: m.keeper, quiet: m.log.next - 1, exact: m.log.next - 1}
	for _, seq := range from {
		p.exact = max(p.exact, seq)
	}
	return p
}

// read delivers changes from the cursor of the follower on, as reader.read does.
func (p *past) read(f *everyFollower, dst []Change) (n int, gap uint64, drained bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-f.done:
		return 0, 0, false, ErrClosed
	default:
	}
	if p.at == len(p.batch) {
		if drained, err = p.load(f); err != nil {
			return 0, 0, false, err
		}
	}
	n = p.deliver(f, dst)
	gap, p.gap = p.gap, 0
	return n, gap, drained, nil
}

// load reads the next records. Without any it looks whether to go on in memory,
// or lets the follower wait until more is committed.
func (p *past) load(f *everyFollower) (drained bool, err error) {
	if p.reader == nil {
		p.open(f)
	}
	// In this order: up to settled the reader then finds all that is committed, in
	// every chain, so that nothing of it can come once the cursor has passed it.
	settled := p.keeper.journal.Settled()
	p.at = 0
	n, gaps, err := p.reader.Next(p.batch[:cap(p.batch)])
	p.batch = p.batch[:n]
	if err != nil {
		return false, p.failed(err)
	}
	for _, g := range gaps {
		if end := min(g.Before, p.exact+1); end > g.After+1 {
			p.gap += end - g.After - 1
		}
	}
	if n > 0 {
		return false, nil
	}
	return !p.leave(f, settled), nil
}

// open begins to read at the cursor of the follower.
func (p *past) open(f *everyFollower) {
	from := f.from
	for c := range from {
		from[c] = max(from[c], f.cursor-1)
	}
	if p.batch == nil {
		p.batch = make([]journal.Record, 0, stride)
	}
	p.reader = p.keeper.journal.Reader(journal.Position(from), max(f.cursor-1, p.quiet))
}

// skip moves the cursor on to next; what lies between was lost, if it was ever there.
func (p *past) skip(f *everyFollower, next uint64) {
	if lowest := max(f.cursor, p.exact+1); next > lowest {
		p.gap += next - lowest
	}
	f.cursor = max(f.cursor, next)
}

// leave reports whether the log in memory has what follows on the records, and
// prepares to wait if it has not yet been decided whether the journal will. Up to
// settled all has been read that there is.
func (p *past) leave(f *everyFollower, settled uint64) bool {
	m := p.image
	m.mu.RLock()
	defer m.mu.RUnlock()
	p.skip(f, min(settled+1, m.log.first))
	if f.cursor < m.log.first {
		if p.keeper.appended >= f.cursor {
			p.await(f, settled)
			return false
		}
		p.skip(f, m.log.first) // nothing of it is in the journal, nor will be
	}
	p.release()
	return true
}

// await makes the follower wait until more than settled is.
func (p *past) await(f *everyFollower, settled uint64) {
	f.waiting.Store(true)
	p.keeper.behind.Store(true)
	if p.keeper.journal.Settled() > settled {
		f.wakeUp()
	}
}

// deliver copies changes of the batch to dst, up to the first before which
// others were lost, unless it is the first at all. None comes after one with a
// higher number: the cursor never goes back.
func (p *past) deliver(f *everyFollower, dst []Change) (n int) {
	m := p.image
	m.mu.RLock()
	defer m.mu.RUnlock()
	for ; p.at < len(p.batch) && n < len(dst); p.at++ {
		rec := &p.batch[p.at]
		if rec.Seq < f.cursor {
			continue // was given up as lost, or delivered
		}
		u, events, ok := parseRecord(rec.Payload)
		if n > 0 && (!ok || rec.Seq > max(f.cursor, p.exact+1)) {
			break
		}
		p.skip(f, min(rec.Seq, m.log.first))
		if f.cursor < rec.Seq && f.cursor >= m.log.first {
			break // the log in memory has more
		}
		p.skip(f, rec.Seq)
		f.cursor = rec.Seq + 1
		if !ok {
			p.gap++
			p.keeper.damaged.Add(1)
			continue
		}
		if m.typeOf(u.Point) != u.Value.Type() || u.Flags&point.Beneath != 0 {
			continue
		}
		if rec.Seq <= p.keeper.start {
			u.Source = 0
		}
		dst[n] = Change{Seq: rec.Seq, Events: events, Update: u}
		n++
	}
	return n
}

// failed is why nothing can be read. The position stays.
func (p *past) failed(err error) error {
	if errors.Is(err, journal.ErrClosed) {
		return ErrClosed
	}
	return fmt.Errorf("image: %w", err)
}

// close releases the files. The follower is stopped.
func (p *past) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.release()
}

func (p *past) release() {
	if p.reader == nil {
		return
	}
	if err := p.reader.Close(); err != nil {
		p.keeper.log.Warn("journal: file not closed", "error", err)
	}
	p.reader, p.batch, p.at = nil, nil, 0
}
