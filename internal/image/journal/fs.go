package journal

import "io"

// FS is one directory of files. The names have no separators. All methods may
// be called from any goroutine.
//
// What a method did is certain to outlive a power cut only after the sync that
// covers it: File.Sync for the contents of a file, SyncDir for creations,
// renames and removals.
type FS interface {
	// Open opens a file for reading.
	Open(name string) (File, error)
	// Create makes a new file for reading and writing. It fails if the name
	// exists.
	Create(name string) (File, error)
	// Shorten cuts a file off at size octets, for certain.
	Shorten(name string, size int64) error
	// Rename gives a file another name and replaces what had it.
	Rename(from, to string) error
	// Remove removes a name. An open file stays readable.
	Remove(name string) error
	// SyncDir makes all creations, renames and removals durable.
	SyncDir() error
	// List returns the names of all files, in any order.
	List() ([]string, error)
	// Lock takes the lock with the given name against every other holder, in
	// this process or another, until the closer is closed or the process ends.
	// It fails with an error that wraps ErrLocked while another one has it.
	Lock(name string) (io.Closer, error)
}

// File is an open file.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// Size returns the length in octets.
	Size() (int64, error)
	// Truncate sets the length in octets.
	Truncate(size int64) error
	// Allocate makes the file size octets long and reserves the room for them,
	// filled with zeros. It does nothing where the file system cannot.
	Allocate(size int64) error
	// Sync makes the contents and the length durable. After it failed the
	// journal never syncs the same file again: the system may have dropped what
	// it could not write and would call the next sync a success.
	Sync() error
}
