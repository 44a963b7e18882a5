package iec104

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"testing/synctest"
)

// testFiles are the files of a station in memory.
type testFiles struct {
	mu      sync.Mutex
	files   map[FileID][]byte
	dirs    map[FileID][]FileInfo // a file is in none of them by itself
	record  []string
	open    int                        // files that were not closed
	limit   uint32                     // of files that are written; 0: none
	hold    chan struct{}              // until it is closed Open and Create do not return; nil: they do
	failAt  int                        // WriteAt and Read fail beyond so many octets; 0: never
	sizeErr int64                      // is added to the size of a file that is opened
	closing func(delivered bool) error // nil: no error
}

func newTestFiles() *testFiles {
	return &testFiles{files: map[FileID][]byte{}, dirs: map[FileID][]FileInfo{}}
}

var errTestFile = errors.New("test: no such file")

func (f *testFiles) note(format string, args ...any) {
	f.record = append(f.record, fmt.Sprintf(format, args...))
}

// told returns what the application was told since the last call.
func (f *testFiles) told() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	record := f.record
	f.record = nil
	return record
}

func (f *testFiles) get(id FileID) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.files[id]
}

func (f *testFiles) Directory(dir FileID) ([]FileInfo, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	entries, ok := f.dirs[dir]
	if !ok {
		return nil, errTestFile
	}
	return entries, nil
}

func (f *testFiles) Open(id FileID) (OutgoingFile, error) {
	if f.hold != nil {
		<-f.hold
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	b, ok := f.files[id]
	if !ok {
		return nil, errTestFile
	}
	f.open++
	return &testOutgoing{f: f, id: id, Reader: bytes.NewReader(b)}, nil
}

func (f *testFiles) Create(id FileID, size uint32) (IncomingFile, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.limit > 0 && size > f.limit {
		return nil, errTestFile
	}
	f.open++
	return &testIncoming{f: f, id: id}, nil
}

func (f *testFiles) Delete(id FileID) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.files[id]; !ok {
		return errTestFile
	}
	f.note("delete %d", id.IOA)
	delete(f.files, id)
	return nil
}

func (f *testFiles) close(what string, id FileID, complete bool) error {
	f.open--
	f.note("%s %d %t", what, id.IOA, complete)
	if f.closing != nil {
		return f.closing(complete)
	}
	return nil
}

type testOutgoing struct {
	f  *testFiles
	id FileID
	*bytes.Reader
	read int
}

func (o *testOutgoing) Size() int64 { return o.Reader.Size() + o.f.sizeErr }

func (o *testOutgoing) Read(b []byte) (int, error) {
	if o.f.failAt > 0 && o.read >= o.f.failAt {
		return 0, errors.New("test: disk broken")
	}
	n, err := o.Reader.Read(b)
	o.read += n
	return n, err
}

func (o *testOutgoing) Close(delivered bool) error {
	o.f.mu.Lock()
	defer o.f.mu.Unlock()
	return o.f.close("sent", o.id, delivered)
}

type testIncoming struct {
	f  *testFiles
	id FileID
	memFile
}

func (i *testIncoming) WriteAt(b []byte, at int64) (int, error) {
	if i.f.failAt > 0 && at+int64(len(b)) > int64(i.f.failAt) {
		return 0, errors.New("test: disk full")
	}
	return i.memFile.WriteAt(b, at)
}

func (i *testIncoming) Close(complete bool) error {
	i.f.mu.Lock()
	defer i.f.mu.Unlock()
	err := i.f.close("received", i.id, complete)
	if complete && err == nil {
		i.f.files[i.id] = i.b
	}
	return err
}

// memFile is a file in memory.
type memFile struct{ b []byte }

func (m *memFile) WriteAt(b []byte, at int64) (int, error) {
	if need := int(at) + len(b); need > len(m.b) {
		m.b = append(m.b, make([]byte, need-len(m.b))...)
	}
	return copy(m.b[at:], b), nil
}

// content returns octets that are the same nowhere.
func content(n int) []byte {
	b := make([]byte, n)
	x := uint32(n) + 1
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return b
}

