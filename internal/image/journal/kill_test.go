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
	var lives []life
	for range kills {
		lives = append(lives, runAndKill(t, dir, 5+rand.IntN(300)))
		checkKilled(t, dir, lives)
		if t.Failed() {
			return
		}
	}
	acked := uint64(0)
	for _, l := range lives {
		acked += l.acked - l.begin
	}
	t.Logf("soak: journal: %d kills, %d records acknowledged, none missing", kills, acked)
}

// life is what one process was told: the records after begin, up to acked, are
// acknowledged.
type life struct{ begin, acked uint64 }

// runAndKill kills a child once it has printed so many lines, and returns the newest
// sequence number that it printed.
func runAndKill(t *testing.T, dir string, lines int) (l life) {
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
		if l.acked, err = strconv.ParseUint(line[:len(line)-1], 10, 64); err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			l.begin = l.acked
		}
	}
	if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() >= 0 {
		t.Fatalf("child was not killed: %v", err)
	}
	return l
}

func checkKilled(t *testing.T, dir string, lives []life) {
	t.Helper()
	fs, err := NewDisk(dir)
	if err != nil {
		t.Fatal(err)
	}
	j := mustOpen(t, fs, Options{Segment: 256 << 10})
	defer mustClose(t, j)
	if d := j.Recovery().Damage; len(d) > 0 {
		t.Errorf("damage %v", d)
	}
	_, r, err := j.LoadCheckpoint()
	if err != nil {
		t.Fatal(err)
	}
	from := places{}
	if r != nil {
		mustClose(t, r)
		from[0] = j.floor.Load()
	}
	seqs, gaps := readRecords(t, j, from)
	if len(gaps) > 0 {
		t.Errorf("gaps %v", gaps)
	}
	there := map[uint64]bool{}
	for _, seq := range seqs {
		there[seq] = true
	}
	if newest := lives[len(lives)-1].acked; j.Committed() < newest {
		t.Fatalf("the newest record is %d, %d was acknowledged", j.Committed(), newest)
	}
	for seq := uint64(1); seq <= j.Committed(); seq++ { // none was ever there in part
		if !there[seq] && seq > from[class(seq)] {
			t.Fatalf("record %d is missing, acknowledged were %+v", seq, lives)
		}
	}
	for name, pos := range j.Cursors() {
		if newest := seqs[len(seqs)-1]; pos[0] > newest {
			t.Errorf("cursor %s at %v, newest record %d", name, pos, newest)
		}
	}
}
