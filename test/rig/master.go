package rig

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Master is a small controlling station with the parameters w 8 and no mercy:
// a station that breaks a rule of numbering loses the connection.
type Master struct {
	tb   testing.TB
	conn net.Conn

	mu      sync.Mutex
	news    chan struct{} // closed and replaced when something arrives
	objects []Object      // received, in order
	asdus   [][]byte      // received, in order, as they came
	read    int           // of asdus, by NextASDU
	control []byte        // first control octets of received U frames
	ended   error         // why reading ended
	ns, nr  uint16        // V(S), V(R)
	unacked int           // received I frames not yet acknowledged
}

// Object is one received information object.
type Object struct {
	Type, Cause byte
	Negative    bool
	Test        bool // T
	CA          uint16
	IOA         uint32
	Element     []byte // with quality and time tag
	ASDU        int    // number of the ASDU in which it came, from 0
	Arrived     time.Time
}

// elementSizes are the octets of an element with its time tag, by type.
var elementSizes = map[byte]int{
	1: 1, 3: 1, 5: 2, 7: 5, 9: 3, 11: 3, 13: 5, 15: 5, 20: 5, 21: 2,
	30: 8, 31: 8, 32: 9, 33: 12, 34: 10, 35: 10, 36: 12, 37: 12, 38: 10, 39: 11, 40: 11,
	45: 1, 46: 1, 47: 1, 48: 3, 49: 3, 50: 5, 51: 4, 58: 8, 59: 8, 60: 8, 61: 10, 62: 10, 63: 12, 64: 11,
	70: 1, 100: 1, 101: 1, 102: 0, 103: 7, 105: 1, 107: 9,
}

// ConnectMaster connects a controlling station to addr, as soon as something
// listens there, without starting data transfer.
func ConnectMaster(tb testing.TB, addr string) *Master {
	tb.Helper()
	return connectMaster(tb, net.Dialer{Timeout: Patience}, addr)
}

// ConnectMasterFrom is ConnectMaster from an address of its own, such as 127.0.0.2.
func ConnectMasterFrom(tb testing.TB, own, addr string) *Master {
	tb.Helper()
	return connectMaster(tb, net.Dialer{Timeout: Patience, LocalAddr: &net.TCPAddr{IP: net.ParseIP(own)}}, addr)
}

func connectMaster(tb testing.TB, dialer net.Dialer, addr string) *Master {
	tb.Helper()
	var conn net.Conn
	Until(tb, "something to listen on "+addr, func() bool {
		var err error
		conn, err = dialer.Dial("tcp", addr)
		return err == nil
	})
	m := &Master{tb: tb, conn: conn, news: make(chan struct{})}
	var wg sync.WaitGroup
	wg.Go(m.receive)
	tb.Cleanup(func() {
		conn.Close()
		wg.Wait()
	})
	return m
}

// StartMaster connects a controlling station and starts data transfer.
func StartMaster(tb testing.TB, addr string) *Master {
	tb.Helper()
	m := ConnectMaster(tb, addr)
	m.StartDT()
	return m
}

// StartDT starts data transfer and waits for the confirmation.
func (m *Master) StartDT() { m.tb.Helper(); m.exchange("STARTDT con", 0x07, 0x0b) }

// StopDT stops data transfer and waits for the confirmation, after which
// nothing more arrives.
func (m *Master) StopDT() { m.tb.Helper(); m.exchange("STOPDT con", 0x13, 0x23) }

// Test sends TESTFR act and waits for the confirmation.
func (m *Master) Test() { m.tb.Helper(); m.exchange("TESTFR con", 0x43, 0x83) }

// exchange sends a U frame and waits for the one that answers it.
func (m *Master) exchange(what string, act, con byte) {
	m.tb.Helper()
	m.mu.Lock()
	m.control = nil
	m.mu.Unlock()
	m.Write([]byte{0x68, 4, act, 0, 0, 0})
	m.await(what, func() bool { return bytes.IndexByte(m.control, con) >= 0 })
}

// Close ends the connection from the side of the controlling station.
func (m *Master) Close() {
	m.tb.Helper()
	m.conn.Close()
	m.AwaitEnd()
}

// Write writes octets as they are.
func (m *Master) Write(octets []byte) {
	m.tb.Helper()
	if _, err := m.conn.Write(octets); err != nil {
		m.tb.Fatalf("controlling station: %v", err)
	}
}

