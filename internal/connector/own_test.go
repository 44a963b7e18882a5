package connector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"busbar/internal/image"
	"busbar/internal/plant"
	"busbar/internal/point"
)

// owning adds a target with own points.
func owning(connector string, address int, offset, frozen string) func(*plant.Point) {
	return func(p *plant.Point) {
		p.To = append(p.To, plant.Target{Connector: connector, Scale: 1, End: &fakeTarget{Address: address, Offset: offset, Frozen: frozen}})
	}
}

// name returns the id of a point of the plant, or what comes after own/ of an own one.
func (h *host) name(p point.Index) string {
	for _, o := range h.oldOwn() {
		if o.index == p {
			_, name, _ := strings.Cut(o.id, "/own/")
			return "own/" + name
		}
	}
	return h.img.ID(p)
}

// wantNext checks the next batch of a feed: own points of targets, changes with "*"
// for a snapshot and the events of others.
func (h *host) wantNext(f Feed, want string) {
	h.t.Helper()
	b, err := f.Next(h.t.Context())
	if err != nil {
		h.t.Fatalf("Next = %v", err)
	}
	var words []string
	if b.Targets != nil {
		for _, t := range *b.Targets {
			word := h.img.ID(t.Point)
			for _, p := range t.Own {
				if p != point.None {
					word += "+" + h.name(p)
				}
			}
			words = append(words, word)
		}
		words = append(words, "|")
	}
	for _, c := range b.Changes {
		word := fmt.Sprintf("%s=%v", h.name(c.Point), c.Value)
		if c.Snapshot {
			word += "*"
		} else {
			word += fmt.Sprintf("/%b", c.Events)
		}
		words = append(words, word)
	}
	if got := strings.Join(words, " "); got != want {
		h.t.Errorf("batch %q, want %q", got, want)
	}
}

// ownIndex returns the index of an own point of the connector "t".
func (h *host) ownIndex(name string) point.Index {
	h.t.Helper()
	p, ok := h.image.Lookup("sys/connectors/t/own/" + name)
	if !ok {
		h.t.Fatalf("own point %s is not in the image", name)
	}
	return p
}

func (h *host) publishOwn(name string, v point.Value) error {
	return h.fakes.last("t").env.PublishOwn([]point.Update{{Point: h.ownIndex(name), Value: v}})
}

func (h *host) mustPublishOwn(name string, v point.Value) {
	h.t.Helper()
	if err := h.publishOwn(name, v); err != nil {
		h.t.Fatalf("PublishOwn = %v", err)
	}
}

func TestOwnPointsAreDelivered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, f := feedHost(t, pointOf("a", "s", owning("t", 1, "a/offset", "a/frozen"), to("t", 2)), pointOf("b", "s", owning("t", 3, "", "b")))
		h.wantNext(f, "a+own/a/offset+own/a/frozen a b+own/b | a=-* b=-* own/a/offset=-* own/a/frozen=-* own/b=-*")
		h.mustPublishOwn("b", point.CounterValue(7))
		h.deliver("s", "a", "1")
		h.mustPublishOwn("b", point.CounterValue(7))
		h.mustPublishOwn("a/offset", point.IntValue(3))
		h.wantNext(f, "own/b=7/1 a=1/11 own/b=7/1 own/a/offset=3/1")
		f.(*feed).restart()
		h.wantNext(f, "a+own/a/offset+own/a/frozen a b+own/b | a=1* b=-* own/a/offset=3* own/a/frozen=-* own/b=7*")
	})
}

func TestOwnPointsOfARestoredImageAreInTheSnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		img := image.New(image.Options{})
		p := img.Define([]image.Definition{{ID: "sys/connectors/t/own/frozen", Type: point.Counter}})
		if err := img.Publish(t.Context(), []point.Update{{Point: p[0], Value: point.CounterValue(42)}}, nil); err != nil {
			t.Fatal(err)
		}
		h := newHostOn(t, img, slog.New(slog.DiscardHandler), runUp)
		h.mustApply(plantOf(sAndT(), pointOf("a", "s", owning("t", 1, "", "frozen"))))
		h.wantNext(h.fakes.last("t").env.Feed, "a+own/frozen | a=-* own/frozen=42*")
		if s, _ := img.State(p[0]); s.Quality != 0 {
			t.Errorf("quality %v, want that of an own point to stay good", s.Quality)
		}
	})
}

