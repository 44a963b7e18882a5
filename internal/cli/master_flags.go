package cli

import (
	"flag"
	"fmt"
	"slices"
	"strings"

	"busbar/internal/linkprofile"
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
		"doctor":   {"ca", "for"},
		"command":  {"ca", "ioa", "type", "value", "select", "qu", "ql", "no-termination"},
		"files":    {"ca", "ioa", "nof"},
		"get":      {"ca", "ioa", "nof", "file"},
		"put":      {"ca", "ioa", "nof", "file"},
		"delete":   {"ca", "ioa", "nof"},
		"select":   {"ca", "ioa", "type", "value", "qu", "ql"},
		"execute":  {"ca", "ioa", "type", "value", "qu", "ql", "no-termination"},
		"cancel":   {"ca", "ioa", "type", "value", "select", "qu", "ql", "group"},

		"parameter":   {"ca", "ioa", "type", "value", "kpa", "qpa", "deactivate"},
		"discover":    {"ca", "plant", "connector", "prefix"},
		"script":      {"set"},
		"interactive": {"set"},
		"startdt":     {},
		"stopdt":      {},
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
			err = fmt.Errorf("--%s: %s does not use it; of its own it has %s", f.Name, request, flagList(own))
		}
	})
	return err
}

// follow takes the parameters of the link from a profile, but for those that flags
// give.
func (o *masterOptions) follow(fs *flag.FlagSet, profile string) error {
	p, err := linkprofile.Find(profile)
	if err != nil {
		return fmt.Errorf("--profile: %w", err)
	}
	own := o.params
	o.params = p.Params
	for _, of := range []struct {
		name string
		take func()
	}{
		{"k", func() { o.params.K = own.K }},
		{"w", func() { o.params.W = own.W }},
		{"t1", func() { o.params.T1 = own.T1 }},
		{"t2", func() { o.params.T2 = own.T2 }},
		{"t3", func() { o.params.T3 = own.T3 }},
	} {
		if given(fs, of.name) {
			of.take()
		}
	}
	return nil
}

func flagList(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return "--" + strings.Join(names, ", --")
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
