package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"busbar/internal/app"
	"busbar/internal/config"
	"busbar/internal/store"
)

func restoreCommand(ctx context.Context, args []string, io IO) int {
	flags := storeFlags("restore", "[flags] FILE\n\nPuts back what busbar backup wrote, into SQLite or PostgreSQL, whichever it came from. busbar must not be\nrunning. FILE - is the standard input.", io.Out)
	force := flags.Bool("force", false, "replace what the store holds")
	c, file, err := storeAndFile(flags, args, io, "which backup? give its file")
	if err != nil {
		return fail(io, "restore", err, exitUsage)
	}
	lock, err := app.LockData(c.Data)
	if err != nil {
		return fail(io, "restore", err, exitFailure)
	}
	err = restore(ctx, c, io, file, *force)
	if errors.Is(err, store.ErrNotEmpty) {
		err = fmt.Errorf("%w; --force replaces it", err)
	}
	if err = errors.Join(err, lock.Close()); err != nil {
		return fail(io, "restore", err, exitFailure)
	}
	return exitOK
}

func restore(ctx context.Context, c config.Config, io IO, file string, force bool) error {
	in := io.In
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	o, err := storeAt(c, io)
	if err != nil {
		return err
	}
	info, err := store.Restore(ctx, o, in, force)
	if err != nil {
		return err
	}
	fmt.Fprintf(io.Err, "restored: %s\n", describeBackup(info))
	if text := keyAdvice(info.Keys, o.Key); text != "" {
		fmt.Fprintln(io.Err, text)
	}
	return nil
}

// keyAdvice says whether the present key opens the secrets of a backup.
func keyAdvice(wanted []string, key []byte) string {
	switch {
	case len(wanted) == 0:
		return ""
	case key == nil:
		return fmt.Sprintf("its secrets are encrypted with key %s, and there is no key here: put it in place before busbar starts", strings.Join(wanted, ", "))
	case slices.ContainsFunc(wanted, func(id string) bool { return id != store.KeyID(key) }):
		return fmt.Sprintf("its secrets are encrypted with key %s, and the key here is %s: put the right one in place before busbar starts", strings.Join(wanted, ", "), store.KeyID(key))
	}
	return "its secrets are encrypted with the key that is here"
}
