package iec104server

// chunkSize is the number of events in a chunk of the log.
const chunkSize = 2048

type chunk [chunkSize]sample

// eventLog is the queue of events that all connections of a server share. An
// event has a position, counted from 0 and never given twice; each connection
// reads with a cursor of its own. What every connection has read is forgotten
// chunk by chunk. It has no lock: see station.
type eventLog struct {
	chunks []*chunk // from the one that holds first
	first  uint64   // position of the first event of chunks[0], a multiple of chunkSize
	next   uint64   // position of the next event
	spare  *chunk   // one that was given back, so that steady traffic allocates nothing
}

// append adds an event at position next.
func (l *eventLog) append(s sample) {
	at := l.next - l.first
	if at/chunkSize == uint64(len(l.chunks)) {
		l.grow()
	}
	l.chunks[at/chunkSize][at%chunkSize] = s
	l.next++
}

func (l *eventLog) grow() {
	c := l.spare
	if c == nil {
		c = new(chunk)
	}
	l.spare = nil
	l.chunks = append(l.chunks, c)
}

// at returns the event at a position from first to next−1.
func (l *eventLog) at(position uint64) *sample {
	at := position - l.first
	return &l.chunks[at/chunkSize][at%chunkSize]
}

// trim forgets the chunks that lie wholly before a position, which is at most next.
func (l *eventLog) trim(position uint64) {
	n := min((position-l.first)/chunkSize, uint64(len(l.chunks)))
	if position <= l.first || n == 0 {
		return
	}
	l.spare = l.chunks[0]
	kept := copy(l.chunks, l.chunks[n:])
	clear(l.chunks[kept:])
	l.chunks = l.chunks[:kept]
	l.first += n * chunkSize
}

// size returns the memory of the log in octets.
func (l *eventLog) size() int { return len(l.chunks) * chunkSize * sampleSize }
