package mqtt

import (
	"cmp"
	"slices"

	"busbar/internal/connector"
	"busbar/internal/point"
)

// backlog is what waits to be published. It has no lock: see outbox.
type backlog struct {
	texts
	again  fifo                // taken before the connection was lost: they go first
	chains [point.Classes]fifo // events
	latest newest              // events of targets with keep: latest
	states newest              // states of targets that are retained
}

// none is the number of an event that there is not.
const none = ^uint64(0)

// waiting returns how many events wait of which all are kept.
func (l *backlog) waiting() int {
	n := l.again.len
	for c := range l.chains {
		n += l.chains[c].len
	}
	return n
}

// next takes the oldest of all that wait, of states only those up to the sequence
// number past: events that are older may still come for the others.
func (l *backlog) next(past uint64) (event, bool) {
	if l.again.len > 0 {
		return l.again.pop(), true
	}
	first, from := none, -1
	for c := range l.chains {
		if f := &l.chains[c]; f.len > 0 && f.first().seq < first {
			first, from = f.first().seq, c
		}
	}
	list := (*newest)(nil)
	for _, n := range []*newest{&l.latest, &l.states} {
		if n.len > 0 && n.first().seq < first && (n == &l.latest || n.first().seq <= past) {
			first, list = n.first().seq, n
		}
	}
	switch {
	case list != nil:
		return list.drop(list.first().target)
	case from < 0:
		return event{}, false
	}
	return l.chains[from].pop(), true
}

// restore puts back what was taken and was not confirmed, so that it goes first. Of
// what only the newest counts of, it is dropped if there is a newer one.
func (l *backlog) restore(taken []event, latest func(connector.TargetID) bool) {
	for l.again.len > 0 {
		taken = append(taken, l.again.pop())
	}
	slices.SortStableFunc(taken, func(a, b event) int { return cmp.Compare(a.seq, b.seq) })
	for i := range taken {
		e := &taken[i]
		if e.kind&stored != 0 && l.states.has(e.target) || latest(e.target) && l.latest.has(e.target) {
			l.forget(e)
			continue
		}
		l.again.push(*e)
	}
}

// settle drops n events that wait: the oldest measured values first, then counters,
// then status. It returns how many of each class.
func (l *backlog) settle(n int) (dropped [point.Classes]uint64) {
	for c := len(l.chains) - 1; c >= 0; c-- {
		for ; n > 0 && l.chains[c].len > 0; n-- {
			e := l.chains[c].pop()
			l.forget(&e)
			dropped[c]++
		}
	}
	return dropped
}

// lower lowers a position so that nothing that waits lies before it.
func (l *backlog) lower(pos *connector.Position) {
	for c := range l.chains {
		if l.chains[c].len > 0 {
			pos[c] = min(pos[c], before(l.chains[c].first().seq))
		}
	}
	if l.latest.len > 0 {
		lowerAll(pos, l.latest.first())
	}
	for i := range l.again.len {
		if e := l.again.at(i); lowerAll(pos, e) {
			break
		}
	}
}

// lowerTo lowers a position so that none of events, which are in order, lies before
// it.
func lowerTo(pos *connector.Position, events []event) {
	for i := range events {
		if lowerAll(pos, &events[i]) {
			return
		}
	}
}

// lowerAll lowers a position so that neither an event nor any after it lies before.
// It is false for a state, which has no place in the change log.
func lowerAll(pos *connector.Position, e *event) bool {
	if e.kind&stored != 0 {
		return false
	}
	for c := range pos {
		pos[c] = min(pos[c], before(e.seq))
	}
	return true
}

func before(seq uint64) uint64 { return max(seq, 1) - 1 }
