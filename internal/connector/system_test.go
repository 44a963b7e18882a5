package connector

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/image"
	"busbar/internal/plant"
	"busbar/internal/point"
)

// systemPoint is a system point as plant decodes it.
func systemPoint(id string, typ point.Type) plant.Point {
	return plant.Point{ID: id, Type: typ, Hold: -1}
}

// witness sees every change of an image.
type witness struct {
	h *host
	f image.Follower
}

func (h *host) witness() *witness { return &witness{h: h, f: h.image.Follow(image.Every)} }

// take returns the changes since the last call, as "id=value quality", with
// "restored" where that is set.
func (w *witness) take() []string {
	w.h.t.Helper()
	list := []string{}
	dst := make([]image.Change, 64)
	for {
		ctx, cancel := context.WithTimeout(w.h.t.Context(), time.Nanosecond)
		n, gap, err := w.f.Next(ctx, dst)
		cancel()
		if err != nil {
			return list
		}
		if gap > 0 {
			w.h.t.Fatalf("gap of %d", gap)
		}
		for _, c := range dst[:n] {
			text := fmt.Sprintf("%s=%v %v", w.h.name(c.Point), c.Value, c.Quality)
			if c.Flags&point.Restored != 0 {
				text += " restored"
			}
			list = append(list, text)
		}
	}
}

func (w *witness) want(want ...string) {
	w.h.t.Helper()
	synctest.Wait()
	if diff := cmp.Diff(append([]string{}, want...), w.take()); diff != "" {
		w.h.t.Errorf("changes (-want +got):\n%s", diff)
	}
}

// wantAnyOrder is want for changes of points that are in no order.
func (w *witness) wantAnyOrder(want ...string) {
	w.h.t.Helper()
	synctest.Wait()
	if diff := cmp.Diff(slices.Sorted(slices.Values(want)), slices.Sorted(slices.Values(w.take()))); diff != "" {
		w.h.t.Errorf("changes (-want +got):\n%s", diff)
	}
}

func upAndState(connector string) []plant.Point {
	return []plant.Point{systemPoint("sys/connectors/"+connector+"/up", point.Single), systemPoint("sys/connectors/"+connector+"/state", point.Int)}
}

func TestStateIsASystemPoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fail := make(chan error)
		h := newHost(t, func(ctx context.Context, f *fake) error {
			select {
			case err := <-fail:
				return err
			case <-ctx.Done():
				return nil
			}
		})
		w := h.witness()
		h.mustApply(plantOf(sAndT()[:1], upAndState("s")...))
		const up, state = "sys/connectors/s/up=", "sys/connectors/s/state="
		got := w.take() // what is used first is in no order
		if len(got) < 3 || got[len(got)-1] != state+"1 good" {
			t.Errorf("changes %v, want the last to be starting", got)
		}
		report := h.fakes.last("s").env.Report
		report(Connecting, "")
		w.want(state + "2 good")
		report(Up, "")
		w.want(up+"on good", state+"3 good")
		report(Up, "")
		w.want()
		report(Degraded, "half")
		w.want(state + "4 good")
		report(Degraded, "another half")
		w.want()
		fail <- errors.New("boom")
		w.want(up+"off good", state+"5 good")
		time.Sleep(time.Minute)
		w.want(state + "1 good")
		fail <- fmt.Errorf("%w: no", ErrConfig)
		w.want(state + "6 good")
		time.Sleep(time.Minute)
		w.want()
		h.mustApply(plantOf([]plant.Connector{connectorOf("s", "changed")}, upAndState("s")...))
		w.want(state+"0 good", state+"1 good")
		report(Up, "of the old one")
		w.want()
		if err := h.stop(); err != nil {
			t.Error(err)
		}
		w.want(state + "0 good")
	})
}

func TestStateOfARunningConnectorIsPublishedWhenItIsUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, runUp)
		h.mustApply(plantOf(sAndT()))
		w := h.witness()
		h.mustApply(plantOf(sAndT(), upAndState("s")[:1]...))
		w.want("sys/connectors/s/up=on good")
		h.mustApply(plantOf(sAndT()))
		h.mustApply(plantOf(sAndT(), upAndState("s")[:1]...)) // another index
		w.want("sys/connectors/s/up=on good")
	})
}

func TestSystemPublishesChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, runUp)
		const fill, link = "sys/connectors/s/fill", "sys/connectors/s/links/north/up"
		both := []plant.Point{systemPoint(fill, point.Float), systemPoint(link, point.Single)}
		h.mustApply(plantOf(sAndT(), both...))
		w, system := h.witness(), h.fakes.last("s").env.System
		system("fill", point.FloatValue(3))
		system("fill", point.FloatValue(3))
		system("fill", point.FloatValue(4))
		system("links/north/up", point.SingleValue(true))
		system("links/south/up", point.SingleValue(true)) // not in the plant
		system("dropped", point.CounterValue(5))
		w.want(fill+"=3 good", fill+"=4 good", link+"=on good")

		// What the plant uses later is known.
		more := append(both, systemPoint("sys/connectors/s/links/south/up", point.Single), systemPoint("sys/connectors/s/dropped", point.Counter))
		h.mustApply(plantOf(sAndT(), more...))
		synctest.Wait()
		if got := w.take(); len(got) != 2 {
			t.Errorf("changes %v, want those of the two new points", got)
		}
		h.wantQuality("sys/connectors/s/dropped", 0)
		if got := h.state("sys/connectors/s/links/south/up").Value; got != point.SingleValue(true) {
			t.Errorf("value %v, want on", got)
		}
		h.mustApply(plantOf(sAndT(), both...))
		system("dropped", point.CounterValue(6))
		w.want()
		time.Sleep(time.Hour) // they do not age
		w.want()
	})
}

