package journal

import (
	"fmt"

	"busbar/internal/point"
)

// Trim removes the segments of a class in which no record is above seq. The
// newest segment of a class stays, and everything above the newest checkpoint
// that was written or loaded since Open. Readers that are in a removed segment read it to
// its end; others have a gap.
//
// It waits for the disk. Trims of several goroutines come one after the other.
func (j *Journal) Trim(class point.Class, seq uint64) error {
	if class > Quiet {
		return fmt.Errorf("%w: class %d", ErrInvalid, class)
	}
	j.trimming.Lock()
	defer j.trimming.Unlock()
	seq = min(seq, j.floor.Load())
	for {
		s, err := j.dropOldest(int(class), seq)
		if s == nil || err != nil {
			return err
		}
		if err := j.fs.Remove(s.name()); err != nil {
			j.putBack(s)
			return fmt.Errorf("journal: trim: %w", err)
		}
		j.mu.Lock()
		j.used -= s.end
		j.checkRoom()
		j.mu.Unlock()
		// One at a time, so that a power cut cannot leave a hole.
		if err := j.fs.SyncDir(); err != nil {
			return fmt.Errorf("journal: trim %s: %w", s.name(), err)
		}
	}
}

// putBack undoes dropOldest.
func (j *Journal) putBack(s *segment) {
	j.mu.Lock()
	defer j.mu.Unlock()
	c := &j.chains[s.chain]
	c.segs = append([]*segment{s}, c.segs...)
}

// dropOldest takes the oldest segment of a chain out of it if nothing in it is
// above seq.
func (j *Journal) dropOldest(chain int, seq uint64) (*segment, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.state == Closed {
		return nil, ErrClosed
	}
	c := &j.chains[chain]
	if len(c.segs) < 2 || c.segs[1].before > seq {
		return nil, nil
	}
	s := c.segs[0]
	c.segs = append(c.segs[:0:0], c.segs[1:]...)
	return s, nil
}
