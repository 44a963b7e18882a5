package connector

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"busbar/internal/mapping"
	"busbar/internal/plant"
	"busbar/internal/point"
)

func TestFaultsAreLoggedOnceAMinute(t *testing.T) {
	t.Parallel()
	sources, problems := mapping.Compile([]mapping.Input{{
		Type: point.Float, Selector: "a", Source: &plant.Source{Value: "x", Scale: 1},
	}}, mapping.Options{})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	var out bytes.Buffer
	c := newSinkCounts(slog.New(slog.NewTextHandler(&out, nil)), func(point.Index) string { return "p" })
	now := time.Unix(1e9, 0)
	for range 150 { // one a second
		for _, m := range []Message{{Selector: "a", Payload: []byte(`{"x":"on"}`)}, {Selector: "a", Payload: []byte(`{`)}, {Selector: "b", Payload: []byte(`{}`)}} {
			updates, outcome := sources.Map(nil, m.Selector, m.Payload, point.InstantOf(now), false)
			c.message(t.Context(), now, len(updates), &outcome)
		}
		now = now.Add(time.Second)
	}
	log := out.String()
	for _, tt := range []struct {
		text string
		want int
	}{
		{"level=WARN msg=\"reading not taken as it was\" reason=wrong_type point=p", 3},
		{"reason=not_json", 3},
		{"no_selector", 0}, // usual on a shared broker
		{"count=61", 2},
	} {
		if got := strings.Count(log, tt.text); got != tt.want {
			t.Errorf("%d times %q, want %d; log:\n%s", got, tt.text, tt.want, log)
		}
	}
}
