package journal

import (
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"
)

// commitLoop commits groups, at once while there are any: what is appended
// during a sync is the next group.
func (j *Journal) commitLoop() {
	defer close(j.workers[0])
	for {
		select {
		case <-j.work:
			j.commitAll()
		case <-j.stopWork:
			j.commitAll()
			return
		}
	}
}

func (j *Journal) commitAll() {
	for g := j.nextGroup(); g != nil; g = j.nextGroup() {
		if j.unnamed.Load() {
			j.save()
		}
		err := j.commit(g)
		j.finish(g, err)
	}
}

// nextGroup takes the group that was built, nil if there is none to write.
func (j *Journal) nextGroup() *group {
	j.mu.Lock()
	defer j.mu.Unlock()
	g := j.group
	if g.empty() || j.waiting(g) {
		return nil
	}
	j.group, j.spare, j.writing = j.spare, nil, g
	if j.group == nil {
		j.group = new(group)
	}
	return g
}

// waiting says whether a group has only definitions, which wait for room.
func (j *Journal) waiting(g *group) bool {
	return j.state == NoSpace && !g.needsAnswer()
}

// commit makes a group durable: first the definitions, then the records.
func (j *Journal) commit(g *group) error {
	if j.broken != nil {
		return j.broken
	}
	if g.refused != nil {
		return g.refused
	}
	if err := j.store(g, dictionary, chains); err != nil {
		return err
	}
	g.frames[dictionary] = nil // they come all at once, with a plant, and hardly ever after
	return j.store(g, 0, dictionary)
}

// store writes and syncs the frames of a group for the chains from … to−1. To
// recovery this is a group of its own: there wholly, or not at all.
func (j *Journal) store(g *group, from, to int) error {
	if err := j.writeAll(g, from, to); err != nil {
		return j.refuse(g, from, to, err)
	}
	if err := j.sync(g, from, to); err != nil {
		return j.fail(err)
	}
	return j.settleAll(g, from, to)
}

// writeAll writes the frames of a group, once it is known where they end in
// each chain.
func (j *Journal) writeAll(g *group, from, to int) error {
	after := j.ends
	for i := from; i < to; i++ {
		if len(g.frames[i]) == 0 {
			continue
		}
		var err error
		if after[i], err = j.place(i, g); err != nil {
			return err
		}
	}
	for i := from; i < to; i++ {
		if len(g.frames[i]) == 0 {
			continue
		}
		if err := j.write(i, g, &after); err != nil {
			return err
		}
	}
	return nil
}

// sync syncs the chains that a group was written into, at the same time: most
// file systems do that together. The directory comes last, if there is a new file in it.
func (j *Journal) sync(g *group, from, to int) error {
	var (
		wg   sync.WaitGroup
		errs [chains]error
		last = -1
		dir  = false
	)
	for i := from; i < to; i++ {
		if len(g.frames[i]) == 0 {
			continue
		}
		if last >= 0 {
			other := last
			wg.Go(func() { errs[other] = j.chains[other].writing().file.Sync() })
		}
		last = i
		dir = dir || j.chains[i].next != nil
	}
	if last < 0 {
		return nil
	}
	errs[last] = j.chains[last].writing().file.Sync()
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	if dir {
		return j.fs.SyncDir()
	}
	return nil
}

func (j *Journal) settleAll(g *group, from, to int) error {
	var done [chains]*writer
	j.mu.Lock()
	for i := from; i < to; i++ {
		if len(g.frames[i]) > 0 {
			done[i] = j.settle(i, g)
		}
	}
	if from == 0 && g.seq > 0 {
		j.committed.Store(g.seq)
	}
	j.mu.Unlock()
	for _, w := range done {
		if w == nil {
			continue
		}
		if err := j.seal(w); err != nil {
			j.log.Warn("journal segment not closed", "file", w.seg.name(), "error", err)
		}
	}
	return nil
}

// refuse takes back a group for which there was no room, for certain: after a
// power cut its marks must not speak against a group that was accepted later.
// If that fails, or the reason is another one, the journal has failed.
func (j *Journal) refuse(g *group, from, to int, err error) error {
	if !noRoom(err) {
		return j.fail(err)
	}
	for i := from; i < to; i++ {
		if len(g.frames[i]) == 0 {
			continue
		}
		if undoErr := j.undo(i); undoErr != nil {
			return j.fail(errors.Join(err, undoErr))
		}
	}
	if syncErr := j.fs.SyncDir(); syncErr != nil {
		return j.fail(errors.Join(err, syncErr))
	}
	return fmt.Errorf("%w: %w", ErrFull, err)
}

// fail stops writing for good. What a failed sync leaves in the caches of the
// system is not what is on the disk, so neither a second sync nor reading it
// back would tell the truth.
func (j *Journal) fail(err error) error {
	j.broken = fmt.Errorf("%w: %w", ErrFailed, err)
	return j.broken
}

// noRoom says whether err goes away when somebody makes room.
func noRoom(err error) bool {
	for _, e := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// finish tells what became of a group.
func (j *Journal) finish(g *group, err error) {
	j.mu.Lock()
	j.writing = nil
	j.pending -= g.octets
	j.queued -= g.records
	refused := false
	switch {
	case err == nil:
		j.groups++
		j.records += g.records
		j.dirty(provenDelay)
		j.checkRoom()
	case errors.Is(err, ErrFailed):
		j.setState(Failed, err)
	default:
		j.carry(g)
		j.setState(NoSpace, err)
		if j.group.needsAnswer() { // what came later must not be kept where this is not
			j.group.refused = err
		}
		refused = true
	}
	upTo := max(j.settled.Load(), g.seq)
	if refused {
		upTo = j.last
	}
	j.settled.Store(upTo)
	j.mu.Unlock()
	if j.opts.Settled != nil {
		j.opts.Settled(upTo, err)
	}
	for _, committed := range g.callbacks {
		committed(err)
	}
	g.reset()
	j.mu.Lock()
	defer j.mu.Unlock()
	j.spare = g
	if refused {
		j.probeAt = time.Now().Add(probeInterval)
		signal(j.keep)
	}
}

// carry keeps definitions that were not stored for the next group.
func (j *Journal) carry(g *group) {
	old, next := g.frames[dictionary], j.group
	if len(old) == 0 {
		return
	}
	j.pending += int64(len(old))
	next.octets += int64(len(old))
	if b := next.frames[dictionary]; len(b) > 0 {
		old = append(old, b[markSize:]...)
		j.pending -= markSize
		next.octets -= markSize
	} else {
		next.last[dictionary] = g.last[dictionary]
	}
	next.frames[dictionary] = append(next.frames[dictionary][:0], old...)
	next.first[dictionary] = g.first[dictionary]
}
