package connector

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"busbar/internal/plant"
	"busbar/internal/point"
)

type keyedSource struct {
	Key uint64 `json:"key" required:"true"`
}

// keyed is a kind that decodes values itself.
func (fs *fakes) keyed() Kind {
	return Define("keyed", Spec[fakeSettings, keyedSource, None]{
		New: func(s fakeSettings, env Env) (Connector, error) {
			f := &fake{settings: s, env: env, started: make(chan struct{}, 1000), run: fs.run}
			fs.mu.Lock()
			defer fs.mu.Unlock()
			fs.made[env.ID] = append(fs.made[env.ID], f)
			return f, nil
		},
		Key: func(s keyedSource) uint64 { return s.Key },
	})
}

// reader is a host with a keyed connector "s".
func reader(t *testing.T, points ...plant.Point) (*host, Readings) {
	t.Helper()
	h := newHost(t, runUp)
	h.mustApply(plantOf([]plant.Connector{{ID: "s", Kind: "keyed", Settings: &fakeSettings{}}}, points...))
	return h, h.fakes.last("s").env.Readings
}

func keyedPoint(id string, key uint64, typ point.Type) plant.Point {
	return plant.Point{ID: id, Type: typ, Hold: -1, From: &plant.Source{Connector: "s", Scale: 1, End: &keyedSource{Key: key}}}
}

func (h *host) take(in Readings, readings ...Reading) {
	h.t.Helper()
	kept := make(chan error, 1)
	if err := in.Take(context.Background(), readings, func(err error) { kept <- err }); err != nil {
		h.t.Fatalf("Take = %v, want nil", err)
	}
	if err := <-kept; err != nil {
		h.t.Fatalf("committed with %v, want nil", err)
	}
}

func TestReadingsReachTheImage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, in := reader(t, keyedPoint("a", 1, point.Float), keyedPoint("b", 1, point.Int), keyedPoint("c", 2, point.Double))
		time.Sleep(time.Hour) // the bubble begins where times begin to count
		at := point.InstantOf(time.Now().Add(-time.Second))
		h.take(in, Reading{Key: 1, Value: point.FloatValue(2.5), Quality: point.Overflow, Time: at},
			Reading{Key: 2, Value: point.DoubleValue(point.Intermediate), Time: at, TimeQuality: point.TimeInvalid}, Reading{Key: 3})
		for id, want := range map[string]point.State{
			"a": {Value: point.FloatValue(2.5), Quality: point.Overflow},
			"b": {Value: point.IntValue(3), Quality: point.Overflow},
			"c": {Value: point.DoubleValue(point.Intermediate), TimeQuality: point.TimeInvalid},
		} {
			got := h.state(id)
			if !got.Value.Equal(want.Value) || got.Quality != want.Quality || got.TimeQuality != want.TimeQuality || got.Time != at {
				t.Errorf("%s is %+v, want %+v at %v", id, got, want, at)
			}
		}
		if s := h.Reports()[0].Sink; s.Values != 3 || len(s.Faults) != 1 || s.Faults[0].Reason != "no_selector" {
			t.Errorf("figures %+v, want 3 values and one reading without points", s)
		}
	})
}

func TestMissingPointsBecomeNotTopicalUntilTheirNextUpdate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, in := reader(t, keyedPoint("a", 1, point.Float), keyedPoint("b", 2, point.Counter), keyedPoint("c", 3, point.Float), keyedPoint("never", 4, point.Float))
		h.take(in, Reading{Key: 1, Value: point.FloatValue(1)}, Reading{Key: 2, Value: point.CounterValue(1)}, Reading{Key: 3, Value: point.FloatValue(1)})
		seq := h.image.Seq()
		in.Missing([]uint64{1, 2, 4, 5})
		h.wantQuality("a", nt)
		h.wantQuality("b", iv) // a counter has no NT
		h.wantQuality("c", 0)
		h.wantQuality("never", iv|nt)
		if got := h.image.Seq(); got != seq+2 {
			t.Errorf("%d changes, want 2", got-seq)
		}
		in.Missing([]uint64{1})
		if got := h.image.Seq(); got != seq+2 {
			t.Error("the same said again is a change")
		}
		h.take(in, Reading{Key: 1, Value: point.FloatValue(1)})
		h.wantQuality("a", 0)
	})
}

func TestReturnOfTheSourceDoesNotBringBackWhatWasMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, in := reader(t, keyedPoint("a", 1, point.Float), keyedPoint("b", 2, point.Float))
		h.take(in, Reading{Key: 1, Value: point.FloatValue(1)}, Reading{Key: 2, Value: point.FloatValue(1)})
		in.Missing([]uint64{1})
		h.sink().Away("link lost", false)
		time.Sleep(time.Minute)
		h.wantQuality("b", nt)
		h.sink().Back(true)
		h.wantQuality("a", nt)
		h.wantQuality("b", 0)
	})
}

func TestTakeOfAStoppedConnectorFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, in := reader(t, keyedPoint("a", 1, point.Float))
		h.mustApply(plantOf(nil))
		err := in.Take(t.Context(), []Reading{{Key: 1, Value: point.FloatValue(1)}}, nil)
		if !errors.Is(err, ErrStopped) {
			t.Errorf("Take = %v, want %v", err, ErrStopped)
		}
		in.Missing([]uint64{1})
	})
}

func TestTakeWithoutRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, in := reader(t, keyedPoint("a", 1, point.Float))
		h.moody.refuses.Store(true)
		if err := in.Take(t.Context(), []Reading{{Key: 1, Value: point.FloatValue(1)}}, nil); !errors.Is(err, errFull) {
			t.Errorf("Take = %v, want %v", err, errFull)
		}
		h.wantQuality("a", iv|nt)
	})
}

func TestAKindHasEitherSelectorOrKey(t *testing.T) {
	t.Parallel()
	both := Define("both", Spec[fakeSettings, keyedSource, None]{
		New: func(fakeSettings, Env) (Connector, error) { return nil, nil },
		Key: func(keyedSource) uint64 { return 0 }, Selector: func(keyedSource) string { return "" },
	})
	if _, err := NewRegistry(both); err == nil {
		t.Error("a kind with both was taken")
	}
}

func TestWhatASourceRepeatsIsNoChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := keyedPoint("a", 1, point.Float)
		a.Validity = time.Minute
		h, in := reader(t, a, keyedPoint("b", 2, point.Float))
		time.Sleep(time.Hour) // the bubble begins where times begin to count
		event := Reading{Key: 1, Value: point.FloatValue(1), Time: point.InstantOf(time.Now().Add(-time.Second))}
		again := Reading{Key: 1, Value: point.FloatValue(1), Repeats: true}
		h.take(in, event, Reading{Key: 2, Value: point.FloatValue(1)})
		seq := h.image.Seq()
		for range 3 { // it is heard of all the same
			time.Sleep(50 * time.Second)
			h.take(in, again)
		}
		if got := h.state("a"); h.image.Seq() != seq || got.Time != event.Time || got.Quality != 0 {
			t.Errorf("a is %+v after %d changes, want it as it was", got, h.image.Seq()-seq)
		}
		h.take(in, Reading{Key: 1, Value: point.FloatValue(2)}, again, again)
		if got := h.state("a"); got.Value != point.FloatValue(1) {
			t.Errorf("a is %v, want the last of a batch", got.Value)
		}
		in.Missing([]uint64{1})
		h.take(in, again)
		h.wantQuality("a", 0)
		again.Quality = point.Blocked
		h.take(in, again)
		h.wantQuality("a", point.Blocked)
	})
}
