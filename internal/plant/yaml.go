package plant

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// yamlTree makes a tree of a YAML document. Anchors, aliases and merge keys are
// resolved; other tags than !!str, keys that are not scalars and keys that
// occur twice are problems.
func yamlTree(text string) (*Node, Problems) {
	doc, problems := yamlDocument(text)
	if len(problems) > 0 {
		return nil, problems
	}
	b := treeBuilder{arena: &arena{}, strings: internerFor(text), anchors: map[*yaml.Node]*anchor{}}
	root := b.node(doc, 1)
	return root, b.problems
}

// yamlDocument has the library parse a text that is one document.
func yamlDocument(text string) (*yaml.Node, Problems) {
	if strings.Count(text, ",")+strings.Count(text, "\n") > maxYAML { // no node is without one of them, but in depth
		return nil, Problems{{Line: 1, Col: 1, Text: fmt.Sprintf("has more than %d commas and lines, want fewer, or JSON", maxYAML)}}
	}
	dec := yaml.NewDecoder(strings.NewReader(text))
	var doc yaml.Node
	if err := dec.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, Problems{{Line: 1, Col: 1, Text: "is empty, want version: 1"}}
		}
		return nil, Problems{yamlProblem(text, err)}
	}
	var second yaml.Node
	switch err := dec.Decode(&second); {
	case err == nil:
		return nil, Problems{{Line: second.Line, Col: second.Column, Text: "a second document begins, want one"}}
	case !errors.Is(err, io.EOF):
		return nil, Problems{yamlProblem(text, err)}
	}
	return doc.Content[0], nil
}

// treeBuilder walks a YAML document once. Parts of it that were walked are
// released at once, because its nodes are many times larger than ours.
type treeBuilder struct {
	trail    trail // to the node under way
	problems Problems
	anchors  map[*yaml.Node]*anchor // nil: aliases are not permitted
	count    int                    // of nodes, those that aliases stand for included
	expanded int                    // of these, by aliases
	exploded bool
	above    int32 // lines of the file above the text
	arena    *arena
	strings  *interner
}

// anchor is a node that aliases stand for.
type anchor struct {
	node *Node // nil while it is being built
	size int   // of nodes, aliases in it counted in full
}

// problem reports a fault of the node under way.
func (b *treeBuilder) problem(y *yaml.Node, text string) {
	b.problems = append(b.problems, Problem{Line: y.Line + int(b.above), Col: y.Column, Path: b.trail.String(), Text: text})
}

// new returns a node at the place of y.
func (b *treeBuilder) new(y *yaml.Node, kind NodeKind) *Node {
	return b.arena.node(kind, int32(y.Line)+b.above, int32(y.Column))
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
	if y.Anchor == "" || b.anchors == nil {
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
		n.Items = slices.Grow(n.Items, len(y.Content))
		for i, c := range y.Content {
			b.trail.enterItem(i)
			n.Items = append(n.Items, b.node(c, depth+1))
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
	if b.anchors == nil {
		b.problem(y, "alias *"+y.Value+wantNoAlias)
		return b.new(y, Scalar)
	}
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
	n.Fields = slices.Grow(n.Fields, len(y.Content)/2)
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
		if b.anchors == nil {
			b.problem(m, "merge key"+wantNoAlias)
			break
		}
		b.merge(n, &seen, m, depth)
	}
	return n
}

var wantNoAlias = fmt.Sprintf(", want none in a file that is larger than %d MiB", maxWholeYAML>>20)

// field adds one key to n.
func (b *treeBuilder) field(n *Node, seen *keySet, k, v *yaml.Node, depth int) {
	if k.Kind != yaml.ScalarNode {
		b.problem(k, "a key is an alias, a list or a map, want text")
		return
	}
	b.trail.enter(k.Value)
	defer b.trail.leave()
	f := Field{Key: b.strings.take(k.Value), Line: int32(k.Line) + b.above, Col: int32(k.Column), Value: b.node(v, depth+1)}
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
