package trace

import (
	"encoding/hex"
	"net"
	"strings"
	"testing"

	"busbar/internal/tape"
)

// octets returns the octets written in text.
func octets(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Frames of a session; their octets are those of the vectors of the codec.
const (
	startAct  = "68 04 07 00 00 00"
	startCon  = "68 04 0b 00 00 00"
	testAct   = "68 04 43 00 00 00"
	testCon   = "68 04 83 00 00 00"
	ackOne    = "68 04 01 00 02 00"
	giAct     = "68 0e 00 00 00 00 64 01 06 05 01 00 00 00 00 14"
	giCon     = "68 0e 00 00 02 00 64 01 07 05 01 00 00 00 00 14"
	single    = "68 0e 02 00 02 00 01 01 14 05 01 00 c8 00 00 01"
	float     = "68 12 04 00 02 00 0d 01 03 00 01 00 64 00 00 00 00 bc 41 00"
	command   = "68 0e 02 00 06 00 2e 01 06 05 01 00 88 13 00 02"
	refusal   = "68 0e 06 00 04 00 2e 01 47 05 01 00 88 13 00 02"
	unknownCA = "68 0e 08 00 04 00 64 01 6e 05 63 00 00 00 00 14"
	malformed = "68 0d 0a 00 04 00 0d 01 03 00 01 00 64 00 00"
	badStart  = "ff ff ff"
)

type fixed map[uint64]string

func (f fixed) Point(a uint64) string   { return f[a] }
func (f fixed) Command(a uint64) string { return f[a|1<<63] }

// names are what stands at the addresses of connector scada.
func names(connector string) Names {
	if connector != "scada" {
		return fixed{}
	}
	return fixed{1<<24 | 200: "q0/position", 1<<24 | 100: "t1/oil", 1<<24 | 5000: "not/the/command", 1<<63 | 1<<24 | 5000: "q0/switch"}
}

// rig is a deck with one link that has recorded a session.
type rig struct {
	deck   *tape.Deck
	tape   *tape.Tape
	tracer *Tracer
}

func newRig(t testing.TB) *rig {
	t.Helper()
	r := &rig{deck: tape.NewDeck(tape.Limits{})}
	r.tracer = newTracer(r.deck.Tapes, names)
	r.tape = r.open("scada", 17)
	return r
}

func (r *rig) open(connector string, conn uint64) *tape.Tape {
	return r.deck.Open(tape.Link{
		ID: connector + ".17", Connector: connector, Conn: conn, Octets: [3]int{2, 2, 3}, Certificate: "CN=scada1",
		Local: &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 12404}, Peer: &net.TCPAddr{IP: net.IPv4(10, 0, 0, 9), Port: 51000},
	})
}

// session records frames of all kinds.
func (r *rig) session(t testing.TB) {
	t.Helper()
	for _, step := range []struct {
		sent bool
		text string
	}{
		{false, startAct}, {true, startCon}, {false, giAct}, {true, giCon + single + float}, {false, ackOne}, {false, testAct}, {true, testCon},
		{false, command}, {true, refusal + unknownCA}, {true, malformed}, {false, badStart},
	} {
		r.tape.Record(step.sent, octets(t, step.text))
	}
}
