package image

import "busbar/internal/point"

// maxLogText bounds the texts that the change log holds, in octets; beyond it
// the oldest changes go early.
const maxLogText = 16 << 20

// entry is a change in the change log, without its sequence number.
type entry struct {
	point.Update
	events uint64
}

// changes is the change log: a ring of the newest changes, found by their
// sequence number.
type changes struct {
	ring  []entry // a power of two long
	first uint64  // sequence number of the oldest change that is held
	next  uint64  // sequence number of the next change
	text  int     // octets of text in the ring
}

func newChanges(size int, next uint64) changes {
	return changes{ring: make([]entry, size), first: next, next: next}
}

func (l *changes) at(seq uint64) *entry {
	return &l.ring[seq&uint64(len(l.ring)-1)]
}

// append adds a change and returns its sequence number.
func (l *changes) append(u point.Update, events uint64) uint64 {
	if l.next-l.first == uint64(len(l.ring)) {
		l.drop()
	}
	seq := l.next
	*l.at(seq) = entry{u, events}
	l.next++
	if u.Value.Type() == point.Text {
		for l.text += len(u.Value.Text()); l.text > maxLogText && l.first < seq; {
			l.drop()
		}
	}
	return seq
}

// drop forgets the oldest change.
func (l *changes) drop() {
	u := l.at(l.first)
	if u.Value.Type() == point.Text {
		l.text -= len(u.Value.Text())
		u.Value = point.Value{}
	}
	l.first++
}
