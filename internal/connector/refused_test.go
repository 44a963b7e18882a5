package connector

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/image"
	"busbar/internal/plant"
	"busbar/internal/point"
)

func TestQualityThatTheImageRefusesIsTriedAgain(t *testing.T) {
	tests := []struct {
		name string
		do   func(h *host) // while the image refuses
		want point.Quality // of "a" in the end
	}{
		{"away", func(h *host) { h.sink().Away("", true) }, nt},
		{"away for the hold time", func(h *host) { h.sink().Away("", false); time.Sleep(10 * time.Second) }, nt},
		{"away and back with loss", func(h *host) { h.sink().Away("", true); h.sink().Back(false) }, nt},
		{"away and back without loss", func(h *host) { h.sink().Away("", true); h.sink().Back(true) }, 0},
		{"away and back with loss, then without", func(h *host) {
			h.sink().Away("", true)
			h.sink().Back(false)
			h.sink().Away("", true)
			h.sink().Back(true)
		}, nt},
		{"away within the hold time", func(h *host) { h.sink().Away("", false); time.Sleep(time.Second); h.sink().Back(false) }, 0},
		{"away, then an update", func(h *host) {
			h.sink().Away("", true)
			h.moody.refuses.Store(false)
			h.deliver("s", "a", "2")
			h.moody.refuses.Store(true)
		}, 0}, // it has its own hold time
		{"too old", func(*host) { time.Sleep(time.Minute) }, iv | nt},
		{"the source is another", func(h *host) {
			h.mustApply(plantOf([]plant.Connector{connectorOf("s", "")}, pointOf("a", "s", func(p *plant.Point) { p.From.End = &fakeSource{Topic: "b"} })))
		}, nt},
		{"the source is another, then an update", func(h *host) {
			h.mustApply(plantOf([]plant.Connector{connectorOf("s", "")}, pointOf("a", "s", func(p *plant.Point) { p.From.End = &fakeSource{Topic: "b"} })))
			h.moody.refuses.Store(false)
			h.deliver("s", "b", "2")
			h.moody.refuses.Store(true)
		}, 0},
		{"there is no source any more", func(h *host) {
			h.mustApply(plantOf([]plant.Connector{connectorOf("s", "")}, pointOf("a", "s", func(p *plant.Point) { p.From = nil })))
		}, nt},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := fresh(t, pointOf("a", "s", validity(time.Minute)))
				h.moody.refuses.Store(true)
				tt.do(h)
				h.moody.refuses.Store(false)
				time.Sleep(time.Second)
				h.wantQuality("a", tt.want)
			})
		})
	}
}

func TestReturnThatTheImageRefusesIsTriedAgain(t *testing.T) {
	tests := []struct {
		name string
		do   func(h *host)
		want point.Quality
	}{
		{"back without loss", func(*host) {}, 0},
		{"and away again", func(h *host) { h.sink().Away("", true) }, nt},
		{"and away and back without loss", func(h *host) { h.sink().Away("", true); h.sink().Back(true) }, 0},
		{"and away and back with loss", func(h *host) { h.sink().Away("", true); h.sink().Back(false) }, nt},
		{"and away within the hold time", func(h *host) { h.sink().Away("", false); h.sink().Back(false) }, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := fresh(t, pointOf("a", "s"))
				h.sink().Away("", true)
				h.wantQuality("a", nt)
				h.moody.refuses.Store(true)
				h.sink().Back(true)
				h.wantQuality("a", nt)
				tt.do(h)
				time.Sleep(3 * time.Second)
				h.moody.refuses.Store(false)
				time.Sleep(time.Second)
				h.wantQuality("a", tt.want)
			})
		})
	}
}

