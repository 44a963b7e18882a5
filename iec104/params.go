package iec104

import (
	"errors"
	"fmt"
	"time"

	"busbar/iec104/asdu"
)

// Params are the parameters of the link. Nothing is negotiated on the wire:
// both stations must be set alike (interoperability parameters). The zero value of each
// field means its default.
type Params struct {
	// K is the largest number of I frames sent and not yet acknowledged; the
	// sender stops at it. Range 1 … 32767, default 12. It should not be less
	// than the W of the peer.
	K int
	// W is the number of received I frames after which an acknowledgement is
	// sent at the latest. Range 1 … K, default 8, or K if that is less. The
	// standard recommends at most two thirds of K.
	W int
	// T0 is how long establishing a connection may take, including the TLS
	// handshake on both sides. Range 1 s … 255 s, default 30 s.
	T0 time.Duration
	// T1 is how long the peer may take to acknowledge an I frame and to confirm
	// STARTDT, STOPDT and TESTFR, to complete a frame it has begun, and to take
	// what is written. Range 1 s … 255 s, default 15 s.
	T1 time.Duration
	// T2 is when a received I frame is acknowledged if nothing else is sent.
	// Range 0.5 s … 255 s, less than T1, default 10 s, or two thirds of T1 if
	// that is less.
	T2 time.Duration
	// T3 is how long nothing may be received before the link is tested with
	// TESTFR. Range 1 s … 48 h, default 20 s.
	T3 time.Duration
	// Sizes are the octets of cause, common address and information object
	// address. Default 2, 2 and 3, as the standard has it.
	Sizes asdu.Sizes
	// MaxAPDU is the largest length octet sent, for peers that take less than
	// the standard's 253. Range 40 … 253, default 253. Received is always up to 253.
	MaxAPDU int
}

// The limits of Params.
const (
	maxK        = 32767
	minMaxAPDU  = 40 // holds one object of every type but a file segment
	fullMaxAPDU = 253
)

// Complete returns p with every zero field set to its default. It fails with
// all faults of p together.
func (p Params) Complete() (Params, error) {
	p = p.withDefaults()
	return p, p.validate()
}

func (p Params) withDefaults() Params {
	p.K = orDefault(p.K, 12)
	p.W = orDefault(p.W, max(1, min(8, p.K)))
	p.T0 = orDefault(p.T0, 30*time.Second)
	p.T1 = orDefault(p.T1, 15*time.Second)
	p.T2 = orDefault(p.T2, min(10*time.Second, p.T1*2/3))
	p.T3 = orDefault(p.T3, 20*time.Second)
	p.MaxAPDU = orDefault(p.MaxAPDU, fullMaxAPDU)
	p.Sizes.COT = orDefault(p.Sizes.COT, 2)
	p.Sizes.CA = orDefault(p.Sizes.CA, 2)
	p.Sizes.IOA = orDefault(p.Sizes.IOA, 3)
	return p
}

func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

func (p Params) validate() error {
	var errs []error
	within := func(name string, v, low, high time.Duration) {
		if v < low || v > high {
			errs = append(errs, fmt.Errorf("%s %v: want %v to %v", name, v, low, high))
		}
	}
	count := func(name string, v, low, high int) {
		if v < low || v > high {
			errs = append(errs, fmt.Errorf("%s %d: want %d to %d", name, v, low, high))
		}
	}
	count("k", p.K, 1, maxK)
	count("w", p.W, 1, maxK)
	if p.W > p.K {
		errs = append(errs, fmt.Errorf("w %d: want at most k, which is %d", p.W, p.K))
	}
	within("t0", p.T0, time.Second, 255*time.Second)
	within("t1", p.T1, time.Second, 255*time.Second)
	within("t2", p.T2, time.Second/2, 255*time.Second)
	if p.T2 >= p.T1 {
		errs = append(errs, fmt.Errorf("t2 %v: want less than t1, which is %v", p.T2, p.T1))
	}
	within("t3", p.T3, time.Second, 48*time.Hour)
	count("octets of the cause", int(p.Sizes.COT), 1, 2)
	count("octets of the common address", int(p.Sizes.CA), 1, 2)
	count("octets of the object address", int(p.Sizes.IOA), 1, 3)
	count("longest APDU", p.MaxAPDU, minMaxAPDU, fullMaxAPDU)
	return errors.Join(errs...)
}

// maxASDU is the longest ASDU sent, in octets.
func (p Params) maxASDU() int { return p.MaxAPDU - 4 }
