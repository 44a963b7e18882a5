package commandlog

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Disk is a directory of the operating system.
type Disk struct {
	path string
}

var _ FS = (*Disk)(nil)

// NewDisk returns the directory at path. It is made if it does not exist, with
// mode 0700 and an entry that outlives a power cut; its parent must exist.
// Files are made with mode 0600.
func NewDisk(path string) (*Disk, error) {
	switch err := os.Mkdir(path, 0o700); {
	case err == nil:
		if err := syncDir(filepath.Dir(path)); err != nil {
			return nil, fmt.Errorf("command log: %w", err)
		}
	case !errors.Is(err, os.ErrExist):
		return nil, fmt.Errorf("command log: %w", err)
	}
	return &Disk{path: path}, nil
}

// List implements [FS].
func (d *Disk) List() ([]string, error) {
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, nil
}

// Open implements [FS].
func (d *Disk) Open(name string) (io.ReadCloser, error) { return os.Open(filepath.Join(d.path, name)) }

// Create implements [FS].
func (d *Disk) Create(name string) (File, error) { return d.open(name, os.O_CREATE|os.O_EXCL) }

// Append implements [FS].
func (d *Disk) Append(name string) (File, error) { return d.open(name, 0) }

func (d *Disk) open(name string, flag int) (File, error) {
	f, err := os.OpenFile(filepath.Join(d.path, name), os.O_WRONLY|os.O_APPEND|flag, 0o600)
	if err != nil {
		return nil, err // without a nil *os.File in it
	}
	return f, nil
}

// Remove implements [FS].
func (d *Disk) Remove(name string) error { return os.Remove(filepath.Join(d.path, name)) }

// SyncDir implements [FS].
func (d *Disk) SyncDir() error { return syncDir(d.path) }

func syncDir(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
