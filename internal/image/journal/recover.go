package journal

import (
	"errors"
	"io"
	"slices"
)

// tail is the newest segment of a chain that holds a record, as Open finds it.
type tail struct {
	chain   int
	older   []uint64 // segments before it, ascending
	first   uint64   // its first sequence number; 0: no segment holds a record
	octets  []byte   // of it
	scan    scan
	removed []uint64 // newer segments, that hold no record, ascending
	cut     bool     // there is more in the file than in octets

	// What these segments say: marks as in scan, and headers of what was durable
	// when their segments were begun.
	before, after ends
	linked        end
}

// readTail reads the newest of the given segments of a chain up to one that holds a
// record.
func (j *Journal) readTail(chain int, firsts []uint64) (tail, error) {
	t := tail{chain: chain}
	for n := len(firsts) - 1; n >= 0 && t.first == 0; n-- {
		b, err := j.readAll(segmentName(chain, firsts[n]))
		if err != nil {
			return t, err
		}
		s := scanSegment(b, chain, firsts[n])
		t.before.raise(&s.before)
		t.after.raise(&s.after)
		if link := (end{s.head.prev, s.head.proven}); s.headOK && link.segment > 0 && t.linked.less(link) {
			t.linked = link
		}
		if t.octets, t.scan, t.older = b, s, firsts[:n]; s.records > 0 {
			t.first = firsts[n]
		} else {
			t.removed = append(t.removed, firsts[n])
		}
	}
	slices.Reverse(t.removed)
	return t, nil
}

// shorten forgets what lies beyond an offset.
func (t *tail) shorten(size int64) {
	t.octets = t.octets[:max(size, headerSize)]
	t.scan = scanSegment(t.octets, t.chain, t.first)
	t.cut = true
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

// openTail takes the segments of a chain: proven says how far the chain was
// durable, committed which records were.
func (j *Journal) openTail(t *tail, proven end, committed uint64) error {
	c := &j.chains[t.chain]
	c.last = t.last()
	for _, first := range t.removed {
		if err := j.dropEmpty(t.chain, first, proven, committed); err != nil {
			return err
		}
	}
	if proven.segment > t.first {
		c.last = max(c.last, proven.segment)
		if !slices.Contains(t.removed, proven.segment) {
			j.damaged(Damage{File: segmentName(t.chain, proven.segment), After: t.last(), Before: committed + 1, Reason: "segment missing"})
		}
	}
	if t.first == 0 {
		return nil
	}
	s := &t.scan
	if err := j.openSealed(t.chain, t.older, s.head, s.headOK); err != nil {
		return err
	}
	seg := &segment{chain: t.chain, first: t.first, before: t.first - 1, end: s.end, proven: headerSize}
	if s.headOK {
		seg.before = s.head.last
	}
	c.segs = append(c.segs, seg)
	switch {
	case proven.segment > t.first:
		seg.proven = seg.end
	case proven.segment == t.first:
		seg.proven = max(headerSize, proven.offset)
	}
	j.tailDamage(t, seg, committed)
	switch {
	case seg.proven < seg.end:
		return j.secure(t, seg)
	case t.cut:
		return j.fs.Shorten(seg.name(), int64(len(t.octets)))
	default:
		return nil
	}
}

// last returns the sequence number of the last record, 0 if there is none.
func (t *tail) last() uint64 {
	if t.first == 0 {
		return 0
	}
	return t.scan.last
}

// tailDamage reports what is wrong with the newest segment of a chain.
func (j *Journal) tailDamage(t *tail, seg *segment, committed uint64) {
	s, name := &t.scan, seg.name()
	if !s.headOK {
		j.damaged(Damage{File: name, Octets: headerSize, Reason: "header damaged"})
	}
	for _, h := range s.holes {
		j.damaged(Damage{File: name, Offset: h.from, Octets: h.to - h.from, After: h.after, Before: h.before, Reason: "records damaged"})
	}
	upTo := seg.proven
	if s.dirty {
		upTo = max(upTo, int64(len(t.octets)))
	}
	if upTo > s.end {
		j.damaged(Damage{File: name, Offset: s.end, Octets: upTo - s.end, After: s.last, Before: committed + 1, Reason: "end of segment missing"})
		if t.chain != dictionary {
			j.chains[t.chain].last = max(s.last, committed)
		}
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

// secure makes a copy of a segment that ends with a group of which it is not
// known whether it was synced: after a kill it may be in the caches of
// the system only, and after a failed sync the system may take it for
// written. Without room for a copy the segment is synced as it is.
func (j *Journal) secure(t *tail, seg *segment) error {
	err := j.rewrite(seg.name(), t.octets[:seg.end])
	if noRoom(err) {
		err = j.fs.Shorten(seg.name(), seg.end)
	}
	if err != nil {
		return err
	}
	seg.proven = seg.end
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
