package iec104

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"busbar/iec104/asdu"
)

func TestServerFiles(t *testing.T) {
	t.Parallel()
	playFiles(t, fileSendRows())
	playFiles(t, fileReceiveRows())
	playFiles(t, fileEndRows())
	playFiles(t, directoryRows())
	playFiles(t, fileRefusalRows())
	inBubble(t, "without originator", func(t *testing.T) {
		e := newFileEdge(t, ServerConfig{NoOriginator: true})
		e.tell(strings.Replace(fSelect, "0d 00", "0d 05", 1))
		e.expectASDU(fReady)
	})
}

// fileSendRows are files read by the controlling station.
func fileSendRows() []fileRow {
	again := fileMove{"", []string{sFailed}, []string{sReady}}
	return []fileRow{
		{"a file is read", func(e *fileEdge) { e.works() }},
		{"select: refused, file not available", func(e *fileEdge) {
			e.tell("7a 01 0d 00 01 00 30 75 00 09 00 00 01")
			e.expectASDU("78 01 0d 00 01 00 30 75 00 09 00 00 00 00 80")
			e.toldFiles()
			e.works()
		}},
		{"select: the originator address is mirrored", func(e *fileEdge) {
			for _, m := range readMoves() {
				for i := range m.sent {
					e.tell(strings.Replace(m.sent[i], "0d 00 01 00", "0d 05 01 00", 1))
				}
				for i := range m.answers {
					e.expectASDU(strings.Replace(m.answers[i], "0d 00 01 00", "0d 05 01 00", 1))
				}
			}
		}},
		{"select section: announced once more", func(e *fileEdge) {
			e.move(readMoves()[:2]...)
			e.move(fileMove{"", []string{sSelect}, []string{sReady}})
			e.move(readMoves()[2:]...)
			e.toldFiles("sent 30000 true")
		}},
		{"acknowledge section: negative, the section is repeated", func(e *fileEdge) {
			m := readMoves()
			e.move(m[:3]...)
			for range 3 {
				e.move(again, m[2])
			}
			e.move(m[3:]...)
			e.toldFiles("sent 30000 true")
		}},
		{"acknowledge section: negative a fourth time, the file is given up", func(e *fileEdge) {
			m := readMoves()
			e.move(m[:3]...)
			for range 3 {
				e.move(again, m[2])
			}
			e.move(fileMove{"", []string{sFailed}, []string{fGone}})
			e.toldFiles("sent 30000 false")
			e.works()
		}},
		{"acknowledge file: negative, the transfer has failed", func(e *fileEdge) {
			e.move(readMoves()[:4]...)
			e.move(fileMove{"", []string{fFailed}, nil})
			e.toldFiles("sent 30000 false")
			e.works()
		}},
		{"a file of many sections and segments", func(e *fileEdge) {
			e.files.files[file1] = content(65535 + 300)
			e.move(fileMove{"", []string{fSelect}, []string{"78 01 0d 00 01 00 30 75 00 01 00 2b 01 01 00"}},
				fileMove{"", []string{fCall}, []string{"79 01 0d 00 01 00 30 75 00 01 00 01 ff ff 00 00"}})
			e.tell(sCall)
			lengths := e.segments("01")
			if len(lengths) != 278 || lengths[0] != 236 || lengths[277] != 65535-277*236 {
				e.t.Fatalf("segments of %d octets", lengths)
			}
			e.move(fileMove{"", []string{sGot}, []string{"79 01 0d 00 01 00 30 75 00 01 00 02 2c 01 00 00"}})
			e.tell("7a 01 0d 00 01 00 30 75 00 01 00 02 06")
			if lengths := e.segments("02"); !slices.Equal(lengths, []int{236, 64}) {
				e.t.Fatalf("segments of %d octets", lengths)
			}
			e.tell("7c 01 0d 00 01 00 30 75 00 01 00 02 03")
			e.expectASDU(fmt.Sprintf("7b 01 0d 00 01 00 30 75 00 01 00 02 01 %02x", checksum(0, content(65535+300))))
			e.tell(fGot)
			e.toldFiles("sent 30000 true")
		}},
		{"the file is shorter than it was: given up", func(e *fileEdge) {
			e.files.sizeErr = 1
			e.move(fileMove{"", []string{fSelect}, []string{"78 01 0d 00 01 00 30 75 00 01 00 09 00 00 00"}},
				fileMove{"", []string{fCall}, []string{fGone}})
			e.toldFiles("sent 30000 false")
			e.files.sizeErr = 0
			e.works()
		}},
		{"a file too large to announce is refused", func(e *fileEdge) {
			e.files.sizeErr = MaxFile
			e.move(fileMove{"", []string{fSelect}, []string{fRefused}})
			e.toldFiles("sent 30000 false")
		}},
	}
}

