package cli

import (
	"errors"
	"flag"
	"fmt"
	"strings"
	"time"
)

// wanted says of a flag that cannot be parsed what is wanted, which package flag
// does not. An error in words that are not known stays as it is.
func wanted(fs *flag.FlagSet, err error) error {
	text := err.Error()
	if name, ok := strings.CutPrefix(text, "flag provided but not defined: -"); ok {
		return fmt.Errorf("--%s: unknown flag, want one of %s", name, flagNames(fs))
	}
	if name, ok := strings.CutPrefix(text, "flag needs an argument: -"); ok {
		return fmt.Errorf("--%s: no value, want %s", name, form(fs.Lookup(name)))
	}
	what, ok := strings.CutPrefix(text, "invalid value ")
	if !ok {
		what, ok = strings.CutPrefix(text, "invalid boolean value ")
	}
	if !ok {
		return err
	}
	value, rest, _ := strings.Cut(what, " for ")
	name, reason, ok := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(rest, "flag "), "-"), ": ")
	f := fs.Lookup(name)
	if !ok || f == nil {
		return err
	}
	if reason == "parse error" || reason == "value out of range" || strings.HasPrefix(reason, "strconv.") {
		reason = "want " + form(f)
	}
	return errors.New("--" + name + ": " + value + ", " + reason)
}

func flagNames(fs *flag.FlagSet) string {
	var names []string
	fs.VisitAll(func(f *flag.Flag) { names = append(names, "--"+f.Name) })
	return strings.Join(names, ", ")
}

// form says what values of a flag look like.
func form(f *flag.Flag) string {
	if f == nil {
		return "one"
	}
	g, ok := f.Value.(flag.Getter)
	if !ok {
		return f.Usage
	}
	switch g.Get().(type) {
	case int, int64:
		return "an integer"
	case uint, uint64:
		return "an integer of 0 or more"
	case float64:
		return "a number"
	case bool:
		return "true or false"
	case time.Duration:
		return "a duration such as 15s, 10m or 250ms"
	default:
		_, usage := flag.UnquoteUsage(f)
		return usage
	}
}
