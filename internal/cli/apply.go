package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"busbar/internal/apiclient"
	"busbar/internal/plantdoc"
)

// exitPlan is the exit code of apply for a plan that is not carried out.
const exitPlan = 3

// applying is one call of apply.
type applying struct {
	io       IO
	term     *prompter
	client   *apiclient.Client
	file     string
	comment  string
	yes, dry bool
	code     bool // exit code 3 for a dry run with differences
	most     int  // changes that are shown
}

// applyCommand makes a plant file the plant of a server: busbar apply PLANT.
func applyCommand(ctx context.Context, args []string, io IO) int {
	f := newServerFlags("apply", "PLANT [flags]\n\nMakes a plant file the plant of a server: shows what differs, asks, and applies it whole or not at all.\nExit code 0: applied, or nothing to do, 1: not, 2: wrong usage, 3: not confirmed, or with --dry-run --exit-code there are differences.", io)
	a := applying{io: io, term: newPrompter(io)}
	f.fs.BoolVar(&a.yes, "yes", false, "do not ask")
	f.fs.BoolVar(&a.dry, "dry-run", false, "only show the plan, and what the server finds wrong with it")
	f.fs.BoolVar(&a.code, "exit-code", false, "with --dry-run: exit code 3 if there are differences")
	f.fs.StringVar(&a.comment, "comment", "", "`remark` that the revision keeps")
	all := f.fs.Bool("all", false, "show all changes, however many there are")
	files, err := parse(f.fs, args)
	switch {
	case err != nil:
	case len(files) != 1:
		err = errors.New("which plant file? try: busbar apply plant.yaml")
	case a.code && !a.dry:
		err = errors.New("--exit-code: only with --dry-run")
	}
	if err != nil {
		return fail(io, "apply", err, exitUsage)
	}
	a.file, a.most = files[0], planLines
	if *all {
		a.most = int(^uint(0) >> 1)
	}
	client, done, err := f.client(ctx, io, a.term)
	if err != nil {
		return failAPI(io, "apply", err)
	}
	defer done()
	a.client = client
	return a.run(ctx)
}

func (a *applying) run(ctx context.Context) int {
	text, err := os.ReadFile(a.file)
	if err != nil {
		return fail(a.io, "apply", err, exitFailure)
	}
	wanted, problems := plantdoc.Parse(a.file, text)
	if len(problems) > 0 {
		fmt.Fprintln(a.io.Out, problems.Error())
		return fail(a.io, "apply", fmt.Errorf("%s in %s", count(len(problems), "problem"), a.file), exitFailure)
	}
	present, tag, err := a.present(ctx)
	if err != nil {
		return failAPI(a.io, "apply", err)
	}
	changes := plantdoc.Diff(present, wanted)
	if len(changes) == 0 {
		fmt.Fprintf(a.io.Out, "nothing to do: the plant is that of revision %s\n", apiclient.RevisionOf(tag))
		return exitOK
	}
	fmt.Fprintf(a.io.Out, "%s compared with revision %s:\n", a.file, apiclient.RevisionOf(tag))
	printPlan(a.io.Out, changes, a.most)
	if ok, err := a.validate(ctx, plantdoc.JSON(wanted)); err != nil || !ok {
		if err != nil {
			return failAPI(a.io, "apply", err)
		}
		return exitFailure
	}
	return a.carryOut(ctx, plantdoc.JSON(wanted), tag)
}

// present returns the plant of the server.
func (a *applying) present(ctx context.Context) (objs []plantdoc.Object, tag string, err error) {
	var b bytes.Buffer
	if tag, err = a.client.Plant(ctx, apiclient.JSON, &b); err != nil {
		return nil, "", err
	}
	objs, problems := plantdoc.Parse("plant.json", b.Bytes())
	if len(problems) > 0 {
		return nil, "", fmt.Errorf("plant of the server: %w", problems)
	}
	return objs, tag, nil
}

// validate prints what the server finds in the plant, and reports whether it is right.
func (a *applying) validate(ctx context.Context, plant []byte) (ok bool, err error) {
	v, err := a.client.ValidatePlant(ctx, apiclient.JSON, plant)
	if err != nil {
		return false, err
	}
	for _, f := range v.Problems {
		fmt.Fprintln(a.io.Err, faultLine(a.file, "", f))
	}
	for _, f := range v.Warnings {
		fmt.Fprintln(a.io.Err, faultLine(a.file, "warning: ", f))
	}
	if n := len(v.Problems); n > 0 {
		fail(a.io, "apply", fmt.Errorf("the server finds %s; nothing was changed", count(n, "problem")), exitFailure)
		return false, nil
	}
	return true, nil
}

// faultLine is a fault as check prints problems.
func faultLine(file, kind string, f apiclient.Fault) string {
	parts := []string{file}
	if f.Location != "" {
		parts = append(parts, f.Location)
	}
	return strings.Join(append(parts, kind+f.Message), ": ")
}

// carryOut applies a plan that has no faults, if it is to be.
func (a *applying) carryOut(ctx context.Context, plant []byte, tag string) int {
	if a.dry {
		if a.code {
			return exitPlan
		}
		return exitOK
	}
	if !a.yes && !a.term.yes(ctx, "Apply?") {
		fmt.Fprintln(a.io.Err, "busbar apply: not confirmed, nothing was changed (--yes does not ask)")
		return exitPlan
	}
	r, changed, err := a.client.PutPlant(ctx, apiclient.JSON, plant, tag, a.comment)
	if p, ok := errors.AsType[*apiclient.Problem](err); ok && p.Status == 412 {
		err = errors.New("somebody else has changed the plant meanwhile, nothing was changed: look at the new plan")
	}
	if err != nil {
		return failAPI(a.io, "apply", err)
	}
	fmt.Fprintf(a.io.Out, "applied as revision %d, %s\n", r.Number, count(changed, "change"))
	return exitOK
}
