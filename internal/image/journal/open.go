package journal

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

const lockFile = "lock"

// Open opens the journal in a directory, which may be empty, and locks it.
//
// What is there afterwards: every record of every batch whose committed was
// called with nil, in order, except what the hardware has damaged; that is in
// Recovery. What was not yet acknowledged is there or not by whole groups: none of
// it, or the first of them. So what is there is a beginning of what was appended.
func Open(fs FS, opts Options) (*Journal, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	lock, err := fs.Lock(lockFile)
	if err != nil {
		return nil, fmt.Errorf("journal: lock: %w", err)
	}
	j := newJournal(fs, opts)
	j.lock = lock
	if err := j.recover(); err != nil {
		return nil, errors.Join(fmt.Errorf("journal: open: %w", err), lock.Close())
	}
	go j.commitLoop()
	go j.keepLoop()
	return j, nil
}

func newJournal(fs FS, opts Options) *Journal {
	return &Journal{
		fs: fs, opts: opts, log: opts.Log,
		group:   new(group),
		spare:   new(group),
		cursors: make(map[string]Position),
		work:    make(chan struct{}, 1), keep: make(chan struct{}, 1),
		saving:   make(chan struct{}, 1),
		stopWork: make(chan struct{}), stopKeep: make(chan struct{}),
		workers: [2]chan struct{}{make(chan struct{}), make(chan struct{})},
	}
}

// recover reads what there is and makes durable what may not be.
func (j *Journal) recover() error {
	names, err := j.fs.List()
	if err != nil {
		return err
	}
	var firsts [chains][]uint64
	for _, name := range names {
		if chain, first, ok := parseSegmentName(name); ok {
			firsts[chain] = append(firsts[chain], first)
		} else if seq, ok := parseCheckpointName(name); ok {
			j.checkpoints = append(j.checkpoints, seq)
		} else if strings.HasSuffix(name, tempSuffix) {
			if err := j.fs.Remove(name); err != nil {
				return err
			}
		}
	}
	slices.Sort(j.checkpoints)
	used := len(j.checkpoints) > 0
	for i := range firsts {
		used = used || len(firsts[i]) > 0
	}
	s, lost, err := j.loadState(used)
	if err != nil {
		return err
	}
	committed, e := s.committed, evidence{proven: s.proven}
	tails, keep, err := j.readTails(&e, &firsts)
	if err != nil {
		return err
	}
	for _, seq := range j.checkpoints {
		committed = max(committed, seq)
	}
	for i := range tails {
		if i < dictionary {
			committed = max(committed, tails[i].last())
		}
	}
	for i := range tails {
		if err := j.openTail(&tails[i], e.proven[i], committed); err != nil {
			return err
		}
	}
	// What was removed must not come back beside what is written from now on.
	if err := j.fs.SyncDir(); err != nil {
		return err
	}
	j.start(committed, keep, lost)
	if !used {
		j.save() // so that a state that is missing later is one that was lost
	}
	return nil
}

// readTails reads the newest segment of each chain, without what there is of a group
// that is not there wholly. keep is how far the chains go then.
func (j *Journal) readTails(e *evidence, firsts *[chains][]uint64) (tails [chains]tail, keep ends, err error) {
	for i := range tails {
		slices.Sort(firsts[i])
		if tails[i], err = j.readTail(i, firsts[i]); err != nil {
			return tails, keep, err
		}
		e.add(&tails[i])
	}
	e.weigh()
	if keep, err = j.keepTo(e, &tails); err != nil {
		return tails, keep, err
	}
	for i := range tails {
		if err := j.cut(&tails[i], keep[i]); err != nil {
			return tails, keep, err
		}
	}
	return tails, keep, nil
}

// start sets what follows from the chains, which go to keep if nothing is missing. lost
// says that the cursors were lost.
func (j *Journal) start(committed uint64, keep ends, lost bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for i := range j.chains {
		for _, s := range j.chains[i].segs {
			j.used += s.end
			if i < dictionary {
				committed = max(committed, s.first)
			}
		}
	}
	j.defined = j.chains[dictionary].last
	j.ends = j.proven()
	j.ends.raise(&keep) // never back, so that the newest mark stays the newest
	j.committed.Store(committed)
	j.settled.Store(committed)
	j.last = committed
	if lost {
		j.cursors[Lost] = j.oldestRecords()
	}
	j.unnamed.Store(true)
	j.dirty(provenDelay)
}
