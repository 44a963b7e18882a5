package dispatch

import (
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"busbar/internal/connector"
	"busbar/internal/point"
)

// remembered is how many orders that are over are kept, to tell late replies.
const remembered = 1000

// Desk keeps the orders of one connector that were sent, and matches replies
// with them. It may be used from any goroutine.
type Desk struct {
	log  *slog.Logger
	now  func() time.Time
	want atomic.Pointer[expected]

	mu     sync.Mutex
	ends   []End             // whose replies are looked for
	routes map[End]*route    // compiled ends
	paths  map[string]path   // of the ids in replies, by their text
	orders map[string]*Order // by id, under way and over
	over   []string          // ids of those that are over, oldest first

	sent, unsent, replies, unknown, malformed atomic.Uint64
}

// expected is what replies are looked for.
type expected struct{ topics topics }

// route is a compiled end.
type route struct {
	payload   *payload
	topic     topics
	id        path     // nil: replies are matched by correlation data
	idText    string   // id as it is written
	ok        *verdict // nil: there is no reply
	confirmed *verdict // nil: there is one
	unknown   *verdict
	timeout   time.Duration
}

// Order is an order that is sent.
type Order struct {
	ID      string
	Payload []byte
	Expires time.Time // after it nothing may be executed

	desk    *Desk
	end     End
	route   *route
	report  func(connector.Progress)
	replied chan struct{} // closed with the last reply
	over    bool          // guarded by the lock of the desk

	telling  sync.Mutex // held while something is reported
	accepted bool       // it was reported that the order will be carried out
	answered bool       // there was a last reply
	done     bool       // what it said
}

// NewDesk returns a desk without orders. now is the wall clock.
func NewDesk(log *slog.Logger, now func() time.Time) *Desk {
	return &Desk{log: log, now: now, routes: make(map[End]*route), paths: make(map[string]path), orders: make(map[string]*Order)}
}

// Expect makes the replies that are looked for those of ends, and of the orders
// under way, which may be of ends that were there before. It returns their topics,
// each once, in ascending order.
func (d *Desk) Expect(ends []End) []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	ends = slices.Clip(ends)
	for _, o := range d.orders {
		if !o.over && !slices.Contains(ends, o.end) {
			ends = append(ends, o.end)
		}
	}
	d.look(ends)
	keep := make(map[End]bool, len(ends))
	var list []string
	for _, e := range ends {
		keep[e] = true
		if e.Reply.Defined() {
			list = append(list, e.Reply.Topic)
		}
	}
	for e := range d.routes {
		if !keep[e] {
			delete(d.routes, e)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// look looks for the replies of ends. The caller holds mu.
func (d *Desk) look(ends []End) {
	want := &expected{}
	for _, e := range ends {
		if e.Reply.Defined() {
			want.topics.add(e.Reply.Topic)
		}
	}
	d.ends = ends
	d.want.Store(want)
}

// Expects reports whether replies come on a topic. It allocates nothing.
func (d *Desk) Expects(topic string) bool {
	w := d.want.Load()
	return w != nil && w.topics.holds(topic)
}

// Open takes up an order before it is sent, so that its reply is known however
// soon it comes. report gets the reply, also if it comes after Close.
func (d *Desk) Open(o *point.Order, e End, report func(connector.Progress)) (*Order, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.routes[e]
	if r == nil {
		var err error
		if r, err = compile(e); err != nil {
			return nil, err
		}
		d.routes[e] = r
		if e.Reply.Defined() && !d.Expects(e.Reply.Topic) { // it is newer than what is expected
			d.look(append(slices.Clip(d.ends), e))
		}
		if r.id != nil {
			d.paths[r.idText] = r.id
		}
	}
	order := *o
	if e.Reply.Defined() { // what is done when nobody waits any more is done too late
		order.Expires = min(order.Expires, point.InstantOf(d.now().Add(r.timeout)))
	}
	text, err := r.payload.write(&order)
	if err != nil {
		return nil, fmt.Errorf("payload: %w", err)
	}
	if d.orders[o.ID] != nil {
		return nil, fmt.Errorf("order %s was sent before", o.ID)
	}
	n := &Order{
		ID: o.ID, Payload: text, Expires: order.Expires.Time(), desk: d, end: e, route: r, report: report, replied: make(chan struct{}),
	}
	d.orders[o.ID] = n
	return n, nil
}

func compile(e End) (*route, error) {
	r := &route{timeout: e.Reply.Timeout, idText: e.Reply.ID}
	var err error
	if r.payload, err = newPayload(e.Payload); err != nil || !e.Reply.Defined() {
		return r, err
	}
	r.topic.add(e.Reply.Topic)
	if e.Reply.ID != "" {
		if r.id, err = newPath(e.Reply.ID); err != nil {
			return nil, err
		}
	}
	for _, v := range []struct {
		to         **verdict
		name, text string
	}{{&r.ok, "ok", e.Reply.OK}, {&r.confirmed, "confirmed", e.Reply.Confirmed}, {&r.unknown, "unknown", e.Reply.Unknown}} {
		if *v.to, err = newVerdict(v.name, v.text); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// Close ends an order: what comes from now on is late.
func (o *Order) Close() {
	d := o.desk
	d.mu.Lock()
	defer d.mu.Unlock()
	o.over = true
	if d.over = append(d.over, o.ID); len(d.over) > remembered {
		delete(d.orders, d.over[0])
		d.over = d.over[1:]
	}
}

// Drop forgets an order that was certainly not sent.
func (o *Order) Drop() {
	o.desk.unsent.Add(1)
	o.desk.mu.Lock()
	defer o.desk.mu.Unlock()
	delete(o.desk.orders, o.ID)
}

// Left returns the whole seconds until an order expires, at least 1, and false
// if it has expired.
func (o *Order) Left() (seconds uint32, ok bool) {
	left := o.Expires.Sub(o.desk.now())
	if left <= 0 {
		return 0, false
	}
	return uint32((left + time.Second - 1) / time.Second), true
}
