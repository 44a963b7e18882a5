package journal

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

const (
	checkpointPrefix = "checkpoint-"
	keptCheckpoints  = 2
)

func checkpointName(seq uint64) string { return fmt.Sprintf("%s%020d", checkpointPrefix, seq) }

func parseCheckpointName(name string) (uint64, bool) {
	seq, err := strconv.ParseUint(strings.TrimPrefix(name, checkpointPrefix), 10, 64)
	return seq, err == nil && checkpointName(seq) == name
}

// Checkpoint stores what write writes as the state after the record with
// sequence number seq, which must be committed. It replaces a checkpoint with
// the same number, keeps the one before and removes older ones. What was there stays if it
// fails. Writing waits for the disk; the journal goes on meanwhile.
//
// Records above the newest checkpoint are never trimmed.
func (j *Journal) Checkpoint(seq uint64, write func(io.Writer) error) error {
	if seq > j.Committed() {
		return fmt.Errorf("%w: checkpoint of %d, committed is %d", ErrInvalid, seq, j.Committed())
	}
	j.checkpoint.Lock()
	defer j.checkpoint.Unlock()
	if n := len(j.checkpoints); n > 0 && seq < j.checkpoints[n-1] {
		return fmt.Errorf("%w: checkpoint of %d, there is one of %d", ErrInvalid, seq, j.checkpoints[n-1])
	}
	if err := j.replace(checkpointName(seq), write); err != nil {
		return fmt.Errorf("journal: checkpoint: %w", err)
	}
	if !slices.Contains(j.checkpoints, seq) {
		j.checkpoints = append(j.checkpoints, seq)
	}
	j.floor.Store(seq)
	for len(j.checkpoints) > keptCheckpoints {
		if err := j.remove(checkpointName(j.checkpoints[0])); err != nil {
			return fmt.Errorf("journal: checkpoint: %w", err)
		}
		j.checkpoints = j.checkpoints[1:]
	}
	return nil
}

// LoadCheckpoint returns the newest checkpoint that is as it was written, and
// its sequence number. One that is not is reported as damage; the one before
// it may then need records that were trimmed, which its reader sees as a gap. Without a
// checkpoint the reader is nil. The caller closes the reader.
func (j *Journal) LoadCheckpoint() (seq uint64, r io.ReadCloser, err error) {
	j.checkpoint.Lock()
	defer j.checkpoint.Unlock()
	for _, seq := range slices.Backward(j.checkpoints) {
		f, err := j.fs.Open(checkpointName(seq))
		if err != nil {
			return 0, nil, fmt.Errorf("journal: checkpoint: %w", err)
		}
		n, err := checkSummed(f)
		if err == nil {
			if seq > j.floor.Load() {
				j.floor.Store(seq)
			}
			return seq, &section{io.NewSectionReader(f, 0, n), f}, nil
		}
		if err = errors.Join(err, f.Close()); !errors.Is(err, errSum) {
			return 0, nil, fmt.Errorf("journal: checkpoint: %w", err)
		}
		j.damaged(Damage{File: checkpointName(seq), Reason: "checkpoint useless: " + err.Error()})
	}
	return 0, nil, nil
}

// section reads the content of a checkpoint.
type section struct {
	io.Reader
	io.Closer
}
