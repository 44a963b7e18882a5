// Package memfs is a directory in memory that forgets in a power cut what was
// not synced. It is for tests of what must outlive one.
package memfs

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"
)

// FS is the directory. All methods may be called from any goroutine.
type FS struct {
	mu       sync.Mutex
	names    map[string]*inode
	durable  map[string]*inode // as of the last SyncDir
	ops      []dirOp           // since then
	locked   bool
	inUse    error // that Lock fails with
	calls    int
	room     int64         // octets left; negative: no limit
	syncTime time.Duration // of a sync of a file
	hook     Hook
}

// Hook is called before each call, with their number so far, and may fail it.
// op is open, create, rename, remove, syncdir, list, read, write, truncate,
// allocate or sync.
type Hook func(call int, op, name string) error

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

// ErrPower is what every call fails with after a power cut.
var ErrPower = errors.New("power cut")

// New returns an empty directory. inUse is what Lock fails with while another one
// has the lock.
func New(inUse error) *FS {
	return &FS{names: map[string]*inode{}, durable: map[string]*inode{}, room: -1, inUse: inUse}
}

// SetHook sets the hook; nil is none.
func (m *FS) SetHook(h Hook) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hook = h
}

// CutAfter cuts the power after so many calls.
func (m *FS) CutAfter(calls int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	from := m.calls
	m.hook = func(call int, _, _ string) error {
		if call > from+calls {
			return ErrPower
		}
		return nil
	}
}

// SetRoom sets how many octets more there is room for; negative: any.
func (m *FS) SetRoom(octets int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.room = octets
}

// SetSyncTime sets how long a sync of a file takes. It is for synctest only.
func (m *FS) SetSyncTime(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.syncTime = d
}

func (m *FS) call(op, name string) error {
	m.calls++
	if m.hook != nil {
		return m.hook(m.calls, op, name)
	}
	return nil
}

// Open opens a file for reading.
func (m *FS) Open(name string) (*File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.call("open", name); err != nil {
		return nil, err
	}
	n := m.names[name]
	if n == nil {
		return nil, fmt.Errorf("open %s: %w", name, os.ErrNotExist)
	}
	return &File{fs: m, name: name, n: n}, nil
}

// Create makes a new file.
func (m *FS) Create(name string) (*File, error) {
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
	return &File{fs: m, name: name, n: n, writable: true}, nil
}

func (m *FS) bind(name string, n *inode) {
	if n == nil {
		delete(m.names, name)
	} else {
		m.names[name] = n
	}
	m.ops = append(m.ops, dirOp{name, n})
}

// Shorten cuts a file off and syncs it.
func (m *FS) Shorten(name string, size int64) error {
	f, err := m.Open(name)
	if err != nil {
		return err
	}
	if err := f.Truncate(size); err != nil {
		return err
	}
	return f.Sync()
}

// Rename gives a file another name.
func (m *FS) Rename(from, to string) error {
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

// Remove removes a name.
func (m *FS) Remove(name string) error {
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

// SyncDir makes all entries durable.
func (m *FS) SyncDir() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.call("syncdir", ""); err != nil {
		return err
	}
	m.apply(func() bool { return true })
	return nil
}

func (m *FS) apply(keep func() bool) {
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

// List returns all names.
func (m *FS) List() ([]string, error) {
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

// Lock takes the lock.
func (m *FS) Lock(name string) (io.Closer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.locked {
		return nil, m.inUse
	}
	m.locked = true
	return unlocker{m}, nil
}

type unlocker struct{ m *FS }

func (u unlocker) Close() error {
	u.m.mu.Lock()
	defer u.m.mu.Unlock()
	u.m.locked = false
	return nil
}

// Crash returns the directory after a power cut: of what was not synced, each
// sector and each entry of the directory is there or not, as rnd says. With nil
// none is.
func (m *FS) Crash(rnd *rand.Rand) *FS {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hook = func(int, string, string) error { return ErrPower }
	keep := func() bool { return rnd != nil && rnd.IntN(2) == 0 }
	m.apply(keep)
	after := New(m.inUse)
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

// File is an open file.
type File struct {
	fs       *FS
	name     string
	n        *inode
	writable bool
}

// ReadAt implements io.ReaderAt.
func (f *File) ReadAt(b []byte, off int64) (int, error) {
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

// WriteAt implements io.WriterAt.
func (f *File) WriteAt(b []byte, off int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if !f.writable {
		return 0, os.ErrPermission
	}
	err := f.fs.call("write", f.name)
	if err != nil && !errors.Is(err, ErrPower) {
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

func (f *File) resize(size int64) error {
	grow := size - int64(len(f.n.data))
	if f.fs.room >= 0 {
		if grow > f.fs.room {
			return fmt.Errorf("write %s: %w", f.name, syscall.ENOSPC)
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

// Size returns the length.
func (f *File) Size() (int64, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	return int64(len(f.n.data)), nil
}

// Truncate sets the length.
func (f *File) Truncate(size int64) error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.fs.call("truncate", f.name); err != nil {
		return err
	}
	return f.resize(size)
}

// Allocate reserves room.
func (f *File) Allocate(size int64) error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.fs.call("allocate", f.name); err != nil {
		return err
	}
	return f.resize(max(size, int64(len(f.n.data))))
}

// Sync makes the contents durable.
func (f *File) Sync() error {
	f.fs.mu.Lock()
	syncTime := f.fs.syncTime
	f.fs.mu.Unlock()
	if syncTime > 0 {
		time.Sleep(syncTime) // virtual: only set in a bubble
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

// Close does nothing.
func (f *File) Close() error { return nil }

// Clone returns a copy in which all that is there is durable.
func (m *FS) Clone() *FS {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := New(m.inUse)
	for name, n := range m.names {
		c.put(name, n.data)
	}
	return c
}

// With returns a directory in which one file holds data. All that it holds is
// shared and not to be changed.
func (m *FS) With(name string, data []byte) *FS {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := New(m.inUse)
	maps.Copy(c.names, m.names)
	maps.Copy(c.durable, m.durable)
	n := &inode{data: data, durable: data, dirty: map[int]bool{}}
	c.names[name], c.durable[name] = n, n
	return c
}

// Put sets what a file holds, durably, and makes it if it is not there.
func (m *FS) Put(name string, data []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.put(name, data)
}

func (m *FS) put(name string, data []byte) {
	n := &inode{data: slices.Clone(data), durable: slices.Clone(data), dirty: map[int]bool{}}
	m.names[name], m.durable[name] = n, n
}

// Drop removes a file durably.
func (m *FS) Drop(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.names, name)
	delete(m.durable, name)
}

// Data returns a copy of what a file holds now, nil if it does not exist.
func (m *FS) Data(name string) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n := m.names[name]; n != nil {
		return slices.Clone(n.data)
	}
	return nil
}

// Durable calls look for every file that a power cut would leave, with what it
// would hold then.
func (m *FS) Durable(look func(name string, data []byte)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, n := range m.durable {
		look(name, n.durable)
	}
}
