package commandlog

import "io"

// FS is one directory of files. The names have no separators.
type FS interface {
	// List returns the names of all files, in any order.
	List() ([]string, error)
	// Open opens a file for reading from its beginning.
	Open(name string) (io.ReadCloser, error)
	// Create makes a new file for appending. It fails if the name exists.
	Create(name string) (File, error)
	// Append opens a file that exists for appending.
	Append(name string) (File, error)
	// Remove removes a name.
	Remove(name string) error
	// SyncDir makes all creations and removals durable.
	SyncDir() error
}

// File is a file that is appended to.
type File interface {
	io.WriteCloser
	// Truncate cuts the file to a size in octets; the next write follows there.
	Truncate(size int64) error
	// Sync makes all that was written durable.
	Sync() error
}
