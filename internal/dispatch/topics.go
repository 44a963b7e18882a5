package dispatch

import "strings"

// topics is a set of topics in which + stands for any one level. The zero value
// is empty.
type topics struct{ root level }

// level is one level of the topics of a set.
type level struct {
	next map[string]*level
	ends bool // a topic of the set
}

func (t *topics) add(topic string) {
	at := &t.root
	for name := range strings.SplitSeq(topic, "/") {
		next := at.next[name]
		if next == nil {
			next = &level{}
			if at.next == nil {
				at.next = make(map[string]*level)
			}
			at.next[name] = next
		}
		at = next
	}
	at.ends = true
}

// holds reports whether a topic is in the set. It allocates nothing.
func (t *topics) holds(topic string) bool {
	if len(t.root.next) == 0 {
		return false
	}
	// A wildcard at the beginning does not match topics that begin with $.
	return t.root.holds(topic, !strings.HasPrefix(topic, "$"))
}

func (l *level) holds(rest string, wild bool) bool {
	name, rest, more := strings.Cut(rest, "/")
	if next := l.next[name]; next != nil && next.leads(rest, more) {
		return true
	}
	one := l.next["+"]
	return wild && one != nil && one.leads(rest, more)
}

func (l *level) leads(rest string, more bool) bool {
	if !more {
		return l.ends
	}
	return l.holds(rest, true)
}
