package connector

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"busbar/internal/image"
	"busbar/internal/plant"
	"busbar/internal/point"
)

// change is a new plant worked out, before any of it is in force.
type change struct {
	plant     *plant.Plant
	instances map[string]*instance // all of the new plant
	fresh     []*instance          // those that are new, or have other settings
	gone      []*instance          // those that are removed, or replaced by a fresh one
	indexes   []point.Index        // by point of the plant
	own       []own                // points of targets, in order of id
	intakes   map[string]intake
	// sourceEnds are the numbers of source ends at their connectors, by point of
	// the plant.
	sourceEnds []uint32
	targets    map[string][]Target
	aimed      []*instance // those whose targets have changed
	lastID     TargetID
	ids        []TargetID             // of the targets, by point and place
	keys       []uint64               // likewise
	moved      map[point.Index][]int8 // places that the targets of points had, where they are others now
	commands   map[string]*command
	ends       map[string][]CommandEnd // by connector
}

// Apply makes p the plant: it defines the points in the image, stops the
// connectors that are not in p or have other settings, and starts the new
// ones. A connector whose settings are unchanged goes on running and learns of
// changed points through its Feed and Sink. If p cannot be applied, the error
// names every reason and wraps [ErrConfig], and everything stays as it was.
// Apply returns when the new connectors are started, not when they are up. The
// ends and settings of p must not be changed afterwards.
func (m *Manager) Apply(ctx context.Context, p *plant.Plant) error {
	m.apply.Lock()
	defer m.apply.Unlock()
	if m.stopped {
		return ErrStopped
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	c := &change{plant: p}
	if err := m.prepare(c); err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	m.commit(c)
	return nil
}

// prepare does all that can fail. It leaves no trace if it does.
func (m *Manager) prepare(c *change) error {
	if err := m.sort(c); err != nil {
		return err
	}
	if err := c.gather(); err != nil {
		return err
	}
	m.define(c)
	if err := errors.Join(m.compile(c), m.aim(c), m.route(c)); err != nil {
		if m.applied { // otherwise the points stay, and what the image may have restored of them
			m.img.Define(append(m.oldDefinitions(), ownDefinitions(m.oldOwn())...))
		}
		return err
	}
	return nil
}

// define defines the points of the change beside those in force.
func (m *Manager) define(c *change) {
	points := m.bothDefinitions(c.plant)
	indexes := m.img.Define(append(points, m.bothOwn(c)...))
	c.indexes = indexes[:len(c.plant.Points):len(c.plant.Points)]
	for i := range c.own {
		c.own[i].index = indexes[len(points)+i]
	}
}

// sort divides the connectors into those that stay and those that do not, and
// makes the new ones.
func (m *Manager) sort(c *change) error {
	c.instances = make(map[string]*instance)
	var errs []error
	for _, config := range c.plant.Connectors {
		old := m.instances[config.ID]
		if old != nil && old.config.Kind == config.Kind && old.config.Disabled == config.Disabled && reflect.DeepEqual(old.config.Settings, config.Settings) {
			c.instances[config.ID] = old
			continue
		}
		kind, ok := m.kinds.kinds[config.Kind]
		if !ok {
			errs = append(errs, fmt.Errorf("connector %s: unknown kind %q", config.ID, config.Kind))
			continue
		}
		fresh, err := m.newInstance(config, kind)
		if err != nil {
			errs = append(errs, fmt.Errorf("connector %s: %w", config.ID, err))
			continue
		}
		c.instances[config.ID] = fresh
		c.fresh = append(c.fresh, fresh)
	}
	for _, old := range m.list() {
		if c.instances[old.config.ID] != old {
			c.gone = append(c.gone, old)
		}
	}
	return errors.Join(errs...)
}

// commit puts a prepared change into force.
func (m *Manager) commit(c *change) {
	stopAll(m.log, c.gone)
	m.shareLost(c)
	m.dropCursors(c)
	for id, i := range c.instances {
		if !sameTargets(i.targets, c.targets[id]) {
			c.aimed = append(c.aimed, i)
		}
	}
	m.swap(c)
	m.lastID, m.own = c.lastID, c.rememberOwn()
	points := m.remember(c)
	m.view.Lock()
	m.instances, m.points = c.instances, points
	m.changes++
	m.view.Unlock()
	m.post(c)
	c.assign()
	m.router.set(c.commands, c.ends)
	m.applied = true
	m.log.Info("plant applied", "points", len(c.plant.Points), "commands", len(c.plant.Commands), "connectors", len(c.plant.Connectors),
		"connectors_started", len(c.fresh), "connectors_stopped", len(c.gone))

	// Those that only take points come first, so that they are there when the
	// first reading comes.
	slices.SortStableFunc(c.fresh, func(a, b *instance) int { return boolInt(a.sourced) - boolInt(b.sourced) })
	for _, i := range c.fresh {
		i.start(m.ctx)
	}
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// swap changes image and sinks while nothing is delivered.
func (m *Manager) swap(c *change) {
	for _, i := range c.instances {
		i.sink.mu.Lock()
		defer i.sink.mu.Unlock()
	}
	m.table.grow(c.span())
	m.img.Define(append(c.gated(), ownDefinitions(c.own)...))
	moves := m.img.Moves()
	for _, i := range c.aimed { // before there are events for the new targets
		i.targets = c.targets[i.config.ID]
		i.placed.Store(&places{targets: i.targets})
		i.keeper.allow(i.targets)
		i.feed.set(i.targets, moves)
	}
	m.orphan(c)
	for id, in := range c.intakes {
		i := c.instances[id]
		i.sourced = len(in.groups) > 0
		i.sink.adopt(in)
	}
	for _, i := range c.fresh {
		i.sink.forget()
	}
	if !m.applied {
		m.restore(c)
	}
}

// post tells the boards which system points the plant uses. They know already what the
// host itself has to say.
func (m *Manager) post(c *change) {
	used := c.postings()
	m.journal.postJournal(m.img.Status())
	m.journal.use(used[""], !m.applied)
	for id, i := range c.instances {
		i.board.follow(i.track)
		i.board.use(used[id], !m.applied)
	}
}

// shareLost tells the connectors that follow changes that the cursors were lost.
func (m *Manager) shareLost(c *change) {
	pos, lost := m.img.Cursors()[image.LostCursor]
	if !lost {
		return
	}
	for _, id := range slices.Sorted(maps.Keys(c.instances)) {
		if !c.instances[id].kind.spec.canTarget() {
			continue
		}
		if err := m.img.SaveCursor(id+"/"+image.LostCursor, pos); err != nil {
			m.log.Warn("consumers do not begin at the oldest changes, though their places were lost", "connector", id, "error", err)
		}
	}
	m.img.DropCursor(image.LostCursor)
}

// dropCursors drops the cursors that connectors have left behind: of those that the
// plant does not have, or has disabled, or has as another kind. They would hold the change log for ever.
func (m *Manager) dropCursors(c *change) {
	left := make(map[string]int)
	for name := range m.img.Cursors() {
		id, _, ok := strings.Cut(name, "/")
		if !ok {
			continue // of no connector
		}
		is, was := c.instances[id], m.instances[id]
		if is != nil && !is.config.Disabled && is.kind.spec.canTarget() && (was == nil || was.kind.name == is.kind.name) {
			continue
		}
		m.img.DropCursor(name)
		left[id]++
	}
	for _, id := range slices.Sorted(maps.Keys(left)) {
		m.log.Info("cursors of a connector that is gone are dropped", "connector", id, "cursors", left[id])
	}
}
