package app

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// lockData takes the data directory for this process until the returned file is
// closed, or the process ends in whatever way. It makes the directory if there
// is none. It fails if another process has it.
func lockData(dir string) (*os.File, error) {
	err := os.MkdirAll(dir, 0o700)
	if errors.Is(err, syscall.ENOTDIR) {
		return nil, fmt.Errorf("data directory: %s is a file, or in one, want a directory", dir)
	}
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return f, nil
	}
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = errors.New("is in use by another busbar; stop it, or name another directory with --data")
	}
	return nil, errors.Join(fmt.Errorf("data directory %s: %w", dir, err), f.Close())
}
