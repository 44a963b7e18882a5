package journal

import (
	"math"
	"slices"
)

// A group is in several files, and one of them may be on disk where another one is
// not. Only the newest group can be so: the next one is not written before
// it was synced. So what Open keeps of a chain ends where the chain is known to be
// durable or, if the newest group is there in every chain, where that ends.

// evidence is what the files say of how far the chains go.
type evidence struct {
	proven ends // every chain was durable at least so far
	// before and after are where the newest group begins and ends of which there
	// is a mark.
	before, after ends
}

// add takes up what the newest segments of a chain say.
func (e *evidence) add(t *tail) {
	e.before.raise(&t.before)
	e.after.raise(&t.after)
	if e.proven[t.chain].less(t.linked) {
		e.proven[t.chain] = t.linked
	}
}

// weigh draws the conclusions: a chain is proven to the end of a group only
// when the group was synced in all of them.
func (e *evidence) weigh() {
	e.proven.raise(&e.before)
	for i := range e.after {
		if e.before[i].less(e.after[i]) && !e.proven[i].less(e.after[i]) {
			e.proven.raise(&e.after)
			return
		}
	}
}

// keepTo returns how far each chain is kept.
func (j *Journal) keepTo(e *evidence, tails *[chains]tail) (ends, error) {
	for i := range tails {
		if there, err := j.reaches(&tails[i], e.proven[i], e.after[i]); !there || err != nil {
			return e.proven, err
		}
	}
	keep := e.proven
	keep.raise(&e.after)
	return keep, nil
}

// reaches says whether there are only frames in a chain between two places.
func (j *Journal) reaches(t *tail, from, to end) (bool, error) {
	if !from.less(to) {
		return true, nil
	}
	b := t.octets
	if t.first != to.segment {
		if !slices.Contains(t.older, to.segment) {
			return false, nil
		}
		var err error
		if b, err = j.readAll(segmentName(t.chain, to.segment)); err != nil {
			return false, err
		}
	}
	if to.offset > int64(len(b)) {
		return false, nil
	}
	off, last := int64(headerSize), uint64(0)
	if from.segment == to.segment {
		off = max(off, from.offset)
	}
	for off < to.offset {
		f, v := parse(b[off:to.offset], t.chain, last, math.MaxUint64)
		if v != whole {
			return false, nil
		}
		if off += int64(f.size()); f.kind == kindRecord {
			last = f.seq
		}
	}
	return true, nil
}

// cut takes what lies beyond a place out of a chain: what there is of a group
// that is not there wholly.
func (j *Journal) cut(t *tail, keep end) error {
	for t.first > 0 {
		name, removed := segmentName(t.chain, t.first), t.removed
		switch {
		case t.first > keep.segment:
			j.torn(Damage{File: name, Reason: "unfinished group"})
			if err := j.fs.Remove(name); err != nil {
				return err
			}
		case t.first == keep.segment && dirty(t.octets, keep.offset):
			j.torn(Damage{File: name, Offset: keep.offset, Octets: int64(len(t.octets)) - keep.offset, Reason: "unfinished group"})
			t.shorten(keep.offset)
			if t.scan.records > 0 {
				return nil
			}
			removed = append([]uint64{t.first}, removed...)
		default:
			return nil
		}
		older, err := j.readTail(t.chain, t.older)
		if err != nil {
			return err
		}
		older.removed = append(older.removed, removed...)
		*t = older
	}
	return nil
}
