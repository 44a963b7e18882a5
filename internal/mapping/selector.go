package mapping

import (
	"strings"

	"busbar/internal/plant"
)

// level is one level of the tree of topic filters, whose branches are the
// levels of a topic between its slashes.
type level struct {
	groups []group // of the filters that end here
	rest   []group // of the filters that end here with "#"
	plus   *level  // "+": any one level
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

func (l *level) add(filter string, g group) {
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
func (l *level) match(dst []group, topic string) []group {
	if strings.HasPrefix(topic, "$") {
		name, rest, more := strings.Cut(topic, "/")
		return l.names[name].follow(dst, rest, more)
	}
	return l.follow(dst, topic, true)
}

// follow appends the groups of the filters that go on from this level with the
// rest of the topic; without more the topic ends here.
func (l *level) follow(dst []group, rest string, more bool) []group {
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
