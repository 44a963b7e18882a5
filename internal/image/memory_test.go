package image_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"busbar/internal/image"
	"busbar/internal/image/imagetest"
	"busbar/internal/point"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	imagetest.Run(t, func(t *testing.T) image.Image {
		m := image.New(image.Options{Log: 1000})
		t.Cleanup(m.Close)
		return m
	})
}

func TestMemoryClosed(t *testing.T) {
	t.Parallel()
	m := image.New(image.Options{})
	p := m.Define([]image.Definition{{ID: "a", Type: point.Float}})
	before := m.Follow(image.Every)
	m.Close()
	m.Close()
	var committed []error
	err := m.Publish(t.Context(), []point.Update{{Point: p[0], Value: point.FloatValue(1)}}, func(err error) { committed = append(committed, err) })
	if !errors.Is(err, image.ErrClosed) || len(committed) != 1 || !errors.Is(committed[0], image.ErrClosed) {
		t.Errorf("Publish = %v, committed %v, want %v in both", err, committed, image.ErrClosed)
	}
	for name, f := range map[string]image.Follower{"before": before, "after": m.Follow(image.Latest)} {
		if _, _, err := f.Next(t.Context(), make([]image.Change, 1)); !errors.Is(err, image.ErrClosed) {
			t.Errorf("Next of a follower made %s the end = %v, want %v", name, err, image.ErrClosed)
		}
		f.Close()
	}
	if _, ok := m.State(p[0]); !ok {
		t.Error("a closed image has forgotten its states")
	}
}

func TestMemoryLogSizeIsRoundedUp(t *testing.T) {
	t.Parallel()
	for size, want := range map[int]uint64{1: 1, 2: 2, 3: 4, 1000: 1024, 1024: 1024} {
		m := image.New(image.Options{Log: size})
		p := m.Define([]image.Definition{{ID: "a", Type: point.Int}})
		f := m.Follow(image.Every)
		for i := range 2000 {
			publish(t, m, point.Update{Point: p[0], Value: point.IntValue(int64(i))})
		}
		if _, gap, err := f.Next(t.Context(), make([]image.Change, 1)); err != nil || 2000-gap != want {
			t.Errorf("log of %d holds %d changes, error %v, want %d", size, 2000-gap, err, want)
		}
	}
}

func TestMemoryBoundsTextInTheLog(t *testing.T) {
	t.Parallel()
	m := image.New(image.Options{})
	p := m.Define([]image.Definition{{ID: "a", Type: point.Text}})
	f := m.Follow(image.Every)
	text := strings.Repeat("x", 1<<20)
	for range 40 {
		publish(t, m, point.Update{Point: p[0], Value: point.TextValue(text)})
	}
	dst := make([]image.Change, 100)
	n, gap, err := f.Next(t.Context(), dst)
	if err != nil || n != 16 || gap != 24 {
		t.Errorf("Next = %d changes after a gap of %d, error %v, want 16 after 24", n, gap, err)
	}
	huge := strings.Repeat("x", 17<<20)
	publish(t, m, point.Update{Point: p[0], Value: point.TextValue(huge)})
	if n, gap, err = f.Next(t.Context(), dst); err != nil || n != 1 || gap != 0 {
		t.Errorf("Next = %d changes after a gap of %d, error %v, want the newest however long", n, gap, err)
	}
}

func TestMemoryAllocatesNothing(t *testing.T) {
	m := image.New(image.Options{})
	p := m.Define([]image.Definition{{ID: "a", Type: point.Float}})
	every, latest := m.Follow(image.Every), m.Follow(image.Latest)
	dst, batch, ctx := make([]image.Change, 4), make([]point.Update, 1), context.Background()
	allocs := testing.AllocsPerRun(100, func() {
		batch[0] = point.Update{Point: p[0], Value: point.FloatValue(1)}
		publish(t, m, batch...)
		for _, f := range []image.Follower{every, latest} {
			if n, _, err := f.Next(ctx, dst); n != 1 || err != nil {
				t.Fatalf("Next = %d, %v, want 1 change", n, err)
			}
		}
	})
	if allocs > 0 {
		t.Errorf("%v allocations per update, want 0", allocs)
	}
}

func publish(t testing.TB, m image.Image, batch ...point.Update) {
	t.Helper()
	if err := m.Publish(t.Context(), batch, nil); err != nil {
		t.Fatalf("Publish: %v", err)
	}
}
