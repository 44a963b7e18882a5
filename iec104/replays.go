package iec104

import "busbar/iec104/asdu"

// Replays recognises events that a station sends again. What was not yet
// acknowledged when a connection was lost comes once more, in the old order, on
// the next one, although it may have arrived: an event that has the same common
// address, object address, type, value, quality and time tag as one of the last
// before is the same event.
//
// Only events with time tag are looked at. It is not safe for concurrent use.
type Replays struct {
	recent []eventKey // a ring
	next   int        // place in it for the next event
	again  map[eventKey]int
	left   int // events until nothing is expected to come again
}

// eventKey is what makes an event.
type eventKey struct {
	time         asdu.Time
	ioa, value   uint32
	ca           uint16
	elapsed, aid uint16
	typ          asdu.TypeID
	quality      asdu.Quality
	sequence     uint8
	transient    bool
}

// NewReplays returns one that knows the last n events: as many as the station
// may send without acknowledgement, its k times the objects in an ASDU. That is
// about 200 with k 12.
func NewReplays(n int) *Replays {
	return &Replays{recent: make([]eventKey, 0, max(1, n))}
}

// Started tells that data transfer has started on a new connection, see
// [LinkStarted].
func (r *Replays) Started() {
	r.again = make(map[eventKey]int, len(r.recent))
	for _, k := range r.recent {
		r.again[k]++
	}
	r.left = cap(r.recent)
}

// Seen reports whether an object was received before the connection was lost and
// has not come again since.
func (r *Replays) Seen(h *asdu.Header, o *asdu.Object) bool {
	switch h.Cause {
	case asdu.Spontaneous, asdu.ReturnRemote, asdu.ReturnLocal:
	default:
		return false
	}
	if h.Type.Time() == asdu.NoTime || h.Type.Command() {
		return false
	}
	k := eventKey{
		time: o.Time, ioa: o.IOA, value: o.Value, ca: h.CA, elapsed: o.Elapsed, aid: o.AID,
		typ: h.Type, quality: o.Quality, sequence: o.Sequence, transient: o.Transient,
	}
	if r.left > 0 {
		r.left--
		if r.again[k] > 0 {
			r.again[k]-- // it keeps its place: repeats must not drive out others
			return true
		}
		if r.left == 0 {
			r.again = nil
		}
	}
	r.note(k)
	return false
}

// note puts an event into the ring.
func (r *Replays) note(k eventKey) {
	if len(r.recent) < cap(r.recent) {
		r.recent = append(r.recent, k)
		return
	}
	r.recent[r.next] = k
	r.next = (r.next + 1) % len(r.recent)
}