// TestImageThatRefusesInBetween lets the image take the first of several batches only.
func TestImageThatRefusesInBetween(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const many = 3*requalifyBatch + 10
		points := make([]plant.Point, many)
		for i := range points {
			points[i] = pointOf(fmt.Sprintf("p%04d", i), "s")
		}
		img := image.New(image.Options{})
		h := newHostOn(t, img, slog.New(slog.DiscardHandler), runUp)
		h.mustApply(plantOf([]plant.Connector{connectorOf("s", "")}, points...))
		for _, p := range points {
			h.deliver("s", p.ID, "1")
		}
		count := func(q point.Quality) (n int) {
			for _, p := range points {
				if h.state(p.ID).Quality == q {
					n++
				}
			}
			return n
		}
		seq := img.Seq()
		h.moody.takes.Store(1)
		h.sink().Away("", true)
		if got := count(nt); got != requalifyBatch {
			t.Errorf("%d points are not topical, want %d", got, requalifyBatch)
		}
		h.moody.refuses.Store(false)
		time.Sleep(time.Second)
		synctest.Wait()
		if got := count(nt); got != many || img.Seq() != seq+many {
			t.Errorf("%d points are not topical with %d changes, want %d with one each", got, img.Seq()-seq, many)
		}
		h.moody.takes.Store(2)
		h.sink().Back(true)
		if got := count(0); got != 2*requalifyBatch {
			t.Errorf("%d points are good, want %d", got, 2*requalifyBatch)
		}
		h.moody.refuses.Store(false)
		time.Sleep(time.Second)
		synctest.Wait()
		if got := count(0); got != many || img.Seq() != seq+2*many {
			t.Errorf("%d points are good with %d changes, want %d with one each", got, img.Seq()-seq-many, many)
		}
	})
}

func TestWhatTheImageLosesIsPublishedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const fill = "sys/connectors/s/fill"
		h := newHost(t, runUp)
		h.mustApply(plantOf(sAndT(), pointOf("a", "s", owning("t", 1, "", "x")), pointOf("b", "s"), systemPoint(fill, point.Float)))
		h.deliver("s", "a", "1")
		h.deliver("s", "b", "1")
		w := h.witness()
		h.moody.loses.Store(true)
		h.sink().Away("", true)
		h.mustPublishOwn("x", point.CounterValue(7))
		h.fakes.last("s").env.System("fill", point.FloatValue(3))
		w.want("a=1 not-topical", "b=1 not-topical", "own/x=7 good", fill+"=3 good")
		time.Sleep(500 * time.Millisecond)
		h.moody.loses.Store(false)
		h.deliver("s", "b", "2") // what it is now is published again, and does no harm
		w.want("b=2 good")
		time.Sleep(time.Second)
		w.wantAnyOrder("a=1 not-topical", "b=2 good", "own/x=7 good", fill+"=3 good")
		time.Sleep(time.Minute)
		w.want("b=2 not-topical") // a while after its update
		h.sink().Back(true)
		w.want("a=1 good", "b=2 good")
	})
}

func TestWhatTheImageLosesAgainAndAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := fresh(t, pointOf("a", "s"))
		h.moody.loses.Store(true)
		h.sink().Away("", true)
		time.Sleep(5 * time.Second)
		h.moody.loses.Store(false)
		h.moody.refuses.Store(true)
		time.Sleep(5 * time.Second)
		w := h.witness()
		h.moody.refuses.Store(false)
		time.Sleep(5 * time.Second)
		w.want("a=1 not-topical")
	})
}

func TestRestartIsNotPublishedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHostOn(t, keptImage(t, kept{id: "a"}), slog.New(slog.DiscardHandler), runIdle)
		w := h.witness()
		h.moody.loses.Store(true)
		h.mustApply(plantOf([]plant.Connector{connectorOf("s", "")}, pointOf("a", "s", hold(time.Hour))))
		time.Sleep(5 * time.Second)
		w.want("a=1 not-topical restored")
	})
}

func TestHostDoesNotWaitForTheDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const fill = "sys/connectors/s/fill"
		h := newHost(t, runUp)
		connectors := sAndT()
		h.mustApply(plantOf(connectors, pointOf("a", "s", owning("t", 1, "", "x")), pointOf("b", "s"), systemPoint(fill, point.Float)))
		h.deliver("s", "a", "1")
		h.deliver("s", "b", "1")
		h.moody.behind.Store(true)
		begin := time.Now()
		h.sink().Away("", true)
		h.fakes.last("s").env.System("fill", point.FloatValue(3))
		if err := h.publishOwn("x", point.CounterValue(1)); !errors.Is(err, errBehind) {
			t.Errorf("PublishOwn = %v, want %v", err, errBehind)
		}
		h.mustApply(plantOf(connectors, pointOf("a", "s", owning("t", 1, "", "x")), pointOf("b", "t"), systemPoint(fill, point.Float)))
		if took := time.Since(begin); took > 0 {
			t.Errorf("it took %v, want no time", took)
		}
		h.moody.behind.Store(false)
		time.Sleep(time.Second)
		h.wantQuality("a", nt)
		h.wantQuality("b", nt)
		h.wantQuality(fill, 0)
		if s := h.state("sys/connectors/t/own/x"); s.Value.Type() != 0 {
			t.Errorf("value %v of an own point that was refused, want none: its connector knows better", s.Value)
		}
	})
}

