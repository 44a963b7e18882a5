package journal

import (
	"errors"
	"os"
)

// chain is the segments of a class, or of the definitions.
type chain struct {
	segs []*segment // ascending; guarded by Journal.mu
	last uint64     // last durable sequence number; guarded by Journal.mu

	// The committer owns these. cur is nil until the first group of the chain
	// since Open; next is a segment that the group being written begins.
	cur, next *writer
}

// writer is a segment that is written to.
type writer struct {
	seg    *segment
	file   File
	offset int64 // up to which it is durable and written
}

// newest returns the last segment, nil if there is none; mu is held.
func (c *chain) newest() *segment {
	if len(c.segs) == 0 {
		return nil
	}
	return c.segs[len(c.segs)-1]
}

// writing returns the segment that the group being written goes to.
func (c *chain) writing() *writer {
	if c.next != nil {
		return c.next
	}
	return c.cur
}

// place begins a segment of chain i if the frames of a group do not fit any
// more, and returns where they will end.
func (j *Journal) place(i int, g *group) (end, error) {
	c, size := &j.chains[i], int64(len(g.frames[i]))
	w := c.cur
	if w == nil || w.offset > headerSize && w.offset+size > j.opts.Segment {
		var err error
		if w, err = j.begin(i, g.first[i]); err != nil {
			return end{}, err
		}
		c.next = w
	}
	return end{w.seg.first, w.offset + size}, nil
}

// write writes the frames of a group, which goes as far as after, into chain i.
func (j *Journal) write(i int, g *group, after *ends) error {
	c, buf := &j.chains[i], g.frames[i]
	known := j.committed.Load()
	if i == dictionary {
		known = c.last
	}
	putMark(buf[:markSize], i, known, &j.ends, after)
	w := c.writing()
	_, err := w.file.WriteAt(buf, w.offset)
	return err
}

// begin creates the next segment of chain i.
func (j *Journal) begin(i int, first uint64) (*writer, error) {
	c := &j.chains[i]
	seg := &segment{chain: i, first: first, before: c.last, end: headerSize, proven: headerSize}
	h := header{chain: i, first: first, last: c.last}
	j.mu.Lock()
	if s := c.newest(); s != nil {
		h.prev, h.end, h.proven = s.first, s.end, s.proven
	}
	j.mu.Unlock()
	f, err := j.fs.Create(seg.name())
	if err != nil {
		return nil, err
	}
	if j.opts.Preallocate {
		err = f.Allocate(j.opts.Segment)
	}
	if err == nil {
		_, err = f.WriteAt(h.encode(), 0)
	}
	if err == nil {
		// By itself, so that there are no records under a torn header.
		err = f.Sync()
	}
	if err != nil {
		return nil, errors.Join(err, f.Close(), j.fs.Remove(seg.name()))
	}
	return &writer{seg: seg, file: f, offset: headerSize}, nil
}

// undo takes back what was written into chain i since it was last synced. It is
// certain with the next sync of the directory.
func (j *Journal) undo(i int) error {
	c := &j.chains[i]
	if w := c.next; w != nil {
		c.next = nil
		return errors.Join(w.file.Close(), j.fs.Remove(w.seg.name()))
	}
	if c.cur == nil {
		return nil
	}
	if err := c.cur.file.Truncate(c.cur.offset); err != nil {
		return err
	}
	return c.cur.file.Sync()
}

// settle takes what was synced into chain i as durable. It returns the segment
// that came to its end, nil if it goes on. Journal.mu is held.
func (j *Journal) settle(i int, g *group) (done *writer) {
	c := &j.chains[i]
	if c.next != nil {
		done, c.cur, c.next = c.cur, c.next, nil
		c.segs = append(c.segs, c.cur.seg)
		j.used += headerSize
	}
	w := c.cur
	w.offset += int64(len(g.frames[i]))
	w.seg.end, w.seg.proven = w.offset, w.offset
	c.last = g.last[i]
	j.used += int64(len(g.frames[i]))
	j.ends[i] = end{w.seg.first, w.offset}
	return done
}

// seal closes a segment that came to its end and gives back reserved room.
func (j *Journal) seal(w *writer) error {
	var err error
	if j.opts.Preallocate {
		err = w.file.Truncate(w.offset)
	}
	return errors.Join(err, w.file.Close())
}

// remove removes a file that may not exist.
func (j *Journal) remove(name string) error {
	if err := j.fs.Remove(name); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
