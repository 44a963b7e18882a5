package connector

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"busbar/internal/image"
	"busbar/internal/plant"
	"busbar/internal/point"
)

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
