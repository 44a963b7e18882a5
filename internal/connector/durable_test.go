package connector

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/image"
	"busbar/internal/image/journal"
	"busbar/internal/plant"
	"busbar/internal/point"
)

// TestRestartOnAJournal runs a manager on the image that is kept on disk, three
// times: what was there is there again, and what a restart says of it is not kept.
func TestRestartOnAJournal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		const fill, state = "sys/connectors/s/fill", "sys/connectors/s/state"
		p := func() *plant.Plant {
			return plantOf(sAndT(), pointOf("a", "s", owning("t", 1, "", "x")), pointOf("c", "s", counter, to("t", 2)),
				systemPoint(fill, point.Float), systemPoint(state, point.Int))
		}
		run := func(t *testing.T, what func(h *host, f Feed)) { onJournal(t, dir, p(), what) }
		run(t, func(h *host, f Feed) {
			h.wantNext(f, "a+own/x c | a=-* c=-* own/x=-*")
			h.deliver("s", "a", "1")
			h.deliver("s", "c", "2")
			h.mustPublishOwn("x", point.CounterValue(7))
			h.fakes.last("s").env.System("fill", point.FloatValue(3))
			h.wantNext(f, "a=1/1 c=2/1 own/x=7/1")
			if err := f.SaveCursor("g", image.At(0)); err != nil {
				t.Fatal(err)
			}
		})
		run(t, func(h *host, f Feed) {
			h.wantNext(f, "a+own/x c | a=1* c=2* own/x=7*")
			h.wantChanges(f, "a=1/1", "c=2/1", "own/x=7/1")
			h.wantQuality("a", nt)
			h.wantQuality("c", iv)
			h.wantQuality(fill, nt)
			h.wantQuality(state, 0)
			h.sink().Back(true)
			h.wantQuality("a", 0)
			h.wantQuality("c", 0)
			h.wantChanges(f, "a=1/0", "c=2/0")
			h.deliver("s", "a", "1")
			h.deliver("s", "c", "3")
			h.wantChanges(f, "a=1/0", "c=3/1")
		})
		run(t, func(h *host, f Feed) {
			h.wantNext(f, "a+own/x c | a=1* c=3* own/x=7*")
			h.wantQuality("a", nt)
			h.sink().Back(false)
			h.deliver("s", "a", "1")
			h.wantQuality("a", 0)
			h.wantQuality("c", iv)
			f.DropCursor("g")
		})
		run(t, func(h *host, f Feed) {
			h.wantNext(f, "a+own/x c | a=1* c=3* own/x=7*")
			time.Sleep(time.Minute)
			h.wantQuality("a", nt)
			h.wantQuality("c", iv)
			h.wantChanges(f, "a=1/1", "c=3/1") // it stays away
		})
		run(t, func(h *host, f Feed) {
			h.sink().Back(true)
			h.wantQuality("a", nt) // from an absence before: nobody knows
		})
	})
}

// onJournal runs a manager on the image that is kept in a directory.
func onJournal(t *testing.T, dir string, p *plant.Plant, what func(h *host, f Feed)) {
	t.Helper()
	fs, err := journal.NewDisk(dir)
	if err != nil {
		t.Fatal(err)
	}
	img, err := image.Open(fs, image.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := img.Close(); err != nil {
			t.Error(err)
		}
	}()
	made := &fakes{made: make(map[string][]*fake), run: runIdle}
	registry, err := NewRegistry(made.kind("fake"))
	if err != nil {
		t.Fatal(err)
	}
	front := &moody{Image: img}
	m := NewManager(slog.New(slog.DiscardHandler), front, registry, time.Now)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	h := &host{Manager: m, t: t, image: img.Memory, moody: front, fakes: made}
	h.mustApply(p)
	what(h, h.fakes.last("t").env.Feed)
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestLostCursorsBeginAtTheOldestChanges loses all that says how far consumers were.
func TestLostCursorsBeginAtTheOldestChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		p := plantOf(sAndT(), pointOf("a", "s", to("t", 1)))
		onJournal(t, dir, p, func(h *host, f Feed) {
			h.wantNext(f, "a | a=-*")
			h.deliver("s", "a", "1")
			h.deliver("s", "a", "2")
			h.wantChanges(f, "a=1/1", "a=2/1")
			if err := f.SaveCursor("g", image.At(2)); err != nil {
				t.Fatal(err)
			}
		})
		for _, name := range []string{"state", "state-2"} {
			if err := os.Remove(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
		wantLost := func(f Feed, want bool) {
			t.Helper()
			if pos, lost := f.Lost(); lost != want || pos[point.ClassMeasured] != 0 || len(f.Cursors()) != 0 {
				t.Errorf("lost %v at %v, cursors %v; want lost %v and no cursors", lost, pos, f.Cursors(), want)
			}
		}
		for range 2 { // it stays so until somebody knows better
			onJournal(t, dir, p, func(h *host, f Feed) {
				wantLost(f, true)
				h.wantNext(f, "a | a=2*")
				h.wantChanges(f, "a=1/1", "a=2/1")
			})
		}
		onJournal(t, dir, p, func(h *host, f Feed) {
			h.wantNext(f, "a | a=2*")
			if err := f.SaveCursor("g", image.At(1)); err != nil {
				t.Fatal(err)
			}
			h.wantChanges(f, "a=1/1", "a=2/1")
			if _, lost := f.Lost(); !lost {
				t.Error("not lost any more before all was delivered")
			}
			h.deliver("s", "a", "3")
			h.wantChanges(f, "a=3/1")
			h.wantNothing(f)
		})
		onJournal(t, dir, p, func(h *host, f Feed) {
			if _, lost := f.Lost(); lost {
				t.Error("still lost")
			}
			h.wantNext(f, "a | a=3*")
			h.wantChanges(f, "a=2/1", "a=3/1")
		})
	})
}

