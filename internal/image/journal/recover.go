package journal

import (
	"errors"
	"io"
	"slices"
)

// tail is the newest segment of a chain as Open finds it.
type tail struct {
	chain   int
	seg     *segment // nil: the chain is empty
	scan    scan
	octets  []byte
	last    uint64
	marks   ends
	removed []uint64 // newer segments that hold no record, oldest first
}

// openChain takes the segments of a chain and reads the newest one that holds
// a record.
func (j *Journal) openChain(chain int, firsts []uint64) (tail, error) {
	t := tail{chain: chain}
	for len(firsts) > 0 {
		n := len(firsts) - 1
		first := firsts[n]
		b, err := j.readAll(segmentName(chain, first))
		if err != nil {
			return t, err
		}
		s := scanSegment(b, chain, first)
		t.marks.raise(&s.marks)
		if s.headOK && s.head.prev > 0 {
			t.marks[chain] = maxEnd(t.marks[chain], end{s.head.prev, s.head.proven})
		}
		if s.records == 0 {
			t.removed = append(t.removed, first)
			firsts = firsts[:n]
			continue
		}
		t.seg = &segment{chain: chain, first: first, before: first - 1, end: s.end, proven: headerSize}
		if s.headOK {
			t.seg.before = s.head.last
		}
		t.scan, t.octets, t.last = s, b, s.last
		slices.Reverse(t.removed)
		return t, j.openSealed(chain, firsts[:n], s.head, s.headOK)
	}
	slices.Reverse(t.removed)
	return t, nil
}

func maxEnd(a, b end) end {
	if a.less(b) {
		return b
	}
	return a
}

// openSealed takes the segments before the newest one, of which the header is
// given. They are not read: what is damaged in them is found by readers.
func (j *Journal) openSealed(chain int, firsts []uint64, next header, known bool) error {
	var segs []*segment
	for _, first := range slices.Backward(firsts) {
		name := segmentName(chain, first)
		if known && first > next.prev {
			// The next one was begun after another one: this never held what
			// was acknowledged.
			if err := j.fs.Remove(name); err != nil {
				return err
			}
			continue
		}
		h, ok, size, err := j.readHeader(chain, first)
		if err != nil {
			return err
		}
		s := &segment{chain: chain, first: first, before: first - 1, end: size, proven: size}
		if ok {
			s.before = h.last
		} else {
			j.damaged(Damage{File: name, Octets: headerSize, Reason: "header damaged"})
		}
		if known {
			j.checkLink(s, size, next)
		}
		segs = append(segs, s)
		next, known = h, ok
	}
	slices.Reverse(segs)
	j.chains[chain].segs = segs
	return nil
}

// checkLink compares a segment with what the next one says of the one before it.
func (j *Journal) checkLink(s *segment, size int64, next header) {
	if next.prev != s.first {
		j.damaged(Damage{File: segmentName(s.chain, next.prev), After: next.prev - 1, Before: next.last + 1, Reason: "segment missing"})
		return
	}
	s.end, s.proven = min(size, next.end), next.proven
	if want := min(next.end, next.proven); size < want {
		j.damaged(Damage{File: s.name(), Offset: size, Octets: want - size, Before: next.last + 1, Reason: "end of segment missing"})
	}
}

func (j *Journal) readHeader(chain int, first uint64) (h header, ok bool, size int64, err error) {
	f, err := j.fs.Open(segmentName(chain, first))
	if err != nil {
		return h, false, 0, err
	}
	size, err = f.Size()
	b := make([]byte, headerSize)
	if err == nil {
		if _, err = f.ReadAt(b, 0); errors.Is(err, io.EOF) {
			err = nil
		}
	}
	h, ok = parseHeader(b, chain, first)
	return h, ok, size, errors.Join(err, f.Close())
}

