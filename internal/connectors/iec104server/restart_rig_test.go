package iec104server

import (
	"slices"

	"busbar/internal/connector"
	"busbar/internal/point"
)

// save saves the places of the groups, as the server does it again and again.
func (r *rig) save() { r.station.save(r.feed, &saving{}) }

// restart starts a new process. What is left of the old one is the change log, the
// states of the points, and the cursors that were saved. Targets have other numbers.
func (r *rig) restart() {
	r.t.Helper()
	r.commit()
	targets := slices.Clone(r.served)
	for i := range targets {
		targets[i].ID += 1000
	}
	r.served = targets
	r.station = r.fresh()
	r.run()
}

// rerun lets the server fail and run again: its connections are gone, and the feed
// delivers again what comes after the hindmost cursor.
func (r *rig) rerun(missed ...connector.Change) {
	r.t.Helper()
	for _, s := range r.sessions {
		s.Closed(nil)
	}
	r.commit()
	for i := range missed {
		r.keep(&missed[i])
	}
	r.run()
}

// run begins a run of the server.
func (r *rig) run() {
	r.t.Helper()
	targets := slices.Clone(r.served)
	r.feed.batches = make(chan connector.Batch, 10)
	r.feed.batches <- connector.Batch{Targets: &targets, Changes: r.snapshot()}
	if past := r.past(); len(r.feed.cursors) > 0 || r.applied > 0 || r.feed.lost != nil {
		half := len(past) / 2
		r.feed.batches <- connector.Batch{Changes: past[:half]}
		r.feed.batches <- connector.Batch{Changes: past[half:], Seq: r.seq}
	}
	if err := r.begin(r.t.Context(), r.feed); err != nil {
		r.t.Fatal(err)
	}
	for len(r.feed.batches) > 0 {
		b := <-r.feed.batches
		r.apply(&b)
	}
}

// commit puts the changes of own points into the change log that the station has
// published.
func (r *rig) commit() (changes []connector.Change) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, u := range r.kept {
		c := connector.Change{Update: u}
		r.keep(&c)
		changes = append(changes, c)
	}
	r.kept = nil
	return changes
}

// snapshot returns the states of the points served.
func (r *rig) snapshot() (changes []connector.Change) {
	for i := range r.served {
		for _, p := range append([]point.Index{r.served[i].Point}, r.served[i].Own[:]...) {
			if c, ok := r.states[p]; ok {
				c.Snapshot, c.Events, c.Flags = true, 0, 0
				changes = append(changes, c)
			}
		}
	}
	return changes
}

// past returns the changes after the hindmost cursor.
func (r *rig) past() (changes []connector.Change) {
	from := connector.Position{r.applied, r.applied, r.applied}
	first := r.feed.lost == nil
	if !first {
		from = *r.feed.lost
	}
	for _, pos := range r.feed.Cursors() {
		for c := range pos {
			if first || pos[c] < from[c] {
				from[c] = pos[c]
			}
		}
		first = false
	}
	for _, c := range r.journal {
		c.Past = c.Seq <= r.states[c.Point].Seq
		if c.Seq > from[c.Value.Type().Class()] && !(c.Past && c.Events == 0) {
			changes = append(changes, c)
		}
	}
	return changes
}
