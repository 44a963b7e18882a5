package plant

import "cmp"

// arena hands out nodes and takes them back all at once, with the memory of
// their fields and items. The zero value is ready for use.
type arena struct {
	blocks [][]Node
	used   int // nodes handed out
	most   int // nodes to hand out, 0: maxNodes
}

const arenaBlock = 64 // nodes: most of a tree of one point

func (a *arena) node(kind NodeKind, line, col int32) *Node {
	if a.used == len(a.blocks)*arenaBlock {
		a.blocks = append(a.blocks, make([]Node, arenaBlock))
	}
	n := &a.blocks[a.used/arenaBlock][a.used%arenaBlock]
	a.used++
	*n = Node{Kind: kind, Line: line, Col: col, Fields: n.Fields[:0], Items: n.Items[:0]}
	return n
}

// full reports whether no more nodes should be asked for.
func (a *arena) full() bool { return a.used >= cmp.Or(a.most, maxNodes) }

// reset takes all nodes back: nobody may hold one any more.
func (a *arena) reset() { a.used = 0 }
