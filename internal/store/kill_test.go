package store_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/plantdoc"
	"busbar/internal/store"
)

const (
	childEnv = "BUSBAR_STORE_CHILD" // the database of the child process
	killsEnv = "BUSBAR_SOAK_KILLS"  // how often to kill it; the default is for make test
)

// optionsAt are those of a database that a process is told by one word.
func optionsAt(place string) store.Options {
	if filepath.IsAbs(place) {
		return store.Options{Path: place, Key: key(1)}
	}
	return store.Options{URL: place, Key: key(1)}
}

// step returns what revision n changes in the plant before it: three objects come, change or go.
func step(n int64, plant map[string][]byte) []plantdoc.Change {
	var list []plantdoc.Change
	for i := range int64(3) {
		c := plantdoc.Change{Section: plantdoc.Points, ID: fmt.Sprint("point/", (n*n+5*i)%97), After: fmt.Appendf(nil, `{"n":%d}`, n)}
		if slices.ContainsFunc(list, func(o plantdoc.Change) bool { return o.ID == c.ID }) {
			continue
		}
		if c.Before = plant[c.ID]; c.Before != nil && (n+i)%2 == 0 {
			c.After = nil
		}
		list = append(list, c)
	}
	for _, c := range list {
		if plant[c.ID] = c.After; c.After == nil {
			delete(plant, c.ID)
		}
	}
	return list
}

// child writes for ever and prints what is stored. It ends by being killed.
func child(place string) error {
	ctx := context.Background()
	s, err := store.Open(ctx, optionsAt(place))
	if err != nil {
		return err
	}
	objects, at, err := s.Document(ctx)
	if err != nil {
		return err
	}
	plant := make(map[string][]byte)
	for _, o := range objects {
		plant[o.ID] = o.Body
	}
	for n := at.Number + 1; ; n++ {
		if _, err := s.Commit(ctx, n-1, store.Revision{Author: "child"}, step(n, plant), nil); err != nil {
			return err
		}
		if err := s.AddAudit(ctx, store.AuditEntry{Action: "step", Object: fmt.Sprint(n)}); err != nil {
			return err
		}
		if err := s.SetSecret(ctx, "last", fmt.Sprint(n), "child"); err != nil {
			return err
		}
		fmt.Println(n)
	}
}

func TestKillLeavesAConsistentStore(t *testing.T) {
	kills, writes := 3, 60
	if text := os.Getenv(killsEnv); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("%s: %v", killsEnv, err)
		}
		kills, writes = n, 1000
	}
	each(t, func(t *testing.T, o store.Options) {
		place, total := o.Path+o.URL, 0
		for range kills {
			acknowledged, count := killed(t, place, rand.IntN(writes))
			total += count
			check(t, optionsAt(place), acknowledged)
		}
		t.Logf("soak: store on %s: %d kills during %d acknowledged revisions, none lost, none half there", filepath.Base(t.Name()), kills, total)
	})
}

// killed runs the child, kills it after so many revisions and returns the last
// one that it has said is stored, and how many it has.
func killed(t *testing.T, place string, after int) (last int64, count int) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+place)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if last, err = strconv.ParseInt(lines.Text(), 10, 64); err != nil {
			t.Fatal(err)
		}
		if count++; count == after+1 {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil || count <= after {
		t.Fatalf("the child ended by itself after %d revisions: %v", count, err)
	}
	return last, count
}

// check checks a store against what the child does and has acknowledged.
func check(t *testing.T, o store.Options, acknowledged int64) {
	t.Helper()
	ctx := t.Context()
	s, err := store.Open(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	got, head, err := s.Document(ctx)
	if err != nil || head.Number < acknowledged {
		t.Fatalf("the store is at revision %d, %v, but %d was acknowledged", head.Number, err, acknowledged)
	}
	plant := make(map[string][]byte)
	var last []plantdoc.Change
	for n := int64(1); n <= head.Number; n++ {
		last = step(n, plant)
	}
	want := make([]plantdoc.Object, 0, len(plant))
	for id, body := range plant {
		want = append(want, plantdoc.Object{Section: plantdoc.Points, ID: id, Body: body})
	}
	slices.SortFunc(want, plantdoc.Compare)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("document at revision %d (-want +got):\n%s", head.Number, diff)
	}
	if old, err := s.DocumentAt(ctx, head.Number); err != nil || !cmp.Equal(old, want) {
		t.Errorf("from snapshot and changes the document differs: %v", err)
	}
	if changes, err := s.Changes(ctx, head.Number); err != nil || len(changes) != head.Changes || len(changes) != len(last) {
		t.Errorf("revision %d: %d changes, %v, want %d", head.Number, len(changes), err, len(last))
	}
	if n, err := s.VerifyAudit(ctx); err != nil || n > head.Number {
		t.Errorf("audit log: %d entries, %v, want at most %d", n, err, head.Number)
	}
	if list, err := s.Audit(ctx, store.AuditFilter{Object: fmt.Sprint(acknowledged)}, 0); err != nil || len(list) != 1 {
		t.Errorf("audit log: %d entries of the acknowledged revision %d, %v, want 1", len(list), acknowledged, err)
	}
	if text, err := s.Secret(ctx, "last"); err != nil || text < "1" {
		t.Errorf("secret %q, %v", text, err)
	}
}
