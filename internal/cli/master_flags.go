package cli

import (
	"flag"
	"fmt"
	"slices"
	"strings"
)

// requestFlags are the flags that belong to some requests only, by request.
// Those that are in none of the lists belong to all.
func requestFlags() map[string][]string {
	return map[string][]string{
		"gi":       {"ca", "group"},
		"monitor":  {"ca", "count"},
		"counters": {"ca", "group", "freeze"},
		"read":     {"ca", "ioa"},
		"clock":    {"ca"},
		"test":     {"ca"},
		"reset":    {"ca", "qrp"},
		"command":  {"ca", "ioa", "type", "value", "select", "qu", "ql", "no-termination"},
		"files":    {"ca", "ioa", "nof"},
		"get":      {"ca", "ioa", "nof", "file"},
		"put":      {"ca", "ioa", "nof", "file"},
		"delete":   {"ca", "ioa", "nof"},
	}
}

// checkRequestFlags refuses the flags that were given and that a request does not use.
func checkRequestFlags(fs *flag.FlagSet, request string) error {
	all := requestFlags()
	own, listed := all[request]
	var err error
	fs.Visit(func(f *flag.Flag) {
		special := false
		for _, flags := range all {
			special = special || slices.Contains(flags, f.Name)
		}
		if err == nil && listed && special && !slices.Contains(own, f.Name) {
			err = fmt.Errorf("--%s: %s does not use it; of its own it has --%s", f.Name, request, strings.Join(own, ", --"))
		}
	})
	return err
}

// windows checks --k and --w.
func windows(k, w int) error {
	const most = 32767
	switch {
	case k < 1 || k > most:
		return fmt.Errorf("--k: %d, want 1 to %d", k, most)
	case w < 1 || w > most:
		return fmt.Errorf("--w: %d, want 1 to %d", w, most)
	case w > k:
		return fmt.Errorf("--w: %d, want at most --k, which is %d", w, k)
	}
	return nil
}
