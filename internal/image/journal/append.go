package journal

import (
	"fmt"
	"time"
)

// group is what is committed together: batches and definitions.
type group struct {
	// frames are what to write into each chain; the first markSize octets are
	// left for the mark. Empty: nothing.
	frames      [chains][]byte
	first, last [chains]uint64
	seq         uint64 // newest, 0 if there are no records
	records     uint64
	octets      int64
	callbacks   []func(error)
	since       time.Time // when the first of it was appended
	refused     error     // not nil: it follows a group for which there was no room
}

func (g *group) empty() bool { return !g.needsAnswer() && len(g.frames[dictionary]) == 0 }

// needsAnswer says whether there is more than definitions in the group.
func (g *group) needsAnswer() bool { return len(g.callbacks) > 0 || g.records > 0 }

// add adds a record to a chain.
func (g *group) add(chain int, seq uint64, payload []byte) {
	b := g.frames[chain]
	if len(b) == 0 {
		b = append(b, make([]byte, markSize)...)
		g.first[chain] = seq
		g.octets += markSize
	}
	g.frames[chain] = appendFrame(b, chain, kindRecord, seq, payload)
	g.last[chain] = seq
	g.octets += int64(frameHeader + len(payload))
}

func (g *group) reset() {
	for i := range g.frames {
		g.frames[i] = g.frames[i][:0]
	}
	clear(g.callbacks)
	g.callbacks = g.callbacks[:0]
	g.seq, g.records, g.octets = 0, 0, 0
	g.since, g.refused = time.Time{}, nil
}

// Append adds a batch to the journal, of any classes, in the order of their
// sequence numbers. It copies the records and never waits for the disk.
//
// When it returns nil, committed, if not nil, is called exactly once: with nil
// when every record of the batch is durable, with the reason when that is not
// certain. Calls are made one at a time, in the order of Append, from a goroutine of the journal;
// they must not block. An empty batch is committed with what was appended and
// defined before it, and is taken also when the journal is full.
//
// When it returns an error nothing was taken and committed is not called:
// ErrFull, ErrBusy, ErrFailed and ErrClosed as Status says, ErrInvalid if the
// sequence numbers do not ascend, a class is unknown or a payload too long.
func (j *Journal) Append(batch []Record, committed func(error)) error {
	j.mu.Lock()
	err := j.take(batch, committed)
	j.mu.Unlock()
	if err == nil {
		signal(j.work)
	}
	return err
}

// take is Append with Journal.mu held.
func (j *Journal) take(batch []Record, committed func(error)) error {
	if j.state != Accepting && (len(batch) > 0 || j.state != Full) {
		return j.cause
	}
	size, last := int64(chains*markSize), j.last
	for i := range batch {
		r := &batch[i]
		if r.Seq <= last || r.Class > Quiet || len(r.Payload) > MaxRecord {
			return fmt.Errorf("%w: record %d of class %d with %d octets after record %d", ErrInvalid, r.Seq, r.Class, len(r.Payload), last)
		}
		last = r.Seq
		size += int64(frameHeader + len(r.Payload))
	}
	if len(batch) > 0 {
		if err := j.fits(size); err != nil {
			return err
		}
	}
	g := j.group
	octets := g.octets
	if g.since.IsZero() {
		g.since = time.Now()
	}
	for i := range batch {
		r := &batch[i]
		g.add(int(r.Class), r.Seq, r.Payload)
	}
	if len(batch) > 0 {
		g.seq, j.last = last, last
		g.records += uint64(len(batch))
		j.queued += uint64(len(batch))
	}
	if committed != nil {
		g.callbacks = append(g.callbacks, committed)
	}
	j.pending += g.octets - octets
	return nil
}

// Admit says whether a batch of so many records with so many octets of payload
// in all would be taken now. What Append may still refuse shortly after is
// what has happened in between: no room on the disk, a failure, the end.
func (j *Journal) Admit(records int, octets int64) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.state != Accepting {
		return j.cause
	}
	// Until Append both groups may be written, and begin segments.
	return j.fits(octets + int64(records)*frameHeader + chains*(markSize+2*headerSize))
}

// fits says whether so many octets more are within the bounds.
func (j *Journal) fits(size int64) error {
	if j.used+j.pending+size > j.opts.Limit {
		err := fmt.Errorf("%w: %d of %d octets used", ErrFull, j.used+j.pending, j.opts.Limit)
		if j.used+j.pending > j.resume() { // else a smaller batch fits
			j.setState(Full, err)
		}
		return err
	}
	if j.pending > 0 && j.pending+size > j.opts.Pending {
		return ErrBusy
	}
	return nil
}

// Define adds a definition: what the caller needs to understand records, such
// as the name behind a number. It copies the payload and does not wait for the
// disk. A record that is appended after it is committed only when it is durable. What a
// later definition of the same id means is up to the caller.
//
// It is taken also when the journal is full, so that nothing refers to what is
// not there. It fails with ErrFailed, ErrClosed, and ErrInvalid if the payload
// is longer than MaxRecord less 4 octets.
func (j *Journal) Define(id uint32, payload []byte) error {
	if len(payload) > MaxRecord-4 {
		return fmt.Errorf("%w: definition %d has %d octets", ErrInvalid, id, len(payload))
	}
	b := make([]byte, 0, 4+len(payload))
	b = append(b, byte(id), byte(id>>8), byte(id>>16), byte(id>>24))
	b = append(b, payload...)
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.state == Failed || j.state == Closed {
		return j.cause
	}
	j.defined++
	octets := j.group.octets
	j.group.add(dictionary, j.defined, b)
	j.pending += j.group.octets - octets
	signal(j.work)
	return nil
}

// signal wakes the goroutine that waits for c.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