// segments takes the segments of a section and its end, and returns their lengths.
func (e *fileEdge) segments(section string) (lengths []int) {
	e.t.Helper()
	for {
		b := e.nextASDU()
		if b == nil {
			e.ack()
			if b = e.nextASDU(); b == nil {
				e.t.Fatal("no segment, and no end of the section")
			}
		}
		if b[0] != 125 {
			e.compare(b, "7b 01 0d 00 01 00 30 75 00 01 00 "+section+" 03 ..")
			return lengths
		}
		e.compare(b[:12], "7d 01 0d 00 01 00 30 75 00 01 00 "+section)
		lengths = append(lengths, int(b[12]))
	}
}

// fileReceiveRows are files written by the controlling station.
func fileReceiveRows() []fileRow {
	return []fileRow{
		{"announce: refused", func(e *fileEdge) {
			e.files.limit = 7
			e.move(fileMove{"", []string{fReady}, []string{"78 01 0d 00 01 00 30 75 00 01 00 08 00 00 80"}})
			e.toldFiles()
		}},
		{"last segment: wrong checksum, the section is asked for again", func(e *fileEdge) {
			m := writeMoves()
			e.move(m[:3]...)
			for range 3 {
				e.move(fileMove{"", []string{sWrong}, []string{sFailed}}, m[1], m[2])
			}
			e.move(m[3:]...)
			e.toldFiles("received 30000 true")
		}},
		{"last segment: wrong checksum a fourth time, the file is given up", func(e *fileEdge) {
			m := writeMoves()
			e.move(m[:3]...)
			for range 3 {
				e.move(fileMove{"", []string{sWrong}, []string{sFailed}}, m[1], m[2])
			}
			e.move(fileMove{"", []string{sWrong}, []string{fFailed}})
			e.toldFiles("received 30000 false")
			e.works()
		}},
		{"last segment: less than announced, the section is asked for again", func(e *fileEdge) {
			m := writeMoves()
			e.move(m[:2]...)
			e.move(fileMove{"", []string{sEnd}, []string{sFailed}})
			e.move(m[1:]...)
			e.toldFiles("received 30000 true")
		}},
		{"last segment: section stopped by the sender, comes again", func(e *fileEdge) {
			m := writeMoves()
			e.move(m[:3]...)
			e.move(fileMove{"", []string{sStopped}, nil})
			e.move(m[1:]...)
			e.toldFiles("received 30000 true")
		}},
		{"last section: wrong checksum of the file", func(e *fileEdge) {
			e.move(writeMoves()[:4]...)
			e.move(fileMove{"", []string{fEndWrong}, []string{fFailed}})
			e.toldFiles("received 30000 false")
			e.works()
		}},
		{"last section: too soon", func(e *fileEdge) {
			e.move(writeMoves()[:1]...)
			e.move(fileMove{"", []string{fEnd}, []string{fFailed}})
			e.toldFiles("received 30000 false")
		}},
		{"E091 file segment longer than announced", func(e *fileEdge) {
			e.move(writeMoves()[:3]...)
			e.move(fileMove{"", []string{segment8}, []string{"7c 01 0d 00 01 00 30 75 00 01 00 00 12"}})
			e.toldFiles("received 30000 false")
			e.works()
		}},
		{"E091 file segment of a wrong section", func(e *fileEdge) {
			e.move(writeMoves()[:2]...)
			e.move(fileMove{"", []string{strings.Replace(segment8, "00 01 08", "00 02 08", 1)}, []string{"7c 01 0d 00 01 00 30 75 00 01 00 00 52"}})
			e.toldFiles("received 30000 false")
			e.works()
		}},
		{"E091 section longer than the file", func(e *fileEdge) {
			e.move(writeMoves()[:1]...)
			e.move(fileMove{"", []string{"79 01 0d 00 01 00 30 75 00 01 00 01 09 00 00 00"}, []string{"7c 01 0d 00 01 00 30 75 00 01 00 00 12"}})
			e.toldFiles("received 30000 false")
			e.works()
		}},
		{"section ready: not ready, the transfer ends", func(e *fileEdge) {
			e.move(writeMoves()[:1]...)
			e.move(fileMove{"", []string{sNotReady}, nil})
			e.toldFiles("received 30000 false")
			e.works()
		}},
		{"the disk is full: given up", func(e *fileEdge) {
			e.files.failAt = 7
			e.move(writeMoves()[:2]...)
			e.move(fileMove{"", []string{segment8}, []string{"7c 01 0d 00 01 00 30 75 00 01 00 00 12"}})
			e.toldFiles("received 30000 false")
		}},
		{"the file cannot be kept: not acknowledged", func(e *fileEdge) {
			e.files.closing = func(bool) error { return errors.New("test: disk full") }
			e.move(writeMoves()[:4]...)
			e.move(fileMove{"", []string{fEnd}, []string{"7c 01 0d 00 01 00 30 75 00 01 00 00 12"}})
			e.toldFiles("received 30000 true")
		}},
	}
}