var file1 = FileID{CA: 1, IOA: 30000, Name: 1}

// filePair is a server with files and a client, connected and started.
type filePair struct {
	t     *testing.T
	st    *testStation
	files *testFiles
	s     *Server
	c     *Client
	got   received

	serverEnd, clientEnd func(net.Conn) net.Conn // of the connections to come
}

// newFilePair connects them over what dial returns, given the server's end.
func newFilePair(t *testing.T, p Params, cfg ServerConfig, opts ...Option) *filePair {
	t.Helper()
	f := &filePair{t: t, st: newTestStation(), files: newTestFiles()}
	f.st.files = f.files
	f.st.points[1] = many(1, 1000)
	f.s = newTestServer(t, f.st, cfg)
	dial := func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		serverEnd, clientEnd := newSocket(far), newSocket(near)
		if f.serverEnd != nil {
			serverEnd = f.serverEnd(serverEnd)
		}
		if f.clientEnd != nil {
			clientEnd = f.clientEnd(clientEnd)
		}
		go func() { _ = f.s.ServeConn(context.Background(), serverEnd) }()
		return clientEnd, nil
	}
	opts = append([]Option{WithDialer(dial), WithHandler(f.got.take)}, opts...)
	c, err := Dial(t.Context(), "station", p, opts...)
	if err != nil {
		t.Fatal(err)
	}
	f.c = c
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	f.start()
	return f
}

func (f *filePair) start() {
	f.t.Helper()
	if err := f.c.StartDT(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
}

// read reads a file and checks its content.
func (f *filePair) read(id FileID) {
	f.t.Helper()
	var dst memFile
	n, err := f.c.ReadFile(f.t.Context(), FileTransfer{FileID: id}, &dst)
	want := f.files.get(id)
	if err != nil || int(n) != len(want) || !bytes.Equal(dst.b, want) {
		f.t.Fatalf("ReadFile = %d, %v; content equal: %t, want %d octets", n, err, bytes.Equal(dst.b, want), len(want))
	}
}

// write writes a file and checks its content.
func (f *filePair) write(id FileID, b []byte) {
	f.t.Helper()
	err := f.c.WriteFile(f.t.Context(), FileTransfer{FileID: id}, bytes.NewReader(b), int64(len(b)))
	if got := f.files.get(id); err != nil || !bytes.Equal(got, b) {
		f.t.Fatalf("WriteFile = %v; %d octets arrived, want %d", err, len(got), len(b))
	}
}

// idle checks that nothing of a transfer is left on the server.
func (f *filePair) idle() {
	f.t.Helper()
	synctest.Wait()
	f.files.mu.Lock()
	defer f.files.mu.Unlock()
	if f.files.open != 0 {
		f.t.Fatalf("%d files were not closed", f.files.open)
	}
}

func inBubble(t *testing.T, name string, script func(t *testing.T)) {
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, script)
	})
}

// reconnect makes a new connection with ends as given, nil for ordinary ones.
func (f *filePair) reconnect(serverEnd, clientEnd func(net.Conn) net.Conn) {
	f.t.Helper()
	if err := f.c.Close(); err != nil {
		f.t.Fatal(err)
	}
	f.serverEnd, f.clientEnd = serverEnd, clientEnd
	if err := f.c.Connect(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
	f.start()
}

// meddler looks at the frames that are written to a connection, one after the other.
type meddler struct {
	net.Conn
	frame func(frame []byte) error // may change it; an error closes the connection
}

func (m *meddler) Write(b []byte) (int, error) {
	b = bytes.Clone(b)
	for at := 0; at < len(b); at += int(b[at+1]) + 2 {
		if err := m.frame(b[at : at+int(b[at+1])+2]); err != nil {
			_, _ = m.Conn.Write(b[:at]) // the connection ends whatever comes of it
			_ = m.Conn.Close()
			return 0, err
		}
	}
	return m.Conn.Write(b)
}

// meddling returns a connection whose frames are looked at.
func meddling(frame func(frame []byte) error) func(net.Conn) net.Conn {
	return func(c net.Conn) net.Conn { return &meddler{Conn: c, frame: frame} }
}