func TestSystemPointsAreNotTopicalWhileTheConnectorDoesNotRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fail := make(chan error)
		h := newHost(t, func(ctx context.Context, f *fake) error {
			f.env.System("fill", point.FloatValue(3))
			f.env.System("dropped", point.CounterValue(1))
			select {
			case err := <-fail:
				return err
			case <-ctx.Done():
				return nil
			}
		})
		const fill, dropped, idle = "sys/connectors/s/fill", "sys/connectors/s/dropped", "sys/connectors/s/links/a/up"
		points := []plant.Point{systemPoint(fill, point.Float), systemPoint(dropped, point.Counter), systemPoint(idle, point.Single)}
		h.mustApply(plantOf(sAndT()[:1], points...))
		h.wantQuality(fill, 0)
		h.wantQuality(dropped, 0)
		h.wantQuality(idle, iv|nt)
		fail <- errors.New("boom")
		h.wantQuality(fill, nt)
		h.wantQuality(dropped, iv)
		h.fakes.last("s").env.System("fill", point.FloatValue(9)) // it does not run
		h.wantQuality(fill, nt)
		time.Sleep(2 * time.Second) // it runs again, with the same values
		h.wantQuality(fill, 0)
		h.wantQuality(dropped, 0)
		if got := h.state(fill).Value; got != point.FloatValue(3) {
			t.Errorf("value %v, want 3", got)
		}
		if err := h.stop(); err != nil {
			t.Error(err)
		}
		h.wantQuality(fill, nt)
	})
}

func TestSystemMayBeCalledFromManyGoroutines(t *testing.T) {
	h := newHost(t, runUp)
	used := systemPoint("sys/connectors/s/fill", point.Float)
	apply := func(points ...plant.Point) {
		if err := h.Apply(t.Context(), plantOf(sAndT(), points...)); err != nil {
			t.Error(err)
		}
	}
	apply(used)
	env := h.fakes.last("s").env
	<-h.fakes.last("s").started
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for n := range 500 {
				env.System("fill", point.FloatValue(float64(n)))
				env.System(fmt.Sprintf("links/%d/up", i), point.SingleValue(n%2 == 0))
				env.Report([]State{Up, Degraded, Connecting}[n%3], "")
			}
		})
	}
	all.Go(func() {
		for range 50 {
			apply()
			apply(append(upAndState("s"), used)...)
		}
	})
	all.Wait()
	env.System("fill", point.FloatValue(-1))
	env.Report(Up, "last")
	for id, want := range map[string]point.Value{"fill": point.FloatValue(-1), "state": point.IntValue(int64(Up)), "up": point.SingleValue(true)} {
		if got := h.state("sys/connectors/s/" + id).Value; got != want {
			t.Errorf("%s is %v, want %v", id, got, want)
		}
	}
}

func TestKindWithWrongSystemPointsIsRefused(t *testing.T) {
	t.Parallel()
	kind := Define("odd", Spec[struct{}, None, None]{
		New: func(struct{}, Env) (Connector, error) { return nil, nil },
		System: []SystemPoint{
			{Name: "up", Type: point.Single}, {Name: "own/x", Type: point.Int}, {Name: "", Type: point.Int},
			{Name: "twice", Type: point.Int}, {Name: "twice", Type: point.Int}, {Name: "bare"},
		},
	})
	_, err := NewRegistry(kind)
	want := `kind odd: system point "up": the name is taken
system point "own/x": the name is taken
system point "": the name is taken
system point "twice": the name is taken
system point "bare": has no type`
	if err == nil || err.Error() != want {
		t.Errorf("NewRegistry = %v, want %s", err, want)
	}
}

func TestSystemPointsOfAKindAreDecoded(t *testing.T) {
	t.Parallel()
	p, problems, _ := decodePlant(t, `version: 1
connectors:
  c: {kind: fake}
points:
  sys/connectors/c/links/north/up: {to: [{connector: c, address: 3}]}
`)
	if len(problems) > 0 || len(p.Points) != 1 || p.Points[0].Type != point.Single {
		t.Errorf("problems %v, want a single", problems)
	}
	_, problems, _ = decodePlant(t, `version: 1
connectors:
  c: {kind: fake}
points:
  sys/connectors/c/links/north/u: {to: [{connector: c, address: 3}]}
`)
	want := []string{"plant.yaml:5:3: points.sys/connectors/c/links/north/u: is no system point of connector c, want one of up, state, links/*/up, fill, dropped; did you mean links/north/up?"}
	if diff := cmp.Diff(want, problems); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}
