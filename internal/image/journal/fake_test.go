package journal

import (
	"math/rand/v2"

	"busbar/internal/image/journal/memfs"
)

// memFS is a directory in memory as an FS.
type memFS struct{ *memfs.FS }

func newMemFS() *memFS { return &memFS{memfs.New(ErrLocked)} }

func (m *memFS) Open(name string) (File, error) {
	f, err := m.FS.Open(name)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (m *memFS) Create(name string) (File, error) {
	f, err := m.FS.Create(name)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (m *memFS) crash(rnd *rand.Rand) *memFS { return &memFS{m.Crash(rnd)} }
func (m *memFS) clone() *memFS               { return &memFS{m.Clone()} }
