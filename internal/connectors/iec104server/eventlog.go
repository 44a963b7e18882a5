package iec104server

import "math"

// eventLog holds the events of a server that some buffer still needs, numbered as
// the changes in the change log that brought them: several events, of different targets, may have
// the same number. For each class there is a chain of all events
// and, of targets with `keep: latest`, the newest. It has no lock: see station.
type eventLog struct {
	next   uint64 // the next event has this number or a higher one
	chains [classes]chain
	newest newest
	holds  [classes]uint8 // bit n: events of the class may come from points of class n
}

// none is the number of an event that there is not.
const none = math.MaxUint64

// events returns how many events are kept.
func (l *eventLog) events() uint64 {
	n := uint64(l.newest.linked)
	for c := range l.chains {
		n += l.chains[c].next - l.chains[c].first
	}
	return n
}

// size returns the memory of the log in octets.
func (l *eventLog) size() int {
	n := len(l.newest.slots) * (eventSize + 8)
	for c := range l.chains {
		n += len(l.chains[c].chunks) * chunkSize * eventSize
	}
	return n
}

// chunkSize is the number of events in a chunk.
const chunkSize = 2048

type chunk [chunkSize]event

// chain is the events of one class. An event has a position, counted from 0 and
// never given twice. What every buffer has let go is forgotten chunk by chunk.
type chain struct {
	chunks []*chunk // from the one that holds first
	first  uint64   // position of the first event of chunks[0], a multiple of chunkSize
	next   uint64   // position of the next event
	spare  *chunk   // one that was given back, so that steady traffic allocates nothing
}

// append adds an event at position next.
func (l *chain) append(e event) {
	at := l.next - l.first
	if at/chunkSize == uint64(len(l.chunks)) {
		l.grow()
	}
	l.chunks[at/chunkSize][at%chunkSize] = e
	l.next++
}

func (l *chain) grow() {
	c := l.spare
	if c == nil {
		c = new(chunk)
	}
	l.spare = nil
	l.chunks = append(l.chunks, c)
}

// at returns the event at a position from first to next−1.
func (l *chain) at(position uint64) *event {
	at := position - l.first
	return &l.chunks[at/chunkSize][at%chunkSize]
}

// trim forgets the chunks that lie wholly before a position, which is at most next.
func (l *chain) trim(position uint64) {
	if position <= l.first {
		return
	}
	n := min((position-l.first)/chunkSize, uint64(len(l.chunks)))
	if n == 0 {
		return
	}
	l.spare = l.chunks[0]
	kept := copy(l.chunks, l.chunks[n:])
	clear(l.chunks[kept:])
	l.chunks = l.chunks[:kept]
	l.first += n * chunkSize
}
