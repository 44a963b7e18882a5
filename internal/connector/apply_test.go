package connector

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/image"
	"busbar/internal/plant"
	"busbar/internal/point"
)

// running counts the instances of a connector that were made and run.
func (h *host) wantMade(id string, made int) {
	h.t.Helper()
	if got := h.fakes.count(id); got != made {
		h.t.Errorf("connector %s was made %d times, want %d", id, got, made)
	}
}

func (h *host) wantState(id string, want State) {
	h.t.Helper()
	for _, r := range h.Reports() {
		if r.ID == id {
			if r.State != want {
				h.t.Errorf("connector %s is %v, want %v", id, r.State, want)
			}
			return
		}
	}
	h.t.Errorf("connector %s is not there, want it %v", id, want)
}

func TestApplyRestartsOnlyWhatChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, runUp)
		h.mustApply(plantOf([]plant.Connector{connectorOf("a", ""), connectorOf("b", ""), connectorOf("c", "")}))
		for _, id := range []string{"a", "b", "c"} {
			h.wantState(id, Up)
		}
		kind := connectorOf("c", "")
		kind.Kind = "other"
		h.mustApply(plantOf([]plant.Connector{connectorOf("a", ""), connectorOf("b", "changed"), kind, connectorOf("d", "")}, pointOf("p", "a")))
		h.wantMade("a", 1)
		h.wantMade("b", 2)
		h.wantMade("c", 2)
		h.wantMade("d", 1)
		h.mustApply(plantOf([]plant.Connector{connectorOf("a", "")}))
		h.wantMade("a", 1)
		if got := len(h.Reports()); got != 1 {
			t.Errorf("%d connectors, want 1", got)
		}
	})
}

func TestApplyStopsTheOldBeforeTheNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running atomic.Int32
		h := newHost(t, func(ctx context.Context, _ *fake) error {
			if running.Add(1) > 1 {
				t.Error("the new connector runs while the old one still does")
			}
			<-ctx.Done()
			time.Sleep(time.Second) // it takes its time
			running.Add(-1)
			return nil
		})
		h.mustApply(plantOf([]plant.Connector{connectorOf("a", "")}))
		h.mustApply(plantOf([]plant.Connector{connectorOf("a", "changed")}))
		h.wantMade("a", 2)
	})
}

func TestApplyThatFailsChangesNothing(t *testing.T) {
	good := func() *plant.Plant {
		return plantOf(sAndT(), pointOf("a", "s", to("t", 1)), pointOf("b", "s"))
	}
	broken := connectorOf("x", "")
	broken.Settings = &fakeSettings{Broken: true}
	unknown := connectorOf("y", "")
	unknown.Kind = "nothing"
	tests := []struct {
		name  string
		plant *plant.Plant
		want  []string
	}{
		{"constructors", plantOf([]plant.Connector{connectorOf("s", "changed"), broken, unknown}, pointOf("a", "s", counter)), []string{"connector x: is broken", `connector y: unknown kind "nothing"`}},
		{"mapping", plantOf(sAndT(), pointOf("a", "s", counter), pointOf("b", "s", func(p *plant.Point) { p.From.Expr = "value +" })), []string{"point b: from: expr: "}},
		{"source", plantOf(sAndT(), pointOf("a", "none", counter)), []string{`point a: there is no connector "none"`}},
		{"target", plantOf(sAndT(), pointOf("a", "s", counter, to("none", 1))), []string{`point a: there is no connector "none"`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t, runUp)
				h.mustApply(good())
				h.deliver("s", "a", "1")
				h.deliver("s", "b", "2")
				err := h.Apply(context.Background(), tt.plant)
				if !errors.Is(err, ErrConfig) {
					t.Errorf("Apply = %v, want %v", err, ErrConfig)
				}
				for _, want := range tt.want {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("Apply = %v, want %q in it", err, want)
					}
				}
				synctest.Wait()
				h.wantState("s", Up)
				h.wantMade("s", 1+strings.Count(tt.name, "constructors")) // made, and thrown away without a run
				if got, want := h.state("a").Value, point.FloatValue(1); got != want {
					t.Errorf("value %v, want %v", got, want)
				}
				h.wantQuality("b", 0)
				f := h.fakes.last("t").env.Feed
				h.wantBatch(f, "1:a@1 | a=1* ")
			})
		})
	}
}

func TestApplyKeepsValuesOfPointsThatStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, runUp)
		h.mustApply(plantOf(sAndT(), pointOf("a", "s"), pointOf("gone", "s")))
		h.deliver("s", "a", "1")
		h.mustApply(plantOf(sAndT(), pointOf("a", "s"), pointOf("new", "s")))
		h.wantQuality("a", 0)
		h.wantQuality("new", iv|nt)
		if _, ok := h.image.Lookup("gone"); ok {
			t.Error("the removed point is still there")
		}
		h.deliver("s", "new", "2")
		h.wantQuality("new", 0)
	})
}

func TestPointWithAnotherSourceIsNotTopical(t *testing.T) {
	otherTopic := func(p *plant.Point) { p.From.End = &fakeSource{Topic: "elsewhere"} }
	noSource := func(p *plant.Point) { p.From = nil }
	scaled := func(p *plant.Point) { p.From.Scale = 2 }
	tests := []struct {
		name  string
		point plant.Point
		want  point.Quality
	}{
		{"same", pointOf("a", "s"), 0},
		{"other conversion", pointOf("a", "s", scaled), 0},
		{"other end", pointOf("a", "s", otherTopic), nt},
		{"other connector", pointOf("a", "t"), nt},
		{"none", pointOf("a", "s", noSource), nt},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHost(t, runUp)
				h.mustApply(plantOf(sAndT(), pointOf("a", "s")))
				h.deliver("s", "a", "1")
				h.mustApply(plantOf(sAndT(), tt.point))
				h.wantQuality("a", tt.want)
				if tt.want != 0 {
					for _, id := range []string{"s", "t"} { // says nothing about a value from elsewhere
						h.fakes.last(id).env.Sink.Away("", true)
						h.fakes.last(id).env.Sink.Back(true)
					}
					h.wantQuality("a", tt.want)
				}
			})
		})
	}
}

func TestSourcesChangeIsAnnounced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, runUp)
		same := func(p *plant.Point) { p.From.End = &fakeSource{Topic: "a"} }
		h.mustApply(plantOf(sAndT(), pointOf("a", "s"), pointOf("a2", "s", same)))
		ends, changed := h.sink().Sources()
		if diff := cmp.Diff(ends, []any{&fakeSource{Topic: "a"}}); diff != "" {
			t.Errorf("ends (-got +want):\n%s", diff)
		}
		h.mustApply(plantOf(sAndT(), pointOf("a", "s")))
		select {
		case <-changed:
			t.Error("announced although the ends are the same")
		default:
		}
		h.mustApply(plantOf(sAndT(), pointOf("a", "s"), pointOf("b", "s")))
		select {
		case <-changed:
		default:
			t.Error("not announced")
		}
		ends, _ = h.sink().Sources()
		if diff := cmp.Diff(ends, []any{&fakeSource{Topic: "a"}, &fakeSource{Topic: "b"}}); diff != "" {
			t.Errorf("ends (-got +want):\n%s", diff)
		}
	})
}

func TestStopEndsSourcesBeforeTargets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var order []string
		h := newHost(t, func(ctx context.Context, f *fake) error {
			<-ctx.Done()
			mu.Lock()
			defer mu.Unlock()
			order = append(order, f.env.ID)
			return nil
		})
		h.mustApply(plantOf([]plant.Connector{connectorOf("a-target", ""), connectorOf("b-source", ""), connectorOf("c-target", "")}, pointOf("p", "b-source")))
		if err := h.stop(); err != nil {
			t.Errorf("stop = %v", err)
		}
		if len(order) != 3 || order[0] != "b-source" {
			t.Errorf("stopped in order %v, want b-source first", order)
		}
		if err := h.Apply(t.Context(), plantOf(nil)); !errors.Is(err, ErrStopped) {
			t.Errorf("Apply after stop = %v, want %v", err, ErrStopped)
		}
	})
}

