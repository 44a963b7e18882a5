// Package imagetest is the conformance suite of the process image: every
// implementation passes it.
package imagetest

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/image"
	"busbar/internal/point"
)

// Opener opens an empty image for one test and closes it with the test. It is
// called inside of a synctest bubble, but for one test. The change log in memory should
// hold no more than a few thousand changes, so that the suite gets a follower to fall behind.
type Opener func(t *testing.T) image.Image

// Run runs the suite.
func Run(t *testing.T, open Opener) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, image.Image)
	}{
		{"define gives each id an index that stays", defineKeepsIndices},
		{"define keeps states of the same type only", defineKeepsStates},
		{"a point never received is IV and NT", neverReceived},
		{"publish stores and numbers", publishStores},
		{"publish calls committed once", publishCommits},
		{"publish drops what fits no point", publishDrops},
		{"keep value", keepValue},
		{"late changes leave the state", lateChanges},
		{"retained", retained},
		{"every delivers in order from now on", everyInOrder},
		{"every reports exactly what was lost, if anything", everyFallsBehind},
		{"every skips changes of removed points", everySkipsRemoved},
		{"latest begins with a snapshot", latestSnapshot},
		{"latest coalesces", latestCoalesces},
		{"latest serves all points in turn", latestIsFair},
		{"gates decide about events", eventsOfGates},
		{"gates remember over define", gatesOverDefine},
		{"resume begins at a position", resumes},
		{"cursors are named", cursors},
		{"a substituted value is shown, and what is beneath on release", substituted},
		{"a release is never late", releasedInOrder},
		{"a blocked value stays", blocked},
		{"substituted and blocked at once", substitutedAndBlocked},
		{"overlays over points never received", overlaidUnknown},
		{"beneath an overlay the rules of publish hold", beneathByTheRules},
		{"overlays that may not be", overlaysRefused},
		{"overlays go with their points", overlaysDropped},
		{"overlays in any order", overlaysAtRandom},
		{"changed tells the points of changes", changed},
		{"next waits for news", nextWaits},
		{"next ends with its context", nextEndsWithContext},
		{"next ends with close", nextEndsWithClose},
		{"a follower that never reads delays nobody", slowFollower},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { c.run(t, open(t)) })
		})
	}
	t.Run("under load from many goroutines", func(t *testing.T) { stress(t, open(t)) })
}

// noon is a time for the updates of the tests.
var noon = point.InstantOf(time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC))

// floats defines float points with these ids.
func floats(im image.Image, ids ...string) []point.Index {
	defs := make([]image.Definition, len(ids))
	for i, id := range ids {
		defs[i] = image.Definition{ID: id, Type: point.Float}
	}
	return im.Define(defs)
}

// float is a good update that happened at noon and the given time after it.
func float(p point.Index, v float64, after time.Duration) point.Update {
	at := noon + point.Instant(after)
	return point.Update{Point: p, Value: point.FloatValue(v), Time: at, Arrival: at + 1, Source: 1}
}

func publish(t *testing.T, im image.Image, batch ...point.Update) {
	t.Helper()
	if err := im.Publish(t.Context(), batch, nil); err != nil {
		t.Fatalf("Publish: %v", err)
	}
}

func state(t *testing.T, im image.Image, p point.Index) point.State {
	t.Helper()
	s, ok := im.State(p)
	if !ok {
		t.Fatalf("point %d has no state", p)
	}
	return s
}

// next reads up to n changes and fails on a gap.
func next(t *testing.T, f image.Follower, n int) []image.Change {
	t.Helper()
	dst := make([]image.Change, n)
	n, gap, err := f.Next(t.Context(), dst)
	if err != nil || gap != 0 {
		t.Fatalf("Next: gap %d, error %v", gap, err)
	}
	return dst[:n]
}

// collect reads changes until n have come.
func collect(t *testing.T, f image.Follower, n int) []image.Change {
	t.Helper()
	var all []image.Change
	for len(all) < n {
		all = append(all, next(t, f, n-len(all))...)
	}
	return all
}

// idle fails unless the follower has nothing to deliver.
func idle(t *testing.T, f image.Follower) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	dst := make([]image.Change, 8)
	if n, gap, err := f.Next(ctx, dst); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("Next = %d changes %+v, gap %d, error %v, want none until the deadline", n, dst[:n], gap, err)
	}
}

// equal fails unless want and got are the same.
func equal[T any](t *testing.T, what string, want, got T) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmp.Comparer(point.Value.Equal)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}