// Send sends an ASDU of one object with cause activation or, for a read, request.
func (m *Master) Send(typ byte, ca uint16, ioa uint32, element ...byte) {
	m.tb.Helper()
	cause := byte(6)
	if typ == 102 {
		cause = 5
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	b := []byte{0x68, byte(13 + len(element))}
	b = binary.LittleEndian.AppendUint16(b, m.ns<<1)
	b = binary.LittleEndian.AppendUint16(b, m.nr<<1)
	b = append(b, typ, 1, cause, 0, byte(ca), byte(ca>>8), byte(ioa), byte(ioa>>8), byte(ioa>>16))
	b = append(b, element...)
	m.ns = (m.ns + 1) & 0x7fff
	m.unacked = 0
	if _, err := m.conn.Write(b); err != nil {
		m.tb.Fatalf("controlling station: %v", err)
	}
}

// SendASDU sends an ASDU as it is.
func (m *Master) SendASDU(asdu []byte) {
	m.tb.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	b := []byte{0x68, byte(4 + len(asdu))}
	b = binary.LittleEndian.AppendUint16(b, m.ns<<1)
	b = binary.LittleEndian.AppendUint16(b, m.nr<<1)
	m.ns = (m.ns + 1) & 0x7fff
	m.unacked = 0
	if _, err := m.conn.Write(append(b, asdu...)); err != nil {
		m.tb.Fatalf("controlling station: %v", err)
	}
}

// NextASDU waits for the ASDU after the one that the last call returned, and
// returns it as it came.
func (m *Master) NextASDU(what string) []byte {
	m.tb.Helper()
	m.await(what, func() bool { return len(m.asdus) > m.read })
	m.mu.Lock()
	defer m.mu.Unlock()
	m.read++
	return m.asdus[m.read-1]
}

// Unread returns the ASDUs that NextASDU has not returned yet.
func (m *Master) Unread() [][]byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.asdus[m.read:])
}

// Interrogate makes a general interrogation of ca and returns its data. What
// arrives in between stays to be awaited.
func (m *Master) Interrogate(ca uint16) []Object {
	m.tb.Helper()
	return m.interrogate("interrogation", ca, 100, 20, 20)
}

// Counters makes a general counter interrogation of ca, which reads, and
// returns its data.
func (m *Master) Counters(ca uint16) []Object {
	m.tb.Helper()
	return m.interrogate("counter interrogation", ca, 101, 5, 37)
}

// interrogate sends an interrogation command and returns the data with the cause until
// its end.
func (m *Master) interrogate(what string, ca uint16, typ, qualifier, cause byte) []Object {
	m.tb.Helper()
	n := m.Received()
	m.Send(typ, ca, 0, qualifier)
	end := m.AwaitAfter(n, fmt.Sprintf("the end of the %s of %d", what, ca), func(o Object) bool {
		return o.Type == typ && o.CA == ca && (o.Cause == 10 || o.Negative)
	})
	if end.Negative {
		m.tb.Fatalf("%s of %d is refused with cause %d", what, ca, end.Cause)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var data []Object
	for _, o := range m.objects[n:] {
		if o.Cause == cause && o.CA == ca {
			data = append(data, o)
		}
	}
	return data
}

// Received returns how many objects have arrived.
func (m *Master) Received() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.objects)
}

// Objects returns what arrived after the first n objects.
func (m *Master) Objects(n int) []Object {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.objects[n:])
}

// Await waits for an object, among those that have arrived too.
func (m *Master) Await(what string, match func(Object) bool) Object {
	m.tb.Helper()
	return m.AwaitAfter(0, what, match)
}

// AwaitAfter waits for an object that arrived after the first n.
func (m *Master) AwaitAfter(n int, what string, match func(Object) bool) Object {
	m.tb.Helper()
	var found Object
	m.await(what, func() bool {
		for ; n < len(m.objects); n++ {
			if match(m.objects[n]) {
				found = m.objects[n]
				return true
			}
		}
		return false
	})
	return found
}

// AwaitCount waits until n objects have arrived.
func (m *Master) AwaitCount(n int) {
	m.tb.Helper()
	m.await(fmt.Sprintf("%d objects", n), func() bool { return len(m.objects) >= n })
}

// AwaitEnd waits until the station has closed the connection.
func (m *Master) AwaitEnd() {
	m.tb.Helper()
	deadline := time.NewTimer(Patience)
	defer deadline.Stop()
	for {
		m.mu.Lock()
		ended, news := m.ended, m.news
		m.mu.Unlock()
		if ended != nil {
			return
		}
		select {
		case <-news:
		case <-deadline.C:
			m.tb.Fatalf("the station has not closed the connection in %v", Patience)
		}
	}
}

