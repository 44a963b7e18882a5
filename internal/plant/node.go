package plant

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// NodeKind is the form of a [Node].
type NodeKind uint8

// The forms of a node.
const (
	Scalar NodeKind = iota + 1
	List
	Map
)

// Node is one node of the syntax tree of a plant file, the same for YAML and
// JSON. A tree is not changed once it is built; nodes may be shared by several
// parents (aliases), never in a circle. Those of points are used again once the
// point is decoded; texts and keys stay.
type Node struct {
	Kind   NodeKind
	Quoted bool // of a scalar: it was in quotes or a block, so it is text
	secret bool // Text holds a resolved secret and must not be printed
	Line   int32
	Col    int32   // in characters, from 1
	Text   string  // of a scalar, as written, without quotes and escapes
	Fields []Field // of a map, in order, keys unique
	Items  []*Node // of a list
}

// Field is a key of a map and its value.
type Field struct {
	Key       string
	Line, Col int32 // of the key
	Value     *Node
}

// Get returns the value of a key of a map, nil if it is absent.
func (n *Node) Get(key string) *Node {
	if f := n.field(key); f != nil {
		return f.Value
	}
	return nil
}

func (n *Node) field(key string) *Field {
	for i := range n.Fields {
		if n.Fields[i].Key == key {
			return &n.Fields[i]
		}
	}
	return nil
}

// IsNull reports whether the node is a scalar without content: nothing, null
// or ~ without quotes.
func (n *Node) IsNull() bool {
	return n.Kind == Scalar && !n.Quoted && (n.Text == "" || n.Text == "null" || n.Text == "~" || n.Text == "Null" || n.Text == "NULL")
}

// wrong is the error "what is wrong, what is wanted" for this node. It never
// shows a secret.
func (n *Node) wrong(want string) error {
	return fmt.Errorf("%s, want %s", n.show(), want)
}

// show describes the content of the node for a problem.
func (n *Node) show() string {
	switch {
	case n.Kind == Map:
		return "is a map"
	case n.Kind == List:
		return "is a list"
	case n.secret:
		return "the secret does not fit"
	case n.IsNull():
		return "is empty"
	case n.Quoted:
		return "is " + strconv.Quote(shorten(n.Text))
	default:
		return "is " + shorten(n.Text)
	}
}

// shorten cuts long text, so that a problem stays one readable line.
func shorten(s string) string {
	const longest = 60
	if i := strings.IndexAny(s, "\r\n"); i >= 0 && i < longest {
		return s[:i] + "…"
	}
	if len(s) <= longest {
		return s
	}
	return strings.ToValidUTF8(s[:longest], "") + "…"
}

// Str returns the text of a scalar. Numbers and words without quotes are text
// as they are written; null is not text.
func (n *Node) Str() (string, error) {
	if n.Kind != Scalar || n.IsNull() {
		return "", n.wrong("text")
	}
	return n.Text, nil
}

// Bool returns the value of true or false without quotes.
func (n *Node) Bool() (bool, error) {
	if n.Kind == Scalar && !n.Quoted {
		switch n.Text {
		case "true":
			return true, nil
		case "false":
			return false, nil
		}
	}
	return false, n.wrong("true or false")
}

// Int returns an integer from low to high, without quotes and leading zeros.
func (n *Node) Int(low, high int64) (int64, error) {
	v, err := strconv.ParseInt(n.number(), 10, 64)
	if err != nil || v < low || v > high {
		return 0, n.wrong(wantInt(low, high))
	}
	return v, nil
}

func wantInt(low, high int64) string {
	switch {
	case low == math.MinInt64 && high == math.MaxInt64:
		return "an integer"
	case high == math.MaxInt64:
		return fmt.Sprintf("an integer of %d or more", low)
	default:
		return fmt.Sprintf("an integer from %d to %d", low, high)
	}
}

// Float returns a finite number as JSON writes it, without quotes.
func (n *Node) Float() (float64, error) {
	v, err := strconv.ParseFloat(n.number(), 64)
	if err != nil {
		return 0, n.wrong("a number")
	}
	return v, nil
}

// number returns the text if it is a number as JSON writes it, so that the other
// forms that strconv and YAML know (hexadecimal, infinities, leading zeros) are refused.
func (n *Node) number() string {
	if !n.IsNumber() {
		return ""
	}
	return n.Text
}

// Duration returns a duration such as 250ms, 15s, 10m or 1h30m.
func (n *Node) Duration() (time.Duration, error) {
	if n.Kind == Scalar {
		if d, err := time.ParseDuration(n.Text); err == nil {
			return d, nil
		}
	}
	return 0, n.wrong(wantDuration)
}

const wantDuration = "a duration such as 15s, 10m or 250ms"

// printable returns the text of a scalar as far as it may be shown.
func (n *Node) printable() string {
	if n.Kind != Scalar || n.secret {
		return ""
	}
	return n.Text
}
