package connector

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"busbar/internal/image"
	"busbar/internal/plant"
	"busbar/internal/point"
)

// kept is the state of a point from before the process began, with the value 1.
type kept struct {
	id      string
	typ     point.Type // 0: float
	quality point.Quality
	age     time.Duration // since its arrival
}

// keptImage returns an image as it is after a restart.
func keptImage(t *testing.T, states ...kept) *image.Memory {
	t.Helper()
	img := image.New(image.Options{Log: 1024})
	var defs []image.Definition
	var batch []point.Update
	for _, k := range states {
		v := point.FloatValue(1)
		switch k.typ {
		case 0:
			k.typ = point.Float
		case point.Counter:
			v = point.CounterValue(1)
		case point.Single:
			v = point.SingleValue(true)
		case point.Int:
			v = point.IntValue(1)
		}
		defs = append(defs, image.Definition{ID: k.id, Type: k.typ})
		at := point.InstantOf(time.Now().Add(-k.age))
		batch = append(batch, point.Update{Value: v, Quality: k.quality, Time: at, Arrival: at, Source: 1})
	}
	for i, p := range img.Define(defs) {
		batch[i].Point = p
	}
	if err := img.Publish(t.Context(), batch, nil); err != nil {
		t.Fatal(err)
	}
	return img
}

// restarted returns a host with the connector "s", whose points were kept from
// before it began, and a witness of what happens since.
func restarted(t *testing.T, states []kept, points ...plant.Point) (*host, *witness) {
	t.Helper()
	h := newHostOn(t, keptImage(t, states...), slog.New(slog.DiscardHandler), runIdle)
	w := h.witness()
	h.mustApply(plantOf([]plant.Connector{connectorOf("s", "")}, points...))
	return h, w
}

// runIdle reports nothing: the source is away until the test says otherwise.
func runIdle(ctx context.Context, _ *fake) error {
	<-ctx.Done()
	return nil
}

func TestKeptValuesAreNotTopicalWithoutAnEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sourceless := func(p *plant.Point) { p.From = nil }
		overflown := kept{id: "o", quality: point.Overflow}
		h, w := restarted(t, []kept{{id: "a"}, {id: "c", typ: point.Counter}, overflown, {id: "n"}, {id: "nt", quality: nt}, {id: "type", typ: point.Single}, {id: "gone"}},
			pointOf("a", "s"), pointOf("c", "s", counter), pointOf("o", "s"), pointOf("n", "s", sourceless), pointOf("nt", "s"), pointOf("type", "s"), pointOf("new", "s"))
		w.want("a=1 not-topical restored", "c=1 invalid restored", "o=1 not-topical,overflow restored")
		h.wantQuality("n", 0)
		h.wantQuality("nt", nt)
		h.wantQuality("new", iv|nt)
		h.wantQuality("type", iv|nt)
	})
}

func TestKeptValuesKeepTheirTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := restarted(t, []kept{{id: "a", age: time.Hour}}, pointOf("a", "s"))
		at := point.InstantOf(time.Now().Add(-time.Hour))
		if s := h.state("a"); s.Time != at || s.Arrival != at || s.Value != point.FloatValue(1) {
			t.Errorf("state %+v, want time and arrival %d", s, at)
		}
	})
}

func TestUpdateEndsWhatTheRestartDid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, w := restarted(t, []kept{{id: "a"}, {id: "b"}}, pointOf("a", "s"), pointOf("b", "s"))
		w.want("a=1 not-topical restored", "b=1 not-topical restored")
		h.deliver("s", "a", "1")
		w.want("a=1 good")
		h.sink().Back(true)
		w.want("b=1 good restored")
	})
}

