package connector

import (
	"context"
	"crypto/rand"
	"log/slog"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"busbar/internal/image"
	"busbar/internal/point"
)

// stopping is the reason for which orders fail when the process ends.
const stopping = "busbar is stopping"

// router takes orders from the connectors that request them to those that carry
// them out: one at a time for each command, each at most once.
type router struct {
	log    *slog.Logger
	img    image.Image
	now    func() time.Time
	book   *book
	counts commandCounts

	ctx     context.Context // of all orders
	cancel  context.CancelFunc
	running sync.WaitGroup // orders, and reports of refusals

	mu       sync.Mutex
	closed   bool
	commands map[string]*command     // of the plant in force
	ends     map[string]*commandEnds // by connector
	busy     map[string]bool         // commands of which an order is under way, also if the plant has them no more
	held     map[string]*selection   // commands that are selected
}

// commandEnds are the ends at one connector.
type commandEnds struct {
	list    []CommandEnd
	changed chan struct{}
}

// selection holds a command for one requester.
type selection struct {
	by    point.Requester
	link  uint64
	until time.Time
	// what was selected
	value     point.Value
	qualifier uint8
}

// of reports whether a selection belongs to who has given an order: the same
// requester on the same connection.
func (h *selection) of(o *point.Order) bool { return h.by == o.Requester && h.link == o.Link }

func newRouter(log *slog.Logger, img image.Image, now func() time.Time) *router {
	r := &router{
		log: log, img: img, now: now, book: newBook(),
		commands: make(map[string]*command), ends: make(map[string]*commandEnds),
		busy: make(map[string]bool), held: make(map[string]*selection),
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	return r
}

// set makes the commands of a new plant those in force. Orders under way go on
// as they began. What was selected is not any more if it would operate
// something else now.
func (r *router) set(commands map[string]*command, ends map[string][]CommandEnd) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id := range r.held {
		if !r.commands[id].equal(commands[id]) {
			delete(r.held, id)
		}
	}
	r.commands = commands
	for id := range ends {
		r.endsOf(id)
	}
	for id, e := range r.ends {
		if list := ends[id]; !reflect.DeepEqual(e.list, list) {
			close(e.changed)
			e.list, e.changed = list, make(chan struct{})
		}
	}
}

// endsOf returns the ends at a connector. The caller holds mu.
func (r *router) endsOf(connector string) *commandEnds {
	e := r.ends[connector]
	if e == nil {
		e = &commandEnds{changed: make(chan struct{})}
		r.ends[connector] = e
	}
	return e
}

// close ends the orders under way and waits until they are, at most for timeout.
func (r *router) close(timeout time.Duration) (late bool) {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.cancel()
	done := make(chan struct{})
	go func() {
		r.running.Wait()
		close(done)
	}()
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-done:
		return false
	case <-timer.C:
		return true
	}
}

// requester is the Commands of one connector.
type requester struct {
	*router
	connector string
	exact     bool        // an order that differs from what was selected is refused
	left      atomic.Bool // the connector has stopped
}

// Ends implements [Commands].
func (q *requester) Ends() (ends []CommandEnd, changed <-chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	e := q.endsOf(q.connector)
	return e.list, e.changed
}

// Check implements [Commands].
func (q *requester) Check(o point.Order) point.Result {
	q.mu.Lock()
	defer q.mu.Unlock()
	o.Requester.Connector = q.connector
	_, reason := q.admit(&o)
	return confirmation(reason)
}

// Select implements [Commands].
func (q *requester) Select(o point.Order) (point.Result, func()) {
	record, h := q.hold(o)
	return record.Confirmation, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		if h != nil && q.held[o.Command] == h {
			delete(q.held, o.Command)
		}
	}
}

// hold selects a command, and returns the record of that; h is nil if it was refused.
func (q *requester) hold(o point.Order) (record CommandRecord, h *selection) {
	q.complete(&o)
	q.mu.Lock()
	c, reason := q.admit(&o)
	if reason == "" {
		h = &selection{by: o.Requester, link: o.Link, until: q.now().Add(c.SelectTimeout), value: o.Value, qualifier: o.Qualifier}
		q.held[c.ID] = h
	}
	q.mu.Unlock()
	return q.selected(o, c, confirmation(reason)), h
}

// Issue implements [Commands].
func (q *requester) Issue(o point.Order, report func(point.Result)) {
	q.IssueRecorded(o, func() {}, report)
}

// IssueRecorded implements [Recording].
func (q *requester) IssueRecorded(o point.Order, recorded func(), report func(point.Result)) {
	q.issue(&execution{order: o, recorded: recorded, report: report})
}

// issue takes an order for execution. It returns the id of its record.
func (q *requester) issue(x *execution) (id string) {
	x.router, x.progress = q.router, make(chan Progress, 16)
	q.complete(&x.order)
	q.mu.Lock()
	defer q.mu.Unlock()
	o := x.order // open may give it another id
	var reason string
	if x.command, reason = q.admit(&o); reason == "" {
		reason = q.unselected(x.command, &o)
	}
	if h := q.held[o.Command]; h != nil && h.of(&o) {
		delete(q.held, o.Command)
	}
	x.open(q.now())
	id = x.order.ID
	if q.closed { // nobody waits for the goroutine any more
		go func() {
			x.refuse(stopping)
			x.finish()
		}()
		return id
	}
	q.running.Add(1)
	if reason != "" {
		go func() {
			defer q.running.Done()
			x.refuse(reason)
			x.finish()
		}()
		return id
	}
	q.busy[o.Command] = true
	go func() {
		defer q.running.Done()
		defer func() {
			q.free(o.Command)
			x.finish()
		}()
		x.run()
	}()
	return id
}

// free ends the order of a command.
func (r *router) free(command string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.busy, command)
}

// complete fills in what the requester left open.
func (q *requester) complete(o *point.Order) {
	o.Requester.Connector = q.connector
	if o.ID == "" {
		o.ID = rand.Text()
	}
	if o.Issued == 0 {
		o.Issued = point.InstantOf(q.now())
	}
}

// confirmation is the confirmation of what was refused for a reason, or not.
func confirmation(reason string) point.Result {
	return point.Result{Stage: point.Confirmed, Positive: reason == "", Reason: reason}
}
