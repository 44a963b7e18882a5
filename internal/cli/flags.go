package cli

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
)

// errHelp tells that help was asked for and printed.
var errHelp = errors.New("help")

// newFlags returns an empty flag set whose help begins with usage.
func newFlags(name, usage string, help io.Writer) *flag.FlagSet {
	fs := flag.NewFlagSet("busbar "+name, flag.ContinueOnError)
	fs.SetOutput(io.Discard) // errors are printed by the command, once
	fs.Usage = func() {
		fmt.Fprintf(help, "Usage: busbar %s %s\n\n", name, usage)
		var defaults strings.Builder
		fs.SetOutput(&defaults)
		fs.PrintDefaults()
		fs.SetOutput(io.Discard)
		fmt.Fprint(help, strings.TrimPrefix(strings.ReplaceAll("\n"+defaults.String(), "\n  -", "\n  --"), "\n"))
	}
	return fs
}

// parse reads flags in any place and returns the other arguments. After "--"
// nothing is a flag. Help is printed to who asks for it, not on an error: the
// output may be read by a program.
func parse(fs *flag.FlagSet, args []string) ([]string, error) {
	help := fs.Usage
	fs.Usage = func() {}
	defer func() { fs.Usage = help }()
	var rest []string
	for {
		err := fs.Parse(args)
		if errors.Is(err, flag.ErrHelp) {
			help()
			return nil, errHelp
		}
		if err != nil {
			return nil, wanted(fs, err)
		}
		left := fs.Args()
		if n := len(args) - len(left); n > 0 && args[n-1] == "--" {
			return append(rest, left...), nil
		}
		if len(left) == 0 {
			return rest, nil
		}
		rest, args = append(rest, left[0]), left[1:]
	}
}

// given reports whether the flag was on the command line.
func given(fs *flag.FlagSet, name string) bool {
	found := false
	fs.Visit(func(f *flag.Flag) { found = found || f.Name == name })
	return found
}

// fail prints an error of a command and returns its exit code.
func fail(io IO, command string, err error, code int) int {
	if errors.Is(err, errHelp) {
		return exitOK
	}
	fmt.Fprintf(io.Err, "busbar %s: %v\n", command, err)
	return code
}
