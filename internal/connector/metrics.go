package connector

import (
	"github.com/prometheus/client_golang/prometheus"

	"busbar/internal/image"
	"busbar/internal/point"
)

// metricPrefix begins the name of every metric.
const metricPrefix = "busbar_"

// Metrics collects the figures of a manager, of its image and of every
// connector that implements [Collector]. Register it once.
type Metrics struct {
	manager *Manager
}

var _ prometheus.Collector = (*Metrics)(nil)

// NewMetrics returns the metrics of m.
func NewMetrics(m *Manager) *Metrics { return &Metrics{manager: m} }

// Describe implements [prometheus.Collector]. It describes nothing, since the
// connectors and their figures change while the process runs.
func (*Metrics) Describe(chan<- *prometheus.Desc) {}

// Collect implements [prometheus.Collector].
func (c *Metrics) Collect(out chan<- prometheus.Metric) {
	c.manager.collectImage(exporter{out: out})
	c.manager.router.counts.collect(exporter{out: out})
	for _, i := range c.manager.list() {
		e := exporter{out: out, labels: []Label{{"connector", i.config.ID}, {"kind", i.config.Kind}}}
		i.collectStatus(e)
		i.collectSink(e)
		i.collectFeed(e)
		i.collectOwn(e)
	}
}

func (m *Manager) collectImage(e exporter) {
	m.view.RLock()
	points, byQuality := 0, make(map[string]int, 4)
	for p, k := range m.points {
		if k.typ == 0 {
			continue
		}
		points++
		if s, ok := m.img.State(point.Index(p)); ok {
			byQuality[qualityClass(s.Quality)]++
		}
	}
	m.view.RUnlock()
	e.gauge("points", "Points of the plant.", float64(points))
	for _, class := range []string{"good", "invalid", "not_topical", "other"} {
		e.gauge("points_quality", "Points of the plant by quality.", float64(byQuality[class]), Label{"quality", class})
	}
	over := m.img.Overlaid()
	e.gauge("points_overlaid", "Points with a substituted value, and points that are blocked.", float64(over.Substituted), Label{"overlay", "substituted"})
	e.gauge("points_overlaid", "Points with a substituted value, and points that are blocked.", float64(over.Blocked), Label{"overlay", "blocked"})
	e.counter("overlays_dropped_total", "Overlays that went with their points, which were removed or became others.", float64(over.Dropped))
	e.counter("image_changes_total", "Changes in the change log since it was begun.", float64(m.img.Seq()))
	collectJournal(e, m.img.Status())
}

// collectJournal collects how far changes are kept.
func collectJournal(e exporter, s image.Status) {
	e.gauge("image_accepting", "1 while the process image takes updates, otherwise 0.", float64(boolInt(s.Accepting)))
	if s.Limit == 0 {
		return // in memory
	}
	e.gauge("journal_used_bytes", "Octets of the journal.", float64(s.Used))
	e.gauge("journal_limit_bytes", "Most octets of the journal.", float64(s.Limit))
	e.gauge("journal_pending_changes", "Changes that are not on disk yet.", float64(s.Pending))
	e.gauge("journal_lag_seconds", "Age of the oldest change that is not on disk yet.", s.Lag.Seconds())
	e.counter("journal_damaged_total", "Places where kept changes were found lost since the start.", float64(s.Damaged))
}

func (c *commandCounts) collect(e exporter) {
	for _, of := range []struct {
		result string
		count  uint64
	}{
		{"selected", c.selected.Load()}, {"refused", c.refused.Load()}, {"confirmed", c.confirmed.Load()}, {"failed", c.failed.Load()},
		{"terminated", c.terminated.Load()}, {"terminated_negatively", c.broken.Load()},
	} {
		e.counter("commands_total", "Stages that orders have come to, by result.", float64(of.count), Label{"result", of.result})
	}
	e.counter("commands_late_total", "Orders that were carried out or handed over after the requester was told that they had failed.", float64(c.late.Load()))
	e.counter("commands_unrecorded_total", "Records of orders that were not kept.", float64(c.unrecorded.Load()))
	e.gauge("commands_running", "Orders under way.", float64(c.running.Load()))
}

// qualityClass is the worst that is said of a value.
func qualityClass(q point.Quality) string {
	switch {
	case q.Good():
		return "good"
	case q&point.Invalid != 0:
		return "invalid"
	case q&point.NotTopical != 0:
		return "not_topical"
	default:
		return "other"
	}
}

func (i *instance) collectStatus(e exporter) {
	s := i.track.get()
	for state := range State(len(stateNames)) {
		value := 0.0
		if s.State == state {
			value = 1
		}
		e.gauge("connector_state", "1 for the state that the connector is in, 0 for the others.", value, Label{"state", state.String()})
	}
	e.gauge("connector_state_since_seconds", "When the connector came into its state, in seconds since 1970.", float64(s.Since.UnixMilli())/1000)
	e.counter("connector_failures_total", "Failures after which the connector was started again, or refused.", float64(s.Restarts))
}

func (i *instance) collectSink(e exporter) {
	s := i.sink.counts.get()
	e.counter("source_messages_total", "Messages that the connector has received.", float64(s.Messages))
	e.counter("source_values_total", "Point updates that were made of messages.", float64(s.Values))
	e.counter("source_refused_total", "Batches of updates that the process image did not keep.", float64(s.Refused))
	for _, f := range s.Faults {
		e.counter("source_faults_total", "Messages and values that were not taken as they were, by reason.", float64(f.Count), Label{"reason", f.Reason})
	}
}

func (i *instance) collectFeed(e exporter) {
	e.counter("target_events_gone_total", "Events that waited for targets which were removed from the plant.", float64(i.feed.gone.Load()))
}

// collectOwn collects what the connector itself has to show. A panic in it
// costs these figures only.
func (i *instance) collectOwn(e exporter) {
	c, ok := i.conn.(Collector)
	if !ok {
		return
	}
	var err error
	defer func() {
		if err != nil {
			i.super.log.Error("connector panicked in its figures", "error", err)
		}
	}()
	defer contain(&err)
	c.Collect(e.metric)
}

// exporter makes prometheus metrics with a fixed set of labels.
type exporter struct {
	out    chan<- prometheus.Metric
	labels []Label
}

func (e exporter) gauge(name, help string, v float64, labels ...Label) {
	e.metric(Metric{Name: name, Help: help, Value: v, Labels: labels})
}

func (e exporter) counter(name, help string, v float64, labels ...Label) {
	e.metric(Metric{Name: name, Help: help, Counter: true, Value: v, Labels: labels})
}

func (e exporter) metric(m Metric) {
	labels := append(e.labels[:len(e.labels):len(e.labels)], m.Labels...)
	names, values := make([]string, len(labels)), make([]string, len(labels))
	for i, l := range labels {
		names[i], values[i] = l.Name, l.Value
	}
	kind := prometheus.GaugeValue
	if m.Counter {
		kind = prometheus.CounterValue
	}
	desc := prometheus.NewDesc(metricPrefix+m.Name, m.Help, names, nil)
	metric, err := prometheus.NewConstMetric(desc, kind, m.Value, values...)
	if err != nil {
		metric = prometheus.NewInvalidMetric(desc, err)
	}
	e.out <- metric
}
