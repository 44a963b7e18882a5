package connector

import (
	"context"
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"busbar/internal/mapping"
	"busbar/internal/plant"
)

// Collect lets a fake have figures of its own; the one called "faulty" panics.
func (f *fake) Collect(emit func(Metric)) {
	if f.settings.Name == "faulty" {
		panic("no figures")
	}
	emit(Metric{Name: "fake_links", Help: "Links.", Value: 2, Labels: []Label{{"peer", "x"}}})
}

func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, runUp)
		h.mustApply(plantOf(append(sAndT(), connectorOf("u", "faulty")), pointOf("a", "s"), pointOf("b", "s")))
		h.deliver("s", "a", "1")
		h.deliver("s", "a", `"x"`)
		h.deliver("s", "a", "2")
		registry := prometheus.NewPedanticRegistry()
		registry.MustRegister(NewMetrics(h.Manager))
		want := `
# HELP busbar_points Points of the plant.
# TYPE busbar_points gauge
busbar_points 2
# HELP busbar_points_quality Points of the plant by quality.
# TYPE busbar_points_quality gauge
busbar_points_quality{quality="good"} 1
busbar_points_quality{quality="invalid"} 1
busbar_points_quality{quality="not_topical"} 0
busbar_points_quality{quality="other"} 0
# HELP busbar_image_accepting 1 while the process image takes updates, otherwise 0.
# TYPE busbar_image_accepting gauge
busbar_image_accepting 1
# HELP busbar_image_changes_total Changes in the change log since it was begun.
# TYPE busbar_image_changes_total counter
busbar_image_changes_total 3
# HELP busbar_source_messages_total Messages that the connector has received.
# TYPE busbar_source_messages_total counter
busbar_source_messages_total{connector="s",kind="fake"} 3
busbar_source_messages_total{connector="t",kind="fake"} 0
busbar_source_messages_total{connector="u",kind="fake"} 0
# HELP busbar_source_faults_total Messages and values that were not taken as they were, by reason.
# TYPE busbar_source_faults_total counter
busbar_source_faults_total{connector="s",kind="fake",reason="wrong_type"} 1
# HELP busbar_fake_links Links.
# TYPE busbar_fake_links gauge
busbar_fake_links{connector="s",kind="fake",peer="x"} 2
busbar_fake_links{connector="t",kind="fake",peer="x"} 2
`
		err := testutil.GatherAndCompare(registry, strings.NewReader(want), "busbar_points", "busbar_points_quality",
			"busbar_image_changes_total", "busbar_source_messages_total", "busbar_source_faults_total", "busbar_fake_links")
		if err != nil {
			t.Error(err)
		}
	})
}

func TestMetricsShowTheState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, func(ctx context.Context, f *fake) error {
			f.env.Report(Degraded, "half")
			<-ctx.Done()
			return nil
		})
		h.mustApply(plantOf([]plant.Connector{connectorOf("s", "")}))
		registry := prometheus.NewPedanticRegistry()
		registry.MustRegister(NewMetrics(h.Manager))
		want := "# HELP busbar_connector_state 1 for the state that the connector is in, 0 for the others.\n# TYPE busbar_connector_state gauge\n"
		for _, state := range []string{"connecting", "degraded", "disabled", "failed", "refused", "starting", "stopped", "up"} {
			value := "0"
			if state == "degraded" {
				value = "1"
			}
			want += `busbar_connector_state{connector="s",kind="fake",state="` + state + `"} ` + value + "\n"
		}
		if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "busbar_connector_state"); err != nil {
			t.Error(err)
		}
	})
}

func TestMetricsAreDocumented(t *testing.T) {
	doc, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, runUp)
		h.mustApply(plantOf(sAndT(), pointOf("a", "s")))
		h.deliver("s", "a", "null")
		registry := prometheus.NewPedanticRegistry()
		registry.MustRegister(NewMetrics(h.Manager))
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if name := f.GetName(); name != "busbar_fake_links" && !strings.Contains(string(doc), "`"+name+"`") {
				t.Errorf("%s is not in docs/metrics.md", name)
			}
		}
		for _, r := range mapping.Reasons() {
			if !strings.Contains(string(doc), "| `"+r.String()+"` |") {
				t.Errorf("reason %s is not in docs/metrics.md", r)
			}
		}
		for s := range State(len(stateNames)) {
			if !strings.Contains(string(doc), "`"+s.String()+"`") {
				t.Errorf("state %s is not in docs/metrics.md", s)
			}
		}
	})
}