// await waits until done, which is called with the lock held, returns true.
func (m *Master) await(what string, done func() bool) {
	m.tb.Helper()
	deadline := time.NewTimer(Patience)
	defer deadline.Stop()
	for {
		m.mu.Lock()
		ok, ended, news := done(), m.ended, m.news
		count := len(m.objects)
		m.mu.Unlock()
		switch {
		case ok:
			return
		case ended != nil:
			m.tb.Fatalf("the connection ended while waiting for %s: %v", what, ended)
		}
		select {
		case <-news:
		case <-deadline.C:
			m.tb.Fatalf("no %s in %v; received %d objects, the last:\n%s", what, Patience, count, m.tail())
		}
	}
}

func (m *Master) tail() string {
	all := m.Objects(0)
	var b strings.Builder
	for _, o := range all[max(0, len(all)-20):] {
		fmt.Fprintf(&b, "  type %d cause %d CA %d IOA %d: % x\n", o.Type, o.Cause, o.CA, o.IOA, o.Element)
	}
	return b.String()
}

// receive takes frames until the connection ends.
func (m *Master) receive() {
	r := bufio.NewReaderSize(m.conn, 64<<10)
	asdus := 0
	for {
		frame, err := readFrame(r)
		m.mu.Lock()
		if err == nil {
			err = m.take(frame, &asdus, r.Buffered() == 0)
		}
		m.ended = err
		close(m.news)
		m.news = make(chan struct{})
		m.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func readFrame(r io.Reader) ([]byte, error) {
	frame := make([]byte, 2, 255)
	if _, err := io.ReadFull(r, frame); err != nil {
		return nil, err
	}
	if frame[0] != 0x68 || frame[1] < 4 || frame[1] > 253 {
		return nil, fmt.Errorf("not an APDU: % x", frame)
	}
	frame = frame[:2+int(frame[1])]
	_, err := io.ReadFull(r, frame[2:])
	return frame, err
}

// take takes one frame. last tells that nothing more has arrived yet.
func (m *Master) take(frame []byte, asdus *int, last bool) error {
	var err error
	switch c := frame[2]; {
	case c&3 == 3:
		m.control = append(m.control, c)
		if c == 0x43 { // TESTFR act
			_, err = m.conn.Write([]byte{0x68, 4, 0x83, 0, 0, 0})
		}
	case c&1 == 0:
		err = m.takeI(frame, *asdus)
		*asdus++
	}
	if err != nil || m.unacked == 0 || m.unacked < 8 && !last {
		return err
	}
	m.unacked = 0
	_, err = m.conn.Write([]byte{0x68, 4, 1, 0, byte(m.nr << 1), byte(m.nr >> 7)})
	return err
}

func (m *Master) takeI(frame []byte, asdu int) error {
	if ns := binary.LittleEndian.Uint16(frame[2:]) >> 1; ns != m.nr {
		return fmt.Errorf("N(S) is %d, want %d", ns, m.nr)
	}
	m.nr = (m.nr + 1) & 0x7fff
	m.unacked++
	m.asdus = append(m.asdus, frame[6:])
	objects, err := split(frame[6:])
	now := time.Now()
	for i := range objects {
		objects[i].ASDU, objects[i].Arrived = asdu, now
	}
	m.objects = append(m.objects, objects...)
	return err
}

// split takes an ASDU apart.
func split(b []byte) ([]Object, error) {
	if len(b) < 6 {
		return nil, fmt.Errorf("ASDU of %d octets", len(b))
	}
	size, known := elementSizes[b[0]]
	if !known {
		return nil, fmt.Errorf("type identification %d", b[0])
	}
	n, sq := int(b[1]&0x7f), b[1]&0x80 != 0
	want := 6 + n*(3+size)
	if sq {
		want = 9 + n*size
	}
	if n == 0 || len(b) != want {
		return nil, fmt.Errorf("ASDU of %d octets, want %d for %d objects: % x", len(b), want, n, b)
	}
	base := Object{Type: b[0], Cause: b[2] & 0x3f, Negative: b[2]&0x40 != 0, Test: b[2]&0x80 != 0, CA: binary.LittleEndian.Uint16(b[4:])}
	rest := b[6:]
	var objects []Object
	for i := range n {
		o := base
		if i == 0 || !sq {
			o.IOA = uint32(rest[0]) | uint32(rest[1])<<8 | uint32(rest[2])<<16
			rest = rest[3:]
		} else {
			o.IOA = objects[0].IOA + uint32(i)
		}
		o.Element, rest = rest[:size:size], rest[size:]
		objects = append(objects, o)
	}
	return objects, nil
}