// fileEndRows are the ways a transfer ends early, after each of its steps.
func fileEndRows() (rows []fileRow) {
	reading := []struct {
		what string
		end  func(e *fileEdge, step string)
	}{
		{"deactivate file", func(e *fileEdge, _ string) { e.move(fileMove{"", []string{fStop}, []string{fReady}}) }},
		{"negative acknowledgement of the file", func(e *fileEdge, _ string) { e.move(fileMove{"", []string{fForgotten}, nil}) }},
		{"30 s without progress", func(e *fileEdge, _ string) {
			e.pass(30*time.Second - time.Millisecond)
			e.toldFiles()
			e.wait(time.Millisecond)
			e.expectASDU(fGone)
		}},
		{"connection lost", func(e *fileEdge, _ string) { e.reconnect() }},
		{"STOPDT", func(e *fileEdge, _ string) { e.restart() }},
	}
	for _, r := range reading {
		rows = append(rows, atEveryStep("read: "+r.what, readMoves(), "sent 30000 false", r.end)...)
	}
	writing := []struct {
		what string
		end  func(e *fileEdge, step string)
	}{
		{"stopped by the sender", func(e *fileEdge, _ string) { e.move(fileMove{"", []string{fGone}, nil}) }},
		{"deactivate file", func(e *fileEdge, _ string) { e.move(fileMove{"", []string{fStop}, []string{fReady}}) }},
		{"30 s without progress", func(e *fileEdge, _ string) {
			e.pass(30*time.Second - time.Millisecond)
			e.toldFiles()
			e.wait(time.Millisecond)
			e.expectASDU(fForgotten)
		}},
		{"connection lost", func(e *fileEdge, _ string) { e.reconnect() }},
		{"STOPDT", func(e *fileEdge, _ string) { e.restart() }},
	}
	for _, w := range writing {
		rows = append(rows, atEveryStep("write: "+w.what, writeMoves(), "received 30000 false", w.end)...)
	}
	return append(rows, stopSectionRows()...)
}

