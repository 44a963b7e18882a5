package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"busbar/internal/config"
	"busbar/internal/store"
)

func backupCommand(ctx context.Context, args []string, io IO) int {
	flags := storeFlags("backup", "[flags] --out FILE\n\nWrites plant, revisions, secrets (encrypted, without their key), users, tokens, settings and the audit log to\nFILE, also while busbar runs. Sessions and the journal of values are not part of it.", io.Out)
	out := flags.String("out", "", "`file` to write; - is the standard output")
	c, err := settings(flags, args, io)
	if err == nil && *out == "" {
		err = errors.New("where to? give a file with --out")
	}
	if err != nil {
		return fail(io, "backup", err, exitUsage)
	}
	info, err := backup(ctx, c, io, *out)
	if err != nil {
		return fail(io, "backup", err, exitFailure)
	}
	fmt.Fprintf(io.Err, "backed up: %s\n", describeBackup(info))
	if len(info.Keys) > 0 {
		fmt.Fprintf(io.Err, "the secrets in it are encrypted with key %s, which is not part of the backup: keep it elsewhere\n", strings.Join(info.Keys, ", "))
	}
	return exitOK
}

// describeBackup says what a backup holds.
func describeBackup(info store.BackupInfo) string {
	return fmt.Sprintf("plant at revision %d, as of %s, by busbar %s", info.Revision, info.At.Format(time.RFC3339), cmp.Or(info.Version, "unknown"))
}

func backup(ctx context.Context, c config.Config, io IO, out string) (info store.BackupInfo, err error) {
	s, err := store.OpenExisting(ctx, store.Options{Path: filepath.Join(c.Data, store.FileName), URL: c.Database, Version: version})
	if errors.Is(err, fs.ErrNotExist) {
		return info, fmt.Errorf("there is no store in %s: name the data directory with --data", c.Data)
	}
	if err != nil {
		return info, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if out == "-" {
		return s.Backup(ctx, io.Out)
	}
	err = writeWhole(out, func(f *os.File) (err error) {
		info, err = s.Backup(ctx, f)
		return err
	})
	return info, err
}

// writeWhole writes a file that only its owner may read, in place of the one of
// that name: as a whole, or not at all.
func writeWhole(name string, write func(f *os.File) error) error {
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	if err = write(f); err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
