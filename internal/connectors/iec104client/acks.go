package iec104client

import (
	"sync"

	"busbar/iec104"
)

// acks has ASDUs acknowledged in their order, once the image has kept their values.
type acks struct {
	mu   sync.Mutex
	open []*ack // in order of reception
	head int    // of open
	free []*ack

	failure bool // something was refused
}

// ack is one ASDU. It is used again and again, so that receiving allocates nothing.
type ack struct {
	acks    *acks
	receipt iec104.Receipt
	commit  func(error) // settle, made once
	taking  bool        // the image is being asked: if it refuses, it is asked again
	settled bool
	err     error
}

// begin returns the ack of an ASDU, which is settled once.
func (a *acks) begin(r iec104.Receipt) *ack {
	a.mu.Lock()
	defer a.mu.Unlock()
	var k *ack
	if n := len(a.free); n > 0 {
		k = a.free[n-1]
		a.free = a.free[:n-1]
	} else {
		k = &ack{acks: a}
		k.commit = k.settle
	}
	k.receipt, k.taking, k.settled, k.err = r, true, false, nil
	if a.head > 0 && len(a.open) == cap(a.open) {
		a.open = a.open[:copy(a.open, a.open[a.head:])]
		a.head = 0
	}
	a.open = append(a.open, k)
	return k
}

// settle tells that the values are kept, or why not.
func (k *ack) settle(err error) {
	a := k.acks
	a.mu.Lock()
	defer a.mu.Unlock()
	if k.err = err; k.taking && err != nil {
		return
	}
	k.settled = true
	a.advance()
}

// again tells that the image is asked once more.
func (k *ack) again() {
	k.acks.mu.Lock()
	defer k.acks.mu.Unlock()
	k.err = nil
}

// taken tells that the image has taken the values, though not kept yet. err is why
// it never will.
func (k *ack) taken(err error) {
	a := k.acks
	a.mu.Lock()
	defer a.mu.Unlock()
	if k.settled {
		return
	}
	k.taking = false
	if err != nil {
		k.err = err
	}
	if k.err != nil {
		k.settled = true
		a.advance()
	}
}

// advance acknowledges what is settled at the beginning of the line.
func (a *acks) advance() {
	var last *iec104.Receipt
	for ; a.head < len(a.open) && a.open[a.head].settled; a.head++ {
		k := a.open[a.head]
		a.open[a.head] = nil
		a.free = append(a.free, k)
		if k.err != nil {
			a.refuse(k, last)
			last = nil
		} else {
			last = &k.receipt
		}
	}
	if a.head == len(a.open) {
		a.open, a.head = a.open[:0], 0
	}
	if last != nil {
		last.Release()
	}
}

// refuse closes the connection of an ASDU that was not kept, after what was kept before
// it is acknowledged, and that of every later one, which may be another: on it the
// station sends again what was taken for known.
func (a *acks) refuse(k *ack, before *iec104.Receipt) {
	a.failure = true
	if before != nil {
		before.Release()
	}
	k.receipt.Refuse(k.err)
	for _, later := range a.open[a.head+1:] {
		later.receipt.Refuse(k.err)
	}
}

// failed reports whether something was refused since it was asked last.
func (a *acks) failed() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	failed := a.failure
	a.failure = false
	return failed
}