// stopSectionRows deactivate the section at every step of a file that is read.
func stopSectionRows() []fileRow {
	unexpected := fileMove{"", []string{sStop}, []string{"7c 01 0d 00 01 00 30 75 00 01 00 01 34"}}
	m := readMoves()
	return []fileRow{
		{"deactivate section without transfer", func(e *fileEdge) { e.move(unexpected); e.works() }},
		{"deactivate section after select", func(e *fileEdge) { e.move(m[0], unexpected); e.move(m[1:]...) }},
		{"deactivate section after call file", func(e *fileEdge) { e.move(m[0], m[1], unexpected); e.move(m[2:]...) }},
		{"deactivate section after call section: stopped, and called again", func(e *fileEdge) {
			e.move(m[:3]...)
			e.move(fileMove{"", []string{sStop}, []string{sStopped}})
			e.move(m[2:]...)
			e.toldFiles("sent 30000 true")
		}},
		{"deactivate section amidst its segments: stopped, checksum of what was sent", func(e *fileEdge) {
			e.files.files[file1] = content(65535)
			e.move(fileMove{"", []string{fSelect}, []string{"78 01 0d 00 01 00 30 75 00 01 00 ff ff 00 00"}},
				fileMove{"", []string{fCall}, []string{"79 01 0d 00 01 00 30 75 00 01 00 01 ff ff 00 00"}})
			e.tell(sCall)
			for range 9 {
				if b := e.nextASDU(); b == nil || b[0] != 125 {
					e.t.Fatalf("received %x, want a segment", b)
				}
			}
			e.tell(sStop) // acknowledges 9; before it is looked at, further ones may go
			n := 9
			b := e.nextASDU()
			for ; b != nil && b[0] == 125; b = e.nextASDU() {
				if n++; n%9 == 0 {
					e.ack()
				}
			}
			if n > 36 {
				e.t.Errorf("%d segments before the section was stopped", n)
			}
			e.compare(b, fmt.Sprintf("7b 01 0d 00 01 00 30 75 00 01 00 01 04 %02x", checksum(0, content(65535)[:n*236])))
			e.move(fileMove{"", []string{fStop}, []string{"78 01 0d 00 01 00 30 75 00 01 00 ff ff 00 00"}})
			e.toldFiles("sent 30000 false")
		}},
		{"deactivate section after acknowledge section", func(e *fileEdge) { e.move(m[:4]...); e.move(unexpected, m[4]) }},
	}
}

// reconnect loses the connection, and makes another.
func (e *fileEdge) reconnect() {
	e.t.Helper()
	e.conn.Close()
	<-e.served
	e.peer = connect(e.t, e.s)
	e.peer.start()
}

// restart stops data transfer and starts it again.
func (e *fileEdge) restart() {
	e.t.Helper()
	e.ack()
	e.send(stopDTAct)
	e.expectControl(stopDTCon)
	e.peer.start()
}

