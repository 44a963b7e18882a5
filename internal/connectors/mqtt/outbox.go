package mqtt

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"busbar/internal/connector"
	"busbar/internal/point"
)

// outbox takes what the feed delivers to the broker: it keeps what waits, what is
// on its way, and how far the broker has acknowledged. It is one of a run.
type outbox struct {
	settings Settings
	env      connector.Env
	figures  *sending
	complain func(string) // shows why the broker does not take everything; empty: it does

	mu      sync.Mutex
	table   *table
	backlog backlog
	held    int    // events of topics that the broker refuses
	applied uint64 // changes up to here are in the backlog
	past    uint64 // events up to here are
	present uint64 // newest change in a snapshot

	out      *outflow      // nil: not connected
	flights  []*letter     // sent and not acknowledged, oldest first
	ready    []*letter     // made, and to be sent next
	batching []*topic      // with an open batch, oldest first
	refused  []*topic      // that the broker refuses
	idle     chan struct{} // closed when nothing is on its way; nil: nobody waits for it
	spare    []*letter
	timer    *time.Timer // wakes the sender
	caps     welcome     // of the broker
	released bool        // the broker has no old message of QoS 2 of ours

	scratch outgoing
	payload []byte
	user    []byte
	saved   connector.Position
	begun   bool // the first batch has come
	// Of the goroutine that keeps it.
	known, unsaved bool

	overflow  bool   // as it was shown
	seen      uint64 // dropped, when it was shown
	complaint string
	warned    time.Time // when a full buffer was last logged
}

func newOutbox(s Settings, env connector.Env, figures *sending, complain func(string)) *outbox {
	return &outbox{settings: s, env: env, figures: figures, complain: complain, table: &table{topics: map[string]*topic{}}}
}

// run follows the feed until ctx ends.
func (b *outbox) run(ctx context.Context) error {
	b.saved, b.known = b.env.Feed.Cursors()[cursor], true
	if b.saved == (connector.Position{}) {
		b.known = false
	}
	var saving sync.WaitGroup
	ctx, cancel := context.WithCancel(ctx)
	defer saving.Wait()
	defer cancel()
	first, err := b.env.Feed.Next(ctx)
	if err != nil {
		return err
	}
	b.apply(&first)
	saving.Go(func() { b.keep(ctx) })
	for {
		batch, err := b.next(ctx)
		if err != nil {
			return err
		}
		b.apply(&batch)
	}
}

// quiet is how long the feed may deliver nothing until it is taken to have delivered
// everything from before a snapshot.
const quiet = 500 * time.Millisecond

// next waits for the next batch of the feed.
func (b *outbox) next(ctx context.Context) (connector.Batch, error) {
	if b.reached() {
		return b.env.Feed.Next(ctx)
	}
	short, cancel := context.WithTimeout(ctx, quiet)
	defer cancel()
	batch, err := b.env.Feed.Next(short)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		b.reach()
		return b.env.Feed.Next(ctx)
	}
	return batch, err
}

// reached reports whether everything from before the newest snapshot was delivered.
func (b *outbox) reached() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.past >= b.present
}

// reach notes that everything from before the newest snapshot was delivered.
func (b *outbox) reach() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.past = max(b.past, b.present)
	b.signal()
}

// apply takes a batch of the feed.
func (b *outbox) apply(batch *connector.Batch) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if batch.Targets != nil {
		b.begun = true
		b.setTargets(*batch.Targets, batch.Changes)
	}
	if batch.Gap > 0 {
		b.gap(batch)
	}
	for i := range batch.Changes {
		b.change(&batch.Changes[i])
	}
	b.applied = max(b.applied, batch.Seq)
	b.past = max(b.past, b.applied)
	b.settle()
	b.signal()
}

// gap notes that changes were lost before a batch. The states that it begins with are
// published again where they are retained. The caller holds mu.
func (b *outbox) gap(batch *connector.Batch) {
	b.figures.gaps.Add(batch.Gap)
	b.env.Log.Warn("changes lost before they were published", "changes", batch.Gap)
	var again []connector.TargetID
	for i := range batch.Changes {
		c := &batch.Changes[i]
		if !c.Snapshot {
			break
		}
		b.table.snapshot(c)
		for at := b.table.firstOf(c.Point); at != 0; at = b.table.rows[at-1].next {
			if b.table.rows[at-1].state != 0 {
				again = append(again, b.table.rows[at-1].id)
			}
		}
	}
	b.publishStates(again)
}

// signal lets the sender look for what there is to send. The caller holds mu.
func (b *outbox) signal() {
	if b.out != nil {
		signal(b.out.wake)
	}
}

// setTargets makes these the targets. Of those that are new and retained, and of
// those that the changes begin with a snapshot of, the state is published. The caller
// holds mu.
func (b *outbox) setTargets(targets []connector.Target, changes []connector.Change) {
	t, fresh := newTable(targets, b.settings, b.table)
	b.table = t
	for _, gone := range slices.Clone(b.refused) {
		if t.topics[gone.name] != gone {
			b.release(gone)
		}
	}
	for i := range changes {
		if !changes[i].Snapshot {
			break
		}
		t.snapshot(&changes[i])
		b.present = max(b.present, changes[i].Seq)
	}
	b.publishStates(fresh)
}

