package plant

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"go.yaml.in/yaml/v3"
)

// yamlTree makes a tree of a YAML document. Anchors, aliases and merge keys are
// resolved; other tags than !!str, keys that are not scalars and keys that
// occur twice are problems.
func yamlTree(data []byte) (*Node, []Problem) {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	if err := dec.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, []Problem{{Line: 1, Col: 1, Text: "is empty, want version: 1"}}
		}
		return nil, []Problem{yamlProblem(data, err)}
	}
	var second yaml.Node
	switch err := dec.Decode(&second); {
	case err == nil:
		return nil, []Problem{{Line: second.Line, Col: second.Column, Text: "a second document begins, want one"}}
	case !errors.Is(err, io.EOF):
		return nil, []Problem{yamlProblem(data, err)}
	}
	b := treeBuilder{strings: newInterner(), anchors: map[*yaml.Node]*anchor{}}
	root := b.node(doc.Content[0], 1)
	return root, b.problems
}

// treeBuilder walks a YAML document once. Parts of it that were walked are
// released at once, because its nodes are many times larger than ours.
type treeBuilder struct {
	trail    trail // to the node under way
	problems []Problem
	anchors  map[*yaml.Node]*anchor
	count    int // of nodes, those that aliases stand for included
	expanded int // of these, by aliases
	exploded bool
	slab     []Node
	strings  *interner
}

// anchor is a node that aliases stand for.
type anchor struct {
	node *Node // nil while it is being built
	size int   // of nodes, aliases in it counted in full
}

// problem reports a fault of the node under way.
func (b *treeBuilder) problem(y *yaml.Node, text string) {
	b.problems = append(b.problems, Problem{Line: y.Line, Col: y.Column, Path: b.trail.String(), Text: text})
}

// new takes a node from the slab.
func (b *treeBuilder) new(y *yaml.Node, kind NodeKind) *Node {
	if len(b.slab) == 0 {
		b.slab = make([]Node, 512)
	}
	n := &b.slab[0]
	b.slab = b.slab[1:]
	*n = Node{Kind: kind, Line: int32(y.Line), Col: int32(y.Column)}
	return n
}

// node returns the tree of y. What cannot be part of a tree is reported and
// becomes an empty scalar.
func (b *treeBuilder) node(y *yaml.Node, depth int) *Node {
	switch {
	case y.Kind == yaml.AliasNode:
		return b.alias(y)
	case depth > maxDepth:
		b.problem(y, fmt.Sprintf("is nested too deep, want at most %d levels", maxDepth))
		return b.new(y, Scalar)
	case y.Style&yaml.TaggedStyle != 0 && y.ShortTag() != "!!str":
		b.problem(y, "has the tag "+y.Tag+", want no tags")
	}
	if y.Anchor == "" {
		return b.content(y, depth)
	}
	a := &anchor{}
	b.anchors[y] = a
	before := b.count
	n := b.content(y, depth)
	a.node, a.size = n, b.count-before
	return n
}

func (b *treeBuilder) content(y *yaml.Node, depth int) *Node {
	b.count++
	switch y.Kind {
	case yaml.MappingNode:
		return b.mapping(y, depth)
	case yaml.SequenceNode:
		n := b.new(y, List)
		n.Items = make([]*Node, len(y.Content))
		for i, c := range y.Content {
			b.trail.enterItem(i)
			n.Items[i] = b.node(c, depth+1)
			b.trail.leave()
			y.Content[i] = nil
		}
		return n
	default:
		n := b.new(y, Scalar)
		n.Text = b.strings.take(y.Value)
		n.Quoted = y.Style&^yaml.FlowStyle != 0
		return n
	}
}

func (b *treeBuilder) alias(y *yaml.Node) *Node {
	a := b.anchors[y.Alias]
	if a == nil || a.node == nil {
		b.problem(y, "alias *"+y.Value+" is within what it stands for")
		return b.new(y, Scalar)
	}
	if b.expanded+a.size > maxExpansion {
		if !b.exploded {
			b.problem(y, fmt.Sprintf("aliases stand for too much, want at most %d nodes in all", maxExpansion))
		}
		b.exploded = true
		return b.new(y, Scalar)
	}
	b.expanded += a.size
	b.count += a.size
	return a.node
}

func (b *treeBuilder) mapping(y *yaml.Node, depth int) *Node {
	n := b.new(y, Map)
	n.Fields = make([]Field, 0, len(y.Content)/2)
	var seen keySet
	var merged []*yaml.Node
	for i := 0; i+1 < len(y.Content); i += 2 {
		k, v := y.Content[i], y.Content[i+1]
		if k.Kind == yaml.ScalarNode && k.Value == "<<" && k.Style == 0 {
			merged = append(merged, v)
		} else {
			b.field(n, &seen, k, v, depth)
		}
		y.Content[i], y.Content[i+1] = nil, nil
	}
	for _, m := range merged {
		b.merge(n, &seen, m, depth)
	}
	return n
}

// field adds one key to n.
func (b *treeBuilder) field(n *Node, seen *keySet, k, v *yaml.Node, depth int) {
	if k.Kind != yaml.ScalarNode {
		b.problem(k, "a key is an alias, a list or a map, want text")
		return
	}
	b.trail.enter(k.Value)
	defer b.trail.leave()
	f := Field{Key: b.strings.take(k.Value), Line: int32(k.Line), Col: int32(k.Column), Value: b.node(v, depth+1)}
	if first, ok := seen.add(n.Fields, f.Key); !ok {
		b.problem(k, occursTwice(first))
		return
	}
	n.Fields = append(n.Fields, f)
}

// merge adds the keys of a map, or of a list of maps, that n does not have.
func (b *treeBuilder) merge(n *Node, seen *keySet, y *yaml.Node, depth int) {
	b.trail.enter("<<")
	defer b.trail.leave()
	from := b.node(y, depth+1)
	maps := []*Node{from}
	if from.Kind == List {
		maps = from.Items
	}
	for _, m := range maps {
		if m.Kind != Map {
			b.problem(y, m.wrong("a map or a list of maps").Error())
			continue
		}
		for _, f := range m.Fields {
			if _, ok := seen.add(n.Fields, f.Key); ok {
				n.Fields = append(n.Fields, f)
			}
		}
	}
}
