package connector

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"busbar/internal/image"
	"busbar/internal/plant"
	"busbar/internal/point"
)

// own is a point that belongs to a target.
type own struct {
	id    string
	index point.Index
	typ   point.Type
}

// knownOwn is what is kept of an own point of the plant in force.
type knownOwn struct {
	index point.Index
	typ   point.Type
}

// rememberOwn returns what is kept of the own points of a change.
func (c *change) rememberOwn() []knownOwn {
	points := make([]knownOwn, len(c.own))
	for i, o := range c.own {
		points[i] = knownOwn{index: o.index, typ: o.typ}
	}
	return points
}

// oldOwn returns the own points in force.
func (m *Manager) oldOwn() []own {
	list := make([]own, len(m.own))
	for i, k := range m.own {
		list[i] = own{id: m.img.ID(k.index), index: k.index, typ: k.typ}
	}
	return list
}

// ownPrefix begins the names of own points. No system point has such a name.
const ownPrefix = "own/"

func ownID(connector, name string) string { return plant.ConnectorPoint(connector, ownPrefix+name) }

// gather finds the own points of all targets, in order of id.
func (c *change) gather() error {
	for n := range c.plant.Points {
		for i := range c.plant.Points[n].To {
			t := &c.plant.Points[n].To[i]
			if at := c.instances[t.Connector]; at != nil {
				for _, o := range at.kind.spec.own(t.End) {
					if o.Name != "" {
						c.own = append(c.own, own{id: ownID(t.Connector, o.Name), typ: o.Type})
					}
				}
			}
		}
	}
	slices.SortFunc(c.own, func(a, b own) int { return cmp.Compare(a.id, b.id) })
	for i := 1; i < len(c.own); i++ {
		if c.own[i].id == c.own[i-1].id {
			return fmt.Errorf("two targets have the point %s for their own", c.own[i].id)
		}
	}
	return nil
}

// ownOf returns the indexes of the own points of a target.
func (c *change) ownOf(kind Kind, t *plant.Target) (points [2]point.Index) {
	for i, o := range kind.spec.own(t.End) {
		points[i] = point.None
		if o.Name != "" {
			at, _ := findOwn(c.own, ownID(t.Connector, o.Name))
			points[i] = c.own[at].index
		}
	}
	return points
}

func findOwn(list []own, id string) (int, bool) {
	return slices.BinarySearchFunc(list, id, func(o own, id string) int { return strings.Compare(o.id, id) })
}

// ownDefinitions defines own points: each update of theirs is an event.
func ownDefinitions(list []own) []image.Definition {
	gates := []Gate{{OnUpdate: true}}
	defs := make([]image.Definition, len(list))
	for i, o := range list {
		defs[i] = image.Definition{ID: o.id, Type: o.typ, Gates: gates}
	}
	return defs
}

// bothOwn defines the own points of a change, in order, and after them those that
// only the plant in force has. What both have keeps its type until the change is in
// force, and so its state.
func (m *Manager) bothOwn(c *change) []image.Definition {
	defs := ownDefinitions(c.own)
	for _, old := range m.oldOwn() {
		if at, ok := findOwn(c.own, old.id); ok {
			defs[at].Type = old.typ
		} else {
			defs = append(defs, image.Definition{ID: old.id, Type: old.typ})
		}
	}
	return defs
}

// keeper publishes the own points of the targets of one connector.
type keeper struct {
	publisher *publisher
	now       func() time.Time

	mu   sync.RWMutex
	left bool   // the connector should have stopped long ago
	ours bitset // all that the connector ever had: an index is never given to another point
}

func newKeeper(img image.Image, now func() time.Time) *keeper {
	return &keeper{publisher: newPublisher(img), now: now}
}

func (k *keeper) allow(targets []Target) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i := range targets {
		for _, p := range targets[i].Own {
			if p != point.None {
				k.ours.add(uint32(p))
			}
		}
	}
}

func (k *keeper) close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.left = true
}

// publish is the PublishOwn of the connector's Env.
func (k *keeper) publish(batch []point.Update) error {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if k.left {
		return ErrStopped
	}
	now := point.InstantOf(k.now())
	batch = slices.Clone(batch)
	for i := range batch {
		if p := batch[i].Point; !k.ours.has(uint32(p)) {
			return fmt.Errorf("point %d is none of this connector's own", p)
		}
		timely(k.publisher.img, &batch[i], now)
	}
	if err := k.publisher.publish(batch); err != nil {
		return fmt.Errorf("publishing own points: %w", err)
	}
	return nil
}

// retry publishes again what the image has lost.
func (k *keeper) retry() {
	if k.publisher.hasLost() {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.publisher.replay(nil)
	}
}

// timely makes an update the state of its point, whatever the clock of the
// machine was when the state came about: without a time it is of now, and one
// from before the state counts as substituted, since what Busbar says of itself
// is never late.
func timely(img image.Image, u *point.Update, now point.Instant) {
	if u.Flags&point.KeepValue != 0 && u.Time == 0 {
		return
	}
	if u.Time == 0 {
		u.Time = now
	}
	if u.Arrival == 0 {
		u.Arrival = now
	}
	if s, ok := img.State(u.Point); ok && u.Time < s.Time {
		u.TimeQuality |= point.TimeSubstituted
	}
}
