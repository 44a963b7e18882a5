package linkdoctor

import (
	"fmt"
	"time"

	"busbar/iec104/apci"
)

// window is what of the frames sent is not acknowledged. Numbers are counted
// from 0 on each connection; times are those of the clock of the doctor.
type window struct {
	vs, ack apci.Seq
	oldest  time.Duration // when the oldest was sent, or later
	full    time.Duration // since when as many as k are outstanding; 0: fewer are
}

// acks is how the other side acknowledges.
type acks struct {
	waits         int // windows in a row that were full for long
	least, most   time.Duration
	whole         int // of waits: those acknowledged as a whole
	singles, many uint64
}

// sent notes an I frame that is sent.
func (w *window) sent(ns apci.Seq, d *Doctor) {
	w.vs = ns.Next()
	n := w.ack.Distance(w.vs)
	if n != 1 && n != d.p.K {
		return
	}
	clock := max(1, d.clock())
	if n == 1 {
		w.oldest = clock
	}
	if n == d.p.K {
		w.full = clock
	}
}

// outstanding returns how many frames are not acknowledged.
func (w *window) outstanding() int { return w.ack.Distance(w.vs) }

// acknowledge takes N(R) and returns how many frames it acknowledges.
func (w *window) acknowledge(nr apci.Seq) (frames int) {
	if !nr.Acknowledges(w.ack, w.vs) {
		return 0
	}
	frames = w.ack.Distance(nr)
	w.ack = nr
	return frames
}

const (
	// longWait is how long a window has to be full to be worth a word.
	longWait = 500 * time.Millisecond
	// manyWaits is how many windows in a row have to.
	manyWaits = 3
	// manySingles is how many frames have to be acknowledged one by one.
	manySingles = 50
)

// acknowledged looks at an N(R) that is received.
func (l *link) acknowledged(nr apci.Seq, now time.Time) {
	w, a := &l.window, &l.acks
	before := w.outstanding()
	n := w.acknowledge(nr)
	if n == 0 {
		return
	}
	clock := now.Sub(l.doctor.begun)
	age := clock - w.oldest
	if limit := l.doctor.p.T1; age > limit*3/4 {
		l.note(AckNearT1, 1, now, func(total uint64) words {
			return words{
				seen:   fmt.Sprintf("acknowledgements came %s late, the last after %s; t1 here is %s", times(total), seconds(age), seconds(limit)),
				wanted: "t2 of the other side well below t1 here, as 10 s to 15 s",
			}
		})
	}
	if n == 1 && before == 1 && age < 250*time.Millisecond || n == 1 && before > 1 {
		a.singles++
	} else {
		a.many++
	}
	switch {
	case w.full != 0:
		l.waited(clock-w.full, n == before, now)
	case age < longWait:
		a.waits, a.whole = 0, 0 // it does not wait for the window
	}
	w.oldest, w.full = clock, 0
}

// waited looks at how long a window was full.
func (l *link) waited(wait time.Duration, whole bool, now time.Time) {
	w := &l.acks
	if wait < longWait {
		w.waits, w.whole = 0, 0
		return
	}
	if w.waits == 0 {
		w.least, w.most = wait, wait
	}
	w.waits++
	if whole {
		w.whole++
	}
	w.least, w.most = min(w.least, wait), max(w.most, wait)
	if w.waits < manyWaits {
		return
	}
	k := l.doctor.p.K
	if w.whole == w.waits && w.most-w.least <= w.most/5 { // it is a timer that ends the wait
		l.note(WExceedsK, 1, now, func(uint64) words {
			return words{
				seen: fmt.Sprintf("each of the last %d windows of %d frames was acknowledged only after %s to %s, when t2 of the other side ended",
					w.waits, k, seconds(w.least), seconds(w.most)),
				wanted: fmt.Sprintf("w of the other side at most %d, or k here at least w of the other side", max(1, k*2/3)),
			}
		})
		return
	}
	l.note(SlowAcks, 1, now, func(uint64) words {
		return words{
			seen:   fmt.Sprintf("the window of %d frames was full for %s to %s, %d times in a row", k, seconds(w.least), seconds(w.most), w.waits),
			wanted: fmt.Sprintf("w of the other side at most %d; or, if the line is slow, a larger k here", max(1, k*2/3)),
		}
	})
}

// reviewWindow tells of acknowledgements one by one.
func (l *link) reviewWindow(now time.Time) {
	w := &l.acks
	if w.singles < manySingles || w.singles < 9*w.many {
		return
	}
	n := w.singles
	w.singles, w.many = 0, 0
	l.note(AcksOneByOne, n, now, func(total uint64) words {
		return words{
			seen:   fmt.Sprintf("%d frames were acknowledged one by one", total),
			wanted: fmt.Sprintf("w of the other side about two thirds of k, which is %d here, to save the line", l.doctor.p.K),
		}
	})
}

// debt is what of the frames received was not acknowledged by this side.
type debt struct {
	frames int
	since  time.Time
}

// tests is what is known of test frames.
type tests struct {
	asked    time.Time // when this side sent TESTFR act; zero: it was confirmed
	received time.Time // the last TESTFR act of the other side
	quick    int       // of them in a row that came soon
}

const (
	soonTest   = 5 * time.Second
	manyTests  = 10
	standardT3 = "20 s"
)

// tested looks at TESTFR.
func (l *link) tested(sent bool, f apci.Function, now time.Time) {
	t := &l.tests
	switch {
	case f == apci.TestFRAct && sent:
		t.asked = now
	case f == apci.TestFRCon && !sent && !t.asked.IsZero():
		delay := now.Sub(t.asked)
		t.asked = time.Time{}
		if delay > l.doctor.p.T1/2 {
			l.note(TestSlow, 1, now, func(n uint64) words {
				return words{
					seen:   fmt.Sprintf("test frames were confirmed late %s, the last after %s", times(n), seconds(delay)),
					wanted: "the other side to confirm at once; t1 here is " + seconds(l.doctor.p.T1),
				}
			})
		}
	case f == apci.TestFRAct:
		interval := now.Sub(t.received)
		t.received = now
		if interval >= soonTest {
			t.quick = 0
			return
		}
		if t.quick++; t.quick >= manyTests {
			l.note(TestFrequent, 1, now, func(uint64) words {
				return words{
					seen:   fmt.Sprintf("the other side tests the link every %s, %d times in a row", seconds(interval), t.quick),
					wanted: "t3 of the other side as in the standard, " + standardT3 + ", unless the line is watched on purpose",
				}
			})
		}
	}
}
