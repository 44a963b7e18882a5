package iec104

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"busbar/iec104/apci"
	"busbar/iec104/asdu"
)

// fileSizes are the sizes that every transfer is done with: none, one, a full segment,
// a full section, and many.
func fileSizes() []int { return []int{0, 1, 235, 236, 237, 65535, 65536, 1_000_000} }

func TestFilesBothWays(t *testing.T) {
	t.Parallel()
	for _, size := range fileSizes() {
		inBubble(t, fmt.Sprintf("%d octets", size), func(t *testing.T) {
			f := newFilePair(t, Params{}, ServerConfig{})
			f.files.files[file1] = content(size)
			f.read(file1)
			f.write(FileID{CA: 1, IOA: 30001, Name: 2}, content(size))
			f.read(FileID{CA: 1, IOA: 30001, Name: 2})
			f.idle()
		})
	}
}

// TestLargestFile has more octets than 255 sections of the usual length.
func TestLargestFile(t *testing.T) {
	t.Parallel()
	inBubble(t, "16777215 octets", func(t *testing.T) {
		f := newFilePair(t, Params{K: 1024, W: 512}, ServerConfig{Params: Params{K: 1024, W: 512}})
		f.files.files[file1] = content(MaxFile)
		f.read(file1)
		f.write(FileID{CA: 1, IOA: 30001, Name: 2}, content(MaxFile))
	})
}

// TestSmallAPDUs transfers with short frames and one octet of common address.
func TestSmallAPDUs(t *testing.T) {
	t.Parallel()
	inBubble(t, "40 octets", func(t *testing.T) {
		p := Params{MaxAPDU: 40, K: 1, W: 1, Sizes: asdu.Sizes{COT: 1, CA: 1, IOA: 2}}
		f := newFilePair(t, p, ServerConfig{Params: p})
		id := FileID{CA: 1, IOA: 7, Name: 1}
		f.files.files[id] = content(10_000)
		f.read(id)
		f.write(FileID{CA: 1, IOA: 8, Name: 1}, content(10_000))
		f.files.dirs[FileID{CA: 1}] = []FileInfo{{IOA: 7, Name: 1}, {IOA: 8, Name: 1}, {IOA: 9, Name: 1}}
		if got, err := f.c.Directory(t.Context(), FileID{CA: 1}); err != nil || len(got) != 3 {
			t.Errorf("Directory = %v, %v", got, err)
		}
	})
}

// isSegment reports whether a frame is one with a segment.
func isSegment(frame []byte) bool {
	return len(frame) > apci.HeaderLen && frame[2]&1 == 0 && frame[6] == byte(asdu.F_SG_NA_1)
}

// TestDamagedFiles changes segments on the way.
func TestDamagedFiles(t *testing.T) {
	t.Parallel()
	// damage flips a bit in the segments with these numbers.
	damage := func(which func(n int) bool) func(net.Conn) net.Conn {
		n := 0
		return meddling(func(frame []byte) error {
			if isSegment(frame) {
				if which(n) {
					frame[len(frame)-1] ^= 0x10
				}
				n++
			}
			return nil
		})
	}
	once := func(n int) bool { return n == 300 }
	always := func(int) bool { return true }
	inBubble(t, "once: the section is repeated", func(t *testing.T) {
		f := newFilePair(t, Params{}, ServerConfig{})
		f.files.files[file1] = content(100_000)
		f.reconnect(damage(once), damage(once))
		f.read(file1)
		f.write(FileID{CA: 1, IOA: 30001, Name: 2}, content(100_000))
		f.idle()
	})
	inBubble(t, "always: the transfer fails", func(t *testing.T) {
		f := newFilePair(t, Params{}, ServerConfig{})
		f.files.files[file1] = content(1000)
		f.reconnect(damage(always), damage(always))
		if _, err := f.c.ReadFile(t.Context(), FileTransfer{FileID: file1}, &memFile{}); !errors.Is(err, ErrChecksum) {
			t.Errorf("ReadFile = %v, want ErrChecksum", err)
		}
		if err := f.c.WriteFile(t.Context(), FileTransfer{FileID: file1}, bytes.NewReader(content(500)), 500); !errors.Is(err, ErrChecksum) {
			t.Errorf("WriteFile = %v, want ErrChecksum", err)
		}
		if !bytes.Equal(f.files.get(file1), content(1000)) {
			t.Error("a damaged file has taken the place of the one before")
		}
		f.idle()
		f.reconnect(nil, nil)
		f.read(file1)
	})
}