func TestOwnPointsStayWithTheirName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, f := feedHost(t, pointOf("a", "s", owning("t", 1, "", "x")), pointOf("b", "s", owning("t", 2, "", "y")))
		h.wantNext(f, "a+own/x b+own/y | a=-* b=-* own/x=-* own/y=-*")
		h.mustPublishOwn("x", point.CounterValue(1))
		h.mustPublishOwn("y", point.CounterValue(2))
		h.wantNext(f, "own/x=1/1 own/y=2/1")
		x := h.ownIndex("x")

		// Another address, the same name.
		h.mustApply(plantOf(sAndT(), pointOf("a", "s", owning("t", 5, "", "x")), pointOf("b", "s", owning("t", 2, "", "y"))))
		h.wantNext(f, "a+own/x b+own/y |")
		// Two targets change their names: each needs the state of the other.
		h.mustApply(plantOf(sAndT(), pointOf("a", "s", owning("t", 5, "", "y")), pointOf("b", "s", owning("t", 2, "", "x"))))
		h.wantNext(f, "a+own/y b+own/x | own/y=2* own/x=1*")
		// Another point takes the name over.
		h.mustApply(plantOf(sAndT(), pointOf("c", "s", owning("t", 5, "", "x"))))
		h.wantNext(f, "c+own/x | c=-* own/x=1*")
		h.mustPublishOwn("x", point.CounterValue(3))
		h.wantNext(f, "own/x=3/1")
		if got := h.ownIndex("x"); got != x {
			t.Errorf("index %d, want it to stay %d", got, x)
		}
		if _, ok := h.image.Lookup("sys/connectors/t/own/y"); ok {
			t.Error("the own point of no target is still there")
		}
	})
}

func TestOwnPointsComeAfterAGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, f := feedHost(t, pointOf("a", "s", owning("t", 1, "", "x")), pointOf("c", "s"))
		h.wantNext(f, "a+own/x | a=-* own/x=-*")
		h.mustPublishOwn("x", point.CounterValue(1))
		for i := range 1024 {
			h.deliver("s", "c", fmt.Sprint(i))
		}
		h.wantNext(f, "a=-* own/x=1*")
	})
}

func TestPublishOwnTakesOwnPointsOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		connectors := append(sAndT(), connectorOf("u", ""))
		plantWith := func(more ...plant.Point) *plant.Plant {
			return plantOf(connectors, append(more, pointOf("a", "s", owning("t", 1, "", "x"), owning("u", 1, "", "x")))...)
		}
		h := newHost(t, runUp)
		h.mustApply(plantWith(pointOf("b", "s", owning("t", 2, "", "gone"))))
		gone := h.ownIndex("gone")
		h.mustApply(plantWith())
		env := h.fakes.last("t").env
		a, _ := h.image.Lookup("a")
		other, _ := h.image.Lookup("sys/connectors/u/own/x")
		update := func(p point.Index) point.Update { return point.Update{Point: p, Value: point.CounterValue(9)} }
		for name, p := range map[string]point.Index{"point of the plant": a, "own point of another connector": other, "no point": point.None} {
			err := env.PublishOwn([]point.Update{update(h.ownIndex("x")), update(p)})
			if err == nil || !strings.Contains(err.Error(), "is none of this connector's own") {
				t.Errorf("%s: PublishOwn = %v, want it refused", name, err)
			}
		}
		if s := h.state("sys/connectors/t/own/x"); s.Value.Type() != 0 {
			t.Errorf("value %v, want none of a refused batch", s.Value)
		}
		// The connector may not know yet that a target is gone.
		if err := env.PublishOwn([]point.Update{update(gone), update(h.ownIndex("x"))}); err != nil {
			t.Errorf("PublishOwn = %v of a target that was removed, want nil", err)
		}
		if s := h.state("sys/connectors/t/own/x"); s.Value != point.CounterValue(9) {
			t.Errorf("value %v, want 9", s.Value)
		}
		h.moody.refuses.Store(true)
		if err := h.publishOwn("x", point.CounterValue(10)); !errors.Is(err, errFull) {
			t.Errorf("PublishOwn = %v, want %v", err, errFull)
		}
		h.moody.refuses.Store(false)
		h.mustApply(plantOf(sAndT()[:1]))
		if err := env.PublishOwn(nil); !errors.Is(err, ErrStopped) {
			t.Errorf("PublishOwn = %v of a connector that is gone, want %v", err, ErrStopped)
		}
	})
}

func TestOwnPointsAreNeverLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, f := feedHost(t, pointOf("a", "s", owning("t", 1, "", "x")))
		h.wantNext(f, "a+own/x | a=-* own/x=-*")
		noon := point.InstantOf(time.Now())
		for i, at := range []point.Instant{noon, noon - 1000, 0} {
			batch := []point.Update{{Point: h.ownIndex("x"), Value: point.CounterValue(int64(i)), Time: at}}
			if err := h.fakes.last("t").env.PublishOwn(batch); err != nil {
				t.Fatal(err)
			}
			if batch[0].TimeQuality != 0 || batch[0].Time != at {
				t.Errorf("the batch of the connector was changed: %+v", batch[0])
			}
			s := h.state("sys/connectors/t/own/x")
			if s.Value != point.CounterValue(int64(i)) {
				t.Errorf("value %v with time %d, want %d", s.Value, at, i)
			}
			if substituted := s.TimeQuality&point.TimeSubstituted != 0; substituted != (at == noon-1000) {
				t.Errorf("time quality %d with time %d", s.TimeQuality, at)
			}
		}
		if got := h.state("sys/connectors/t/own/x").Time; got != noon {
			t.Errorf("time %d of an update without one, want that of the clock, %d", got, noon)
		}
		h.wantNext(f, "own/x=0/1 own/x=1/1 own/x=2/1")
	})
}

func TestOwnPointWithTwoTargetsIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, f := feedHost(t, pointOf("a", "s", owning("t", 1, "", "x")))
		h.wantNext(f, "a+own/x | a=-* own/x=-*")
		h.mustPublishOwn("x", point.CounterValue(4))
		h.wantNext(f, "own/x=4/1")
		tests := map[string]*plant.Plant{
			"two targets have the point sys/connectors/t/own/x": plantOf(sAndT(), pointOf("a", "s", owning("t", 1, "", "x"), owning("t", 2, "x", ""))),
			"point b: from: expr: ":                             plantOf(sAndT(), pointOf("b", "s", owning("t", 1, "x", ""), func(p *plant.Point) { p.From.Expr = "value +" })),
		}
		for want, p := range tests {
			err := h.Apply(context.Background(), p)
			if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), want) {
				t.Errorf("Apply = %v, want %q", err, want)
			}
			h.wantNothing(f)
			if s := h.state("sys/connectors/t/own/x"); s.Value != point.CounterValue(4) {
				t.Errorf("value %v after a plant that was refused, want 4", s.Value)
			}
		}
		h.mustPublishOwn("x", point.CounterValue(5))
		h.wantNext(f, "own/x=5/1")
	})
}

func TestOwnPointsAreNotPointsOfThePlant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := feedHost(t, pointOf("a", "s", owning("t", 1, "x", "y")))
		h.deliver("s", "a", "1")
		time.Sleep(time.Minute)
		registry := prometheus.NewPedanticRegistry()
		registry.MustRegister(NewMetrics(h.Manager))
		want := `
# HELP busbar_points Points of the plant.
# TYPE busbar_points gauge
busbar_points 1
# HELP busbar_points_quality Points of the plant by quality.
# TYPE busbar_points_quality gauge
busbar_points_quality{quality="good"} 1
busbar_points_quality{quality="invalid"} 0
busbar_points_quality{quality="not_topical"} 0
busbar_points_quality{quality="other"} 0
`
		if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "busbar_points", "busbar_points_quality"); err != nil {
			t.Error(err)
		}
		if ends, _ := h.sink().Sources(); len(ends) != 1 {
			t.Errorf("%d source ends, want 1", len(ends))
		}
	})
}
