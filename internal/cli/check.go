package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"busbar/internal/plant"
)

// Check validates plant files: busbar check [--secrets-dir DIR] PLANT…
//
// It prints every problem and warning on its own line to stdout as
// "file:line:col: path: what is wrong, what is wanted", and for each file that is right
// one line that says what is in it. A secret that is not there is a
// warning, so that a plant can be checked on another machine than its own. The
// exit code is 0 if all files are right, 1 if not, 2 on wrong usage.
func Check(args []string, kinds plant.Kinds, stdout, stderr io.Writer) int {
	var usage bytes.Buffer
	fs := newFlags("check", "[flags] PLANT…\n\nPrints every problem of plant files as file:line:col: path: what is wrong, what is wanted.\nExit code 0: all are right, 1: not, 2: wrong usage.", &usage)
	dir := fs.String("secrets-dir", os.Getenv("BUSBAR_SECRETS_DIR"), "`directory` of the secrets that the plant refers to with ${file:…}")
	files, err := parse(fs, args)
	switch {
	case errors.Is(err, errHelp):
		fmt.Fprint(stdout, usage.String())
		return exitOK
	case err != nil:
		fs.Usage()
	case len(files) == 0:
		err = errors.New("which plant file? try: busbar check plant.yaml")
	}
	if err != nil {
		fmt.Fprintf(stderr, "busbar check: %v\n%s", err, usage.String())
		return exitUsage
	}
	code := exitOK
	options := plant.Options{Secrets: plant.Secrets{Dir: *dir, Optional: true}}
	for _, file := range files {
		if !checkFile(file, kinds, options, stdout) {
			code = exitFailure
		}
	}
	return code
}

// checkFile prints what is to say of one file and reports whether it is right.
func checkFile(file string, kinds plant.Kinds, options plant.Options, stdout io.Writer) bool {
	p, problems := plant.Load(file, kinds, options)
	if len(problems) > 0 {
		fmt.Fprintln(stdout, problems.Error())
		return false
	}
	for _, w := range p.Warnings {
		w.Text = "warning: " + w.Text
		fmt.Fprintln(stdout, w)
	}
	fmt.Fprintf(stdout, "%s: ok: %s\n", file, summary(p))
	return true
}

// summary says what is in a plant; what most plants do not have is left out.
func summary(p *plant.Plant) string {
	system, targets := 0, 0
	for i := range p.Points {
		targets += len(p.Points[i].To)
		if plant.IsSystem(p.Points[i].ID) {
			system++
		}
	}
	parts := []string{count(len(p.Connectors), "connector"), count(len(p.Points)-system, "point")}
	if system > 0 {
		parts = append(parts, count(system, "system point"))
	}
	parts = append(parts, count(targets, "target"), count(len(p.Warnings), "warning"))
	return strings.Join(parts, ", ")
}

// count returns a number with its noun, which takes an s in the plural.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
