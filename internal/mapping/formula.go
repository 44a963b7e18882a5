package mapping

import (
	"reflect"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/vm"

	"busbar/internal/point"
)

// maxFormulaNodes bounds the size of an expression.
const maxFormulaNodes = 1000

// formula is the `expr` of a point, an expression over `value`. It has no
// loops, and the memory that it may use is bounded, so that it ends soon.
type formula struct {
	program *vm.Program
}

// The environments of an expression.
type (
	numberEnv struct {
		Value float64 `expr:"value"`
	}
	textEnv struct {
		Value string `expr:"value"`
	}
)

// formulaFunctions are the functions that an expression may call.
var formulaFunctions = [...]string{
	"abs", "ceil", "floor", "round", "min", "max", "int", "float",
	"bitand", "bitor", "bitxor", "bitnot", "bitshl", "bitshr",
	"string", "len", "trim", "trimPrefix", "trimSuffix", "upper", "lower", "replace", "indexOf",
}

// formula compiles the expression of a point and checks the type of its
// result; nil if there is none.
func (c *compiler) formula(source string) *formula {
	if source == "" {
		return nil
	}
	var env any = numberEnv{}
	if c.typ == point.Text {
		env = textEnv{}
	}
	var loops loopFinder
	options := []expr.Option{expr.Env(env), expr.MaxNodes(maxFormulaNodes), expr.DisableAllBuiltins(), expr.Patch(&loops)}
	for _, name := range formulaFunctions {
		options = append(options, expr.EnableBuiltin(name))
	}
	program, err := expr.Compile(source, options...)
	if err != nil {
		first, _, _ := strings.Cut(err.Error(), "\n")
		c.fault("expr", first)
		return nil
	}
	if loops.found {
		c.fault("expr", "has a loop or a range, want a plain formula")
		return nil
	}
	result := program.Node().Type()
	if !c.accepts(result) {
		want := "a number or a boolean"
		if c.typ == point.Text {
			want = "a string"
		}
		c.fault("expr", "yields "+result.String()+", want "+want)
		return nil
	}
	return &formula{program}
}

// accepts reports whether the result of an expression may be a value of the
// point. A type that is known only when it runs is checked then.
func (c *compiler) accepts(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Interface:
		return true
	case reflect.String:
		return c.typ == point.Text
	case reflect.Bool, reflect.Int, reflect.Float64:
		return c.typ != point.Text
	default:
		return false
	}
}

// loopFinder finds what makes an expression run longer than it is: functions
// that take a predicate for each element, and ranges.
type loopFinder struct {
	found bool
}

// Visit implements [ast.Visitor].
func (f *loopFinder) Visit(n *ast.Node) {
	switch n := (*n).(type) {
	case *ast.PredicateNode:
		f.found = true
	case *ast.BinaryNode:
		f.found = f.found || n.Operator == ".."
	}
}

// number runs the expression. value is a float64 in it.
func (f *formula) number(n number, typ point.Type) (number, Reason) {
	result, err := vm.Run(f.program, numberEnv{n.float()})
	if err != nil {
		return number{}, BadFormula
	}
	switch v := result.(type) {
	case float64:
		return fraction(v), 0
	case int:
		return integer(int64(v)), 0
	case bool:
		return truth(v, typ), 0
	default:
		return number{}, BadFormula
	}
}

// text runs the expression of a text point.
func (f *formula) text(s string) (string, Reason) {
	result, err := vm.Run(f.program, textEnv{s})
	if err != nil {
		return "", BadFormula
	}
	v, ok := result.(string)
	if !ok {
		return "", BadFormula
	}
	return v, 0
}