// openTail takes the newest segment of a chain: proven says how far the chain
// was durable, committed which records were.
func (j *Journal) openTail(t *tail, proven end, committed uint64) error {
	c := &j.chains[t.chain]
	c.last = t.last
	for _, first := range t.removed {
		if err := j.dropEmpty(t.chain, first, proven, committed); err != nil {
			return err
		}
	}
	if proven.segment > 0 && (t.seg == nil || proven.segment > t.seg.first) {
		c.last = max(c.last, proven.segment)
		if !slices.Contains(t.removed, proven.segment) {
			j.damaged(Damage{File: segmentName(t.chain, proven.segment), After: t.last, Before: committed + 1, Reason: "segment missing"})
		}
	}
	if t.seg == nil {
		return nil
	}
	c.segs = append(c.segs, t.seg)
	switch {
	case proven.segment > t.seg.first:
		t.seg.proven = t.seg.end
	case proven.segment == t.seg.first:
		t.seg.proven = max(headerSize, proven.offset)
	}
	j.tailDamage(t, committed)
	if t.seg.proven < t.seg.end {
		return j.secure(t)
	}
	return nil
}

// tailDamage reports what is wrong with the newest segment of a chain.
func (j *Journal) tailDamage(t *tail, committed uint64) {
	s, name := &t.scan, t.seg.name()
	if !s.headOK {
		j.damaged(Damage{File: name, Octets: headerSize, Reason: "header damaged"})
	}
	for _, h := range s.holes {
		if h.from < t.seg.proven {
			j.damaged(Damage{File: name, Offset: h.from, Octets: h.to - h.from, After: h.after, Before: h.before, Reason: "records damaged"})
		}
	}
	switch {
	case t.seg.proven > s.end:
		j.damaged(Damage{File: name, Offset: s.end, Octets: t.seg.proven - s.end, After: t.last, Before: committed + 1, Reason: "end of segment missing"})
		if t.chain != dictionary {
			j.chains[t.chain].last = max(t.last, committed)
		}
	case s.dirty:
		j.torn(Damage{File: name, Offset: s.end, Octets: int64(len(t.octets)) - s.end, Reason: "unfinished group"})
	}
}

// dropEmpty removes a segment without records at the end of a chain. Unless it
// held some once, it is what is left of a group that was not acknowledged.
func (j *Journal) dropEmpty(chain int, first uint64, proven end, committed uint64) error {
	name := segmentName(chain, first)
	if proven.segment >= first {
		j.damaged(Damage{File: name, After: first - 1, Before: committed + 1, Reason: "all records lost"})
		return j.fs.Rename(name, name+badSuffix)
	}
	j.torn(Damage{File: name, Reason: "unfinished segment"})
	return j.fs.Remove(name)
}

// badSuffix is added to the name of a segment that nothing can be read from.
const badSuffix = ".bad"

// secure makes a copy of a segment that ends with records of which it is not
// known whether they were synced: after a kill they may be in the caches of
// the system only, and after a failed sync the system may take them for
// written. Without room for a copy the segment is synced as it is.
func (j *Journal) secure(t *tail) error {
	keep := t.octets[:t.seg.proven]
	from := t.seg.proven
	out := append(make([]byte, 0, t.scan.end), keep...)
	for _, h := range t.scan.holes {
		if h.from < t.seg.proven {
			continue
		}
		j.torn(Damage{File: t.seg.name(), Offset: h.from, Octets: h.to - h.from, After: h.after, Before: h.before, Reason: "unfinished group"})
		out = append(out, t.octets[from:h.from]...)
		from = h.to
	}
	out = append(out, t.octets[from:t.scan.end]...)
	err := j.rewrite(t.seg.name(), out)
	switch {
	case err == nil:
		t.seg.end = int64(len(out))
	case noRoom(err):
		if err := j.syncOnly(t.seg.name()); err != nil {
			return err
		}
	default:
		return err
	}
	t.seg.proven = t.seg.end
	return nil
}

func (j *Journal) rewrite(name string, content []byte) error {
	f, err := j.fs.Create(name + tempSuffix)
	if err != nil {
		return err
	}
	if _, err = f.WriteAt(content, 0); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, j.fs.Remove(name+tempSuffix))
	}
	if err := j.fs.Rename(name+tempSuffix, name); err != nil {
		return err
	}
	return j.fs.SyncDir()
}

func (j *Journal) syncOnly(name string) error {
	f, err := j.fs.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
