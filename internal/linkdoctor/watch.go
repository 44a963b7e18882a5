package linkdoctor

import (
	"context"
	"log/slog"
	"time"

	"busbar/internal/connector"
)

const (
	// watchEvery is how often findings are looked at.
	watchEvery = 10 * time.Second
	// logEvery is how often a finding is logged that stays.
	logEvery = time.Hour
)

// Watch logs what is found, each finding at most once per hour, and shows what is
// severe: show is called with the words of a problem of the last ten minutes when it
// has changed, and with nothing once there is none. It returns when ctx ends.
func (d *Doctor) Watch(ctx context.Context, log *slog.Logger, show func(problem string)) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	logged := map[key]time.Time{}
	shown := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		found := d.Findings()
		now := time.Now()
		d.log(ctx, log, found, logged, now)
		if severe := worst(found, now); severe != shown {
			shown = severe
			show(severe)
		}
	}
}

func (d *Doctor) log(ctx context.Context, log *slog.Logger, found []Finding, logged map[key]time.Time, now time.Time) {
	for k, at := range logged {
		if now.Sub(at) > 2*logEvery {
			delete(logged, k)
		}
	}
	for i := range found {
		f := &found[i]
		k := key{f.ID, f.Peer}
		if at, ok := logged[k]; ok && (now.Sub(at) < logEvery || !f.Last.After(at)) {
			continue
		}
		logged[k] = now
		log.Log(ctx, f.Severity.level(), "link does not fit", "finding", string(f.ID), "severity", f.Severity.String(),
			"peer", f.Peer, "count", f.Count, "seen", f.Seen, "example", f.Example, "wanted", f.Wanted)
	}
}

// worst returns the words of the first problem that was seen lately; the kind alone, so
// that they do not change with each figure. That connections break says least: it is
// mostly the consequence of another problem.
func worst(found []Finding, now time.Time) (words string) {
	for i := range found {
		f := &found[i]
		if f.Severity != Problem || now.Sub(f.Last) >= severeFor || f.ID == Flapping && words != "" {
			continue
		}
		words = "link with " + f.Peer + ": " + f.ID.means() + " (" + string(f.ID) + ")"
		if f.ID != Flapping {
			break
		}
	}
	return words
}

// means returns what a kind of finding means.
func (id ID) means() string {
	for _, k := range Catalogue() {
		if k.ID == id {
			return k.Means
		}
	}
	return string(id)
}

// Collect emits how many links each finding is about.
func (d *Doctor) Collect(emit func(connector.Metric)) {
	links := map[ID]int{}
	for _, f := range d.Findings() {
		links[f.ID]++
	}
	for _, k := range Catalogue() {
		if links[k.ID] == 0 {
			continue
		}
		emit(connector.Metric{
			Name: "link_findings", Help: "Other sides with which something does not fit, by finding, of the last hour.", Value: float64(links[k.ID]),
			Labels: []connector.Label{{Name: "finding", Value: string(k.ID)}, {Name: "severity", Value: k.Severity.String()}},
		})
	}
}
