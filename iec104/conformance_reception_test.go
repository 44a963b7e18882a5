package iec104

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// receptionRows are the rules of reception.
func receptionRows() []check {
	closes := func(row string, want Reason, frames ...string) check {
		return check{row: row, script: func(e *edge) {
			for i, f := range frames {
				if i > 0 {
					e.renew()
				}
				e.start()
				e.send(f)
				e.closes(want)
				e.untouched()
			}
		}}
	}
	var functions []string
	for c := 3; c < 256; c += 4 {
		if !slices.Contains([]int{0x07, 0x0b, 0x13, 0x23, 0x43, 0x83}, c) {
			functions = append(functions, fmt.Sprintf("68 04 %02x 00 00 00", c))
		}
	}
	return []check{
		closes("1.1 controlled octet 1 is not 68H", BadStart, "00", "10 49 01 00 4a 16", "e5", "69 04 43 00 00 00", "ff"),
		closes("1.1 controlled L < 4", BadLength, "68 00", "68 01 43", "68 02 43 00", "68 03 43 00 00"),
		closes("1.1 controlled L = 254, 255", BadLength, "68 fe", "68 ff", "68 fe 00 00 00 00"+command),
		closes("1.1 controlled S or U with L other than 4", BadControlLength,
			"68 05 01 00 00 00 00", "68 06 01 00 00 00 00 00", "68 fd 01", "68 05 43 00 00 00 00", "68 08 07 00 00 00 00 00 00 00"),
		closes("1.1 controlled U with no function or several", BadFunction, functions...),
		{row: "1.1 controlled U or S with reserved bits", script: func(e *edge) {
			e.send("68 04 07 01 00 00")
			e.expect("68 04 0b 00 00 00")
			e.put(event(100, 1))
			e.expect("68 0e 00 00 00 00 01 01 03 00 01 00 64 00 00 01")
			e.send("68 04 01 01 00 00", "68 04 fd 00 00 00", "68 04 01 00 03 00", "68 04 43 00 00 01")
			e.expect("68 04 83 00 00 00")
			if i := e.info(); i.Tolerated != 5 || i.Outstanding != 0 {
				e.t.Errorf("%d tolerated, %d outstanding, want 5 and 0", i.Tolerated, i.Outstanding)
			}
		}},
		{row: "1.1 controlled APDU incomplete and silent", script: func(e *edge) {
			for i, part := range []string{"68", "68 04", "68 04 43", "68 04 43 00 00", "68 0e 00 00 00 00", "68 0e 00 00 00 00 2d 01 06 05 01 00 88 13 00"} {
				if i > 0 {
					e.renew()
				}
				e.start()
				e.send(part)
				e.closesAfter(15*time.Second, Incomplete)
				e.untouched()
			}
		}},
		{row: "1.1 controlled APDU arriving in several segments", script: func(e *edge) {
			stream := octets(e.t, "68 04 43 00 00 00 68 04 07 00 00 00 68 0e 00 00 00 00"+command)
			for cut := 1; cut < len(stream); cut++ {
				if cut > 1 {
					e.renew()
				}
				e.sendOctets(stream[:cut])
				e.wait(time.Second)
				e.sendOctets(stream[cut:])
				e.expect("68 04 83 00 00 00", "68 04 0b 00 00 00",
					"68 0e 00 00 02 00 2d 01 07 05 01 00 88 13 00 01", "68 0e 02 00 02 00 2d 01 0a 05 01 00 88 13 00 01")
				e.expectSilence()
			}
		}},
		{row: "1.1 controlled APDUs of full length in several segments", script: func(e *edge) {
			long := iframe(0, 0, "ff 7f 06 05 01 00 00 00 00"+strings.Repeat("68", 240))
			stream := octets(e.t, "68 04 07 00 00 00"+strings.Repeat("68 04 43 00 00 00", 100)+long)
			for size := 1; size < 300; size += 13 {
				if size > 1 {
					e.renew()
				}
				for piece := range slices.Chunk(stream, size) {
					e.sendOctets(piece)
				}
				e.expect("68 04 0b 00 00 00")
				for range 100 {
					e.expect("68 04 83 00 00 00")
				}
				e.expect(iframe(0, 1, "ff 7f 6c 05 01 00 00 00 00"+strings.Repeat("68", 240)))
				e.expectSilence()
			}
		}},
		{row: "1.1 controlled each APDU sent with one write", cfg: ServerConfig{MaxObjectsPerASDU: 3}, script: func(e *edge) {
			var w *writes
			e.peer = connectOver(e.t, e.s, func(c net.Conn) net.Conn {
				w = &writes{Conn: e.over.wrap(c)}
				return w
			})
			e.st.points[1] = many(1, 500)
			e.start()
			e.send("68 0e 00 00 00 00" + giAct)
			e.put(event(100, 1), event(101, 1), event(102, 1), event(103, 1))
			for range 30 {
				for b := e.next(); b != nil; b = e.next() {
					if b[2]&1 == 0 {
						e.vr++
					}
				}
				e.send("68 04 43 00 00 00", sframe(int(e.vr)))
			}
			w.check(e.t)
		}},
	}
}

// writes records what is written to a connection.
type writes struct {
	net.Conn
	mu  sync.Mutex
	all [][]byte
}

// NetConn tells what is below.
func (w *writes) NetConn() net.Conn { return w.Conn }

func (w *writes) Write(b []byte) (int, error) {
	w.mu.Lock()
	w.all = append(w.all, slices.Clone(b))
	w.mu.Unlock()
	return w.Conn.Write(b)
}

// check checks that every write consists of whole APDUs.
func (w *writes) check(t *testing.T) {
	t.Helper()
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	frames := 0
	for _, b := range w.all {
		for len(b) > 0 {
			if len(b) < 6 || b[0] != 0x68 || len(b) < int(b[1])+2 {
				t.Fatalf("a write ends within a frame: %x", b)
			}
			b = b[int(b[1])+2:]
			frames++
		}
	}
	if len(w.all) < 10 || frames < 100 {
		t.Errorf("%d frames in %d writes, want many", frames, len(w.all))
	}
}
