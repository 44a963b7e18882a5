package commandlog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
	"time"
)

// memFS is a directory that forgets in a power cut what was not synced.
type memFS struct {
	mu       sync.Mutex
	names    map[string]*inode
	durable  map[string]*inode // as of the last SyncDir
	faults   []string          // what must not be done and was
	calls    int
	syncs    int           // of files
	syncTime time.Duration // of a file
	room     int           // octets left; negative: no limit
	hook     func(call int, op, name string) error
}

type inode struct {
	data, durable []byte
	failed        bool // a write or sync
}

func newMemFS() *memFS {
	return &memFS{names: map[string]*inode{}, durable: map[string]*inode{}, room: -1}
}

// put makes a file that is durable.
func (m *memFS) put(name, text string) *memFS {
	n := &inode{data: []byte(text), durable: []byte(text)}
	m.names[name], m.durable[name] = n, n
	return m
}

// setHook lets f look at each call from now on, and fail it.
func (m *memFS) setHook(f func(call int, op, name string) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hook = f
}

func (m *memFS) setRoom(octets int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.room = octets
}

// text returns all files, one after the other in order of their names.
func (m *memFS) text() (s string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for number := uint64(0); number < 1000; number++ {
		if n := m.names[nameOf(number)]; n != nil {
			s += string(n.data)
		}
	}
	return s
}

// crash returns the directory after a power cut.
func (m *memFS) crash() *memFS {
	m.mu.Lock()
	defer m.mu.Unlock()
	after := newMemFS()
	for name, n := range m.durable {
		after.put(name, string(n.durable))
	}
	return after
}

// call begins each method.
func (m *memFS) call(op, name string) error {
	m.calls++
	if m.hook == nil {
		return nil
	}
	return m.hook(m.calls, op, name)
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

func (m *memFS) Open(name string) (io.ReadCloser, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.call("open", name); err != nil {
		return nil, err
	}
	n := m.names[name]
	if n == nil {
		return nil, os.ErrNotExist
	}
	return io.NopCloser(bytes.NewReader(bytes.Clone(n.data))), nil
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
	m.names[name] = &inode{}
	return &memFile{m, name, m.names[name]}, nil
}

func (m *memFS) Append(name string) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.call("append", name); err != nil {
		return nil, err
	}
	return &memFile{m, name, m.names[name]}, nil
}

func (m *memFS) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.call("remove", name); err != nil {
		return err
	}
	delete(m.names, name)
	return nil
}

func (m *memFS) SyncDir() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.call("syncdir", ""); err != nil {
		return err
	}
	clear(m.durable)
	for name, n := range m.names {
		m.durable[name] = n
	}
	return nil
}

type memFile struct {
	fs   *memFS
	name string
	n    *inode
}

// touch notes what is done to a file on which it must not be done any more.
func (f *memFile) touch(op string) {
	if f.n.failed {
		f.fs.faults = append(f.fs.faults, op+" "+f.name+" after a failure")
	}
}

func (f *memFile) Write(b []byte) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	f.touch("write")
	err := f.fs.call("write", f.name)
	if err == nil && f.fs.room >= 0 && len(b) > f.fs.room {
		err = fmt.Errorf("write %s: %w", f.name, syscall.ENOSPC)
	}
	if err != nil {
		f.n.failed = true
		b = b[:len(b)/2] // a failed write has written something
	}
	if f.fs.room >= 0 {
		f.fs.room = max(0, f.fs.room-len(b))
	}
	f.n.data = append(f.n.data, b...)
	return len(b), err
}

func (f *memFile) Truncate(size int64) error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	f.touch("truncate")
	if err := f.fs.call("truncate", f.name); err != nil {
		return err
	}
	f.n.data = f.n.data[:size]
	return nil
}

func (f *memFile) Sync() error {
	f.fs.mu.Lock()
	takes := f.fs.syncTime
	f.fs.mu.Unlock()
	if takes > 0 {
		time.Sleep(takes) // virtual: only set in a bubble
	}
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	f.touch("sync")
	f.fs.syncs++
	if err := f.fs.call("sync", f.name); err != nil {
		f.n.failed = true
		return err
	}
	f.n.durable = bytes.Clone(f.n.data)
	return nil
}

func (f *memFile) Close() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	return f.fs.call("close", f.name)
}

var errDisk = errors.New("input/output error")
