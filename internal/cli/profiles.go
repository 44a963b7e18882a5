package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"text/tabwriter"

	"busbar/internal/linkprofile"
)

// profilesCommand lists link profiles: busbar profiles [NAME] [--json].
func profilesCommand(_ context.Context, args []string, io IO) int {
	fs := newFlags("profiles", "[NAME] [flags]\n\nLists link profiles, or every value of one and what it rests on.\nExit code 0: done, 1: not, 2: wrong usage.", io.Out)
	asJSON := fs.Bool("json", false, "print JSON, one profile per line, with every value")
	names, err := parse(fs, args)
	if err == nil && len(names) > 1 {
		err = fmt.Errorf("unexpected argument %q", names[1])
	}
	profiles := linkprofile.All()
	if err == nil && len(names) == 1 {
		var p linkprofile.Profile
		p, err = linkprofile.Find(names[0])
		profiles = []linkprofile.Profile{p}
	}
	if err != nil {
		return fail(io, "profiles", err, exitUsage)
	}
	switch {
	case *asJSON:
		err = profilesJSON(profiles, io)
	case len(names) == 1:
		err = profileTable(&profiles[0], io)
	default:
		err = profileList(profiles, io)
	}
	if err != nil {
		return fail(io, "profiles", fmt.Errorf("writing: %w", err), exitFailure)
	}
	return exitOK
}

func profilesJSON(profiles []linkprofile.Profile, io IO) error {
	out := json.NewEncoder(io.Out)
	for i := range profiles {
		p := &profiles[i]
		if err := out.Encode(struct {
			Name     string              `json:"name"`
			Title    string              `json:"title"`
			Standing string              `json:"standing"`
			Basis    string              `json:"basis"`
			Values   []linkprofile.Value `json:"values"`
		}{p.Name, p.Title, p.Standing.String(), p.Basis, p.Values()}); err != nil {
			return err
		}
	}
	return nil
}

// profileList prints a line for each profile.
func profileList(profiles []linkprofile.Profile, io IO) error {
	w := tabwriter.NewWriter(io.Out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tSTANDING\tFOR")
	for _, p := range profiles {
		fmt.Fprintf(w, "%s\t%s\t%s\n", p.Name, p.Standing, p.Title)
	}
	fmt.Fprintln(w, "\n`busbar profiles NAME` tells the values and what they rest on. A hypothesis is to be agreed with the other side.")
	return w.Flush()
}

// profileTable prints every value of a profile.
func profileTable(p *linkprofile.Profile, io IO) error {
	fmt.Fprintf(io.Out, "%s (%s): %s\nrests on: %s\n\n", p.Name, p.Standing, p.Title, p.Basis)
	w := tabwriter.NewWriter(io.Out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "KEY\tVALUE\tRESTS ON")
	for _, v := range p.Values() {
		fmt.Fprintf(w, "%s\t%s\t%s\n", v.Key, v.Value, v.Basis)
	}
	return w.Flush()
}