// directoryRows are the requests for directories.
func directoryRows() []fileRow {
	const when = "f3 69 2d 8d 4e 07 1a"
	at, _ := asdu.Parse(octetsOf("67 01 06 00 01 00 00 00 00"+when), asdu.Sizes{})
	stamp := at.AppendObjects(nil)[0].Time
	root := FileID{CA: 1}
	return []fileRow{
		{"directory: SQ=1, LFD in the last entry", func(e *fileEdge) {
			e.files.dirs[root] = []FileInfo{{IOA: 30000, Name: 1, Size: 1000, Time: stamp}, {IOA: 30001, Name: 2, Size: 70000, Time: stamp, Busy: true}}
			e.move(fileMove{"", []string{dirCall}, []string{
				"7e 82 05 00 01 00 30 75 00 01 00 e8 03 00 00" + when + "02 00 70 11 01 a0" + when}})
		}},
		{"directory: several ASDUs, one LFD", func(e *fileEdge) {
			var entries []FileInfo
			for i := range 20 {
				entries = append(entries, FileInfo{IOA: 100 + uint32(i), Name: 1})
			}
			e.files.dirs[root] = append(entries, FileInfo{IOA: 500, Name: 1}, FileInfo{IOA: 90, Name: 1, Directory: true, Status: 3})
			e.tell(dirCall)
			e.expectASDU("7e 81 05 00 01 00 5a 00 00 01 00 00 00 00 43" + strings.Repeat("00", 7))
			entry := "01 00 00 00 00 00" + strings.Repeat("00", 7)
			e.expectASDU("7e 92 05 00 01 00 64 00 00"+strings.Repeat(entry, 18), "7e 82 05 00 01 00 76 00 00"+entry+entry,
				"7e 81 05 00 01 00 f4 01 00 01 00 00 00 00 20"+strings.Repeat("00", 7))
			e.expectSilence()
		}},
		{"directory: empty", func(e *fileEdge) {
			e.files.dirs[root] = nil
			e.move(fileMove{"", []string{dirCall}, []string{"7e 81 05 00 01 00 00 00 00 00 00 00 00 00 20" + strings.Repeat("00", 7)}})
		}},
		{"directory: a sub-directory", func(e *fileEdge) {
			e.files.dirs[FileID{CA: 1, IOA: 90, Name: 1}] = []FileInfo{{IOA: 91, Name: 1, Size: 3}}
			e.move(fileMove{"", []string{"7a 01 05 05 01 00 5a 00 00 01 00 00 00"},
				[]string{"7e 81 05 05 01 00 5b 00 00 01 00 03 00 00 20" + strings.Repeat("00", 7)}})
		}},
		{"directory: unknown", func(e *fileEdge) {
			e.move(fileMove{"", []string{dirCall}, []string{"7a 01 6f 00 01 00 00 00 00 00 00 00 00"}})
		}},
		{"directory: during a transfer", func(e *fileEdge) {
			e.files.dirs[root] = nil
			m := readMoves()
			list := fileMove{"", []string{dirCall}, []string{"7e 81 05 00 01 00 00 00 00 00 00 00 00 00 20" + strings.Repeat("00", 7)}}
			e.move(m[0], list, m[1], list, m[2], list, m[3], list, m[4], list)
			e.toldFiles("sent 30000 true")
		}},
		{"directory: a new file is told spontaneously", func(e *fileEdge) {
			f := FileInfo{IOA: 30001, Name: 2, Size: 70000, Time: stamp}
			e.st.put(f.Event(1))
			e.expectASDU("7e 81 03 00 01 00 31 75 00 02 00 70 11 01 20" + when)
			e.ack()
			e.st.expectRecord(e.t, "started true", "confirm 1")
		}},
	}
}

