package rig

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"net"
	"strings"
	"sync"
	"testing"
)

// Outstation is a scripted controlled station: it answers interrogations of common address 1
// with one single point, IOA 100, and commands as it is told.
type Outstation struct {
	Addr string
	// Answer returns the ASDUs that a command is answered with, and whether the
	// connection is closed after that.
	Answer func(asdu []byte) (answers [][]byte, closes bool)

	tb   testing.TB
	wg   sync.WaitGroup
	mu   sync.Mutex
	l    net.Listener
	open map[net.Conn]*outlink
	got  [][]byte // ASDUs received
	all  int      // connections
}

type outlink struct {
	conn   net.Conn
	ns, nr uint16
}

// StartOutstation starts a station that ends with the test.
func StartOutstation(tb testing.TB, answer func([]byte) ([][]byte, bool)) *Outstation {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	r := &Outstation{Addr: l.Addr().String(), Answer: answer, tb: tb, l: l, open: map[net.Conn]*outlink{}}
	r.wg.Go(r.accept)
	tb.Cleanup(func() {
		l.Close()
		r.Cut()
		r.wg.Wait()
	})
	return r
}

// Received returns the ASDUs of a type that were received.
func (r *Outstation) Received(typ byte) [][]byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	var of [][]byte
	for _, a := range r.got {
		if a[0] == typ {
			of = append(of, a)
		}
	}
	return of
}

// Connections returns how many there were.
func (r *Outstation) Connections() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all
}

// Cut closes all connections.
func (r *Outstation) Cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for conn := range r.open {
		conn.Close()
	}
}

// Tell sends ASDUs on every connection.
func (r *Outstation) Tell(asdus ...string) {
	r.tb.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.open {
		for _, a := range asdus {
			l.send(octets(r.tb, a))
		}
	}
}

func octets(tb testing.TB, text string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func (r *Outstation) accept() {
	for {
		conn, err := r.l.Accept()
		if err != nil {
			return
		}
		r.mu.Lock()
		r.all++
		r.mu.Unlock()
		r.wg.Go(func() { r.serve(conn) })
	}
}

func (r *Outstation) serve(conn net.Conn) {
	link := &outlink{conn: conn}
	defer func() {
		conn.Close()
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.open, conn)
	}()
	for {
		frame, err := readFrame(conn)
		if err != nil {
			return
		}
		r.mu.Lock()
		closes := r.take(link, frame)
		r.mu.Unlock()
		if closes {
			return
		}
	}
}

// take takes one frame. The caller holds mu.
func (r *Outstation) take(l *outlink, frame []byte) (closes bool) {
	switch c := frame[2]; {
	case c == 0x07, c == 0x13, c == 0x43: // confirmed with the next bit
		l.write([]byte{0x68, 4, c&3 | c&^3<<1, 0, 0, 0})
		if c == 0x07 {
			r.open[l.conn] = l
		}
	case c&1 == 0:
		l.nr++
		asdu := bytes.Clone(frame[6:])
		r.got = append(r.got, asdu)
		if asdu[0] != 100 {
			answers, closes := r.Answer(asdu)
			for _, a := range answers {
				l.send(a)
			}
			if len(answers) == 0 {
				l.write(binary.LittleEndian.AppendUint16([]byte{0x68, 4, 1, 0}, l.nr<<1))
			}
			return closes
		}
		l.send(With(asdu, 7))
		l.send([]byte{1, 1, 20, 0, asdu[4], asdu[5], 100, 0, 0, 1})
		l.send(With(asdu, 10))
	}
	return false
}

// With returns an ASDU with another cause of transmission; 0x40 in it is P/N.
func With(asdu []byte, cause byte) []byte {
	asdu = bytes.Clone(asdu)
	asdu[2] = cause
	return asdu
}

func (l *outlink) send(asdu []byte) {
	b := []byte{0x68, byte(4 + len(asdu))}
	b = binary.LittleEndian.AppendUint16(b, l.ns<<1)
	b = binary.LittleEndian.AppendUint16(b, l.nr<<1)
	l.ns++
	l.write(append(b, asdu...))
}

// write writes; what cannot be written the reader will see.
func (l *outlink) write(b []byte) { _, _ = l.conn.Write(b) }
