package iec104server

import (
	"cmp"
	"slices"
	"sort"

	"busbar/internal/connector"
	"busbar/internal/point"
)

// row is one target: its address and its current value.
type row struct {
	current sample
	sent    uint64 // one more than the number of its newest event; 0: none yet
	key     uint64 // common address, type in answers, object address: see keyOf
	rule    uint32 // index of its rule
	next    uint32 // the next row of the same point, absent at the end
}

// keyOf orders rows as they are sent in an answer: what can share an ASDU is
// together, addresses ascend.
func keyOf(ca uint16, r *rule, ioa uint32) uint64 {
	return uint64(ca)<<48 | uint64(r.answer)<<40 | uint64(ioa)<<16
}

func (r *row) ca() uint16  { return uint16(r.key >> 48) }
func (r *row) ioa() uint32 { return uint32(r.key >> 16 & 0xffffff) }

// sector is the rows of one common address.
type sector struct {
	ca                 uint16
	low, high          uint32 // rows
	lowTotal, endTotal uint32 // counters
	groups             Groups // interrogation groups that have a row
	totals             uint8  // bit n: counter group n has a row; bit 0: there is any
}

// table is the set of targets. What it consists of does not change once it is
// built: a change of the plant brings a new table. Its rows and counters do: see
// station.
type table struct {
	rows      []row // in order of key
	rules     []rule
	counters  []counter // in order of row
	sectors   []sector  // in order of common address
	addresses []uint16
	schedules []schedule
	byPoint   pages // the first row of a point
	byTarget  pages
	byTotal   pages // row of a counter -> index in counters
	byOwn     pages // own point of a counter -> index in counters · ownPoints + which
}

// newTable builds the table of a set of targets, in which every value is still
// unknown.
func newTable(targets []connector.Target, tagged bool) *table {
	t := &table{}
	known, rules := map[*connector.Rule]uint32{}, map[rule]uint32{}
	t.rows = make([]row, len(targets))
	for i := range targets {
		g := &targets[i]
		at, ok := known[g.Rule]
		if !ok {
			at = t.number(rules, ruleOf(g.Rule, tagged))
			known[g.Rule] = at
		}
		ca, ioa := addressOfTarget(g)
		t.rows[i] = row{
			// Until a point was received it is invalid and not topical.
			current: sample{target: g.ID, quality: point.Invalid | point.NotTopical},
			key:     keyOf(ca, &t.rules[at], ioa),
			rule:    at,
			next:    uint32(i),
		}
	}
	slices.SortFunc(t.rows, func(a, b row) int { return cmp.Compare(a.key, b.key) })
	t.index(targets)
	return t
}

// number returns the index of a rule.
func (t *table) number(rules map[rule]uint32, r rule) uint32 {
	at, ok := rules[r]
	if !ok {
		at = uint32(len(t.rules))
		rules[r] = at
		t.rules = append(t.rules, r)
	}
	return at
}

// index makes everything that leads to rows. next of a row still holds which of the
// targets it is.
func (t *table) index(targets []connector.Target) {
	for i := range t.rows {
		r := &t.rows[i]
		g := &targets[r.next]
		p := uint32(g.Point)
		r.next = t.byPoint.get(p)
		t.byPoint.set(p, uint32(i))
		t.byTarget.set(uint32(r.current.target), uint32(i))
		t.place(uint32(i), r, g)
	}
	for i := range t.sectors {
		t.addresses = append(t.addresses, t.sectors[i].ca)
	}
}

// place adds the row of a target to its sector, to the counters and to the schedules.
func (t *table) place(at uint32, r *row, g *connector.Target) {
	if n := len(t.sectors); n == 0 || t.sectors[n-1].ca != r.ca() {
		c := uint32(len(t.counters))
		t.sectors = append(t.sectors, sector{ca: r.ca(), low: at, lowTotal: c, endTotal: c})
	}
	s, rule := &t.sectors[len(t.sectors)-1], &t.rules[r.rule]
	s.high = at + 1
	s.groups |= rule.groups
	if rule.family == total {
		t.count(at, g)
		s.endTotal = uint32(len(t.counters))
		s.totals |= 1 | 1<<rule.total
	}
	t.schedule(at, rule)
}

// count makes the row of a target a counter.
func (t *table) count(at uint32, g *connector.Target) {
	n := uint32(len(t.counters))
	t.byTotal.set(at, n)
	t.counters = append(t.counters, counter{row: at, own: g.Own})
	if g.Own[ownFrozen] == g.Own[ownOffset] {
		return // nobody keeps anything about it
	}
	for which, p := range g.Own {
		t.byOwn.set(uint32(p), n*ownPoints+uint32(which))
	}
}

// sector returns the rows of a common address.
func (t *table) sector(ca uint16) (*sector, bool) {
	i, ok := slices.BinarySearchFunc(t.sectors, ca, func(s sector, ca uint16) int { return cmp.Compare(s.ca, ca) })
	if !ok {
		return nil, false
	}
	return &t.sectors[i], true
}

// seek returns the first row from low on whose key is not less than key.
func (t *table) seek(low, high uint32, key uint64) uint32 {
	return low + uint32(sort.Search(int(high-low), func(i int) bool { return t.rows[low+uint32(i)].key >= key }))
}

// find returns the row of an address among those that can be read.
func (t *table) find(ca uint16, ioa uint32) (*row, bool) {
	s, ok := t.sector(ca)
	if !ok {
		return nil, false
	}
	for low := s.low; low < s.high; {
		// One search per type: low is the first row of its type.
		answer := t.rows[low].key >> 40
		at := t.seek(low, s.high, answer<<40|uint64(ioa)<<16)
		if at < s.high && t.rows[at].key == answer<<40|uint64(ioa)<<16 {
			return &t.rows[at], t.rules[t.rows[at].rule].family.interrogated()
		}
		low = t.seek(low, s.high, (answer+1)<<40)
	}
	return nil, false
}
