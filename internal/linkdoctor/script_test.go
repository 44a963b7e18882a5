package linkdoctor

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"busbar/iec104"
	"busbar/iec104/apci"
	"busbar/iec104/asdu"
)

// script plays the traffic of connections to a doctor, in virtual time.
type script struct {
	t      *testing.T
	d      *Doctor
	conn   uint64
	addr   string
	vs, vr apci.Seq // of this side
}

func newScript(t *testing.T, o Options) *script {
	time.Sleep(24 * time.Hour) // so that it was 2000 a while ago, before which time tags cannot be
	s := &script{t: t, d: New(o), addr: "10.0.0.5:40001"}
	s.connect()
	return s
}

// connect begins another connection.
func (s *script) connect() {
	s.conn++
	s.vs, s.vr = 0, 0
	s.d.Connected(s.conn, s.addr)
}

// start starts data transfer.
func (s *script) start() {
	controlled := s.d.role == Controlled
	s.u(!controlled, apci.StartDTAct)
	s.u(controlled, apci.StartDTCon)
}

func (s *script) u(sent bool, f apci.Function) { s.d.Frame(s.conn, sent, apci.AppendU(nil, f)) }

// say sends ASDUs, hear receives them.
func (s *script) say(asdus ...string) {
	for _, a := range asdus {
		s.d.Frame(s.conn, true, apci.AppendI(nil, s.vs, s.vr, octets(s.t, a)))
		s.vs = s.vs.Next()
	}
}

func (s *script) hear(asdus ...string) { s.hearAck(int(s.vs), asdus...) }

// hearAck receives ASDUs that acknowledge the frames below nr.
func (s *script) hearAck(nr int, asdus ...string) {
	for _, a := range asdus {
		s.d.Frame(s.conn, false, apci.AppendI(nil, s.vr, apci.Seq(nr), octets(s.t, a)))
		s.vr = s.vr.Next()
	}
}

// ack acknowledges all that was received, acked all that was sent.
func (s *script) ack()   { s.d.Frame(s.conn, true, apci.AppendS(nil, s.vr)) }
func (s *script) acked() { s.ackedTo(int(s.vs)) }

func (s *script) ackedTo(nr int) { s.d.Frame(s.conn, false, apci.AppendS(nil, apci.Seq(nr))) }

// closes ends the connection.
func (s *script) closes(why iec104.Reason) {
	s.d.Closed(s.conn, &iec104.LinkError{Reason: why, Err: errors.New("details")})
}

// again begins another connection after one has ended, started.
func (s *script) again(why iec104.Reason) {
	s.closes(why)
	s.connect()
	s.start()
}

func (s *script) wait(d time.Duration) { time.Sleep(d) } // virtual

// event is a M_SP_TB_1 of object address 100 that is stamped so far from now.
func (s *script) event(offset time.Duration, bits asdu.Time) string {
	return tagged(100, asdu.TimeOf(time.Now().Add(offset), nil)|bits)
}

func tagged(ioa byte, at asdu.Time) string {
	b := []byte{30, 1, 3, 0, 1, 0, ioa, 0, 0, 1}
	for i := range 7 {
		b = append(b, byte(at>>(8*i)))
	}
	return hex.EncodeToString(b)
}

func octets(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Frequent ASDUs.
const (
	value    = "01 01 03 00 01 00 64 00 00 01"
	giAsk    = "64 01 06 00 01 00 00 00 00 14"
	giCon    = "64 01 07 00 01 00 00 00 00 14"
	giEnd    = "64 01 0a 00 01 00 00 00 00 14"
	giObject = "01 01 14 00 01 00 64 00 00 01"
)
