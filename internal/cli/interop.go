package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"busbar/internal/connector"
	"busbar/internal/connectors"
	"busbar/internal/interop"
	"busbar/internal/plant"
)

// exitConflict is the exit code of busbar interop --compare when there are
// conflicts.
const exitConflict = 2

// interopOptions are the flags of busbar interop.
type interopOptions struct {
	plant, connector, format, out, compare string
	json                                   bool
}

// interopCommand writes the interoperability statement of a connector, or compares
// it with another: busbar interop --plant PLANT --connector ID.
func interopCommand(_ context.Context, args []string, io IO) int {
	o, err := interopFlags(args, io)
	if err != nil {
		return fail(io, "interop", err, exitFailure)
	}
	own, err := describe(o.plant, o.connector)
	if err != nil {
		return fail(io, "interop", err, exitFailure)
	}
	if o.compare != "" {
		return compareStatements(own, o, io)
	}
	if err := writeStatement(own, o, io); err != nil {
		return fail(io, "interop", err, exitFailure)
	}
	return exitOK
}

func interopFlags(args []string, io IO) (o interopOptions, err error) {
	fs := newFlags("interop", "--plant PLANT [--connector ID] [flags]\n\n"+
		"Writes the interoperability statement of a connector from its configuration, or with --compare says where it does not fit another.\n"+
		"Exit code 0: done, nothing in conflict, 1: not done, 2: conflicts.", io.Out)
	fs.StringVar(&o.plant, "plant", "", "plant `file`")
	fs.StringVar(&o.connector, "connector", "", "`id` of the connector; default the only one that has a statement")
	fs.StringVar(&o.format, "format", "", "md or xlsx; default by the name of the file, otherwise md")
	fs.StringVar(&o.out, "o", "", "`file` to write; default the output")
	fs.StringVar(&o.compare, "compare", "", "`other` statement, .md or .xlsx as this command writes them, or PLANT:CONNECTOR")
	fs.BoolVar(&o.json, "json", false, "of --compare: print JSON, one difference per line")
	rest, err := parse(fs, args)
	switch {
	case err != nil:
		return o, err
	case len(rest) > 0:
		return o, fmt.Errorf("unexpected argument %q", rest[0])
	case o.plant == "":
		return o, errors.New("--plant is missing: want a plant file")
	case o.compare != "" && (o.format != "" || o.out != ""):
		return o, errors.New("--compare prints the differences: --format and --o have no effect")
	case o.json && o.compare == "":
		return o, errors.New("--json has an effect with --compare only")
	}
	if o.format == "" {
		o.format = "md"
		if strings.EqualFold(filepath.Ext(o.out), ".xlsx") {
			o.format = "xlsx"
		}
	}
	if o.format != "md" && o.format != "xlsx" {
		return o, fmt.Errorf("--format: %q, want md or xlsx", o.format)
	}
	return o, nil
}

// describe returns the statement of a connector of a plant.
func describe(file, id string) (*interop.Statement, error) {
	kinds, err := connector.NewRegistry(connectors.All()...)
	if err != nil {
		return nil, err
	}
	p, problems := plant.Load(file, kinds, plant.Options{Secrets: plant.Secrets{Optional: true}})
	if err := problems.Err(); err != nil {
		return nil, err
	}
	var names []string
	describers := map[string]interop.Describer{}
	for _, c := range p.Connectors {
		d, ok := c.Settings.(interop.Describer)
		if !ok {
			continue
		}
		names = append(names, c.ID)
		describers[c.ID] = d
	}
	if id == "" && len(names) == 1 {
		id = names[0]
	}
	found := describers[id]
	switch {
	case len(names) == 0:
		return nil, fmt.Errorf("%s: no connector has an interoperability statement, want one of kind iec104-server or iec104-client", file)
	case found == nil:
		return nil, fmt.Errorf("%s: --connector: want one of %s", file, strings.Join(names, ", "))
	}
	f := found.Interop(id, p.Points, p.Commands)
	return interop.Of(&f)
}

// writeStatement writes a statement to a file or the output. A file that cannot be
// written whole is not left behind.
func writeStatement(s *interop.Statement, o interopOptions, io IO) error {
	var b bytes.Buffer
	write := s.WriteMarkdown
	if o.format == "xlsx" {
		write = s.WriteXLSX
	}
	if err := write(&b); err != nil {
		return err
	}
	if o.out == "" {
		if _, err := io.Out.Write(b.Bytes()); err != nil {
			return fmt.Errorf("writing: %w", err)
		}
		return nil
	}
	return os.WriteFile(o.out, b.Bytes(), 0o644)
}

// statementOf reads the other statement.
func statementOf(other string) (s *interop.Statement, err error) {
	ext := strings.ToLower(filepath.Ext(other))
	if ext != ".md" && ext != ".xlsx" {
		file, id := other, ""
		if i := strings.LastIndexByte(other, ':'); i > 1 { // not that of a drive
			file, id = other[:i], other[i+1:]
		}
		return describe(file, id)
	}
	f, err := os.Open(other)
	if err != nil {
		return nil, err
	}
	defer func() {
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
	}()
	read := interop.ReadMarkdown
	if ext == ".xlsx" {
		read = interop.ReadXLSX
	}
	if s, err = read(f); err != nil {
		return nil, fmt.Errorf("%s: %w", other, err)
	}
	return s, nil
}

func compareStatements(own *interop.Statement, o interopOptions, io IO) int {
	other, err := statementOf(o.compare)
	if err != nil {
		return fail(io, "interop", fmt.Errorf("--compare: %w", err), exitFailure)
	}
	found := interop.Compare(own, other)
	conflicts := 0
	out := json.NewEncoder(io.Out)
	for i := range found {
		d := &found[i]
		kind := "remark  "
		if d.Conflict {
			kind = "conflict"
			conflicts++
		}
		if o.json {
			err = out.Encode(d)
		} else {
			_, err = fmt.Fprintf(io.Out, "%s %s: %s\n         change: %s\n", kind, d.ID, d.Text, d.Change)
		}
		if err != nil {
			return fail(io, "interop", fmt.Errorf("writing: %w", err), exitFailure)
		}
	}
	if !o.json {
		fmt.Fprintf(io.Err, "%s, %s\n", count(conflicts, "conflict"), count(len(found)-conflicts, "remark"))
	}
	if conflicts > 0 {
		return exitConflict
	}
	return exitOK
}
