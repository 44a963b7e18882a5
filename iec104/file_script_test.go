package iec104

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// The ASDUs of the transfer of one file in one section: 8 octets, 1 … 8, file 30000 of
// kind 1 of common address 1.
const (
	fSelect      = "7a 01 0d 00 01 00 30 75 00 01 00 00 01"
	fReady       = "78 01 0d 00 01 00 30 75 00 01 00 08 00 00 00"
	fRefused     = "78 01 0d 00 01 00 30 75 00 01 00 00 00 00 80"
	fCall        = "7a 01 0d 00 01 00 30 75 00 01 00 00 02"
	sReady       = "79 01 0d 00 01 00 30 75 00 01 00 01 08 00 00 00"
	sNotReady    = "79 01 0d 00 01 00 30 75 00 01 00 01 08 00 00 80"
	sSelect      = "7a 01 0d 00 01 00 30 75 00 01 00 01 05"
	sCall        = "7a 01 0d 00 01 00 30 75 00 01 00 01 06"
	segment8     = "7d 01 0d 00 01 00 30 75 00 01 00 01 08 01 02 03 04 05 06 07 08"
	sEnd         = "7b 01 0d 00 01 00 30 75 00 01 00 01 03 24"
	sWrong       = "7b 01 0d 00 01 00 30 75 00 01 00 01 03 25"
	sStopped     = "7b 01 0d 00 01 00 30 75 00 01 00 01 04 24"
	sGot         = "7c 01 0d 00 01 00 30 75 00 01 00 01 03"
	sFailed      = "7c 01 0d 00 01 00 30 75 00 01 00 01 24" // checksum
	fEnd         = "7b 01 0d 00 01 00 30 75 00 01 00 01 01 24"
	fEndWrong    = "7b 01 0d 00 01 00 30 75 00 01 00 01 01 25"
	fGot         = "7c 01 0d 00 01 00 30 75 00 01 00 00 01"
	fFailed      = "7c 01 0d 00 01 00 30 75 00 01 00 00 22" // checksum
	fStop        = "7a 01 0d 00 01 00 30 75 00 01 00 00 03"
	sStop        = "7a 01 0d 00 01 00 30 75 00 01 00 01 07"
	fDelete      = "7a 01 0d 00 01 00 30 75 00 01 00 00 04"
	fGone        = "7b 01 0d 00 01 00 30 75 00 01 00 00 02 00" // by the sender, with deactivation
	fForgotten   = "7c 01 0d 00 01 00 30 75 00 01 00 00 02"    // by the receiver
	fDone        = "78 01 0d 00 01 00 30 75 00 01 00 00 00 00 00"
	dirCall      = "7a 01 05 00 01 00 00 00 00 00 00 00 00"
	fSelectOther = "7a 01 0d 00 01 00 31 75 00 01 00 00 01"
	fRefuseOther = "78 01 0d 00 01 00 31 75 00 01 00 00 00 00 80"
)

// fileMove is a step of a transfer: what the peer sends, and what is answered.
type fileMove struct {
	name    string
	sent    []string
	answers []string
}

// readMoves is a file read from a controlled station.
func readMoves() []fileMove {
	return []fileMove{
		{"select", []string{fSelect}, []string{fReady}},
		{"call file", []string{fCall}, []string{sReady}},
		{"call section", []string{sCall}, []string{segment8, sEnd}},
		{"acknowledge section", []string{sGot}, []string{fEnd}},
		{"acknowledge file", []string{fGot}, nil},
	}
}

// writeMoves is a file written to a controlled station.
func writeMoves() []fileMove {
	return []fileMove{
		{"announce", []string{fReady}, []string{fCall}},
		{"section ready", []string{sReady}, []string{sCall}},
		{"segment", []string{segment8}, nil},
		{"last segment", []string{sEnd}, []string{sGot}},
		{"last section", []string{fEnd}, []string{fGot}},
	}
}

// fileEdge is a controlled station with one file, and its peer.
type fileEdge struct {
	*peer
	st    *testStation
	files *testFiles
	s     *Server
}

func newFileEdge(t *testing.T, cfg ServerConfig) *fileEdge {
	t.Helper()
	e := &fileEdge{st: newTestStation(), files: newTestFiles()}
	e.st.files = e.files
	e.files.files[file1] = octets(t, "01 02 03 04 05 06 07 08")
	e.s = newTestServer(t, e.st, cfg)
	e.peer = connect(t, e.s)
	e.peer.start()
	return e
}

// move plays steps.
func (p *peer) move(moves ...fileMove) {
	p.t.Helper()
	for _, m := range moves {
		p.tell(m.sent...)
		p.expectASDU(m.answers...)
	}
	p.expectSilence()
}

// pass lets time pass on a link that is in order.
func (p *peer) pass(d time.Duration) {
	p.t.Helper()
	for p.ack(); d > 0; d -= 10 * time.Second {
		p.wait(min(d, 10*time.Second))
		p.send(testFRAct)
		p.expectControl(testFRCon)
	}
}

// expectControl checks that the next frame is this one, or comes behind an
// acknowledgement.
func (p *peer) expectControl(want string) {
	p.t.Helper()
	b := p.next()
	if len(b) == 6 && b[2] == 1 {
		b = p.next()
	}
	p.compare(b, want)
}

// toldFiles checks what the application was told of files.
func (e *fileEdge) toldFiles(want ...string) {
	e.t.Helper()
	synctest.Wait()
	if got := e.files.told(); !slices.Equal(got, want) {
		e.t.Fatalf("files were told %q, want %q", got, want)
	}
}

// works checks that a transfer in each direction works, and is told as usual.
func (e *fileEdge) works() {
	e.t.Helper()
	e.move(readMoves()...)
	e.toldFiles("sent 30000 true")
	e.move(writeMoves()...)
	e.toldFiles("received 30000 true")
	if n := len(e.files.get(file1)); n != 8 {
		e.t.Fatalf("file has %d octets, want 8", n)
	}
}

// playFiles runs scripts with a controlled station.
func playFiles(t *testing.T, rows []fileRow) {
	for _, r := range rows {
		inBubble(t, r.row, func(t *testing.T) { r.script(newFileEdge(t, ServerConfig{})) })
	}
}

type fileRow struct {
	row    string
	script func(e *fileEdge)
}

// atEveryStep returns rows that play what ends a transfer after each of its steps; told is
// what the application is told then, but when the transfer was over already.
func atEveryStep(what string, moves []fileMove, told string, end func(e *fileEdge, step string)) (rows []fileRow) {
	for n := 1; n < len(moves); n++ {
		step := moves[n-1].name
		rows = append(rows, fileRow{fmt.Sprintf("%s after %s", what, step), func(e *fileEdge) {
			e.move(moves[:n]...)
			end(e, step)
			e.toldFiles(told)
			e.works()
		}})
	}
	return rows
}
