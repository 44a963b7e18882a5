package connector

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
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

func TestReplacedConnectorSaysNothingMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		h := newHost(t, func(ctx context.Context, f *fake) error {
			f.env.Report(Up, "")
			f.env.System("fill", point.FloatValue(1))
			if f.settings.Name == "stuck" {
				<-release
			}
			<-ctx.Done()
			return nil
		})
		const fill, state = "sys/connectors/s/fill", "sys/connectors/s/state"
		points := []plant.Point{systemPoint(fill, point.Float), systemPoint(state, point.Int)}
		h.mustApply(plantOf([]plant.Connector{connectorOf("s", "stuck")}, points...))
		old := h.fakes.last("s").env
		h.wantQuality(fill, 0)
		w := h.witness()
		h.mustApply(plantOf([]plant.Connector{connectorOf("s", "next")}, points...))
		w.want(fill+"=1 not-topical", state+"=0 good", state+"=1 good", state+"=3 good", fill+"=1 good")
		old.System("fill", point.FloatValue(7))
		old.Report(Degraded, "still there")
		close(release)
		w.want()
		if err := old.Feed.SaveCursor("x", image.At(1)); !errors.Is(err, ErrStopped) {
			t.Errorf("SaveCursor = %v, want %v", err, ErrStopped)
		}
		if err := h.fakes.last("s").env.Feed.SaveCursor("x", image.At(1)); err != nil {
			t.Errorf("SaveCursor = %v of the new connector", err)
		}
		old.Feed.DropCursor("x")
		if len(h.image.Cursors()) != 1 {
			t.Error("the old connector dropped the cursor of the new one")
		}
	})
}

func TestSystemPointsAreNeverLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := struct {
			sync.Mutex
			behind time.Duration
		}{}
		b := newBoard(slog.New(slog.DiscardHandler), image.New(image.Options{}), func() time.Time {
			clock.Lock()
			defer clock.Unlock()
			return time.Now().Add(-clock.behind)
		}, fakeSystem())
		p := b.publisher.img.Define([]image.Definition{{ID: "x", Type: point.Float}})
		b.use(map[string]posting{"fill": {index: p[0], typ: point.Float}}, false)
		b.begin()
		b.set("fill", point.FloatValue(1))
		clock.Lock()
		clock.behind = time.Hour
		clock.Unlock()
		b.set("fill", point.FloatValue(2))
		s, _ := b.publisher.img.State(p[0])
		if s.Value != point.FloatValue(2) || s.TimeQuality != point.TimeSubstituted {
			t.Errorf("state %+v after the clock was set back, want 2, time substituted", s)
		}
		b.set("fill", point.FloatValue(3))
		if s, _ = b.publisher.img.State(p[0]); s.Value != point.FloatValue(3) || s.TimeQuality != 0 {
			t.Errorf("state %+v, want 3, time good", s)
		}
	})
}

func TestSystemPointThatTheKindDoesNotDeclareIsLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		h := newLoggingHost(t, slog.New(slog.NewTextHandler(&log, nil)), runUp)
		h.mustApply(plantOf(sAndT(), upAndState("s")...))
		w, system := h.witness(), h.fakes.last("s").env.System
		for range 3 {
			system("temperature", point.FloatValue(3))
			system("fill", point.IntValue(3))
			system("up", point.SingleValue(false))
		}
		w.want()
		if got := strings.Count(log.String(), `level=ERROR msg="system point is not as the kind declares it"`); got != 1 {
			t.Errorf("logged %d times, want once:\n%s", got, log.String())
		}
	})
}

func TestNamesOfUnusedSystemPointsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, runUp)
		const used = "sys/connectors/s/fill"
		h.mustApply(plantOf(sAndT(), systemPoint(used, point.Float)))
		system := h.fakes.last("s").env.System
		for i := range 2 * maxNames {
			system(fmt.Sprintf("links/%d/up", i), point.SingleValue(true))
		}
		if got := len(h.instances["s"].board.points); got > maxNames {
			t.Errorf("%d names, want at most %d", got, maxNames)
		}
		system("fill", point.FloatValue(1))
		h.wantQuality(used, 0)
	})
}

func TestSystemPointsThatTheImageRefusesAreTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, runUp)
		const fill, state = "sys/connectors/s/fill", "sys/connectors/s/state"
		h.mustApply(plantOf(sAndT(), systemPoint(fill, point.Float), systemPoint(state, point.Int)))
		w, env := h.witness(), h.fakes.last("s").env
		h.moody.refuses.Store(true)
		env.System("fill", point.FloatValue(3))
		env.System("fill", point.FloatValue(4))
		env.Report(Connecting, "lost")
		time.Sleep(5 * time.Second)
		w.want()
		h.moody.refuses.Store(false)
		time.Sleep(time.Second)
		synctest.Wait()
		if s := h.state(fill); s.Value != point.FloatValue(4) || s.Quality != 0 {
			t.Errorf("state %+v, want 4", s)
		}
		if s := h.state(state); s.Value != point.IntValue(int64(Connecting)) {
			t.Errorf("state %+v, want connecting", s)
		}
		if got := w.take(); len(got) != 2 {
			t.Errorf("changes %v, want the last of each point", got)
		}
		time.Sleep(5 * time.Second)
		w.want()
	})
}

func TestJournalIsASystemPoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, runUp)
		h.moody.status.Store(&image.Status{Accepting: true, Used: 512, Limit: 1024})
		var points []plant.Point
		for _, s := range plant.JournalPoints() {
			points = append(points, systemPoint(plant.JournalPoint(s.Name), s.Type))
		}
		w := h.witness()
		h.mustApply(plantOf(sAndT(), points...))
		synctest.Wait()
		if got := w.take(); len(got) != 4 {
			t.Errorf("changes %v, want one of each point", got)
		}
		for id, want := range map[string]point.Value{
			"accepting": point.SingleValue(true), "fill": point.FloatValue(50), "lag": point.FloatValue(0), "damaged": point.IntValue(0),
		} {
			if s := h.state("sys/journal/" + id); s.Value != want || s.Quality != 0 {
				t.Errorf("%s is %v %v, want %v", id, s.Value, s.Quality, want)
			}
		}
		time.Sleep(time.Minute)
		w.want()
		h.moody.status.Store(&image.Status{Reason: "disk full", Used: 1023, Limit: 1024, Lag: 1234 * time.Millisecond, Damaged: 2, Pending: 7})
		time.Sleep(2 * time.Second)
		w.want("sys/journal/accepting=off good", "sys/journal/fill=99.9 good", "sys/journal/lag=1.23 good", "sys/journal/damaged=2 good")
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
