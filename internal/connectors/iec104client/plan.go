package iec104client

import (
	"cmp"
	"slices"

	"busbar/iec104/asdu"
)

// entry is what is known of one address that points come from.
type entry struct {
	address uint64
	heard   uint32 // round of interrogation in which it was heard last
	value   uint32 // of the last event
	quality asdu.Quality
	fixed   family // the only one that is taken; noFamily: any
	family  family // of the last object
	parts   uint8  // bit n: there are points that have this part
	marks   uint8
}

// The marks of an entry.
const (
	markEvent     uint8 = 1 << iota // there was an event
	markTagged                      // it had a time tag
	markTransient                   // of it
	markTwin                        // events without time tag come again with it
	markRefused                     // that an object was refused was logged
)

// plan is the addresses that points come from, ascending.
type plan struct {
	entries []entry
	next    int      // place that is looked at first: objects come in order, mostly
	cas     []uint16 // common addresses, ascending
	named   int      // objects of another type that were named
}

// unname has objects of another type named again.
func (p *plan) unname() {
	p.named = 0
	for i := range p.entries {
		p.entries[i].marks &^= markRefused
	}
}

// find returns the entry of an address, nil if there is none.
func (p *plan) find(address uint64) *entry {
	if n := p.next; n < len(p.entries) && p.entries[n].address == address {
		p.next++
		return &p.entries[n]
	}
	n, ok := slices.BinarySearchFunc(p.entries, address, func(e entry, a uint64) int { return cmp.Compare(e.address, a) })
	if !ok {
		return nil
	}
	p.next = n + 1
	return &p.entries[n]
}

// newPlan makes a plan of the ends of points. What is known of addresses of the
// plan before stays known. The others count as heard in the present round of
// interrogation, as they may have been. added are the common addresses that have new ones.
func newPlan(ends []any, before *plan, round uint32) (p *plan, added []uint16) {
	p = &plan{entries: make([]entry, 0, len(ends))}
	for _, end := range ends {
		s := end.(*Source)
		p.entries = append(p.entries, entry{address: s.address(), heard: round, fixed: s.family(), parts: 1 << s.part()})
	}
	slices.SortFunc(p.entries, func(a, b entry) int { return cmp.Compare(a.address, b.address) })
	p.entries = merge(p.entries)
	for i := range p.entries {
		e := &p.entries[i]
		ca := uint16(e.address >> caShift)
		if n := len(p.cas); n == 0 || p.cas[n-1] != ca {
			p.cas = append(p.cas, ca)
		}
		if old := before.find(e.address); old != nil {
			e.heard, e.value, e.quality, e.family, e.marks = old.heard, old.value, old.quality, old.family, old.marks&^markRefused
		} else if n := len(added); n == 0 || added[n-1] != ca {
			added = append(added, ca)
		}
	}
	return p, added
}

// merge makes one of entries with the same address, which are neighbours. The check of
// the plant saw to it that they restrict it to one family.
func merge(entries []entry) []entry {
	out := entries[:0]
	for _, e := range entries {
		if n := len(out); n > 0 && out[n-1].address == e.address {
			out[n-1].parts |= e.parts
			out[n-1].fixed = max(out[n-1].fixed, e.fixed)
			continue
		}
		out = append(out, e)
	}
	return slices.Clip(out)
}

// of returns the entries of a common address.
func (p *plan) of(ca uint16) []entry {
	place := func(address uint64) int {
		n, _ := slices.BinarySearchFunc(p.entries, address, func(e entry, a uint64) int { return cmp.Compare(e.address, a) })
		return n
	}
	return p.entries[place(addressOf(ca, 0)):place(addressOf(ca, asdu.MaxIOA)+1)]
}

// kind returns the family of an entry as far as it is known.
func (e *entry) kind() family { return max(e.fixed, e.family) }

// keys appends the keys of the points of an entry.
func (e *entry) keys(dst []uint64) []uint64 {
	for p := range parts {
		if e.parts>>p&1 != 0 {
			dst = append(dst, e.address|uint64(p)<<partShift)
		}
	}
	return dst
}

// silent returns the keys of the points of a common address that belong in the
// answer to a general interrogation and were not heard since it began.
func (p *plan) silent(ca uint16, round uint32) (keys []uint64) {
	entries := p.of(ca)
	for i := range entries {
		if e := &entries[i]; e.kind().interrogated() && int32(e.heard-round) < 0 {
			keys = e.keys(keys)
		}
	}
	return keys
}
