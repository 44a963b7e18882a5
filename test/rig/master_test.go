package rig_test

import (
	"io"
	"net"
	"testing"

	"github.com/google/go-cmp/cmp"

	"busbar/test/rig"
)

// station accepts one connection, confirms STARTDT, sends octets, and returns
// the next n octets that it receives.
func station(t *testing.T, octets string, n int) (addr string, received <-chan string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	got := make(chan string, 1)
	go func() {
		defer close(got)
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		if _, err := io.ReadFull(c, make([]byte, 6)); err != nil {
			return
		}
		if _, err := io.WriteString(c, "\x68\x04\x0b\x00\x00\x00"+octets); err != nil {
			return
		}
		answer := make([]byte, n)
		m, _ := io.ReadFull(c, answer)
		got <- string(answer[:m])
	}()
	return l.Addr().String(), got
}

func TestMasterTakesObjectsAndAcknowledges(t *testing.T) {
	t.Parallel()
	addr, received := station(t,
		"\x68\x15\x00\x00\x00\x00\x1e\x01\x03\x00\x01\x00\x64\x00\x00\x00\xf3\x69\xad\x8d\x4e\x07\x1a"+
			"\x68\x12\x02\x00\x00\x00\x01\x85\x14\x05\x01\x00\xe8\x03\x00\x01\x00\x01\x01\x00"+
			"\x68\x04\x43\x00\x00\x00", 12)
	m := rig.StartMaster(t, addr)
	m.AwaitCount(6)
	objects := m.Objects(0)
	tagged, last := objects[0], objects[5]
	if tagged.Type != 30 || tagged.IOA != 100 || !tagged.TimeInvalid() || tagged.Time().Minute() != 45 {
		t.Errorf("the first object is %+v, want type 30, IOA 100, an invalid time, minute 45", tagged)
	}
	want := rig.Object{Type: 1, Cause: 20, CA: 1, IOA: 1004, Element: []byte{0}, ASDU: 1, Arrived: last.Arrived}
	if diff := cmp.Diff(want, last); diff != "" {
		t.Errorf("the last object: want -, got +:\n%s", diff)
	}
	switch got := <-received; got {
	case "\x68\x04\x83\x00\x00\x00\x68\x04\x01\x00\x04\x00", "\x68\x04\x01\x00\x04\x00\x68\x04\x83\x00\x00\x00":
	default:
		t.Errorf("the station got % x, want TESTFR con and S with N(R) 2", got)
	}
}

func TestMasterEndsConnectionsThatBreakARule(t *testing.T) {
	t.Parallel()
	for name, octets := range map[string]string{
		"sequence number out of order": "\x68\x0e\x02\x00\x00\x00\x01\x01\x03\x00\x01\x00\x64\x00\x00\x01",
		"ASDU shorter than its count":  "\x68\x0e\x00\x00\x00\x00\x01\x02\x03\x00\x01\x00\x64\x00\x00\x01",
		"wrong start octet":            "\x67\x04\x43\x00\x00\x00",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr, _ := station(t, octets, 1)
			rig.StartMaster(t, addr).AwaitEnd()
		})
	}
}
