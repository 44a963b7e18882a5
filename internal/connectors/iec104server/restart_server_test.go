package iec104server

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"busbar/iec104/asdu"
	"busbar/internal/connector"
	"busbar/internal/point"
)

func TestPlacesAreSavedWhileTheServerRunsAndAtItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startServer(t, true, pair())
		r.feed.targets(oneInt()...)
		c := r.centre(t, addressA, 0)
		c.start(t)
		saved := func(want uint64) {
			t.Helper()
			if got := r.feed.Cursors()["scada"]; got[point.ClassMeasured] != want {
				t.Errorf("place %v, want %d of the measured values", got, want)
			}
		}
		r.feed.publish(news(1, point.IntValue(1)), news(1, point.IntValue(2)))
		time.Sleep(9 * time.Second)
		saved(0)
		time.Sleep(time.Second + saveEvery + 1) // acknowledged after t2
		saved(2)
		r.feed.quiet(news(1, point.IntValue(2)))
		time.Sleep(saveEvery + 1)
		saved(3)
		r.feed.quiet(news(1, point.IntValue(2)))
		synctest.Wait()
		r.stop(t)
		saved(4)
		<-c.Done()
	})
}

func TestNobodyIsServedBeforeTheEventsThatWaitAreThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		feed := newTestFeed()
		feed.cursors["scada"] = connector.Position{0, 0, 2}
		targets, current := oneInt(), news(1, point.IntValue(9))
		current.Seq, current.Snapshot = 9, true
		feed.batches <- connector.Batch{Targets: &targets, Changes: []connector.Change{current}}
		r := startServerWith(t, func(e *connector.Env) { e.Feed = feed }, pair())
		for seq := uint64(3); seq <= 9; seq++ {
			time.Sleep(quiet / 2)
			select {
			case <-r.up:
				t.Fatalf("served before event %d of 9", seq)
			default:
			}
			c := news(1, point.IntValue(int64(seq)))
			c.Seq, c.Events, c.Past = seq, 1, true
			feed.batches <- connector.Batch{Changes: []connector.Change{c}, Seq: seq}
		}
		<-r.up
		c := r.centre(t, addressA, 0)
		c.start(t)
		synctest.Wait()
		if n := len(c.received()); n != 7 {
			t.Errorf("%d events, want 7", n)
		}
		r.stop(t)
		<-c.Done()
	})
}

// What was no event is not always delivered: the newest change may not come.
func TestStartDoesNotWaitForWhatWasNoEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		feed := newTestFeed()
		feed.cursors["scada"] = connector.Position{5, 5, 5}
		targets, current := oneInt(), news(1, point.IntValue(9))
		current.Seq, current.Snapshot = 9, true
		feed.batches <- connector.Batch{Targets: &targets, Changes: []connector.Change{current}}
		begin := time.Now()
		r := startServerWith(t, func(e *connector.Env) { e.Feed = feed }, pair())
		<-r.up
		if waited := time.Since(begin); waited != quiet {
			t.Errorf("served after %v, want %v", waited, quiet)
		}
		r.stop(t)
	})
}

func TestPlaceThatCannotBeSavedIsToldOnce(t *testing.T) {
	r := newRig(t, pair())
	r.targets(oneInt())
	r.joinFrom(addressA)
	var log strings.Builder
	r.log = textLog(&log)
	for i := range int64(3) {
		r.ints(i)
		r.station.save(failingFeed{r.feed}, &saving{})
	}
	if n := strings.Count(log.String(), "places of groups not saved"); n != 1 {
		t.Errorf("told %d times, want once", n)
	}
	r.save()
	if got := r.feed.Cursors()["scada"]; got[point.ClassStatus] != 3 {
		t.Errorf("place %v, want it saved as soon as it can be", got)
	}
}

// failingFeed saves nothing.
type failingFeed struct{ *testFeed }

func (failingFeed) SaveCursor(string, connector.Position) error { return errors.New("disk full") }

func TestFreezeIsConfirmedNegativelyWhereItIsNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := errors.New("disk full")
		r := startServerWith(t, func(e *connector.Env) { e.PublishOwn = func([]point.Update) error { return refused } })
		r.feed.targets(at(1, 1, 1, asdu.M_IT_NA_1, point.Counter))
		m := r.master(t)
		if _, err := m.Counters(t.Context(), 1, generalCounters, freezeOnly); err == nil {
			t.Error("the freeze is confirmed")
		}
		if _, err := m.Counters(t.Context(), 1, generalCounters, readOnly); err != nil {
			t.Errorf("reading: %v", err)
		}
		m.close(t)
		r.stop(t)
	})
}
