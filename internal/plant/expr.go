package plant

import (
	"errors"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/vm"
)

// ExprEnv is what an expression of a `from` sees.
type ExprEnv struct {
	Value float64 `expr:"value"`
}

// CompileExpr compiles an expression over `value`. It is run with a pointer to
// an [ExprEnv] and gives a float64. Beside operators and conditions it may
// use abs, ceil, floor, round, min and max, so that its time is bounded.
func CompileExpr(source string) (*vm.Program, error) {
	options := []expr.Option{expr.Env(&ExprEnv{}), expr.AsFloat64(), expr.DisableAllBuiltins(), expr.MaxNodes(1000)}
	for _, name := range []string{"abs", "ceil", "floor", "round", "min", "max"} {
		options = append(options, expr.EnableBuiltin(name))
	}
	program, err := expr.Compile(source, options...)
	if err != nil {
		// The further lines show the place in the source with a marker.
		first, _, _ := strings.Cut(err.Error(), "\n")
		return nil, errors.New(first)
	}
	return program, nil
}
