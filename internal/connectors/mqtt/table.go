package mqtt

import (
	"time"

	"busbar/internal/connector"
	"busbar/internal/dispatch"
	"busbar/internal/point"
)

// topic is where messages go. It outlives changes of the plant as long as there is
// a target with it.
type topic struct {
	name    string
	qos     byte
	retain  bool
	expiry  uint32 // seconds; 0: none
	user    bool   // with user properties
	batch   Batch
	open    *letter  // batch that is being filled
	refusal *refusal // nil: the broker takes what is published
	passed  uint64   // number of the newest event that the broker has taken during a refusal
}

// row is one target.
type row struct {
	id      connector.TargetID
	place   uint8
	latest  bool
	state   uint32 // one more than the index in states, of a topic that is retained
	next    uint32 // one more than the index of the next row of the same point
	topic   *topic
	about   *about
	payload *dispatch.Template // nil: the default
	convert connector.Linear
}

// retained is what late subscribers of a target are to get.
type retained struct {
	point.Update
	seq   uint64
	known bool // there was a snapshot
	// doubt: what was published last was no event and said that the value is old or
	// invalid.
	doubt bool
}

// table is the set of targets.
type table struct {
	rows     []row
	states   []retained
	topics   map[string]*topic
	byPoint  []uint32 // one more than the index of the first row
	byTarget []uint32 // one more than the index of the row
}

// newTable builds the table of a set of targets. fresh are those that are retained
// and were not there before, or had another topic.
func newTable(targets []connector.Target, s Settings, old *table) (t *table, fresh []connector.TargetID) {
	t = &table{rows: make([]row, len(targets)), topics: make(map[string]*topic)}
	payloads := make(map[string]*dispatch.Template)
	for i := range targets {
		g := &targets[i]
		end := g.End.(*Target)
		r := &t.rows[i]
		*r = row{id: g.ID, place: g.Place, latest: g.Latest, about: &end.about, convert: g.Convert, topic: t.topic(end, s, old)}
		if end.Payload != "" {
			if payloads[end.Payload] == nil {
				payloads[end.Payload], _ = dispatch.NewTemplate(end.Payload) // it was checked
			}
			r.payload = payloads[end.Payload]
		}
		if end.Retain {
			t.states = append(t.states, retained{})
			r.state = uint32(len(t.states))
			if was := old.row(g.ID); was != nil && was.state != 0 && was.topic.name == r.topic.name {
				t.states[r.state-1] = old.states[was.state-1]
			} else {
				if was != nil && was.state != 0 {
					t.states[r.state-1] = old.states[was.state-1]
				}
				fresh = append(fresh, g.ID)
			}
		}
		p := int(g.Point)
		t.byPoint = grown(t.byPoint, p)
		r.next, t.byPoint[p] = t.byPoint[p], uint32(i)+1
		t.byTarget = grown(t.byTarget, int(g.ID))
		t.byTarget[g.ID] = uint32(i) + 1
	}
	return t, fresh
}

// topic returns the topic of a target.
func (t *table) topic(end *Target, s Settings, old *table) *topic {
	if known := t.topics[end.topic]; known != nil {
		return known
	}
	p := old.topics[end.topic]
	if p == nil {
		p = &topic{name: end.topic}
	}
	p.qos, p.retain, p.batch, p.user = end.qosAt(s), end.Retain, end.Batch, end.Properties
	p.expiry = uint32(end.Expiry / time.Second)
	t.topics[end.topic] = p
	return p
}

// row returns the row of a target, nil if there is none.
func (t *table) row(id connector.TargetID) *row {
	if int(id) >= len(t.byTarget) || t.byTarget[id] == 0 {
		return nil
	}
	return &t.rows[t.byTarget[id]-1]
}

// latest reports whether of the events of a target only the newest counts.
func (t *table) latest(id connector.TargetID) bool {
	r := t.row(id)
	return r != nil && r.latest
}

// firstOf returns one more than the index of the first row of a point.
func (t *table) firstOf(p point.Index) uint32 {
	if int(p) >= len(t.byPoint) {
		return 0
	}
	return t.byPoint[p]
}

// grown returns a slice in which there is an index.
func grown(s []uint32, index int) []uint32 {
	if index < len(s) {
		return s
	}
	return append(s, make([]uint32, index+1-len(s))...)
}
