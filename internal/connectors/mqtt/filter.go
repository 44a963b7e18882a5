package mqtt

import (
	"iter"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxTopic is the longest topic or filter, in octets.
const maxTopic = 65535

// checkTopic returns what is wrong with a topic or filter, nothing if it is
// right. Where + and # may stand the host checks for all kinds.
func checkTopic(topic string) string {
	switch {
	case topic == "":
		return "is empty, want a topic"
	case len(topic) > maxTopic:
		return "is longer than 65535 octets"
	case !utf8.ValidString(topic) || strings.ContainsRune(topic, 0):
		return "want UTF-8 without NUL"
	}
	if first, _, ok := strings.Cut(topic, "/"); ok && (first == "$share" || first == "$queue") {
		return "want no shared subscription (" + first + "/…) here"
	}
	return ""
}

// filters is a set of topic filters. The zero value is empty. Those without
// wildcards are kept apart: there may be a million of them, and a level of the
// tree is large.
type filters struct {
	root  level    // of filters with wildcards
	plain []string // the others; matches wants them in order
}

// level is one level of the filters in a set.
type level struct {
	next   map[string]*level
	filter string // the filter that ends here
	ends   bool
}

func (f *filters) add(filter string) {
	if !strings.ContainsAny(filter, "+#") {
		f.plain = append(f.plain, filter)
		return
	}
	at := &f.root
	for name := range strings.SplitSeq(filter, "/") {
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
	at.filter, at.ends = filter, true
}

// filtersOf returns the set of all names, ready to be asked for matches.
func filtersOf(names iter.Seq[string]) *filters {
	f := &filters{}
	for name := range names {
		f.add(name)
	}
	f.plain = slices.Clone(f.plain) // without room for more
	slices.Sort(f.plain)
	return f
}

// covering returns a filter of the set, not this one, that matches every topic
// that this one matches. A topic is a filter that matches itself.
func (f *filters) covering(filter string) (string, bool) {
	return f.root.covering(strings.Split(filter, "/"), filter, true)
}

func (l *level) covering(rest []string, self string, first bool) (string, bool) {
	// Wildcards at the beginning do not match topics that begin with $.
	wild := !first || rest[0] == "" || rest[0][0] != '$'
	if all := l.next["#"]; all != nil && wild && all.filter != self {
		return all.filter, true // it matches the level above, too
	}
	if len(rest) == 0 {
		return l.filter, l.ends && l.filter != self
	}
	if rest[0] == "#" {
		return "", false
	}
	if one := l.next["+"]; one != nil && wild {
		if by, ok := one.covering(rest[1:], self, false); ok {
			return by, true
		}
	}
	if same := l.next[rest[0]]; same != nil && rest[0] != "+" {
		return same.covering(rest[1:], self, false)
	}
	return "", false
}

// matches reports whether a filter of the set matches a topic.
func (f *filters) matches(topic string) bool {
	if f == nil {
		return false
	}
	if _, ok := f.covering(topic); ok {
		return true
	}
	if _, ok := slices.BinarySearch(f.plain, topic); ok {
		return true
	}
	at := &f.root
	for name := range strings.SplitSeq(topic, "/") {
		if at = at.next[name]; at == nil {
			return false
		}
	}
	return at.ends
}

// overlaps reports whether a filter of the set with wildcards, not this one,
// matches a topic that this one matches, too.
func (f *filters) overlaps(filter string) bool {
	return f.root.overlaps(strings.Split(filter, "/"), filter, true)
}

func (l *level) overlaps(rest []string, self string, first bool) bool {
	special := first && strings.HasPrefix(rest[0], "$")
	if all := l.next["#"]; all != nil && all.filter != self && !special {
		return true
	}
	if len(rest) == 0 {
		return l.ends && l.filter != self
	}
	switch rest[0] {
	case "#":
		return l.ends && l.filter != self || l.anyOverlaps(rest, self, first)
	case "+":
		return l.anyOverlaps(rest[1:], self, first)
	}
	if same := l.next[rest[0]]; same != nil && same.overlaps(rest[1:], self, false) {
		return true
	}
	one := l.next["+"]
	return one != nil && !special && one.overlaps(rest[1:], self, false)
}

// anyOverlaps is overlaps for a wildcard at this level.
func (l *level) anyOverlaps(rest []string, self string, first bool) bool {
	for name, next := range l.next {
		if name == "#" || first && strings.HasPrefix(name, "$") {
			continue // # was looked at already
		}
		if next.overlaps(rest, self, false) {
			return true
		}
	}
	return false
}