func TestRefusedQualityIsLoggedOncePerPeriod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		h := newLoggingHost(t, slog.New(slog.NewTextHandler(&log, nil)), runUp)
		h.mustApply(plantOf([]plant.Connector{connectorOf("s", "")}, pointOf("a", "s")))
		for range 2 {
			h.deliver("s", "a", "1")
			h.moody.refuses.Store(true)
			h.sink().Away("", true)
			time.Sleep(10 * time.Second)
			h.moody.refuses.Store(false)
			time.Sleep(10 * time.Second)
			h.wantQuality("a", nt)
			h.sink().Back(true)
		}
		if got := strings.Count(log.String(), "quality of points is not kept"); got != 2 {
			t.Errorf("logged %d times, want twice:\n%s", got, log.String())
		}
	})
}

func TestSourcesAreDegradedWhileTheImageTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, runUp)
		h.mustApply(plantOf(sAndT(), pointOf("a", "s", to("t", 1))))
		want := func(s, t string) {
			h.t.Helper()
			var got []string
			for _, r := range h.Reports() {
				got = append(got, fmt.Sprintf("%s: %s", r.State, r.Reason))
			}
			if diff := cmp.Diff([]string{s, t}, got); diff != "" {
				h.t.Errorf("states of s and t (-want +got):\n%s", diff)
			}
		}
		want("up: ", "up: ")
		h.moody.refuses.Store(true)
		time.Sleep(2 * time.Second)
		want("degraded: the process image takes no updates: full", "up: ")
		env := h.fakes.last("s").env
		env.Report(Connecting, "message not kept")
		want("connecting: message not kept", "up: ")
		env.Report(Degraded, "half")
		want("degraded: half; the process image takes no updates: full", "up: ")
		env.Report(Up, "")
		want("degraded: the process image takes no updates: full", "up: ")
		history := len(h.Reports()[0].History)
		time.Sleep(time.Minute)
		if got := len(h.Reports()[0].History); got != history {
			t.Errorf("%d changes of state, want %d", got, history)
		}
		h.mustApply(plantOf(sAndT(), pointOf("a", "t"))) // "s" has nothing to do with it any more
		time.Sleep(2 * time.Second)
		want("up: ", "degraded: the process image takes no updates: full")
		h.moody.refuses.Store(false)
		time.Sleep(2 * time.Second)
		want("up: ", "up: ")
	})
}

func TestCursorsOfConnectorsThatAreGoneAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		img := image.New(image.Options{Log: 1024})
		for _, name := range []string{"t/a", "t/b", "gone/a", "gone/b", "device/x", "history"} {
			if err := img.SaveCursor(name, image.At(0)); err != nil {
				t.Fatal(err)
			}
		}
		var log bytes.Buffer
		h := newHostOn(t, img, slog.New(slog.NewTextHandler(&log, nil)), runUp)
		device := plant.Connector{ID: "device", Kind: "device", Settings: &fakeSettings{}}
		wantCursors := func(want ...string) {
			t.Helper()
			names := map[string]bool{}
			for name := range img.Cursors() {
				names[name] = true
			}
			expected := map[string]bool{}
			for _, name := range want {
				expected[name] = true
			}
			if diff := cmp.Diff(expected, names); diff != "" {
				t.Errorf("cursors (-want +got):\n%s", diff)
			}
		}
		h.mustApply(plantOf(append(sAndT(), device)))
		wantCursors("t/a", "t/b", "history")
		for _, want := range []string{"connector=gone cursors=2", "connector=device cursors=1"} {
			if line := `msg="cursors of a connector that is gone are dropped" ` + want; !strings.Contains(log.String(), line) {
				t.Errorf("no line %s in:\n%s", line, log.String())
			}
		}
		h.mustApply(plantOf([]plant.Connector{connectorOf("t", "changed")}))
		wantCursors("t/a", "t/b", "history")
		other := connectorOf("t", "")
		other.Kind = "other"
		h.mustApply(plantOf([]plant.Connector{other}))
		wantCursors("history")
	})
}
