package journal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// Disk is a directory of the operating system.
type Disk struct {
	path string
}

var _ FS = (*Disk)(nil)

// NewDisk returns the directory at path. It is made if it does not exist, with
// mode 0700 and an entry that outlives a power cut; its parent must exist.
func NewDisk(path string) (*Disk, error) {
	switch err := os.Mkdir(path, 0o700); {
	case err == nil:
		if err := syncDir(filepath.Dir(path)); err != nil {
			return nil, fmt.Errorf("journal: %w", err)
		}
	case !errors.Is(err, os.ErrExist):
		return nil, fmt.Errorf("journal: %w", err)
	}
	return &Disk{path: path}, nil
}

// Open implements [FS].
func (d *Disk) Open(name string) (File, error) {
	f, err := os.Open(filepath.Join(d.path, name))
	if err != nil {
		return nil, err
	}
	return diskFile{f}, nil
}

// Create implements [FS].
func (d *Disk) Create(name string) (File, error) {
	f, err := os.OpenFile(filepath.Join(d.path, name), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	return diskFile{f}, nil
}

// Shorten implements [FS].
func (d *Disk) Shorten(name string, size int64) error {
	f, err := os.OpenFile(filepath.Join(d.path, name), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if err = f.Truncate(size); err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// Rename implements [FS].
func (d *Disk) Rename(from, to string) error {
	return os.Rename(filepath.Join(d.path, from), filepath.Join(d.path, to))
}

// Remove implements [FS].
func (d *Disk) Remove(name string) error {
	return os.Remove(filepath.Join(d.path, name))
}

// SyncDir implements [FS].
func (d *Disk) SyncDir() error { return syncDir(d.path) }

// List implements [FS].
func (d *Disk) List() ([]string, error) {
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, nil
}

// Lock implements [FS] with flock.
func (d *Disk) Lock(name string) (io.Closer, error) {
	f, err := os.OpenFile(filepath.Join(d.path, name), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return diskLock{f}, nil
	}
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = fmt.Errorf("%s: %w", d.path, ErrLocked)
	}
	return nil, errors.Join(err, f.Close())
}

// diskLock is a lock that is held.
type diskLock struct{ file *os.File }

// Close gives the lock back. It says so, since a child that is just being started may
// have the file open for a moment longer.
func (l diskLock) Close() error {
	return errors.Join(syscall.Flock(int(l.file.Fd()), syscall.LOCK_UN), l.file.Close())
}

func syncDir(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// diskFile is a file of the operating system. What differs by system is in
// sync_linux.go and sync_other.go.
type diskFile struct{ *os.File }

func (f diskFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
