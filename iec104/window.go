package iec104

import (
	"time"

	"busbar/iec104/apci"
)

// window keeps the own I frames that the peer has not acknowledged yet. All
// its operations cost the same however many there are.
type window struct {
	flights []flight // at N(S) modulo their number, which is a power of two
	vs      apci.Seq // V(S), the number of the next frame
	ack     apci.Seq // the oldest frame not acknowledged
}

// flight is what is remembered of a frame that was sent.
type flight struct {
	sent   time.Duration // when, since the connection began
	events uint64        // events sent with this frame and all before it
}

// outstanding returns the number of frames not acknowledged.
func (w *window) outstanding() int { return w.ack.Distance(w.vs) }

// push notes the frame V(S) as sent.
func (w *window) push(f flight) {
	if n := w.outstanding(); n == len(w.flights) {
		w.grow(n)
	}
	w.flights[int(w.vs)&(len(w.flights)-1)] = f
	w.vs = w.vs.Next()
}

func (w *window) grow(n int) {
	grown := make([]flight, max(16, 2*n))
	for i := range n {
		s := int(w.ack.Add(i))
		grown[s&(len(grown)-1)] = w.flights[s&(n-1)]
	}
	w.flights = grown
}

// oldest returns when the oldest frame not acknowledged was sent; there must be one.
func (w *window) oldest() time.Duration {
	return w.flights[int(w.ack)&(len(w.flights)-1)].sent
}

// acknowledge takes a received N(R) other than the last one: every frame
// before it has arrived. It returns the newest of them.
func (w *window) acknowledge(nr apci.Seq) flight {
	w.ack = nr
	return w.flights[int(nr.Add(-1))&(len(w.flights)-1)]
}
