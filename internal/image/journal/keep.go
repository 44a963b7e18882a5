package journal

import (
	"errors"
	"maps"
	"time"
)

const (
	// cursorDelay is how long a cursor waits to be saved with others. Half of
	// what is promised is left for the disk.
	cursorDelay = 50 * time.Millisecond
	// provenDelay is how long after a commit the state file says so. It only
	// helps to tell a torn group from a damaged one.
	provenDelay   = time.Second
	probeInterval = time.Second
)

// keepLoop saves cursors and looks for room.
func (j *Journal) keepLoop() {
	defer close(j.workers[1])
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		timer.Reset(j.keepDue())
		select {
		case <-timer.C:
			j.keepUp(time.Now())
		case <-j.keep:
		case <-j.stopKeep:
			j.unnamed.Store(true) // both are to say the same
			j.save()
			return
		}
	}
}

// keepDue returns how long there is nothing to do.
func (j *Journal) keepDue() time.Duration {
	j.mu.Lock()
	defer j.mu.Unlock()
	d := time.Hour
	for _, at := range []time.Time{j.saveAt, j.probeAt} {
		if !at.IsZero() {
			d = min(d, time.Until(at))
		}
	}
	return max(d, 0)
}

func (j *Journal) keepUp(now time.Time) {
	j.mu.Lock()
	save := !j.saveAt.IsZero() && !j.saveAt.After(now)
	probe := !j.probeAt.IsZero() && !j.probeAt.After(now)
	j.mu.Unlock()
	if save {
		j.save()
	}
	if probe {
		j.probe()
	}
}

// save writes the state if it differs from what was saved.
func (j *Journal) save() {
	j.saving <- struct{}{}
	defer func() { <-j.saving }()
	j.mu.Lock()
	named := j.unnamed.Swap(false)
	b, ahead := j.encodeState()
	cursors := maps.Clone(j.cursors)
	for name, pos := range cursors {
		for c := range pos {
			pos[c] = min(pos[c], j.committed.Load())
		}
		cursors[name] = pos
	}
	j.saveAt = time.Time{}
	if ahead {
		j.dirty(cursorDelay)
	}
	failed := j.saveErr != nil
	j.mu.Unlock()
	err := j.saveCopies(state{content: b, cursors: cursors}, named)
	if err != nil && !failed {
		j.log.Warn("cursors not saved, will try again", "error", err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.saveErr = err
	if err != nil {
		j.unnamed.Store(true)
		j.durable = j.inEither()
		j.dirty(probeInterval)
		return
	}
	j.durable = j.inEither()
	if !maps.Equal(j.copies[0].cursors, j.copies[1].cursors) {
		j.dirty(cursorDelay)
	}
}

const (
	probeFile = "probe" + tempSuffix
	probeSize = 1 << 20
)

// probe accepts again if there is room on the disk.
func (j *Journal) probe() {
	err := j.tryRoom()
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case j.state != NoSpace:
		j.probeAt = time.Time{}
	case err != nil:
		j.probeAt = time.Now().Add(probeInterval)
	default:
		j.probeAt = time.Time{}
		j.setState(Accepting, nil)
		signal(j.work) // definitions may wait
	}
}

// tryRoom writes as much as the next segment is likely to need.
func (j *Journal) tryRoom() error {
	if err := j.remove(probeFile); err != nil {
		return err
	}
	f, err := j.fs.Create(probeFile)
	if err != nil {
		return err
	}
	if j.opts.Preallocate {
		err = f.Allocate(j.opts.Segment)
	}
	if err == nil {
		_, err = f.WriteAt(make([]byte, min(probeSize, j.opts.Segment)), 0)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close(), j.fs.Remove(probeFile))
}
