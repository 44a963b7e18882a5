package cli

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// step is a line of a script: a request, or a word of the script itself.
type step struct {
	line    int
	options *masterOptions
	request *masterRequest // nil: one of those below
	expect  *expectation
	sleep   time.Duration
}

// scriptVars are the variables of a script by name. It is a [flag.Value].
type scriptVars map[string]string

// String implements [flag.Value].
func (v *scriptVars) String() string { return "" }

// Set implements [flag.Value]: it takes name=value.
func (v *scriptVars) Set(text string) error {
	name, value, ok := strings.Cut(text, "=")
	if !ok || !variable(name) {
		return fmt.Errorf("want name=value, the name of letters, digits and _")
	}
	if *v == nil {
		*v = scriptVars{}
	}
	(*v)[name] = value
	return nil
}

// variable reports whether text may be the name of a variable.
func variable(text string) bool {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_"
	return text != "" && strings.Trim(text, letters+"0123456789") == "" && strings.ContainsAny(text[:1], letters)
}

// readSteps reads the script of a request; nothing for other requests.
func readSteps(o *masterOptions, io IO) ([]step, error) {
	if o.script == "" {
		return nil, nil
	}
	if o.script == "-" {
		return parseScript(io.In, "standard input", o)
	}
	f, err := os.Open(o.script)
	if err != nil {
		return nil, fmt.Errorf("script: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	return parseScript(f, o.script, o)
}

// parseScript reads a whole script, so that nothing is sent of one with a fault.
func parseScript(r io.Reader, name string, o *masterOptions) (steps []step, err error) {
	vars := scriptVars{}
	lines, n := bufio.NewScanner(r), 1
	for ; lines.Scan(); n++ {
		words, err := splitWords(lines.Text())
		if err == nil && len(words) > 0 && words[0] == "set" {
			err = vars.assign(words, o.vars)
			words = nil
		}
		if err == nil {
			words, err = substitute(words, vars, o.vars)
		}
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, n, err)
		}
		if len(words) == 0 {
			continue
		}
		s, err := parseStep(words, o.timeout)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, n, err)
		}
		s.line = n
		steps = append(steps, s)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s:%d: %w", name, n, lineError(err))
	}
	return steps, nil
}

// maxLine is the length of the longest line in octets, also with variables put in.
const maxLine = bufio.MaxScanTokenSize - 1

// lineError says why a line could not be read.
func lineError(err error) error {
	if errors.Is(err, bufio.ErrTooLong) {
		return fmt.Errorf("the line is longer than %d octets", maxLine)
	}
	return err
}

// assign takes a line `set name value`.
func (v scriptVars) assign(words []string, given scriptVars) error {
	if len(words) != 3 || !variable(words[1]) {
		return errors.New("want set, a name of letters, digits and _, and a value")
	}
	value, err := substitute(words[2:], v, given)
	if err != nil {
		return err
	}
	v[words[1]] = value[0]
	return nil
}

// parseStep reads the words of a line. An expectation waits for timeout if it says
// nothing else.
func parseStep(words []string, timeout time.Duration) (s step, err error) {
	switch words[0] {
	case "sleep":
		if len(words) != 2 {
			return s, errors.New("want sleep and a time such as 500ms")
		}
		if s.sleep, err = time.ParseDuration(words[1]); err != nil || s.sleep < 0 {
			return s, fmt.Errorf("sleep %q, want a time such as 500ms or 2s", words[1])
		}
	case "expect":
		s.expect, err = parseExpect(words[1:], timeout)
	default:
		s.options, s.request, err = readRequest(words, IO{Out: io.Discard}, true)
		if errors.Is(err, errHelp) {
			err = errors.New("there is no --help in a line, want: busbar master --help")
		}
	}
	return s, err
}

// splitWords splits a line at blanks. Quotes keep what is between them together; a
// word that begins with # begins a comment.
func splitWords(line string) (words []string, err error) {
	var word strings.Builder
	inside, quote := false, rune(0)
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '"' || r == '\'':
			inside, quote = true, r
		case r == ' ' || r == '\t' || r == '\r':
			if inside {
				words = append(words, word.String())
			}
			inside = false
			word.Reset()
		case r == '#' && !inside:
			return words, nil
		default:
			inside = true
			word.WriteRune(r)
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("the quote %c has no end", quote)
	}
	if inside {
		words = append(words, word.String())
	}
	return words, nil
}

// substitute puts variables in: $name or ${name}; $$ is a dollar. Those given on the
// command line go before those of the script.
func substitute(words []string, vars, given scriptVars) ([]string, error) {
	out, length := make([]string, len(words)), 0
	for i, word := range words {
		var fault error
		out[i] = os.Expand(word, func(name string) string {
			if name == "$" {
				return "$"
			}
			value, ok := given[name]
			if !ok {
				value, ok = vars[name]
			}
			if !ok {
				fault = fmt.Errorf("variable %q in %q is not set, want set %s VALUE before, or --set %s=VALUE", name, word, name, name)
			}
			if length += len(value); length > maxLine {
				fault = fmt.Errorf("the variables make the line longer than %d octets", maxLine)
			}
			if fault != nil {
				return ""
			}
			return value
		})
		if fault != nil {
			return nil, fault
		}
	}
	return out, nil
}

// newLineFlags returns the flags of a word of scripts.
func newLineFlags(name string) *flag.FlagSet {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Usage = func() {}
	return fs
}