// TestCutAtEveryFrame loses the connection after each frame that either side writes.
func TestCutAtEveryFrame(t *testing.T) {
	t.Parallel()
	const frames = 30 // more than a transfer of 500 octets takes
	cut := errors.New("test: cut")
	for n := range frames {
		for _, client := range []bool{false, true} {
			inBubble(t, fmt.Sprintf("frame %d, client %t", n, client), func(t *testing.T) {
				f := newFilePair(t, Params{K: 2, W: 1}, ServerConfig{Params: Params{K: 2, W: 1}})
				f.files.files[file1] = content(500)
				ends := func() (func(net.Conn) net.Conn, func(net.Conn) net.Conn) {
					seen := 0 // of this connection
					end := meddling(func([]byte) error {
						if seen++; seen > n+1 { // the first one starts data transfer
							return cut
						}
						return nil
					})
					if client {
						return nil, end
					}
					return end, nil
				}
				f.reconnect(ends())
				var dst memFile
				_, err := f.c.ReadFile(t.Context(), FileTransfer{FileID: file1}, &dst)
				if whole := bytes.Equal(dst.b, content(500)); err == nil && !whole {
					t.Fatalf("ReadFile = %v, whole %t", err, whole)
				}
				f.reconnect(ends())
				err = f.c.WriteFile(t.Context(), FileTransfer{FileID: file1}, bytes.NewReader(content(600)), 600)
				switch got := f.files.get(file1); {
				case bytes.Equal(got, content(600)):
				case err != nil && bytes.Equal(got, content(500)):
				default:
					t.Fatalf("WriteFile = %v, and %d octets are there", err, len(got))
				}
				f.reconnect(nil, nil)
				f.read(file1)
				f.write(file1, content(700))
				f.idle()
			})
		}
	}
}

// TestCancelAtEveryFrame cancels at every frame.
func TestCancelAtEveryFrame(t *testing.T) {
	t.Parallel()
	for n := range 30 {
		inBubble(t, fmt.Sprintf("frame %d", n), func(t *testing.T) {
			f := newFilePair(t, Params{K: 2, W: 1}, ServerConfig{Params: Params{K: 2, W: 1}})
			f.files.files[file1] = content(500)
			var mu sync.Mutex
			var cancel context.CancelFunc
			var ctx context.Context
			seen := 0
			f.reconnect(nil, meddling(func([]byte) error {
				mu.Lock()
				defer mu.Unlock()
				if seen++; seen == n && cancel != nil {
					cancel()
				}
				return nil
			}))
			begin := func() {
				mu.Lock()
				defer mu.Unlock()
				seen = 0
				ctx, cancel = context.WithCancel(context.Background())
			}
			begin()
			var dst memFile
			if _, err := f.c.ReadFile(ctx, FileTransfer{FileID: file1}, &dst); err == nil && !bytes.Equal(dst.b, content(500)) {
				t.Fatal("ReadFile has failed without an error")
			} else if err != nil && !errors.Is(err, context.Canceled) {
				t.Fatalf("ReadFile = %v, want context.Canceled", err)
			}
			f.read(file1)
			begin()
			err := f.c.WriteFile(ctx, FileTransfer{FileID: file1}, bytes.NewReader(content(600)), 600)
			synctest.Wait()
			if got := f.files.get(file1); err == nil && !bytes.Equal(got, content(600)) || err != nil && len(got) != 500 && len(got) != 600 {
				t.Fatalf("WriteFile = %v, and %d octets are there", err, len(got))
			}
			f.write(file1, content(700))
			f.idle()
		})
	}
}

// TestSegmentsComeLast has events and an interrogation while a section is being sent.
func TestSegmentsComeLast(t *testing.T) {
	t.Parallel()
	inBubble(t, "behind events and interrogations", segmentsBehindOthers)
	inBubble(t, "all of the window for a peer that acknowledges late", segmentsToLatePeer)
	inBubble(t, "a megabyte while events and interrogations go on", segmentsAmongOthers)
}

func segmentsBehindOthers(t *testing.T) {
	e := newFileEdge(t, ServerConfig{})
	e.files.files[file1] = content(65535)
	e.st.points[1] = many(1, 100)
	e.tell(fSelect)
	e.nextASDU()
	e.tell(fCall)
	e.nextASDU()
	e.tell(sCall)
	take := func(want string) (n int) {
		for b := e.nextASDU(); b != nil; b = e.nextASDU() {
			if !strings.HasPrefix(hexOf(b), want) {
				t.Fatalf("received %x, want %s…", b, want)
			}
			n++
		}
		return n
	}
	if n := take("7d01"); n != 9 {
		t.Fatalf("%d segments in the window, want three quarters of 12", n)
	}
	e.st.put(event(100, 1))
	synctest.Wait()
	e.expectASDU(spont(100)) // at once
	for i := range 30 {
		e.st.put(event(100+uint32(i), 1))
	}
	for b := e.nextASDU(); b != nil; b = e.nextASDU() {
		if b[0] == 125 {
			t.Fatal("a segment was sent although events had to wait")
		}
	}
	e.ack()
	take("7d01")
	e.tell(giAct) // acknowledges as well
	seen := ""
	for range 4 {
		for b := e.nextASDU(); b != nil; b = e.nextASDU() {
			seen += fmt.Sprintf(" %d", b[0])
		}
		e.ack()
	}
	const segments = " 125 125 125 125 125 125 125 125 125"
	if i := strings.Index(seen, " 100 1 100"); i < 0 || i > len(segments) || strings.Contains(seen[i:i+10], "125") {
		t.Fatalf("types%s, want the interrogation before further segments", seen)
	}
}

