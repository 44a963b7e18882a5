package dispatch

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/vm"
)

// path leads to a place in a decoded JSON document.
type path []string

// newPath splits a dot path. A backslash takes the character that follows as it is.
func newPath(text string) (path, error) {
	var p path
	var key strings.Builder
	escaped := false
	for _, r := range text + "." {
		switch {
		case escaped:
			key.WriteRune(r)
			escaped = false
		case r == '\\':
			escaped = true
		case r != '.':
			key.WriteRune(r)
		case key.Len() == 0:
			return nil, errors.New("has an empty key, want keys joined by single dots")
		default:
			p = append(p, key.String())
			key.Reset()
		}
	}
	if escaped || key.Len() > 0 {
		return nil, errors.New(`ends with "\", want "\\" for a backslash`)
	}
	return p, nil
}

// find returns the text at the path; false if there is none.
func (p path) find(doc any) (string, bool) {
	for _, key := range p {
		switch at := doc.(type) {
		case map[string]any:
			doc = at[key]
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i < 0 || i >= len(at) {
				return "", false
			}
			doc = at[i]
		default:
			return "", false
		}
	}
	text, ok := doc.(string)
	return text, ok && text != ""
}

// verdict is an expression over a reply. It may be used from any goroutine.
type verdict struct {
	name    string // of the key, for errors
	program *vm.Program
}

// verdictFunctions are the functions that the expression may call.
var verdictFunctions = [...]string{"int", "float", "string", "len", "trim", "upper", "lower", "abs"}

// whole is the variable that stands for a reply that is not an object.
const whole = "reply"

// newVerdict compiles the expression of a key; empty: it is nil, and never true.
func newVerdict(name, source string) (*verdict, error) {
	if source == "" {
		return nil, nil
	}
	options := []expr.Option{
		expr.Env(map[string]any{}), expr.AllowUndefinedVariables(), expr.AsBool(), expr.MaxNodes(200), expr.DisableAllBuiltins(),
	}
	for _, name := range verdictFunctions {
		options = append(options, expr.EnableBuiltin(name))
	}
	program, err := expr.Compile(source, options...)
	if err != nil {
		return nil, firstLine(err)
	}
	return &verdict{name, program}, nil
}

func firstLine(err error) error {
	first, _, _ := strings.Cut(err.Error(), "\n")
	return errors.New(first)
}

// of returns what a decoded reply says. The error says why it says nothing.
func (v *verdict) of(doc any) (bool, error) {
	if v == nil {
		return false, nil
	}
	env, ok := doc.(map[string]any)
	if !ok {
		env = map[string]any{whole: doc}
	}
	result, err := vm.Run(v.program, env)
	if err != nil {
		return false, fmt.Errorf("%s: %w", v.name, firstLine(err))
	}
	yes, ok := result.(bool)
	if !ok {
		return false, fmt.Errorf("%s yields %v, want true or false", v.name, result)
	}
	return yes, nil
}

// decode returns the JSON document of a reply.
func decode(text []byte) (any, error) {
	var doc any
	if err := json.Unmarshal(text, &doc); err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	return doc, nil
}