// snapshot notes the present state of a point.
func (t *table) snapshot(c *connector.Change) {
	for at := t.firstOf(c.Point); at != 0; at = t.rows[at-1].next {
		if r := &t.rows[at-1]; r.state != 0 {
			s := &t.states[r.state-1]
			s.Update, s.seq, s.known = c.Update, c.Seq, true
			s.Flags = 0
		}
	}
}

// publishStates lets the states of targets be published, in order of their changes.
// The caller holds mu.
func (b *outbox) publishStates(list []connector.TargetID) {
	events := make([]event, 0, len(list))
	for _, id := range list {
		s := &b.table.states[b.table.row(id).state-1]
		if !s.known {
			continue
		}
		e := b.backlog.event(id, s.seq, &s.Update)
		e.kind |= stored
		s.doubt = s.Quality&(point.NotTopical|point.Invalid) != 0
		events = append(events, e)
	}
	slices.SortStableFunc(events, func(a, b event) int { return cmp.Compare(a.seq, b.seq) })
	for _, e := range events {
		if old, ok := b.backlog.states.put(e); ok {
			b.backlog.forget(&old)
		}
	}
}

// change takes one change to all targets of its point. The caller holds mu.
func (b *outbox) change(c *connector.Change) {
	t := b.table
	for at := t.firstOf(c.Point); at != 0; at = t.rows[at-1].next {
		r := &t.rows[at-1]
		event := c.Events>>r.place&1 != 0 && !c.Snapshot
		if r.state != 0 && !c.Past && c.Flags&point.Late == 0 {
			event = t.states[r.state-1].take(c) || event
		}
		if event && c.Seq > b.saved[c.Value.Type().Class()] {
			b.append(r, c)
		}
	}
}

// take makes a change the state, and reports whether it is an event because late
// subscribers know another one, which was none.
func (s *retained) take(c *connector.Change) bool {
	differs := s.doubt && (s.Quality != c.Quality || !s.Value.Equal(c.Value))
	s.Update, s.seq, s.known = c.Update, c.Seq, true
	s.Flags = 0
	if c.Snapshot || c.Flags&point.Restored != 0 {
		s.doubt = s.doubt || c.Quality&(point.NotTopical|point.Invalid) != 0
		return false
	}
	s.doubt = false
	return differs
}

// append makes a change an event of a target. The caller holds mu.
func (b *outbox) append(r *row, c *connector.Change) {
	e := b.backlog.event(r.id, c.Seq, &c.Update)
	b.figures.events.Add(1)
	switch {
	case r.state == 0:
	case c.Past:
		b.publishStates([]connector.TargetID{r.id}) // behind the event, if it was published before
	case e.kind&late == 0:
		if old, ok := b.backlog.states.drop(r.id); ok {
			b.backlog.forget(&old)
		}
	}
	if !r.latest {
		b.backlog.chains[e.kind.typ().Class()].push(e)
		return
	}
	if old, ok := b.backlog.latest.put(e); ok {
		b.backlog.forget(&old)
		b.figures.superseded.Add(1)
	}
}

// warnEvery is how often it is logged at most that the buffer drops events.
const warnEvery = time.Minute

// settle drops what is beyond the limit: of topics that the broker refuses first,
// then the oldest measured values, counters, status. The caller holds mu.
func (b *outbox) settle() {
	over := b.held + b.backlog.waiting() - b.settings.Buffer.Events
	if over <= 0 {
		return
	}
	refused := b.dropHeld(over)
	dropped := b.backlog.settle(over - refused)
	n := uint64(refused)
	for _, d := range dropped {
		n += d
	}
	b.figures.dropped.Add(n)
	if now := b.env.Now(); now.Sub(b.warned).Abs() >= warnEvery {
		b.warned = now
		b.env.Log.Warn("buffer full, oldest events dropped", "dropped_status", dropped[point.ClassStatus],
			"dropped_counter", dropped[point.ClassCounter], "dropped_measured", dropped[point.ClassMeasured], "dropped_refused", refused)
	}
}

// position returns how far the broker has acknowledged: no event that it has not
// lies before it. The caller holds mu.
func (b *outbox) position() connector.Position {
	pos := connector.Position{b.applied, b.applied, b.applied}
	b.backlog.lower(&pos)
	for _, list := range [][]*letter{b.flights, b.ready} {
		for _, m := range list {
			lowerTo(&pos, m.events)
		}
	}
	for _, t := range b.batching {
		lowerTo(&pos, t.open.events)
	}
	for _, t := range b.refused {
		lowerTo(&pos, t.refusal.held)
	}
	for c := range pos {
		pos[c] = max(pos[c], b.saved[c])
	}
	return pos
}