func segmentsToLatePeer(t *testing.T) {
	e := newFileEdge(t, ServerConfig{})
	e.files.files[file1] = content(65535)
	e.tell(fSelect)
	e.nextASDU()
	e.tell(fCall)
	e.nextASDU()
	e.tell(sCall)
	for _, want := range []int{9, 12, 12} {
		n := 0
		for b := e.nextASDU(); b != nil; b = e.nextASDU() {
			n++
		}
		if n != want {
			t.Fatalf("%d segments in the window, want %d", n, want)
		}
		e.wait(10 * time.Second)
		e.ack()
	}
}

func segmentsAmongOthers(t *testing.T) {
	f := newFilePair(t, Params{}, ServerConfig{})
	f.files.files[file1] = content(1_000_000)
	stop := make(chan struct{})
	go func() {
		for i := range uint32(20_000) {
			f.st.put(event(1+i%500, i&1))
			if i%20 == 0 {
				time.Sleep(time.Microsecond)
			}
		}
		close(stop)
	}()
	done := make(chan error, 1)
	go func() {
		_, err := f.c.Interrogate(context.Background(), 1, 20)
		done <- err
	}()
	f.read(file1)
	if err := <-done; err != nil {
		t.Errorf("Interrogate = %v", err)
	}
	f.write(file1, content(1_000_000))
	<-stop
	synctest.Wait()
	events := 0
	for _, o := range f.got.all() {
		if strings.HasPrefix(o, "M_SP_NA_1 spontaneous") {
			if want := fmt.Sprintf("1/%d=", 1+events%500); !strings.Contains(o, want) {
				t.Fatalf("event %d is %s, want %s", events, o, want)
			}
			events++
		}
	}
	if events != 20_000 {
		t.Errorf("%d events, want 20000", events)
	}
}

// slowFile takes nothing until it is told to.
type slowFile struct {
	memFile
	open chan struct{}
}

func (f *slowFile) WriteAt(b []byte, at int64) (int, error) {
	<-f.open
	return f.memFile.WriteAt(b, at)
}

// TestSlowDestination has a section of more than what may wait, for an application that
// does not take it.
func TestSlowDestination(t *testing.T) {
	t.Parallel()
	inBubble(t, "memory is bounded, the section comes again", func(t *testing.T) {
		r := &fileRig{rig: newRig(t, Params{}, media()[0])}
		r.start()
		const size = maxFileHeld + 400_000
		b := content(size)
		dst := &slowFile{open: make(chan struct{})}
		done := r.begin(func(ctx context.Context) error {
			_, err := r.c.ReadFile(ctx, FileTransfer{FileID: file1}, dst)
			return err
		})
		length := fmt.Sprintf("%02x %02x %02x", size&0xff, size>>8&0xff, size>>16)
		sum := fmt.Sprintf("%02x", checksum(0, b))
		section := func() (asdus []string) {
			for i := 0; i < size; i += 236 {
				part := b[i:min(i+236, size)]
				asdus = append(asdus, fmt.Sprintf("7d010d000100307500010001%02x%x", len(part), part))
			}
			return append(asdus, "7b 01 0d 00 01 00 30 75 00 01 00 01 03"+sum)
		}
		r.expectASDU(fSelect)
		r.move(fileMove{"", []string{"78 01 0d 00 01 00 30 75 00 01 00" + length + "00"}, []string{fCall}},
			fileMove{"", []string{"79 01 0d 00 01 00 30 75 00 01 00 01" + length + "00"}, []string{sCall}})
		answer := func(want string) {
			t.Helper()
			b := r.next()
			for ; len(b) == 6; b = r.next() { // acknowledgements
			}
			if len(b) > 6 {
				r.vr++
				b = b[6:]
			}
			r.compare(b, want)
		}
		r.tell(section()...)
		r.c.paths[0].conn.link.mu.Lock()
		if held := r.c.paths[0].conn.files.box.held; held > maxFileHeld {
			t.Errorf("%d octets are held", held)
		}
		r.c.paths[0].conn.link.unlock()
		close(dst.open)
		answer("7c 01 0d 00 01 00 30 75 00 01 00 01 14") // memory not available
		r.tell("79 01 0d 00 01 00 30 75 00 01 00 01" + length + "00")
		answer(sCall)
		asdus := section()
		for part := range slices.Chunk(asdus, 500) {
			r.tell(part...)
		}
		answer(sGot)
		r.tell("7b 01 0d 00 01 00 30 75 00 01 00 01 01" + sum)
		answer(fGot)
		r.succeeds(done)
		if !bytes.Equal(dst.b, b) {
			t.Error("content differs")
		}
	})
}

// TestLastAcknowledgementCounts closes the connection right after a file was read.
func TestLastAcknowledgementCounts(t *testing.T) {
	t.Parallel()
	for range 20 {
		inBubble(t, "closed behind it", func(t *testing.T) {
			f := newFilePair(t, Params{}, ServerConfig{})
			f.files.files[file1] = content(1000)
			f.read(file1)
			if err := f.c.Close(); err != nil {
				t.Fatal(err)
			}
			f.idle()
			if told := f.files.told(); !slices.Equal(told, []string{"sent 30000 true"}) {
				t.Errorf("files were told %q", told)
			}
		})
	}
}
