package journal

import (
	"fmt"
	"maps"
)

// Lost is the name of the cursor that Open sets when all others were lost: before
// the oldest record of each class, so that nothing is removed that somebody may need.
// Who has found out where its consumers go on drops it.
const Lost = "?"

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
// there, also if one of the state files is lost. It must not be changed.
func (j *Journal) Saved() map[string]Position {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.durable
}
