package image_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"busbar/internal/image"
	"busbar/internal/image/journal"
	"busbar/internal/mapping"
	"busbar/internal/point"
)

const (
	childEnv = "BUSBAR_IMAGE_CHILD" // directory of the child process
	killsEnv = "BUSBAR_SOAK_KILLS"  // how often to kill it
)

// TestMain becomes the child process of TestKillLosesNothingAcknowledged when it is
// told to.
func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		fmt.Fprintln(os.Stderr, child(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// killedOptions are those of the child, and of the parent that looks after it.
var killedOptions = image.Options{Log: 256, Segment: 64 << 10, Limit: 16 << 20}

// openCounted opens the image of the child: points that count together, so that
// change n brings the value n.
func openCounted(dir string) (*image.Embedded, []point.Index, error) {
	fs, err := journal.NewDisk(dir)
	if err != nil {
		return nil, nil, err
	}
	e, err := image.Open(fs, killedOptions)
	if err != nil {
		return nil, nil, err
	}
	defs := make([]image.Definition, 20)
	for i := range defs {
		defs[i] = image.Definition{ID: fmt.Sprint("point/", i), Type: []point.Type{point.Int, point.Counter}[i%2], Gates: []mapping.Gate{{}}}
	}
	return e, e.Define(defs), nil
}

// child publishes for ever and prints what was committed. It ends by being killed.
func child(dir string) error {
	e, p, err := openCounted(dir)
	if err != nil {
		return err
	}
	fmt.Println(e.Seq())
	for {
		batch := make([]point.Update, 1+rand.IntN(30))
		n := e.Seq()
		for i := range batch {
			n++
			value := point.IntValue(int64(n))
			if n%2 == 1 {
				value = point.CounterValue(int64(n))
			}
			batch[i] = point.Update{Point: p[n%uint64(len(p))], Value: value, Time: point.Instant(n)}
		}
		err := e.Publish(context.Background(), batch, func(err error) {
			if err == nil {
				fmt.Println(n)
			}
		})
		if errors.Is(err, journal.ErrFull) { // the consumer was slow
			err = e.SaveCursor("consumer", image.At(e.Seq()))
			<-time.After(100 * time.Millisecond)
		}
		if err == nil && rand.IntN(50) == 0 {
			err = e.SaveCursor("consumer", image.At(e.Seq()-rand.Uint64N(min(e.Seq(), 2000)+1)))
		}
		if err == nil && rand.IntN(300) == 0 {
			err = e.Checkpoint()
		}
		if err != nil {
			return err
		}
	}
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
	var told []span
	for range kills {
		told = append(told, runAndKill(t, dir, 5+rand.IntN(2000)))
		checkKilled(t, dir, told[len(told)-1])
		if t.Failed() {
			return
		}
	}
	acked := uint64(0)
	for _, s := range told {
		acked += s.acked - s.begin
	}
	t.Logf("soak: process image: %d kills, %d changes acknowledged, none missing", kills, acked)
}

// span is what one child has acknowledged: the changes after begin, up to acked.
// What lies between two spans was kept.
type span struct{ begin, acked uint64 }

// runAndKill kills a child once it has printed so many lines.
func runAndKill(t *testing.T, dir string, lines int) (s span) {
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
	r := bufio.NewReader(out)
	for n := 0; ; n++ {
		if n == lines {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
		line, err := r.ReadString('\n')
		if err != nil {
			break // what it printed before it died has been read
		}
		if s.acked, err = strconv.ParseUint(line[:len(line)-1], 10, 64); err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			s.begin = s.acked
		}
	}
	if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() >= 0 {
		t.Fatalf("child was not killed: %v", err)
	}
	return s
}

func checkKilled(t *testing.T, dir string, told span) {
	t.Helper()
	begin, acked := told.begin, told.acked
	e, p, err := openCounted(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer mustClose(t, e)
	if e.Seq() < acked || e.Status().Damaged > 0 {
		t.Fatalf("newest change %d, acknowledged %d, %d places damaged", e.Seq(), acked, e.Status().Damaged)
	}
	newest := map[point.Index]uint64{}
	for n := acked; n > begin && n+uint64(len(p)) > acked; n-- {
		newest[p[n%uint64(len(p))]] = n
	}
	for q, n := range newest {
		if s, _ := e.State(q); s.Seq < n || s.Value.Int() != int64(s.Seq) || s.Time != point.Instant(s.Seq) {
			t.Errorf("point %d has state %+v, change %d was acknowledged", q, s, n)
		}
	}
	f := e.Resume(e.Cursors()["consumer"])
	defer f.Close()
	for last := e.Cursors()["consumer"][0]; last < e.Seq(); {
		dst := make([]image.Change, 100)
		n, gap, err := f.Next(t.Context(), dst)
		if err != nil || gap > 0 {
			t.Fatalf("Next after %d: gap %d, error %v", last, gap, err)
		}
		for _, c := range dst[:n] {
			if c.Seq != last+1 {
				t.Fatalf("change %d after %d, acknowledged were those to %d", c.Seq, last, acked)
			}
			if c.Events != 1 || c.Value.Int() != int64(c.Seq) {
				t.Fatalf("change %+v, want an event", c)
			}
			last = c.Seq
		}
	}
}
