package journal

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/point"
)

// TestNewestGroupIsThereWhollyOrNotAtAll takes the octets that a group has put into
// its files away, in each combination of files.
func TestNewestGroupIsThereWhollyOrNotAtAll(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		segment int64 // large enough for the group, or not
	}{{"in segments that go on", 1 << 20}, {"in segments that it begins", minSegment}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			base := newMemFS()
			j := mustOpen(t, base, Options{Segment: tt.segment, Limit: 1 << 30})
			mustCommit(t, j, 1, 150)
			mustCommit(t, j, 151, 151)
			before := base.clone()
			mustCommit(t, j, 152, 251)
			after := base.clone()
			mustClose(t, j)
			files := slices.DeleteFunc(names(after), func(name string) bool {
				return !strings.HasSuffix(name, suffix) || string(after.Data(name)) == string(before.Data(name))
			})
			if len(files) != dictionary {
				t.Fatalf("the group is in %v", files)
			}
			for missing := range 1 << len(files) {
				fs := after.clone()
				fs.unproven(t)
				for i, name := range files {
					if missing>>i&1 > 0 {
						fs.Drop(name)
						if b := before.Data(name); b != nil {
							fs.Put(name, b)
						}
					}
				}
				want := uint64(251)
				if missing > 0 {
					want = 151
				}
				wantRecords(t, fs, sequence(1, want), files)
			}
		})
	}
}

// wantRecords opens a journal twice, and once more after another commit.
func wantRecords(t *testing.T, fs *memFS, want []uint64, about any) {
	t.Helper()
	last := want[len(want)-1]
	for life := range 3 {
		j := mustOpen(t, fs, Options{})
		seqs, gaps := readRecords(t, j, places{})
		if diff := cmp.Diff(want, seqs); diff != "" || len(gaps) > 0 || len(j.Recovery().Damage) > 0 || j.Committed() != last {
			t.Fatalf("%v, life %d: damage %v, gaps %v, committed %d: %s", about, life, j.Recovery().Damage, gaps, j.Committed(), diff)
		}
		if life == 1 {
			mustCommit(t, j, last+1, last+1)
			want, last = append(want, last+1), last+1
			fs = fs.crash(nil)
			_ = j.Close() // without power
			continue
		}
		mustClose(t, j)
	}
}

// TestRefusedGroupIsGoneBeforeTheNext has no room for a group, and cuts the power
// after another one that is not in the same files.
func TestRefusedGroupIsGoneBeforeTheNext(t *testing.T) {
	t.Parallel()
	for run := range uint64(100) {
		synctest.Test(t, func(t *testing.T) {
			fs := newMemFS()
			begins := run%2 == 0 // segments: then there are writes of headers too
			opts, fails := Options{Segment: 64 << 10}, 2+int(run)/2%3
			if begins {
				opts, fails = Options{Segment: minSegment}, 2+int(run)/2%6
			}
			j := mustOpen(t, fs, opts)
			mustCommit(t, j, 1, 150)
			writes := 0
			var undone []string // and not yet certain
			fs.SetHook(func(_ int, op, name string) error {
				switch {
				case !strings.HasSuffix(name, suffix) && op != "syncdir":
				case op == "truncate":
					undone = append(undone, name)
				case op == "remove":
					undone = append(undone, "")
				case op == "sync", op == "syncdir":
					undone = slices.DeleteFunc(undone, func(n string) bool { return n == name })
				}
				if op == "write" && strings.HasSuffix(name, suffix) {
					if writes++; writes >= fails {
						return errNoSpace
					}
				}
				return nil
			})
			if err := commit(j, records(151, 300)); !errors.Is(err, ErrFull) {
				t.Fatalf("committed with %v", err)
			}
			if len(undone) > 0 {
				t.Errorf("run %d: a power cut may bring back what was written to %q", run, undone)
			}
			fs.SetHook(nil)
			time.Sleep(2 * probeInterval)
			mustCommit(t, j, 301, 301)
			after := fs.crash(rand.New(rand.NewPCG(run, 5)))
			_ = j.Close() // without power
			after.unproven(t)
			j = mustOpen(t, after, Options{})
			defer mustClose(t, j)
			if seqs, _ := readRecords(t, j, places{}); !cmp.Equal(seqs, append(sequence(1, 150), 301)) || len(j.Recovery().Damage) > 0 {
				t.Fatalf("run %d: records %v, damage %v", run, seqs, j.Recovery().Damage)
			}
		})
	}
}

// TestUnfinishedGroupIsDroppedWithoutRoom has no room for copies when it is opened.
func TestUnfinishedGroupIsDroppedWithoutRoom(t *testing.T) {
	t.Parallel()
	fs := newMemFS()
	j := mustOpen(t, fs, Options{Segment: 1 << 20, Limit: 1 << 30})
	mustCommit(t, j, 1, 100)
	mustCommit(t, j, 101, 200)
	after := fs.clone()
	mustClose(t, j)
	after.unproven(t)
	name := segmentName(int(point.ClassCounter), 2)
	for _, n := range names(after) {
		if strings.HasPrefix(n, point.ClassCounter.String()) {
			name = n
		}
	}
	data := after.Data(name)
	after.Put(name, data[:len(data)-1])
	after.SetRoom(0)
	j = mustOpen(t, after, Options{})
	if seqs, _ := readRecords(t, j, places{}); !cmp.Equal(seqs, sequence(1, 100)) {
		t.Errorf("records %v", seqs)
	}
	after.SetRoom(-1)
	_ = j.Close() // the state file has had no room
	wantRecords(t, after, sequence(1, 100), name)
}
