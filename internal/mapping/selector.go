package mapping

import (
	"hash/maphash"
	"strings"

	"busbar/internal/plant"
)

// level is one level of the tree of topic filters, whose branches are the
// levels of a topic between its slashes.
type level struct {
	groups []uint32 // of the filters that end here
	rest   []uint32 // of the filters that end here with "#"
	plus   *level   // "+": any one level
	names  map[string]*level
}

// checkFilter reports a selector that is not a topic filter: "+" and "#" stand
// for whole levels, and "#" is the last.
func checkFilter(filter string) []plant.FieldProblem {
	for rest, more := filter, true; more; {
		var name string
		name, rest, more = strings.Cut(rest, "/")
		wild := name == "+" || name == "#" && !more
		if !wild && strings.ContainsAny(name, "+#") {
			return []plant.FieldProblem{{Text: "topic filter " + filter + `: want "+" as a whole level and "#" as the last level`}}
		}
	}
	return nil
}

func (l *level) add(filter string, g uint32) {
	name, rest, more := strings.Cut(filter, "/")
	if name == "#" {
		l.rest = append(l.rest, g)
		return
	}
	next := l.next(name)
	if !more {
		next.groups = append(next.groups, g)
		return
	}
	next.add(rest, g)
}

// next returns the branch with the given name, which it makes if needed.
func (l *level) next(name string) *level {
	if name == "+" {
		if l.plus == nil {
			l.plus = new(level)
		}
		return l.plus
	}
	if l.names == nil {
		l.names = make(map[string]*level)
	}
	if l.names[name] == nil {
		l.names[name] = new(level)
	}
	return l.names[name]
}

// match appends the groups of every filter that matches the topic. A wildcard
// in the first level does not match topics that begin with "$", which belong
// to the broker.
func (l *level) match(dst []uint32, topic string) []uint32 {
	if strings.HasPrefix(topic, "$") {
		name, rest, more := strings.Cut(topic, "/")
		return l.names[name].follow(dst, rest, more)
	}
	return l.follow(dst, topic, true)
}

// follow appends the groups of the filters that go on from this level with the
// rest of the topic; without more the topic ends here.
func (l *level) follow(dst []uint32, rest string, more bool) []uint32 {
	if l == nil {
		return dst
	}
	dst = append(dst, l.rest...) // "a/#" matches "a" too
	if !more {
		return append(dst, l.groups...)
	}
	name, rest, more := strings.Cut(rest, "/")
	dst = l.names[name].follow(dst, rest, more)
	return l.plus.follow(dst, rest, more)
}

// selectors finds the group of a selector without wildcards. It is a hash table
// of numbers, because there may be as many selectors as points and a map takes
// several times as much memory. The zero value is empty.
type selectors struct {
	seed  maphash.Seed
	slots []uint32 // one more than the number of a group; 0: free. A power of two
	used  int
}

// find returns the number of the group of a selector.
func (t *selectors) find(groups []group, selector string) (uint32, bool) {
	if t.used == 0 {
		return 0, false
	}
	g := t.slots[t.slot(groups, selector)]
	return g - 1, g > 0
}

// slot returns where a selector is, or belongs.
func (t *selectors) slot(groups []group, selector string) uint64 {
	mask := uint64(len(t.slots) - 1)
	i := maphash.String(t.seed, selector) & mask
	for t.slots[i] > 0 && groups[t.slots[i]-1].selector != selector {
		i = (i + 1) & mask
	}
	return i
}

// add adds the group with a number, whose selector is not there yet.
func (t *selectors) add(groups []group, number uint32) {
	if 4*(t.used+1) > 3*len(t.slots) {
		old := t.slots
		t.slots, t.seed = make([]uint32, max(8, 2*len(old))), maphash.MakeSeed()
		for _, g := range old {
			if g > 0 {
				t.slots[t.slot(groups, groups[g-1].selector)] = g
			}
		}
	}
	t.slots[t.slot(groups, groups[number].selector)] = number + 1
	t.used++
}