// TestEventsFollowTheirTargetsOverRestarts puts targets elsewhere while no process
// runs, and while one does: what waits goes to the targets that it was for.
func TestEventsFollowTheirTargetsOverRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		p := func(targets ...func(*plant.Point)) *plant.Plant {
			return plantOf(append(sAndT(), connectorOf("u", "")), pointOf("a", "s", targets...))
		}
		coarse := func(p *plant.Point) { p.To[len(p.To)-1].Deadband = &plant.Deadband{Value: 100} }
		one, two, nine, other := to("t", 1), to("t", 2), to("t", 9), to("u", 1)
		gone := func(h *host, want uint64) {
			t.Helper()
			if got := h.instances["t"].feed.gone.Load(); got != want {
				t.Errorf("%d events of targets that are gone, want %d", got, want)
			}
		}
		onJournal(t, dir, p(one, coarse, two, other), func(h *host, f Feed) {
			h.wantNext(f, "a a | a=-*")
			h.deliver("s", "a", "1")
			h.deliver("s", "a", "2")
			h.wantChanges(f, "a=1/111", "a=2/110")
			if err := f.SaveCursor("g", image.At(0)); err != nil {
				t.Fatal(err)
			}
		})
		onJournal(t, dir, p(two, nine, other, one, coarse), func(h *host, f Feed) {
			h.wantNext(f, "a a a | a=2*")
			h.wantChanges(f, "a=1/1101", "a=2/101")
			gone(h, 0)
			h.deliver("s", "a", "3")
			h.wantChanges(f, "a=3/111") // the dead band of "one" goes on from 1
			h.deliver("s", "a", "102")
			h.wantChanges(f, "a=102/1111")
			h.deliver("s", "a", "103") // is not delivered before the targets change
			h.mustApply(p(one, coarse, two))
			h.wantNext(f, "a a |")
			h.wantChanges(f, "a=103/10")
			gone(h, 1)
		})
		onJournal(t, dir, p(other, two), func(h *host, f Feed) {
			h.wantNext(f, "a | a=103*")
			h.wantChanges(f, "a=1/10", "a=102/10", "a=103/10", "a=2/10", "a=3/10")
			gone(h, 5)
		})
	})
}

// wantChanges reads batches until there were as many changes as wanted.
func (h *host) wantChanges(f Feed, want ...string) {
	h.t.Helper()
	var got []string
	for len(got) < len(want) {
		ctx, cancel := context.WithTimeout(h.t.Context(), time.Second)
		b, err := f.Next(ctx)
		cancel()
		if err != nil || b.Gap > 0 {
			h.t.Fatalf("Next = gap of %d, %v after %v", b.Gap, err, got)
		}
		for _, c := range b.Changes {
			got = append(got, fmt.Sprintf("%s=%v/%b", h.name(c.Point), c.Value, c.Events))
		}
	}
	slices.Sort(got) // points that lose their quality together do so in no order
	if diff := cmp.Diff(want, got); diff != "" {
		h.t.Errorf("changes (-want +got):\n%s", diff)
	}
}
