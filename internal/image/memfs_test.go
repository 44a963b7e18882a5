package image_test

import (
	"math/rand/v2"
	"testing"

	"busbar/internal/image"
	"busbar/internal/image/journal"
	"busbar/internal/image/journal/memfs"
)

// memFS is a directory in memory as a journal.FS.
type memFS struct{ *memfs.FS }

var _ journal.FS = memFS{}

func newMemFS() memFS { return memFS{memfs.New(journal.ErrLocked)} }

func (m memFS) Open(name string) (journal.File, error) {
	f, err := m.FS.Open(name)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (m memFS) Create(name string) (journal.File, error) {
	f, err := m.FS.Create(name)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (m memFS) crash(rnd *rand.Rand) memFS { return memFS{m.Crash(rnd)} }

// mustOpen opens an image that the test closes.
func mustOpen(t testing.TB, fs journal.FS, opts image.Options) *image.Embedded {
	t.Helper()
	e, err := image.Open(fs, opts)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func mustClose(t testing.TB, e *image.Embedded) {
	t.Helper()
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}
