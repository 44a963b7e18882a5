package iec104

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// attendant is a controlling station that does what it has to and nothing
// else: it checks every number, acknowledges every so many frames, confirms
// TESTFR, and remembers what it was sent.
type attendant struct {
	t     *testing.T
	st    *testStation
	conn  net.Conn
	every int // I frames per acknowledgement

	mu       sync.Mutex
	vs, vr   int
	unacked  int
	asdus    []string // without times of arrival
	controls []string // U frames but TESTFR act
	tests    int      // TESTFR act
	fault    error    // what the station did wrong
	ended    bool
}

// attend connects an attendant to the server.
func attend(t *testing.T, s *Server, every int) *attendant {
	t.Helper()
	near, far := net.Pipe()
	a := &attendant{t: t, conn: near, every: every}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(func() { cancel(); near.Close() })
	go func() { _ = s.ServeConn(ctx, far) }() // the end is seen from the other side
	go a.read()
	synctest.Wait()
	return a
}

func (a *attendant) read() {
	buf := make([]byte, 255)
	for {
		_, err := io.ReadFull(a.conn, buf[:2])
		if err == nil {
			_, err = io.ReadFull(a.conn, buf[2:2+int(buf[1])])
		}
		if err != nil {
			a.mu.Lock()
			a.ended = true
			a.mu.Unlock()
			return
		}
		if answer := a.take(buf[:2+int(buf[1])]); answer != nil {
			_, _ = a.conn.Write(answer) // an error is seen by reading
		}
	}
}

// take handles one frame and returns what to answer.
func (a *attendant) take(b []byte) []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	nr := int(b[5])<<7 | int(b[4])>>1
	switch {
	case b[2]&1 == 0: // I
		ns := int(b[3])<<7 | int(b[2])>>1
		if (ns != a.vr || nr > a.vs) && a.fault == nil {
			a.fault = fmt.Errorf("N(S) %d N(R) %d, want %d and at most %d", ns, nr, a.vr, a.vs)
		}
		a.vr = (a.vr + 1) % 32768
		a.asdus = append(a.asdus, hex.EncodeToString(b[6:]))
		if a.unacked++; a.unacked < a.every {
			return nil
		}
		a.unacked = 0
		return []byte{0x68, 4, 1, 0, byte(a.vr << 1), byte(a.vr >> 7)}
	case b[2] == 0x43:
		a.tests++
		return []byte{0x68, 4, 0x83, 0, 0, 0}
	case b[2]&3 == 3:
		a.controls = append(a.controls, hex.EncodeToString(b))
	}
	return nil
}

// send writes frames and waits for what comes of it.
func (a *attendant) send(frames string) {
	a.t.Helper()
	if _, err := a.conn.Write(octets(a.t, frames)); err != nil {
		a.t.Fatalf("attendant: %v", err)
	}
	synctest.Wait()
}

// ask sends one I frame.
func (a *attendant) ask(asdu string) {
	a.t.Helper()
	a.mu.Lock()
	frame := iframe(a.vs, a.vr, asdu)
	a.vs++
	a.mu.Unlock()
	a.send(frame)
}

// taken returns the ASDUs received since the last call.
func (a *attendant) taken() []string {
	a.t.Helper()
	synctest.Wait()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.fault != nil {
		a.t.Fatalf("attendant: %v", a.fault)
	}
	if a.ended {
		a.t.Fatal("attendant: connection closed")
	}
	got := a.asdus
	a.asdus = nil
	return got
}

// undisturbed checks that the attendant is still served: it was sent nothing
// but its own confirmation, and gets an event and the end of an interrogation.
func (a *attendant) undisturbed() {
	a.t.Helper()
	if got := a.taken(); len(got) != 0 {
		a.t.Fatalf("neighbour was sent %v", got)
	}
	e := event(77, 1)
	a.st.queue.Put(&e)
	synctest.Wait()
	a.ask(giAct)
	want := []string{"010103000100" + "4d0000" + "01", "64010700010000000014", "64010a00010000000014"}
	if got := a.taken(); !slices.Equal(got, want) {
		a.t.Fatalf("neighbour was sent %v, want %v", got, want)
	}
	time.Sleep(11 * time.Second) // t2 of the server, for what was asked
	if got := a.taken(); len(got) != 0 {
		a.t.Fatalf("neighbour was sent %v after all", got)
	}
}
