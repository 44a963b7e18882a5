package app

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"busbar/internal/image/journal"
)

// lockData takes the data directory for this process until what it returns is
// closed, or the process ends in whatever way. It makes the directory if there
// is none. It fails if another process has it.
func lockData(dir string) (io.Closer, error) {
	err := os.MkdirAll(dir, 0o700)
	if errors.Is(err, syscall.ENOTDIR) {
		return nil, fmt.Errorf("data directory: %s is a file, or in one, want a directory", dir)
	}
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	disk, err := journal.NewDisk(dir)
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	lock, err := disk.Lock("lock")
	if errors.Is(err, journal.ErrLocked) {
		err = errors.New("is in use by another busbar; stop it, or name another directory with --data")
	}
	if err != nil {
		return nil, fmt.Errorf("data directory %s: %w", dir, err)
	}
	return lock, nil
}

// LockData keeps Busbar from running in a data directory, which is made if there
// is none, until what it returns is closed. It fails if one is running.
func LockData(dir string) (io.Closer, error) { return lockData(dir) }
