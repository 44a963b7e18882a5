package journal

import (
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"slices"

	"busbar/internal/point"
)

// MaxName is the longest name of a cursor in octets.
const MaxName = 255

// SaveCursor sets the named cursor: everything up to pos is done with. It does
// not wait: the cursor is on disk within 100 ms, and then never ahead of what
// is committed. A cursor that is ahead is saved as far as that goes, and the
// rest when it is committed. One that is new is on disk before anything that is
// appended after it is committed: otherwise a crash would leave records that nobody
// is known to need.
func (j *Journal) SaveCursor(name string, pos Position) error {
	if name == "" || len(name) > MaxName {
		return fmt.Errorf("%w: name of a cursor with %d octets", ErrInvalid, len(name))
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.state == Closed {
		return ErrClosed
	}
	was, ok := j.cursors[name]
	if ok && was == pos {
		return nil
	}
	if _, saved := j.durable[name]; !saved {
		j.unnamed.Store(true)
	}
	j.cursors[name] = pos
	j.dirty(cursorDelay)
	return nil
}

// DropCursor removes the named cursor, within 100 ms from the disk too.
func (j *Journal) DropCursor(name string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if _, ok := j.cursors[name]; ok {
		delete(j.cursors, name)
		j.dirty(cursorDelay)
	}
}

// Cursors returns all cursors as they were last set, after Open as they were
// saved.
func (j *Journal) Cursors() map[string]Position {
	j.mu.Lock()
	defer j.mu.Unlock()
	return maps.Clone(j.cursors)
}

// Saved returns all cursors as they are on disk: after a crash they are at least
// there. It must not be changed.
func (j *Journal) Saved() map[string]Position {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.durable
}

// The state file holds the cursors and what proves which records were durable:
//
//	0   magic
//	8   committed sequence number
//	16  for each chain: first sequence number of the newest segment, offset
//	..  number of cursors, 4 octets
//	..  per cursor: length of the name, 1 octet; name; position
const (
	stateFile  = "state"
	stateMagic = "BUSBARS1"
	stateHead  = 16 + endsSize + 4
)

// encodeState returns the contents of the state file; mu is held. ahead says
// that a cursor was not saved in full.
func (j *Journal) encodeState() (b []byte, ahead bool) {
	committed := j.committed.Load()
	b = make([]byte, stateHead, stateHead+64*len(j.cursors))
	copy(b, stateMagic)
	binary.LittleEndian.PutUint64(b[8:], committed)
	proven := j.proven()
	proven.put(b[16:])
	binary.LittleEndian.PutUint32(b[stateHead-4:], uint32(len(j.cursors)))
	for _, name := range slices.Sorted(maps.Keys(j.cursors)) {
		b = append(b, byte(len(name)))
		b = append(b, name...)
		for _, seq := range j.cursors[name] {
			ahead = ahead || seq > committed
			b = binary.LittleEndian.AppendUint64(b, min(seq, committed))
		}
	}
	return b, ahead
}

// proven returns how far each chain is durable; mu is held.
func (j *Journal) proven() (e ends) {
	for i := range j.chains {
		if s := j.chains[i].newest(); s != nil {
			e[i] = end{s.first, s.proven}
		}
	}
	return e
}

// parseState reads what encodeState wrote.
func parseState(b []byte) (committed uint64, e ends, cursors map[string]Position, err error) {
	cursors = make(map[string]Position)
	if len(b) < stateHead || string(b[:8]) != stateMagic {
		return 0, e, nil, fmt.Errorf("%w: state file", ErrInvalid)
	}
	committed = binary.LittleEndian.Uint64(b[8:])
	e = getEnds(b[16:])
	n := binary.LittleEndian.Uint32(b[stateHead-4:])
	for b = b[stateHead:]; n > 0; n-- {
		if len(b) < 1 || len(b) < 1+int(b[0])+8*point.Classes {
			return 0, e, nil, fmt.Errorf("%w: state file: %w", ErrInvalid, io.ErrUnexpectedEOF)
		}
		name := string(b[1 : 1+int(b[0])])
		b = b[1+int(b[0]):]
		var pos Position
		for i := range pos {
			pos[i] = binary.LittleEndian.Uint64(b[8*i:])
		}
		cursors[name] = pos
		b = b[8*point.Classes:]
	}
	return committed, e, cursors, nil
}
