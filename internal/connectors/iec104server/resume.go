package iec104server

import (
	"context"
	"errors"
	"time"

	"busbar/internal/connector"
)

// quiet is how long the feed may deliver nothing until it is taken to have
// delivered everything from before the run.
const quiet = 500 * time.Millisecond

// begin takes the first batches of a run: the targets, the values that were
// there before it, and the events that groups have not confirmed. Nobody is served
// before that.
func (st *station) begin(ctx context.Context, feed connector.Feed) error {
	cursors := feed.Cursors()
	from, lost := feed.Lost()
	b, err := feed.Next(ctx)
	if err != nil {
		return err
	}
	st.restore(cursors, feed)
	st.apply(&b)
	st.found(from, lost)
	if len(cursors) == 0 && st.applied == 0 && !lost {
		return nil // nothing was delivered before
	}
	for st.applied < st.present {
		b, err := next(ctx, feed)
		if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			return nil
		}
		if err != nil {
			return err
		}
		st.apply(&b)
	}
	return nil
}

// next waits for the next batch, but not for long.
func next(ctx context.Context, feed connector.Feed) (connector.Batch, error) {
	ctx, cancel := context.WithTimeout(ctx, quiet)
	defer cancel()
	return feed.Next(ctx)
}

// restore makes the groups that have a place in the change log. Places of groups that
// there are no more are given up.
func (st *station) restore(cursors map[string]connector.Position, feed connector.Feed) {
	st.mu.Lock()
	defer st.mu.Unlock()
	for name, pos := range cursors {
		key, ok := parseCursor(name)
		shared, has := st.settings.has(key)
		if !ok || !has {
			feed.DropCursor(name)
			st.figures.expired++
			st.log.Warn("group is no more, dropped with what waited for it", "group", name)
			continue
		}
		if st.groups[key] != nil {
			continue
		}
		q := st.add(key, shared, pos)
		q.saved, q.known = pos, true
		q.broken, q.idle = true, st.now()
		for _, seq := range pos {
			st.restored = max(st.restored, seq+1)
		}
	}
}

// found makes the named groups that have no buffer yet: what happens from now on
// waits until they connect. Where the places of groups were lost they begin as early as
// there are changes; of groups that are known by address nobody knows which there were.
func (st *station) found(from connector.Position, lost bool) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if lost {
		st.log.Warn("places of groups were lost, groups with a name begin at the oldest events, others have none of before", "groups", len(st.settings.Groups))
	} else {
		from = st.newest()
	}
	for name := range st.settings.Groups {
		key := groupKey{name: name}
		if shared, ok := st.settings.has(key); ok && st.groups[key] == nil {
			q := st.add(key, shared, from)
			q.broken, q.idle = true, st.now()
			st.restored = max(st.restored, st.newest()[0]+1)
		}
	}
}

// has reports whether there is a group, and whether a further connection of it takes
// it over.
func (s *Settings) has(key groupKey) (shared, ok bool) {
	if !key.peer.IsValid() {
		g, ok := s.Groups[key.name]
		return true, ok && g.Active != "all"
	}
	if g, ok := s.Groups[key.name]; ok && g.Active == "all" && len(g.Clients.Names) > 0 {
		return false, true // a certificate may come from any address
	}
	found, shared, ok := s.group(key.peer, nil)
	return shared, ok && found == key
}