func TestSourceThatIsBack(t *testing.T) {
	said := kept{id: "said", quality: nt} // by the source, or by an outage before the restart: nobody knows
	tests := []struct {
		name string
		do   func(h *host)
		want point.Quality // of "a", which the restart made NT
	}{
		{"without loss", func(h *host) { h.sink().Back(true) }, 0},
		{"with loss", func(h *host) { h.sink().Back(false) }, nt},
		{"is only up", func(h *host) { h.fakes.last("s").env.Report(Up, "") }, nt},
		{"away and back without loss", func(h *host) { h.sink().Away("", true); h.sink().Back(true) }, 0},
		{"with loss, then away and back without", func(h *host) {
			h.sink().Back(false)
			h.sink().Away("", true)
			h.sink().Back(true)
		}, nt},
		{"without loss, then away and back without", func(h *host) {
			h.sink().Back(true)
			h.sink().Away("", true)
			h.sink().Back(true)
		}, 0},
		{"with loss, then a new plant and without", func(h *host) {
			h.sink().Back(false)
			h.mustApply(plantOf([]plant.Connector{connectorOf("s", "")}, pointOf("a", "s"), pointOf("said", "s"), pointOf("new", "s")))
			h.sink().Back(true)
		}, nt},
		{"without loss, as another instance", func(h *host) {
			h.mustApply(plantOf([]plant.Connector{connectorOf("s", "changed")}, pointOf("a", "s"), pointOf("said", "s")))
			h.sink().Back(true)
		}, nt},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, _ := restarted(t, []kept{{id: "a"}, said}, pointOf("a", "s"), pointOf("said", "s"))
				tt.do(h)
				h.wantQuality("a", tt.want)
				h.wantQuality("said", nt)
			})
		})
	}
}

func TestSourceThatStaysAwayIsAnEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, w := restarted(t, []kept{{id: "a"}, {id: "c", typ: point.Counter}}, pointOf("a", "s"), pointOf("c", "s", counter))
		w.want("a=1 not-topical restored", "c=1 invalid restored")
		time.Sleep(2*time.Second - time.Millisecond)
		w.want()
		time.Sleep(time.Second)
		w.wantAnyOrder("a=1 not-topical", "c=1 invalid")
		time.Sleep(time.Minute)
		w.want()
		h.sink().Back(true)
		w.wantAnyOrder("a=1 good", "c=1 good")
	})
}

func TestLaterOutageOfWhatTheRestartDidIsAnEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, w := restarted(t, []kept{{id: "a"}}, pointOf("a", "s"))
		h.sink().Back(false)
		w.want("a=1 not-topical restored")
		time.Sleep(time.Minute)
		w.want()
		h.sink().Away("", true)
		w.want("a=1 not-topical")
	})
}

func TestAgeOfKeptValuesCountsFromTheirArrival(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ten := validity(10 * time.Second)
		h, _ := restarted(t, []kept{
			{id: "count", typ: point.Counter, age: 20 * time.Second},
			{id: "future", age: -time.Hour}, // the clock was wrong
			{id: "old", age: 20 * time.Second}, {id: "young", age: 5 * time.Second},
		}, pointOf("count", "s", counter, ten), pointOf("future", "s", ten), pointOf("old", "s", ten), pointOf("young", "s", ten))
		h.sink().Back(true) // at once, but what is too old was found already
		h.wantQuality("count", iv)
		h.wantQuality("old", iv|nt)
		h.wantQuality("young", 0)
		time.Sleep(4 * time.Second)
		h.wantQuality("young", 0)
		time.Sleep(2 * time.Second)
		h.wantQuality("young", iv|nt)
		h.wantQuality("future", 0)
		time.Sleep(5 * time.Second)
		h.wantQuality("future", iv|nt)
		h.deliver("s", "old", "2")
		h.wantQuality("old", 0)
	})
}

func TestValueThatWasTooOldIsAnEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ten := validity(10 * time.Second)
		_, w := restarted(t, []kept{{id: "c", typ: point.Counter, age: time.Minute}, {id: "f", age: time.Minute}, {id: "g", quality: iv | nt, age: time.Minute}},
			pointOf("c", "s", counter, ten), pointOf("f", "s", ten), pointOf("g", "s", ten))
		got := map[string]int{}
		synctest.Wait()
		for i, change := range w.take() {
			got[change] = i + 1
		}
		for _, of := range [][2]string{{"c=1 invalid restored", "c=1 invalid"}, {"f=1 not-topical restored", "f=1 invalid,not-topical"}} {
			if before, after := got[of[0]], got[of[1]]; before == 0 || after <= before {
				t.Errorf("changes %v, want %q and then %q", got, of[0], of[1])
			}
		}
		if len(got) != 4 {
			t.Errorf("changes %v, want 4: what was too old before is not told again", got)
		}
		time.Sleep(time.Minute)
		w.want()
	})
}

