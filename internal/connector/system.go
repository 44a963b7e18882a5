package connector

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"busbar/internal/image"
	"busbar/internal/plant"
	"busbar/internal/point"
)

// maxNames is how many values a board keeps of system points that the plant
// does not use: it may do so later.
const maxNames = 1024

// board publishes the system points of one connector, or of the journal. Its
// lock is taken below those of a connector, and above that of the image only.
type board struct {
	log       *slog.Logger
	publisher *publisher
	now       func() time.Time
	declared  []SystemPoint // that may be set from outside

	mu         sync.Mutex
	points     map[string]*posted // by name
	live       bool               // values are known: the connector runs
	closed     bool
	complained bool
}

// posted is a system point as the image should show it.
type posted struct {
	index   point.Index // point.None: the plant does not use it
	typ     point.Type
	value   point.Value // no type: not known
	quality point.Quality
	flags   point.Flags // point.Restored, or none
	byHost  bool        // the host itself knows it, whether or not the connector runs
	kept    bool        // the image shows it
}

// posting is a system point that the plant uses.
type posting struct {
	index point.Index
	typ   point.Type
}

func newBoard(log *slog.Logger, img image.Image, now func() time.Time, declared []SystemPoint) *board {
	return &board{log: log, publisher: newPublisher(img), now: now, declared: declared, points: make(map[string]*posted)}
}

// set is the System of a connector's Env.
func (b *board) set(name string, v point.Value) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.live {
		return
	}
	e := b.points[name]
	if e == nil {
		if e = b.declare(name); e == nil {
			return
		}
	}
	if e.byHost || v.Type() != e.typ {
		b.complain(name)
		return
	}
	b.show(e, v)
}

// declare adds a point that was not set before. It returns nil if there is none,
// or no room for it.
func (b *board) declare(name string) *posted {
	s := plant.FindSystemPoint(b.declared, name)
	if s == nil {
		b.complain(name)
		return nil
	}
	if len(b.points) >= maxNames {
		return nil
	}
	e := &posted{index: point.None, typ: s.Type}
	b.points[name] = e
	return e
}

// complain logs a fault of the connector, once.
func (b *board) complain(name string) {
	if !b.complained {
		b.complained = true
		b.log.Error("system point is not as the kind declares it", "name", name)
	}
}

// post sets a point that the host itself knows. The caller holds mu.
func (b *board) post(name string, v point.Value) {
	e := b.points[name]
	if e == nil {
		e = &posted{index: point.None, typ: v.Type()}
		b.points[name] = e
	}
	e.byHost = true
	b.show(e, v)
}

func (b *board) show(e *posted, v point.Value) {
	if e.value == v && e.quality == 0 {
		return
	}
	e.value, e.quality, e.flags, e.kept = v, 0, 0, false
	b.publish(e)
}

// publish makes the image show a point. What the image refuses is left to retry.
func (b *board) publish(e *posted) {
	if e.kept || e.index == point.None || b.closed {
		return
	}
	now := point.InstantOf(b.now())
	u := point.Update{Point: e.index, Quality: e.quality, Flags: point.KeepValue | e.flags}
	if e.quality == 0 {
		u = point.Update{Point: e.index, Value: e.value, Time: now, Arrival: now}
		timely(b.publisher.img, &u, now)
	}
	e.kept = b.publisher.publish([]point.Update{u}) == nil
}

// retry publishes what the image has refused or lost.
func (b *board) retry() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.publisher.replay(nil)
	for _, e := range b.points {
		b.publish(e)
	}
}

// use tells which system points the plant uses. What is not known of them is not
// topical; restored: it may be from before the process began.
func (b *board) use(used map[string]posting, restored bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for name, e := range b.points {
		if _, ok := used[name]; !ok {
			e.index = point.None
		}
	}
	for _, name := range slices.Sorted(maps.Keys(used)) {
		u, e := used[name], b.points[name]
		if e == nil {
			e = &posted{index: point.None, typ: u.typ}
			b.points[name] = e
		}
		if e.index == u.index {
			continue
		}
		e.index = u.index
		if e.value.Type() == 0 {
			e.quality = awayOf(e.typ)
			if restored {
				e.flags = point.Restored
			}
		}
		e.kept = b.shows(e)
		b.publish(e)
	}
}

// shows reports whether the image shows a point as it should.
func (b *board) shows(e *posted) bool {
	s, ok := b.publisher.img.State(e.index)
	return ok && s.Quality == e.quality && (e.quality != 0 || s.Value == e.value)
}

// begin tells that the connector runs.
func (b *board) begin() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.live = true
}

// end tells that the connector does not run: nobody knows its system points then.
func (b *board) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rest()
}

func (b *board) rest() {
	b.live = false
	for _, e := range b.points {
		if away := awayOf(e.typ); !e.byHost && e.quality != away {
			e.quality, e.flags, e.kept = away, 0, false
			b.publish(e)
		}
	}
}

// close tells that the connector is stopped for good.
func (b *board) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rest()
	b.postState(Stopped)
	b.closed = true
}

// postState posts what a connector tells of itself. The caller holds mu.
func (b *board) postState(s State) {
	b.post("up", point.SingleValue(s == Up || s == Degraded))
	b.post("state", point.IntValue(int64(s)))
}

// follow posts the state that a tracker has. Whoever changes it calls follow
// afterwards, so that the last one posts the last state.
func (b *board) follow(t *tracker) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		b.postState(t.get().State)
	}
}

// postJournal posts the status of the image.
func (b *board) postJournal(s image.Status) {
	b.mu.Lock()
	defer b.mu.Unlock()
	fill := 0.0
	if s.Limit > 0 {
		fill = math.Round(float64(s.Used)/float64(s.Limit)*1000) / 10
	}
	b.post("accepting", point.SingleValue(s.Accepting))
	b.post("fill", point.FloatValue(fill))
	b.post("lag", point.FloatValue(s.Lag.Round(10*time.Millisecond).Seconds()))
	b.post("damaged", point.IntValue(int64(s.Damaged)))
}

// awayOf is the quality of a point of type t whose source cannot be heard.
func awayOf(t point.Type) point.Quality {
	return freshRule{counter: t == point.Counter}.away()
}

// postings returns the system points that the plant of a change uses, by connector;
// those of the journal have none.
func (c *change) postings() map[string]map[string]posting {
	used := make(map[string]map[string]posting)
	for n := range c.plant.Points {
		p := &c.plant.Points[n]
		if !plant.IsSystem(p.ID) {
			continue
		}
		connector, name, ok := plant.CutConnectorPoint(p.ID)
		if !ok {
			if name, ok = plant.CutJournalPoint(p.ID); !ok {
				continue
			}
		}
		if used[connector] == nil {
			used[connector] = make(map[string]posting)
		}
		used[connector][name] = posting{index: c.indexes[n], typ: p.Type}
	}
	return used
}

// checkSystem returns what is wrong with the system points of a kind.
func checkSystem(list []SystemPoint) error {
	var errs []error
	names := []string{}
	for _, p := range plant.ConnectorPoints() {
		names = append(names, p.Name)
	}
	for _, p := range list {
		switch {
		case p.Name == "" || strings.HasPrefix(p.Name, ownPrefix) || slices.Contains(names, p.Name):
			errs = append(errs, fmt.Errorf("system point %q: the name is taken", p.Name))
		case p.Type < point.Single || p.Type > point.Text:
			errs = append(errs, fmt.Errorf("system point %q: has no type", p.Name))
		}
		names = append(names, p.Name)
	}
	return errors.Join(errs...)
}
