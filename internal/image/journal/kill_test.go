package journal

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"testing"
)

const (
	childEnv = "BUSBAR_JOURNAL_CHILD" // directory of the child process
	killsEnv = "BUSBAR_SOAK_KILLS"    // how often to kill it
)

// TestMain becomes the child process of TestKillLosesNothingAcknowledged when
// it is told to.
func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		if err := child(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// child appends for ever and prints what was committed.
func child(dir string) error {
	fs, err := NewDisk(dir)
	if err != nil {
		return err
	}
	j, err := Open(fs, Options{Segment: 256 << 10, Preallocate: rand.IntN(2) == 0})
	if err != nil {
		return err
	}
	if d := j.Recovery().Damage; len(d) > 0 {
		return fmt.Errorf("damage: %v", d)
	}
	fmt.Println(j.Committed())
	failed := make(chan error, 1)
	for seq := j.Committed(); ; {
		batch := records(seq+1, seq+1+rand.Uint64N(200))
		seq += uint64(len(batch))
		err := j.Append(batch, func(err error) {
			if err == nil {
				_, err = fmt.Println(batch[len(batch)-1].Seq)
			}
			if err != nil {
				failed <- err
			}
		})
		if err != nil {
			return err
		}
		if rand.IntN(8) == 0 {
			if err := commit(j, nil); err != nil {
				return err
			}
			if err := keepHouse(j, seq); err != nil {
				return err
			}
		}
		select {
		case err := <-failed:
			return err
		default:
		}
	}
}

// keepHouse moves a cursor, and now and then stores a checkpoint and trims.
func keepHouse(j *Journal, seq uint64) error {
	if err := j.SaveCursor("scada", Position{seq, seq, seq}); err != nil {
		return err
	}
	if rand.IntN(20) > 0 || seq < 50000 {
		return nil
	}
	if err := j.Checkpoint(seq-50000, func(w io.Writer) error { _, err := fmt.Fprint(w, seq); return err }); err != nil {
		return err
	}
	return j.Trim(0, seq-50000)
}

func TestKillLosesNothingAcknowledged(t *testing.T) {
	t.Parallel()
	kills := 3
	if s := os.Getenv(killsEnv); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		kills = n
	}
	dir := t.TempDir()
	for range kills {
		acked := runAndKill(t, dir, 5+rand.IntN(300))
		checkKilled(t, dir, acked)
		if t.Failed() {
			return
		}
	}
}

// runAndKill kills a child once it has printed so many lines, and returns the newest
// sequence number that it printed.
func runAndKill(t *testing.T, dir string, lines int) (acked uint64) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), childEnv+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lineReader := bufio.NewReader(out)
	for n := 0; ; n++ {
		if n == lines {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
		line, err := lineReader.ReadString('\n')
		if err != nil {
			break // what it printed before it died has been read
		}
		if acked, err = strconv.ParseUint(line[:len(line)-1], 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() >= 0 {
		t.Fatalf("child was not killed: %v", err)
	}
	return acked
}

func checkKilled(t *testing.T, dir string, acked uint64) {
	t.Helper()
	fs, err := NewDisk(dir)
	if err != nil {
		t.Fatal(err)
	}
	j := mustOpen(t, fs, Options{Segment: 256 << 10})
	defer mustClose(t, j)
	if j.Committed() < acked || len(j.Recovery().Damage) > 0 {
		t.Errorf("committed %d, acknowledged %d, damage %v", j.Committed(), acked, j.Recovery().Damage)
	}
	from := Position{}
	if _, r, err := j.LoadCheckpoint(); err != nil {
		t.Fatal(err)
	} else if r != nil {
		mustClose(t, r)
		from = Position{j.floor.Load(), 0, 0}
	}
	seqs, gaps := readRecords(t, j, from)
	newest := uint64(0)
	if len(seqs) > 0 {
		newest = seqs[len(seqs)-1]
	}
	want := 0
	for seq := uint64(1); seq <= newest; seq++ {
		if seq > from[class(seq)] {
			want++
		}
	}
	if len(gaps) > 0 || len(seqs) != want || newest < acked {
		t.Errorf("%d records up to %d, want %d, acknowledged %d, gaps %v", len(seqs), newest, want, acked, gaps)
	}
	for name, pos := range j.Cursors() {
		if pos[0] > newest {
			t.Errorf("cursor %s at %v, newest record %d", name, pos, newest)
		}
	}
}
