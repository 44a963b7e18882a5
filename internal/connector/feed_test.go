package connector

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/image"
	"busbar/internal/plant"
	"busbar/internal/point"
)

// feedHost has a source "s" and a target "t", whose feed the test reads itself.
func feedHost(t *testing.T, points ...plant.Point) (*host, Feed) {
	t.Helper()
	h := newHost(t, runUp)
	h.mustApply(plantOf(sAndT(), points...))
	return h, h.fakes.last("t").env.Feed
}

func sAndT() []plant.Connector { return []plant.Connector{connectorOf("s", ""), connectorOf("t", "")} }

// show prints a batch: targets as id:point@address, changes as point=value with
// "*" for a snapshot.
func (h *host) show(b Batch) string {
	text := ""
	if b.Targets != nil {
		for _, t := range *b.Targets {
			text += fmt.Sprintf("%d:%s@%d ", t.ID, h.img.ID(t.Point), t.End.(*fakeTarget).Address)
		}
		text += "| "
	}
	if b.Gap > 0 {
		text += fmt.Sprintf("gap %d ", b.Gap)
	}
	for _, c := range b.Changes {
		mark := ""
		if c.Snapshot {
			mark = "*"
		}
		text += fmt.Sprintf("%s=%v%s ", h.img.ID(c.Point), c.Value, mark)
	}
	return text
}

func (h *host) wantBatch(f Feed, want string) {
	h.t.Helper()
	b, err := f.Next(h.t.Context())
	if err != nil {
		h.t.Fatalf("Next = %v", err)
	}
	if got := h.show(b); got != want {
		h.t.Errorf("batch %q, want %q", got, want)
	}
}

// wantNothing checks that Next waits.
func (h *host) wantNothing(f Feed) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), time.Second)
	defer cancel()
	if b, err := f.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
		h.t.Errorf("batch %q, %v, want none", h.show(b), err)
	}
}

func TestFeedBeginsWithTargetsAndSnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, f := feedHost(t, pointOf("a", "s", to("t", 1)), pointOf("b", "s", to("t", 2), to("t", 3)), pointOf("c", "s"))
		h.deliver("s", "b", "5")
		h.wantBatch(f, "1:a@1 2:b@2 3:b@3 | a=-* b=5* ")
		h.deliver("s", "c", "1")
		h.deliver("s", "b", "6")
		h.wantBatch(f, "b=5 b=6 ") // what happened before the first call is not missed
		h.wantNothing(f)
	})
}

func TestFeedSkipsChangesThatAreInTheSnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pointOf("a", "s", to("t", 1)), pointOf("b", "s")
		h, f := feedHost(t, a, b)
		h.wantBatch(f, "1:a@1 | a=-* ")
		h.deliver("s", "b", "1") // still before the cursor of the feed when b gets its target
		h.deliver("s", "a", "2")
		b.To = append(b.To, plant.Target{Connector: "t", End: &fakeTarget{Address: 2}})
		h.mustApply(plantOf(sAndT(), a, b))
		h.wantBatch(f, "1:a@1 2:b@2 | b=1* ")
		h.deliver("s", "b", "3")
		h.wantBatch(f, "a=2 b=3 ")
	})
}

func TestFeedDeliversTargetsInBand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pointOf("a", "s", to("t", 1)), pointOf("b", "s", to("t", 2))
		h, f := feedHost(t, a, b)
		h.wantBatch(f, "1:a@1 2:b@2 | a=-* b=-* ")

		got := make(chan string, 1)
		go func() {
			batch, err := f.Next(t.Context())
			got <- fmt.Sprint(h.show(batch), err)
		}()
		synctest.Wait() // Next waits
		b.To[0].End = &fakeTarget{Address: 7}
		h.mustApply(plantOf(sAndT(), b))
		if got, want := <-got, "2:b@7 | <nil>"; got != want {
			t.Errorf("batch %q, want %q", got, want)
		}
		h.mustApply(plantOf(sAndT(), a, b))
		h.wantBatch(f, "3:a@1 2:b@7 | a=-* ") // a is another point now
	})
}

func TestFeedIsNotDisturbedByAnUnchangedPlant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, f := feedHost(t, pointOf("a", "s", to("t", 1)))
		h.wantBatch(f, "1:a@1 | a=-* ")
		h.mustApply(plantOf(sAndT(), pointOf("a", "s", to("t", 1))))
		h.wantNothing(f)
	})
}

func TestFeedTreatsAnotherTypeAsNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, f := feedHost(t, pointOf("a", "s", to("t", 1)))
		h.wantBatch(f, "1:a@1 | a=-* ")
		h.deliver("s", "a", "2")
		h.mustApply(plantOf(sAndT(), pointOf("a", "s", to("t", 1), counter)))
		h.wantBatch(f, "1:a@1 | a=-* ")
		h.deliver("s", "a", "3")
		h.wantBatch(f, "a=3 ")
	})
}

func TestFeedReportsAGapAndResynchronises(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, f := feedHost(t, pointOf("a", "s", to("t", 1)), pointOf("b", "s", to("t", 2)), pointOf("c", "s"))
		h.wantBatch(f, "1:a@1 2:b@2 | a=-* b=-* ")
		h.deliver("s", "a", "5")
		for i := range 1024 {
			h.deliver("s", "c", fmt.Sprint(i))
		}
		h.wantBatch(f, "gap 1 a=5* b=-* ")
		h.deliver("s", "b", "6")
		h.wantBatch(f, "b=6 ")
	})
}

func TestFeedWithoutTargetsWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, f := feedHost(t, pointOf("a", "s"))
		h.wantBatch(f, "| ")
		h.deliver("s", "a", "1")
		h.wantNothing(f)
		h.mustApply(plantOf(sAndT(), pointOf("a", "s", to("t", 1))))
		h.wantBatch(f, "1:a@1 | a=1* ")
	})
}

func TestTargetCarriesTheRulesOfItsPoint(t *testing.T) {
	type end struct{ Address, Other int }
	p := plant.Point{
		ID: "a", Type: point.Float, Range: &plant.Range{Low: -50, High: 150},
		Deadband: plant.Deadband{Value: 5, Percent: true},
		To: []plant.Target{
			{Scale: 1, End: &end{3, 7}},
			{Scale: 2, Offset: 3, OnUpdate: true, Latest: true, Range: &plant.Range{Low: 0, High: 10}, End: &end{4, 7}},
			{Scale: 1, Deadband: &plant.Deadband{Value: 0.5}, End: &end{5, 7}},
		},
	}
	common := Rule{Type: point.Float, End: &end{0, 7}}
	want := []Rule{common, common, common}
	want[0].Gate, want[0].Convert = Gate{Deadband: 10, Late: true}, Linear{Scale: 1, Low: -50, High: 150}
	want[1].Gate, want[1].Convert = Gate{Deadband: 0.5, OnUpdate: true}, Linear{Scale: 2, Offset: 3, Low: 0, High: 10}
	want[1].Latest = true
	want[2].Gate, want[2].Convert = Gate{Deadband: 0.5, Late: true}, Linear{Scale: 1, Low: -50, High: 150}
	kind := Define("tagged", Spec[struct{}, None, end]{
		Tagged:  func(end) bool { return true },
		Address: func(e end) (uint64, end) { return uint64(e.Address), end{Other: e.Other} },
	})
	set := newAimed("t", kind, 4)
	for i := range p.To {
		set.add(9, 7, &p, uint8(i), [2]point.Index{point.None, point.None})
		got := set.list[i]
		want[i].Place = uint8(i)
		if got.ID != 9 || got.Point != 7 || got.Address != uint64(3+i) {
			t.Errorf("target %+v, want id 9, point 7 and address %d", got, 3+i)
		}
		if diff := cmp.Diff(want[i], *got.Rule); diff != "" {
			t.Errorf("rule of target %d (-want +got):\n%s", i, diff)
		}
		if got.End != set.list[0].End {
			t.Errorf("target %d does not share its end", i)
		}
	}
	set.add(10, 8, &p, 0, [2]point.Index{point.None, point.None})
	if set.list[3].Rule != set.list[0].Rule {
		t.Error("equal targets of two points do not share a rule")
	}
}

func TestFeedResumesAtTheHindmostCursor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, f := feedHost(t, pointOf("a", "s", to("t", 1)), pointOf("b", "s", to("t", 2)))
		h.wantBatch(f, "1:a@1 2:b@2 | a=-* b=-* ")
		for i := range 6 {
			h.deliver("s", []string{"a", "b"}[i%2], fmt.Sprint(i))
		}
		b, err := f.Next(t.Context())
		if err != nil || b.Seq != 6 || len(b.Changes) != 6 {
			t.Fatalf("Next = %+v, %v, want 6 changes", b, err)
		}
		for name, seq := range map[string]uint64{"10.0.0.1": 5, "10.0.0.2": 3} {
			if err := f.SaveCursor(name, image.At(seq)); err != nil {
				t.Fatal(err)
			}
		}
		if err := h.img.SaveCursor("other/x", image.At(1)); err != nil {
			t.Fatal(err)
		}
		f.(*feed).restart()
		h.wantBatch(f, "1:a@1 2:b@2 | a=4* b=5* ")
		h.deliver("s", "a", "6")
		b, err = f.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, c := range b.Changes {
			got = append(got, fmt.Sprint(c.Seq, c.Past, c.Events))
		}
		if diff := cmp.Diff([]string{"4 true 1", "5 true 1", "6 true 1", "7 false 1"}, got); diff != "" {
			t.Errorf("changes (-want +got):\n%s", diff)
		}
		f.DropCursor("10.0.0.2")
		if diff := cmp.Diff(map[string]Position{"10.0.0.1": {5, 5, 5}}, f.Cursors()); diff != "" {
			t.Errorf("cursors (-want +got):\n%s", diff)
		}
	})
}

func TestFeedTellsHowFarItHasCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, f := feedHost(t, pointOf("a", "s", to("t", 1)), pointOf("c", "s"))
		h.wantBatch(f, "1:a@1 | a=-* ")
		got := make(chan Batch, 1)
		go func() {
			b, err := f.Next(t.Context())
			if err != nil {
				t.Error(err)
			}
			got <- b
		}()
		for i := range 2 * stride {
			h.deliver("s", "c", fmt.Sprint(i))
			synctest.Wait()
		}
		if b := <-got; len(b.Changes) != 0 || b.Seq != stride {
			t.Errorf("batch %+v, want none but sequence number %d", b, stride)
		}
	})
}

func TestFeedEndsWithTheImage(t *testing.T) {
	img := image.New(image.Options{})
	img.Define([]image.Definition{{ID: "a", Type: point.Float}})
	f := newFeed(img, "t")
	f.set([]Target{{Point: 0, Own: [2]point.Index{point.None, point.None}, Rule: &Rule{Type: point.Float}}}, nil)
	if _, err := f.Next(t.Context()); err != nil {
		t.Fatalf("Next = %v, want targets", err)
	}
	img.Close()
	if _, err := f.Next(t.Context()); !errors.Is(err, image.ErrClosed) {
		t.Errorf("Next = %v, want %v", err, image.ErrClosed)
	}
}
