package mapping

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/vm"

	"busbar/internal/point"
)

// Condition is an expression over the states of points that is true or false,
// such as point("q0/earth") == "off". In it a single or double point is the
// name of its state, a text its text, any other point a number. It has no
// loops, and the memory that it may use is bounded. It may be used from any
// goroutine.
type Condition struct {
	program *vm.Program
	points  []string
	names   []string // of the variables that stand for the points
	asks    bool     // it may ask for the requester
}

// CompileCondition compiles a condition. With requester it may also use the
// variables connector and peer, texts, and originator, a number. typeOf returns
// the type of a point, and false if there is no such point; where the type is
// zero nothing is compiled, and the condition cannot be used. The error says
// what is wrong, and what is wanted.
func CompileCondition(source string, requester bool, typeOf func(id string) (point.Type, bool)) (*Condition, error) {
	finder := pointFinder{typeOf: typeOf, env: make(map[string]any)}
	if requester {
		finder.env["connector"], finder.env["peer"], finder.env["originator"] = "", "", 0
	}
	var loops loopFinder
	options := []expr.Option{
		expr.Env(finder.env), expr.AsBool(), expr.MaxNodes(maxFormulaNodes), expr.DisableAllBuiltins(),
		expr.Patch(&finder), expr.Patch(&loops),
	}
	for _, name := range formulaFunctions {
		options = append(options, expr.EnableBuiltin(name))
	}
	// The environment has to be complete before types are checked: what the
	// first pass finds in the way of points is there in the second.
	if _, err := expr.Compile(source, options...); err != nil && finder.err == nil && len(finder.points) == 0 {
		return nil, firstLine(err)
	}
	if finder.err != nil {
		return nil, finder.err
	}
	if finder.unknown {
		return &Condition{points: finder.points}, nil
	}
	options[0] = expr.Env(finder.env)
	program, err := expr.Compile(source, options...)
	switch {
	case err != nil:
		return nil, firstLine(err)
	case loops.found:
		return nil, errors.New("has a loop or a range, want a plain condition")
	}
	return &Condition{program: program, points: finder.points, names: finder.names, asks: requester}, nil
}

func firstLine(err error) error {
	first, _, _ := strings.Cut(err.Error(), "\n")
	return errors.New(first)
}

// Points returns the ids of the points that the condition asks for, each once.
func (c *Condition) Points() []string { return c.points }

// Holds evaluates the condition with the values of its points, in the order of
// Points, and for a requester. The error says why it is neither true nor false.
func (c *Condition) Holds(values []point.Value, r point.Requester) (bool, error) {
	env := make(map[string]any, len(values)+3)
	if c.asks {
		env["connector"], env["peer"], env["originator"] = r.Connector, r.Peer, int(r.Originator)
	}
	for i, v := range values {
		env[c.names[i]] = conditionValue(v)
	}
	result, err := vm.Run(c.program, env)
	if err != nil {
		return false, firstLine(err)
	}
	holds, ok := result.(bool)
	if !ok {
		return false, fmt.Errorf("yields %v, want true or false", result)
	}
	return holds, nil
}

// conditionValue is the value of a point in a condition.
func conditionValue(v point.Value) any {
	switch v.Type() {
	case point.Single, point.Double:
		return v.String()
	case point.Text:
		return v.Text()
	case point.Float:
		return v.Float()
	case point.Step:
		position, _ := v.Step()
		return position
	case point.Bits:
		return int(v.Bits())
	default:
		return int(v.Int())
	}
}

// pointFinder puts a typed variable in the place of every point("…").
type pointFinder struct {
	typeOf  func(id string) (point.Type, bool)
	env     map[string]any
	points  []string
	types   []point.Type
	names   []string
	unknown bool // the type of a point is not known
	err     error
}

// Visit implements [ast.Visitor]. It comes to the parts of a node before the node.
func (f *pointFinder) Visit(n *ast.Node) {
	switch node := (*n).(type) {
	case *ast.CallNode:
		if name, ok := node.Callee.(*ast.IdentifierNode); ok && name.Value == "point" {
			f.call(n, node)
		}
	case *ast.BinaryNode:
		f.compare(node)
	}
}

func (f *pointFinder) call(n *ast.Node, call *ast.CallNode) {
	id := ""
	if len(call.Arguments) == 1 {
		if text, ok := call.Arguments[0].(*ast.StringNode); ok {
			id = text.Value
		}
	}
	if id == "" {
		f.fault(errors.New(`has a point(…) without an id, want point("id")`))
		return
	}
	at := slices.Index(f.points, id)
	if at < 0 {
		typ, ok := f.typeOf(id)
		if !ok {
			f.fault(fmt.Errorf("there is no point %s", id))
			return
		}
		at = len(f.points)
		f.points, f.types = append(f.points, id), append(f.types, typ)
		f.names = append(f.names, fmt.Sprintf("point_%d", at))
		f.unknown = f.unknown || typ == 0
		f.env[f.names[at]] = conditionValue(point.Restore(typ, 0, false, ""))
	}
	ast.Patch(n, &ast.IdentifierNode{Value: f.names[at]})
}

// compare finds comparisons with a state that a point can never have: != would
// be true for ever.
func (f *pointFinder) compare(n *ast.BinaryNode) {
	switch n.Operator {
	case "==", "!=":
		f.states(n.Left, n.Right)
		f.states(n.Right, n.Left)
	case "in":
		if list, ok := n.Right.(*ast.ArrayNode); ok {
			f.states(n.Left, list.Nodes...)
		}
	}
}

func (f *pointFinder) states(variable ast.Node, words ...ast.Node) {
	name, ok := variable.(*ast.IdentifierNode)
	if !ok {
		return
	}
	at := slices.Index(f.names, name.Value)
	if at < 0 {
		return
	}
	for _, word := range words {
		if text, ok := word.(*ast.StringNode); ok && !isState(f.types[at], text.Value) {
			f.fault(fmt.Errorf("compares point %s with %q, want %s", f.points[at], text.Value, wanted(f.types[at])))
		}
	}
}

func isState(typ point.Type, word string) bool {
	switch typ {
	case point.Single:
		return word == "off" || word == "on"
	case point.Double:
		_, ok := point.ParseDouble(word)
		return ok
	default:
		return true
	}
}

func (f *pointFinder) fault(err error) {
	if f.err == nil {
		f.err = err
	}
}
