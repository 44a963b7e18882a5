package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"busbar/internal/apiclient"
)

// exportCommand writes the plant of a server: busbar export.
func exportCommand(ctx context.Context, args []string, io IO) int {
	formats := []string{"yaml", "json", "csv", "xlsx"}
	f := newServerFlags("export", "[flags]\n\nWrites the plant of a server: whole as yaml or json, its points as csv or xlsx. Secrets are references.\nExit code 0: done, 1: not, 2: wrong usage.", io)
	format := f.fs.String("format", "", "yaml, json, csv or xlsx; default that of the name of --out, otherwise yaml")
	out := f.fs.String("out", "", "`file` to write; default standard output")
	rest, err := parse(f.fs, args)
	if *format == "" {
		*format = formatOf(*out)
	}
	switch {
	case err != nil:
	case len(rest) > 0:
		err = fmt.Errorf("unexpected argument %q", rest[0])
	case !slices.Contains(formats, *format):
		err = fmt.Errorf("--format: %q, want one of %s", *format, strings.Join(formats, ", "))
	case *format == "xlsx" && *out == "":
		err = errors.New("--out: want a file for xlsx")
	}
	if err != nil {
		return fail(io, "export", err, exitUsage)
	}
	client, done, err := f.client(ctx, io, newPrompter(io))
	if err != nil {
		return failAPI(io, "export", err)
	}
	defer done()
	if err := export(ctx, client, *format, *out, io.Out); err != nil {
		return failAPI(io, "export", err)
	}
	return exitOK
}

// formatOf returns the format that the name of a file tells.
func formatOf(file string) string {
	switch ext := strings.TrimPrefix(filepath.Ext(file), "."); ext {
	case "", "yml":
		return "yaml"
	default:
		return ext
	}
}

func export(ctx context.Context, client *apiclient.Client, format, file string, out io.Writer) error {
	var b bytes.Buffer
	var err error
	switch format {
	case "yaml":
		_, err = client.Plant(ctx, apiclient.YAML, &b)
	case "json":
		_, err = client.Plant(ctx, apiclient.JSON, &b)
	default:
		err = client.Table(ctx, format, &b)
	}
	if err != nil {
		return err
	}
	if file == "" {
		_, err = out.Write(b.Bytes())
		return err
	}
	return replaceFile(file, b.Bytes())
}

// replaceFile writes a file whole, or leaves what was there.
func replaceFile(name string, text []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), ".busbar-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(text)
	if err = errors.Join(err, f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
