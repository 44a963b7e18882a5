package mapping

import (
	"errors"
	"slices"
	"strconv"
	"strings"
)

// whole is the path of the whole payload.
const whole = "@"

// noSlot stands for a path that is not asked for.
const noSlot = -1

// layout holds the paths that the points of a selector ask for. The value of
// each is put into the slot with its number.
type layout struct {
	paths []string
	root  *node // nil if no path leads into the payload
	whole int32 // slot of the whole payload, or noSlot
}

// node is a place in a JSON document that paths lead to or through.
type node struct {
	slot  int32 // noSlot if no path ends here
	keys  map[string]*node
	items []item // in ascending order
}

// item is the element of an array.
type item struct {
	index int
	node  *node
}

// newLayout lays out paths that parsePath accepts.
func newLayout(paths []string) *layout {
	l := &layout{paths: paths, whole: noSlot}
	for i, p := range paths {
		if p == whole {
			l.whole = int32(i)
			continue
		}
		if l.root == nil {
			l.root = &node{slot: noSlot}
		}
		segments, _ := parsePath(p)
		n := l.root
		for _, s := range segments {
			n = n.step(s)
		}
		n.slot = int32(i)
	}
	return l
}

// step returns the node behind a segment of a path, which it makes if needed.
// A number leads to an element of an array and to a key of an object alike.
func (n *node) step(segment string) *node {
	if next := n.keys[segment]; next != nil {
		return next
	}
	if n.keys == nil {
		n.keys = make(map[string]*node)
	}
	next := &node{slot: noSlot}
	n.keys[segment] = next
	if i, err := strconv.Atoi(segment); err == nil && strconv.Itoa(i) == segment && i >= 0 {
		at, _ := slices.BinarySearchFunc(n.items, i, func(it item, i int) int { return it.index - i })
		n.items = slices.Insert(n.items, at, item{index: i, node: next})
	}
	return next
}

var (
	errEmptySegment = errors.New(`empty key, want keys joined by single dots ("\." for a dot in a key, "@" for the whole payload)`)
	errLoneEscape   = errors.New(`ends with "\", want "\\" for a backslash`)
)

// parsePath splits a dot path into its keys. A backslash takes the character
// that follows as it is.
func parsePath(path string) ([]string, error) {
	var segments []string
	var segment strings.Builder
	escaped := false
	for _, r := range path {
		switch {
		case escaped:
			segment.WriteRune(r)
			escaped = false
		case r == '\\':
			escaped = true
		case r == '.':
			if segment.Len() == 0 {
				return nil, errEmptySegment
			}
			segments = append(segments, segment.String())
			segment.Reset()
		default:
			segment.WriteRune(r)
		}
	}
	if escaped {
		return nil, errLoneEscape
	}
	if segment.Len() == 0 {
		return nil, errEmptySegment
	}
	return append(segments, segment.String()), nil
}