// fileRefusalRows are what has no place.
func fileRefusalRows() []fileRow {
	af := func(section, action int) string {
		return fmt.Sprintf("7c 01 0d 00 01 00 30 75 00 01 00 %02x %02x", section, action)
	}
	m, w := readMoves(), writeMoves()
	return []fileRow{
		{"E092 second file transfer while one runs", func(e *fileEdge) {
			other := fileMove{"", []string{fSelectOther}, []string{fRefuseOther}}
			same := fileMove{"", []string{fSelect}, []string{fRefused}}
			e.move(m[0], other, same, m[1], other, same, m[2], other, same, m[3], other, same, m[4])
			e.toldFiles("sent 30000 true")
			announce := fileMove{"", []string{fReady}, []string{"78 01 0d 00 01 00 30 75 00 01 00 08 00 00 80"}}
			e.move(w[0], other, announce, w[1], other, announce, w[2], other, announce, w[3], other, announce, w[4])
			e.toldFiles("received 30000 true")
		}},
		{"delete: done, then refused", func(e *fileEdge) {
			e.move(fileMove{"", []string{fDelete}, []string{fDone}})
			e.toldFiles("delete 30000")
			e.move(fileMove{"", []string{fDelete}, []string{fRefused}})
			e.move(fileMove{"", []string{fSelect}, []string{fRefused}})
		}},
		{"delete: refused during a transfer", func(e *fileEdge) {
			e.move(m[0], fileMove{"", []string{fDelete}, []string{fRefused}})
			e.move(m[1:]...)
			e.toldFiles("sent 30000 true")
		}},
		{"deactivate: refused without transfer", func(e *fileEdge) {
			e.move(fileMove{"", []string{fStop}, []string{fRefused}})
		}},
		{"unexpected service without transfer", func(e *fileEdge) {
			e.move(fileMove{"", []string{fCall}, []string{af(0, 0x32)}}, fileMove{"", []string{sCall}, []string{af(1, 0x34)}},
				fileMove{"", []string{sReady}, []string{af(1, 0x34)}}, fileMove{"", []string{sEnd}, []string{af(1, 0x34)}},
				fileMove{"", []string{segment8}, nil}, fileMove{"", []string{sGot}, nil}, fileMove{"", []string{fGot}, nil}, fileMove{"", []string{fRefused}, nil})
			e.works()
		}},
		{"unexpected service during a transfer, which goes on", func(e *fileEdge) {
			section := fileMove{"", []string{sCall}, []string{af(1, 0x34)}}
			file := fileMove{"", []string{fCall}, []string{af(0, 0x32)}}
			e.move(m[0], section, m[1], m[2], section, m[3], section, file, m[4])
			e.toldFiles("sent 30000 true")
			e.move(w[0], section, file, w[1], section, file, w[2], section, w[3], w[4])
			e.toldFiles("received 30000 true")
		}},
		{"unexpected name of file", func(e *fileEdge) {
			e.move(m[0], fileMove{"", []string{"7a 01 0d 00 01 00 30 75 00 02 00 00 02"}, []string{"7c 01 0d 00 01 00 30 75 00 02 00 00 42"}})
			e.move(m[1:]...)
			e.toldFiles("sent 30000 true")
		}},
		{"unexpected name of section", func(e *fileEdge) {
			e.move(m[0], m[1], fileMove{"", []string{"7a 01 0d 00 01 00 30 75 00 01 00 02 06"}, []string{af(2, 0x54)}})
			e.move(m[2:]...)
			e.toldFiles("sent 30000 true")
		}},
		{"test bit: refused, with the test bit", func(e *fileEdge) {
			for _, sent := range []string{fSelect, fDelete} {
				e.move(fileMove{"", []string{strings.Replace(sent, "0d 00", "8d 00", 1)}, []string{strings.Replace(fRefused, "0d 00", "8d 00", 1)}})
			}
			e.toldFiles()
		}},
		{"P/N: ignored", func(e *fileEdge) {
			e.move(fileMove{"", []string{strings.Replace(fSelect, "0d 00", "4d 00", 1)}, nil})
			e.works()
		}},
		{"cause, common address, number of objects: mirrored", func(e *fileEdge) {
			e.move(fileMove{"", []string{strings.Replace(fSelect, "0d 00", "06 00", 1)}, []string{strings.Replace(fSelect, "0d 00", "6d 00", 1)}},
				fileMove{"", []string{strings.Replace(fSelect, "0d 00", "05 00", 1)}, []string{strings.Replace(fSelect, "0d 00", "6d 00", 1)}},
				fileMove{"", []string{strings.Replace(fSelect, "0d 00 01", "0d 00 02", 1)}, []string{strings.Replace(fSelect, "0d 00 01", "6e 00 02", 1)}},
				fileMove{"", []string{"7a 02 0d 00 01 00 30 75 00 01 00 00 01 31 75 00 01 00 00 01"}, []string{"7a 02 6f 00 01 00 30 75 00 01 00 00 01 31 75 00 01 00 00 01"}})
			e.works()
		}},
		{"directory in control direction, and query log: unknown types", func(e *fileEdge) {
			dr := "7e 81 0d 00 01 00 30 75 00 01 00 e8 03 00 00 f3 69 2d 8d 4e 07 1a"
			log := "7f 01 0d 00 01 00 30 75 00 03 00 00 00 00 80 4e 07 1a 00 00 00 8c 4e 07 1a"
			for _, b := range []string{dr, log} {
				e.move(fileMove{"", []string{b}, []string{strings.Replace(b, "0d 00", "6c 00", 1)}})
			}
		}},
		{"a station without files: unknown types", func(e *fileEdge) {
			e.st.files = nil
			for _, b := range []string{fReady, sReady, fSelect, dirCall, sEnd, fGot, segment8} {
				mirrored := strings.Replace(strings.Replace(b, "0d 00", "6c 00", 1), "05 00 01 00 00", "6c 00 01 00 00", 1)
				e.move(fileMove{"", []string{b}, []string{mirrored}})
			}
		}},
	}
}