func TestStopIsNoAbsence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, func(ctx context.Context, f *fake) error {
			<-ctx.Done()
			f.env.Sink.Away("stops", true)
			return nil
		})
		h.mustApply(plantOf([]plant.Connector{connectorOf("s", "")}, pointOf("a", "s", hold(0))))
		h.deliver("s", "a", "1")
		w := h.witness()
		if err := h.stop(); err != nil {
			t.Error(err)
		}
		w.want() // NT would be from before the restart, and stay although the source is back without loss
	})
}

func TestConnectorThatDoesNotStopIsLeftBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		h := newHost(t, func(_ context.Context, f *fake) error {
			<-release
			return nil
		})
		h.mustApply(plantOf([]plant.Connector{connectorOf("s", "")}, pointOf("a", "s")))
		begin := time.Now()
		if err := h.stop(); err == nil || !strings.Contains(err.Error(), "1 connectors did not stop") {
			t.Errorf("stop = %v, want that one did not stop", err)
		}
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("stop took %v, want 5s at most", took)
		}
		var kept error
		err := h.sink().Deliver(t.Context(), Message{Selector: "a", Payload: []byte("1")}, func(err error) { kept = err })
		if !errors.Is(err, ErrStopped) || !errors.Is(kept, ErrStopped) {
			t.Errorf("Deliver = %v, committed with %v, want %v", err, kept, ErrStopped)
		}
		close(release)
		synctest.Wait()
		h.instances = nil // the manager is stopped again at the end of the test
	})
}

func TestADisabledConnectorDoesNotRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, runUp)
		off := connectorOf("a", "")
		off.Disabled = true
		h.mustApply(plantOf([]plant.Connector{connectorOf("a", "")}, pointOf("p", "a")))
		h.deliver("a", "p", "1")
		h.wantQuality("p", 0)
		if err := h.image.SaveCursor("a/x", image.At(1)); err != nil {
			t.Fatal(err)
		}

		h.mustApply(plantOf([]plant.Connector{off}, pointOf("p", "a")))
		h.wantState("a", Disabled)
		if got := len(h.image.Cursors()); got != 0 {
			t.Errorf("%d cursors of a connector that does not run, want none: they hold the change log", got)
		}
		time.Sleep(DefaultHold + 2*time.Second)
		h.wantQuality("p", point.NotTopical)
		h.mustApply(plantOf([]plant.Connector{off}, pointOf("p", "a"), pointOf("q", "a")))
		h.wantState("a", Disabled)
		h.wantMade("a", 2)

		h.mustApply(plantOf([]plant.Connector{connectorOf("a", "")}, pointOf("p", "a"), pointOf("q", "a")))
		h.wantState("a", Up)
		h.deliver("a", "p", "2")
		h.wantQuality("p", 0)
		h.mustApply(plantOf([]plant.Connector{off}))
		h.mustApply(plantOf(nil))
	})
}

func TestDisabledConnectorsDoNotCollide(t *testing.T) {
	p := &plant.Plant{}
	for _, id := range []string{"a", "b"} {
		c := connectorOf(id, "")
		c.Settings.(*fakeSettings).Listen = "127.0.0.1:1"
		c.Disabled = id == "b"
		p.Connectors = append(p.Connectors, c)
	}
	kinds, err := NewRegistry((&fakes{made: make(map[string][]*fake)}).kind("fake"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range p.Connectors {
		if got := kinds.checkAddresses(&plant.Cross{Plant: p, Connector: &p.Connectors[i]}); len(got) != 0 {
			t.Errorf("%s: %v, want nothing: b does not listen", p.Connectors[i].ID, got)
		}
	}
	p.Connectors[1].Disabled = false
	if got := kinds.checkAddresses(&plant.Cross{Plant: p, Connector: &p.Connectors[1]}); len(got) != 1 {
		t.Errorf("both listen: %v, want a collision", got)
	}
}
