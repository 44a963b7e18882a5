package journal

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"time"
)

// memFS is a directory that forgets in a power cut what was not synced.
type memFS struct {
	mu       sync.Mutex
	names    map[string]*inode
	durable  map[string]*inode // as of the last SyncDir
	ops      []dirOp           // since then
	locked   bool
	calls    int
	room     int64                                 // octets left; negative: no limit
	syncTime time.Duration                         // of a sync of a file
	hook     func(call int, op, name string) error // before each call; may fail it
}

type inode struct {
	data    []byte
	durable []byte
	dirty   map[int]bool // sectors written since the last sync
}

type dirOp struct {
	name string
	to   *inode // nil: removed
}

// sector is what a disk writes as a whole.
const sector = 512

var errPower = errors.New("power cut")

func newMemFS() *memFS {
	return &memFS{names: map[string]*inode{}, durable: map[string]*inode{}, room: -1}
}

func (m *memFS) call(op, name string) error {
	m.calls++
	if m.hook != nil {
		return m.hook(m.calls, op, name)
	}
	return nil
}

func (m *memFS) Open(name string) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.call("open", name); err != nil {
		return nil, err
	}
	n := m.names[name]
	if n == nil {
		return nil, fmt.Errorf("open %s: %w", name, os.ErrNotExist)
	}
	return &memFile{fs: m, name: name, n: n}, nil
}

func (m *memFS) Create(name string) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.call("create", name); err != nil {
		return nil, err
	}
	if m.names[name] != nil {
		return nil, fmt.Errorf("create %s: %w", name, os.ErrExist)
	}
	n := &inode{dirty: map[int]bool{}}
	m.bind(name, n)
	return &memFile{fs: m, name: name, n: n, writable: true}, nil
}

func (m *memFS) bind(name string, n *inode) {
	if n == nil {
		delete(m.names, name)
	} else {
		m.names[name] = n
	}
	m.ops = append(m.ops, dirOp{name, n})
}

func (m *memFS) Rename(from, to string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.call("rename", from); err != nil {
		return err
	}
	n := m.names[from]
	if n == nil {
		return fmt.Errorf("rename %s: %w", from, os.ErrNotExist)
	}
	m.bind(to, n)
	m.bind(from, nil)
	return nil
}

func (m *memFS) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.call("remove", name); err != nil {
		return err
	}
	if m.names[name] == nil {
		return fmt.Errorf("remove %s: %w", name, os.ErrNotExist)
	}
	m.bind(name, nil)
	return nil
}

func (m *memFS) SyncDir() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.call("syncdir", ""); err != nil {
		return err
	}
	m.apply(func() bool { return true })
	return nil
}

func (m *memFS) apply(keep func() bool) {
	for _, op := range m.ops {
		if !keep() {
			continue
		}
		if op.to == nil {
			delete(m.durable, op.name)
		} else {
			m.durable[op.name] = op.to
		}
	}
	m.ops = nil
}

func (m *memFS) List() ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.call("list", ""); err != nil {
		return nil, err
	}
	var names []string
	for name := range m.names {
		names = append(names, name)
	}
	return names, nil
}

func (m *memFS) Lock(name string) (io.Closer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.locked {
		return nil, ErrLocked
	}
	m.locked = true
	return unlocker{m}, nil
}

type unlocker struct{ m *memFS }

func (u unlocker) Close() error {
	u.m.mu.Lock()
	defer u.m.mu.Unlock()
	u.m.locked = false
	return nil
}

// crash returns the directory after a power cut: of what was not synced, each
// sector and each entry of the directory is there or not, as rnd says. With nil
// none is.
func (m *memFS) crash(rnd *rand.Rand) *memFS {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hook = func(int, string, string) error { return errPower }
	keep := func() bool { return rnd != nil && rnd.IntN(2) == 0 }
	m.apply(keep)
	after := newMemFS()
	copied := map[*inode]*inode{}
	for name, n := range m.durable {
		if copied[n] == nil {
			data := n.survive(keep)
			copied[n] = &inode{data: data, durable: append([]byte(nil), data...), dirty: map[int]bool{}}
		}
		after.names[name], after.durable[name] = copied[n], copied[n]
	}
	return after
}

func (n *inode) survive(keep func() bool) []byte {
	size := len(n.durable)
	if len(n.data) != size && keep() {
		size = len(n.data)
	}
	out := make([]byte, size)
	copy(out, n.durable)
	for s := range n.dirty {
		from, to := s*sector, min((s+1)*sector, size, len(n.data))
		if from < to && keep() {
			copy(out[from:to], n.data[from:to])
		}
	}
	return out
}

// memFile is an open file of memFS.
type memFile struct {
	fs       *memFS
	name     string
	n        *inode
	writable bool
}

func (f *memFile) ReadAt(b []byte, off int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.fs.call("read", f.name); err != nil {
		return 0, err
	}
	if off >= int64(len(f.n.data)) {
		return 0, io.EOF
	}
	n := copy(b, f.n.data[off:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memFile) WriteAt(b []byte, off int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if !f.writable {
		return 0, os.ErrPermission
	}
	err := f.fs.call("write", f.name)
	if err != nil && !errors.Is(err, errPower) {
		b = b[:len(b)/2] // a failed write has written something
	}
	end := off + int64(len(b))
	if err := f.resize(max(end, int64(len(f.n.data)))); err != nil {
		return 0, err
	}
	copy(f.n.data[off:], b)
	for s := off / sector; s*sector < end; s++ {
		f.n.dirty[int(s)] = true
	}
	return len(b), err
}

func (f *memFile) resize(size int64) error {
	grow := size - int64(len(f.n.data))
	if f.fs.room >= 0 {
		if grow > f.fs.room {
			return fmt.Errorf("write %s: %w", f.name, errNoSpace)
		}
		f.fs.room -= grow
	}
	if grow < 0 {
		f.n.data = f.n.data[:size:size]
		return nil
	}
	f.n.data = append(f.n.data, make([]byte, grow)...)
	return nil
}

func (f *memFile) Size() (int64, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	return int64(len(f.n.data)), nil
}

func (f *memFile) Truncate(size int64) error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.fs.call("truncate", f.name); err != nil {
		return err
	}
	return f.resize(size)
}

func (f *memFile) Allocate(size int64) error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.fs.call("allocate", f.name); err != nil {
		return err
	}
	return f.resize(max(size, int64(len(f.n.data))))
}

func (f *memFile) Sync() error {
	if f.fs.syncTime > 0 {
		time.Sleep(f.fs.syncTime) // virtual: only set in a bubble
	}
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.fs.call("sync", f.name); err != nil {
		// What could not be written counts as clean from now on.
		clear(f.n.dirty)
		return err
	}
	f.n.durable = append(f.n.durable[:0], f.n.data...)
	clear(f.n.dirty)
	return nil
}

func (f *memFile) Close() error { return nil }