func TestOnlyTheFirstPlantFindsKeptValues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sourceless := func(p *plant.Point) { p.From = nil }
		h, w := restarted(t, []kept{{id: "a"}}, pointOf("a", "s", sourceless))
		h.mustApply(plantOf([]plant.Connector{connectorOf("s", "")}, pointOf("a", "s", sourceless), pointOf("b", "s")))
		h.deliver("s", "b", "1")
		h.mustApply(plantOf([]plant.Connector{connectorOf("s", "")}, pointOf("a", "s", sourceless), pointOf("b", "s")))
		w.want("b=1 good")
	})
}

func TestFirstPlantThatFailsLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHostOn(t, keptImage(t, kept{id: "a"}), slog.New(slog.DiscardHandler), runIdle)
		broken := pointOf("a", "s", func(p *plant.Point) { p.From.Expr = "value +" })
		if err := h.Apply(t.Context(), plantOf([]plant.Connector{connectorOf("s", "")}, broken)); !errors.Is(err, ErrConfig) {
			t.Fatalf("Apply = %v, want %v", err, ErrConfig)
		}
		w := h.witness()
		h.mustApply(plantOf([]plant.Connector{connectorOf("s", "")}, pointOf("a", "s")))
		w.want("a=1 not-topical restored")
	})
}

func TestKeptSystemPointsAreNotTopicalUntilTheyAreKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const fill, accepting, state = "sys/connectors/s/fill", "sys/journal/accepting", "sys/connectors/s/state"
		h, w := restarted(t, []kept{{id: fill}, {id: accepting, typ: point.Single}, {id: state, typ: point.Int}},
			systemPoint(fill, point.Float), systemPoint(accepting, point.Single), systemPoint(state, point.Int))
		w.want(fill+"=1 not-topical restored", state+"=0 good", state+"=1 good")
		h.fakes.last("s").env.System("fill", point.FloatValue(1))
		w.want(fill + "=1 good")
	})
}

func TestRestartThatTheImageRefuses(t *testing.T) {
	tests := []struct {
		name string
		do   func(h *host) // while the image refuses, or just after
		want point.Quality
	}{
		{"nothing happens", func(*host) {}, nt},
		{"back without loss", func(h *host) { h.sink().Back(true) }, 0},
		{"back with loss", func(h *host) { h.sink().Back(false) }, nt},
		{"an update", func(h *host) {
			h.moody.refuses.Store(false)
			h.deliver("s", "a", "1")
			h.moody.refuses.Store(true)
		}, 0},
		{"another plant", func(h *host) {
			h.mustApply(plantOf([]plant.Connector{connectorOf("s", "")}, pointOf("a", "s"), pointOf("b", "s")))
		}, nt},
		{"another instance", func(h *host) {
			h.mustApply(plantOf([]plant.Connector{connectorOf("s", "changed")}, pointOf("a", "s"), pointOf("b", "s")))
		}, nt},
		{"the point is removed", func(h *host) {
			h.mustApply(plantOf([]plant.Connector{connectorOf("s", "")}, pointOf("b", "s")))
			h.moody.refuses.Store(false)
			h.mustApply(plantOf([]plant.Connector{connectorOf("s", "")}, pointOf("a", "s"), pointOf("b", "s")))
			h.moody.refuses.Store(true)
		}, iv | nt},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHostOn(t, keptImage(t, kept{id: "a"}), slog.New(slog.DiscardHandler), runIdle)
				h.moody.refuses.Store(true)
				h.mustApply(plantOf([]plant.Connector{connectorOf("s", "")}, pointOf("a", "s", hold(time.Hour))))
				tt.do(h)
				time.Sleep(5 * time.Second)
				h.moody.refuses.Store(false)
				time.Sleep(time.Second)
				h.wantQuality("a", tt.want)
				if owed := h.ledger.owed; len(owed) != 0 {
					t.Errorf("%d changes of quality are still owed", len(owed))
				}
			})
		})
	}
}
