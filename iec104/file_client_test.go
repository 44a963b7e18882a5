package iec104

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"busbar/iec104/asdu"
)

// fileRig is a controlling station, and a station of files that is played by hand.
type fileRig struct {
	*rig
	dst      memFile
	progress []uint32
	cancel   context.CancelFunc
}

type fileRigRow struct {
	row    string
	script func(r *fileRig)
}

func TestClientFiles(t *testing.T) {
	t.Parallel()
	var rows []fileRigRow
	for _, table := range [][]fileRigRow{readFileRows(), writeFileRows(), listRows(), readEndRows(), writeEndRows(), overlapRows()} {
		rows = append(rows, table...)
	}
	for _, row := range rows {
		inBubble(t, row.row, func(t *testing.T) {
			r := &fileRig{rig: newRig(t, Params{}, media()[0])}
			r.start()
			row.script(r)
		})
	}
}

// reading has the client read the file.
func (r *fileRig) reading(limit uint32) <-chan outcome {
	r.t.Helper()
	r.dst, r.progress = memFile{}, nil
	out := r.begin(func(ctx context.Context) error {
		f := FileTransfer{FileID: file1, Limit: limit, Progress: func(done, _ uint32) { r.progress = append(r.progress, done) }}
		_, err := r.c.ReadFile(ctx, f, &r.dst)
		return err
	})
	r.expectASDU(fSelect)
	return out
}

// writing has the client write the file.
func (r *fileRig) writing() <-chan outcome {
	r.t.Helper()
	out := r.begin(func(ctx context.Context) error {
		return r.c.WriteFile(ctx, FileTransfer{FileID: file1}, bytes.NewReader(octets(r.t, "0102030405060708")), 8)
	})
	r.expectASDU(fReady)
	return out
}

// begin begins a request that can be cancelled.
func (r *fileRig) begin(f func(ctx context.Context) error) <-chan outcome {
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	return r.request(func(context.Context) error {
		defer cancel()
		return f(ctx)
	})
}

// works checks that both transfers work.
func (r *fileRig) works() {
	r.t.Helper()
	done := r.reading(0)
	r.move(writeMoves()...)
	r.succeeds(done)
	if !bytes.Equal(r.dst.b, []byte{1, 2, 3, 4, 5, 6, 7, 8}) {
		r.t.Fatalf("read % x", r.dst.b)
	}
	done = r.writing()
	r.move(readMoves()[1:]...)
	r.succeeds(done)
}

// readFileRows are files read from a station. The station's steps are those of one that
// writes to the other.
func readFileRows() []fileRigRow {
	m := writeMoves()
	failsWith := func(row string, before []fileMove, last fileMove, want error) fileRigRow {
		return fileRigRow{row, func(r *fileRig) {
			done := r.reading(0)
			r.move(before...)
			r.move(last)
			r.fails(done, want)
			r.works()
		}}
	}
	refused := func(row string, before []fileMove, sent string, cause asdu.Cause) fileRigRow {
		return fileRigRow{row, func(r *fileRig) {
			done := r.reading(0)
			r.move(before...)
			r.move(fileMove{"", []string{sent}, nil})
			r.denied(done, cause)
			r.works()
		}}
	}
	again := []fileMove{{"", []string{sWrong}, []string{sFailed}}, m[1], m[2]}
	thrice := slices.Concat(m[:3], again, again, again)
	return []fileRigRow{
		{"a file is read", func(r *fileRig) {
			r.works()
			if !slices.Equal(r.progress, []uint32{8}) {
				r.t.Errorf("progress %v", r.progress)
			}
		}},
		{"a checksum fails: the section comes again", func(r *fileRig) {
			done := r.reading(0)
			r.move(thrice...)
			r.move(m[3:]...)
			r.succeeds(done)
		}},
		failsWith("a checksum fails four times", thrice, fileMove{"", []string{sWrong}, []string{fFailed}}, ErrChecksum),
		failsWith("the checksum of the file fails", m[:4], fileMove{"", []string{fEndWrong}, []string{fFailed}}, ErrChecksum),
		failsWith("E091 file segment longer than announced", m[:3],
			fileMove{"", []string{segment8}, []string{"7c 01 0d 00 01 00 30 75 00 01 00 00 12"}}, ErrUnexpected),
		failsWith("E091 file segment of a wrong section", m[:2],
			fileMove{"", []string{strings.Replace(segment8, "00 01 08", "00 02 08", 1)}, []string{"7c 01 0d 00 01 00 30 75 00 01 00 00 52"}}, ErrUnexpected),
		failsWith("E091 section longer than the file", m[:1],
			fileMove{"", []string{"79 01 0d 00 01 00 30 75 00 01 00 01 09 00 00 00"}, []string{"7c 01 0d 00 01 00 30 75 00 01 00 00 12"}}, ErrUnexpected),
		refused("select: negative", nil, fRefused, asdu.File),
		refused("select: unknown type", nil, "7a 01 6c 00 01 00 30 75 00 01 00 00 01", asdu.UnknownType),
		refused("select: unknown common address, P/N = 0", nil, "7a 01 2e 00 01 00 30 75 00 01 00 00 01", asdu.UnknownCA),
		refused("call file: section not ready", m[:1], sNotReady, asdu.File),
		refused("call section: mirrored with P/N = 1", m[:2], "7a 01 4d 00 01 00 30 75 00 01 00 01 06", asdu.File),
		refused("call section: unknown address", m[:2], "7a 01 6f 00 01 00 30 75 00 01 00 01 06", asdu.UnknownIOA),
		{"E091 a file larger than the own limit is deactivated", func(r *fileRig) {
			done := r.reading(7)
			r.tell(fReady)
			r.fails(done, ErrTooLarge)
			r.expectASDU(fStop)
			r.tell(fDone)
			r.works()
		}},
		{"dst fails: deactivated", func(r *fileRig) {
			broken := errors.New("test: disk full")
			done := r.begin(func(ctx context.Context) error {
				_, err := r.c.ReadFile(ctx, FileTransfer{FileID: file1}, brokenFile{broken})
				return err
			})
			r.expectASDU(fSelect)
			r.move(m[:2]...)
			r.move(fileMove{"", []string{segment8}, []string{fStop}})
			r.fails(done, broken)
			r.tell(fDone)
			r.works()
		}},
		{"what belongs to no transfer is ignored", func(r *fileRig) {
			r.move(fileMove{"", []string{fReady, sReady, segment8, sEnd, fEnd, fStop}, nil})
			done := r.reading(0)
			strays := []string{"78 01 0d 00 01 00 31 75 00 01 00 08 00 00 00", sGot, fCall, sCall, "79 01 0d 00 02 00 30 75 00 01 00 01 08 00 00 00"}
			for i := range m {
				r.move(fileMove{"", strays[i : i+1], nil}, m[i])
			}
			r.succeeds(done)
		}},
	}
}

type brokenFile struct{ err error }

func (f brokenFile) WriteAt([]byte, int64) (int, error) { return 0, f.err }

// writeFileRows are files written to a station.
func writeFileRows() []fileRigRow {
	m := readMoves()[1:]
	again := []fileMove{{"", []string{sFailed}, []string{sReady}}, m[1]}
	thrice := slices.Concat(m[:2], again, again, again)
	failsWith := func(row string, before []fileMove, last fileMove, want error) fileRigRow {
		return fileRigRow{row, func(r *fileRig) {
			done := r.writing()
			r.move(before...)
			r.move(last)
			r.fails(done, want)
			r.works()
		}}
	}
	return []fileRigRow{
		{"a section fails: it is sent again", func(r *fileRig) {
			done := r.writing()
			r.move(thrice...)
			r.move(m[2:]...)
			r.succeeds(done)
		}},
		failsWith("a section fails four times", thrice, fileMove{"", []string{sFailed}, []string{fGone}}, ErrChecksum),
		failsWith("the file fails", m[:3], fileMove{"", []string{fFailed}, nil}, ErrChecksum),
		failsWith("the station has no memory", m[:1], fileMove{"", []string{"7c 01 0d 00 01 00 30 75 00 01 00 00 12"}, nil}, ErrAborted),
		{"announce: negative", func(r *fileRig) {
			done := r.writing()
			r.tell(fRefused)
			r.denied(done, asdu.File)
			r.works()
		}},
		{"announce: unknown type", func(r *fileRig) {
			done := r.writing()
			r.tell("78 01 6c 00 01 00 30 75 00 01 00 08 00 00 00")
			r.denied(done, asdu.UnknownType)
			r.works()
		}},
		{"src is too short: stopped", func(r *fileRig) {
			done := r.begin(func(ctx context.Context) error {
				return r.c.WriteFile(ctx, FileTransfer{FileID: file1}, bytes.NewReader([]byte{1, 2, 3}), 8)
			})
			r.expectASDU(fReady)
			r.move(fileMove{"", []string{fCall}, []string{fGone}})
			if o := r.outcome(done); o.err == nil {
				r.t.Fatal("a file that was too short was sent")
			}
			r.works()
		}},
	}
}

// readEndRows end the reading of a file after each of its steps.
func readEndRows() (rows []fileRigRow) {
	return fileEnds("read", writeMoves(), func(r *fileRig) <-chan outcome { return r.reading(0) }, func(r *fileRig, begun bool) {
		r.expectASDU(fStop)
		if !begun {
			r.tell(fReady)
		}
		r.tell(fReady)
	}, fGone)
}

// writeEndRows end the writing of a file after each of its steps.
func writeEndRows() (rows []fileRigRow) {
	return fileEnds("write", readMoves()[1:], (*fileRig).writing, func(r *fileRig, _ bool) { r.expectASDU(fGone) }, fStop)
}

// fileEnds returns rows that end a transfer after each of its steps; told expects what the
// station is told of it, and peerEnd is how the station itself ends it.
func fileEnds(what string, moves []fileMove, begin func(*fileRig) <-chan outcome, told func(r *fileRig, begun bool), peerEnd string) (rows []fileRigRow) {
	ends := []struct {
		name string
		end  func(r *fileRig, done <-chan outcome, begun bool)
	}{
		{"cancelled", func(r *fileRig, done <-chan outcome, begun bool) {
			r.cancel()
			r.fails(done, context.Canceled)
			told(r, begun)
		}},
		{"30 s without progress", func(r *fileRig, done <-chan outcome, begun bool) {
			r.pass(30*time.Second - time.Millisecond)
			r.waits(done)
			r.wait(time.Millisecond)
			r.fails(done, ErrTimeout)
			told(r, begun)
		}},
		{"ended by the station", func(r *fileRig, done <-chan outcome, _ bool) {
			r.tell(peerEnd)
			r.fails(done, ErrAborted)
		}},
		{"negative acknowledgement", func(r *fileRig, done <-chan outcome, _ bool) {
			r.tell("7c 01 0d 00 01 00 30 75 00 01 00 00 32")
			r.fails(done, ErrAborted)
		}},
		{"STOPDT", func(r *fileRig, done <-chan outcome, _ bool) {
			r.ack()
			stopped := r.stopping()
			r.expectControl(stopDTAct)
			r.fails(done, ErrNotStarted)
			r.send(stopDTCon)
			if err := <-stopped; err != nil {
				r.t.Fatal(err)
			}
			r.start()
		}},
		{"restart of the station", func(r *fileRig, done <-chan outcome, _ bool) {
			r.tell("46 01 04 00 01 00 00 00 00 00")
			r.fails(done, ErrRestarted)
		}},
	}
	for n := range moves {
		step := "the announcement"
		if n > 0 {
			step = moves[n-1].name
		}
		for _, e := range ends {
			rows = append(rows, fileRigRow{fmt.Sprintf("%s: %s after %s", what, e.name, step), func(r *fileRig) {
				done := begin(r)
				r.move(moves[:n]...)
				e.end(r, done, n > 0)
				r.expectSilence()
				r.works()
			}})
		}
		rows = append(rows, fileRigRow{fmt.Sprintf("%s: connection lost after %s", what, step), func(r *fileRig) {
			done := begin(r)
			r.move(moves[:n]...)
			r.conn.Close()
			r.fails(done, ErrClosed)
		}})
	}
	return rows
}

// listRows ask for directories, and delete.
func listRows() []fileRigRow {
	const when = "f3 69 2d 8d 4e 07 1a"
	list := func(r *fileRig, got *[]FileInfo) <-chan outcome {
		done := r.begin(func(ctx context.Context) (err error) {
			*got, err = r.c.Directory(ctx, FileID{CA: 1})
			return err
		})
		r.expectASDU(dirCall)
		return done
	}
	remove := func(r *fileRig) <-chan outcome {
		done := r.begin(func(ctx context.Context) error { return r.c.DeleteFile(ctx, file1) })
		r.expectASDU(fDelete)
		return done
	}
	return []fileRigRow{
		{"directory in several parts, a new file between them", func(r *fileRig) {
			var got []FileInfo
			done := list(r, &got)
			r.tell("7e 81 05 00 01 00 5a 00 00 01 00 00 00 00 43"+when, "7e 81 03 00 01 00 ff 00 00 01 00 00 00 00 20"+when,
				"7e 82 05 00 01 00 30 75 00 01 00 e8 03 00 00"+when+"02 00 70 11 01 a0"+when)
			r.succeeds(done)
			if len(got) != 3 || got[0].IOA != 90 || !got[0].Directory || got[0].Status != 3 || got[1].Size != 1000 || got[2].IOA != 30001 ||
				got[2].Size != 70000 || !got[2].Busy || got[2].Time == 0 {
				r.t.Errorf("got %+v", got)
			}
			r.objects(4) // the handler has them all
		}},
		{"directory: empty", func(r *fileRig) {
			got := []FileInfo{{}}
			done := list(r, &got)
			r.tell("7e 81 05 00 01 00 00 00 00 00 00 00 00 00 20" + when)
			r.succeeds(done)
			if len(got) != 0 {
				r.t.Errorf("got %+v", got)
			}
		}},
		{"directory: refused", func(r *fileRig) {
			var got []FileInfo
			done := list(r, &got)
			r.tell("7a 01 6f 00 01 00 00 00 00 00 00 00 00")
			r.denied(done, asdu.UnknownIOA)
			done = list(r, &got)
			r.tell("7c 01 0d 00 01 00 00 00 00 00 00 00 32")
			r.denied(done, asdu.File)
			r.works()
		}},
		{"directory: incomplete; what comes late is not taken for another", func(r *fileRig) {
			var got []FileInfo
			done := list(r, &got)
			r.tell("7e 81 05 00 01 00 5a 00 00 01 00 00 00 00 00" + when)
			r.pass(30 * time.Second)
			r.fails(done, ErrIncomplete)
			done = r.begin(func(ctx context.Context) (err error) {
				got, err = r.c.Directory(ctx, FileID{CA: 1})
				return err
			})
			r.tell("7e 81 05 00 01 00 5b 00 00 01 00 00 00 00 20" + when)
			r.expectASDU(dirCall)
			r.tell("7e 81 05 00 01 00 5c 00 00 01 00 00 00 00 20" + when)
			r.succeeds(done)
			if len(got) != 1 || got[0].IOA != 92 {
				r.t.Errorf("got %+v", got)
			}
		}},
		{"delete", func(r *fileRig) {
			done := remove(r)
			r.tell(fDone)
			r.succeeds(done)
			done = remove(r)
			r.tell(fRefused)
			r.denied(done, asdu.File)
			done = remove(r)
			r.pass(30 * time.Second)
			r.fails(done, ErrTimeout)
			r.wait(stoppedWait)
			r.works()
		}},
	}
}

// overlapRows begin a transfer while another one runs or ends.
func overlapRows() []fileRigRow {
	return []fileRigRow{
		{"E092 second file transfer while one runs", func(r *fileRig) {
			done := r.reading(0)
			for _, request := range []func() error{
				func() error {
					_, err := r.c.ReadFile(context.Background(), FileTransfer{FileID: file1}, &memFile{})
					return err
				},
				func() error { return r.c.WriteFile(context.Background(), FileTransfer{FileID: file1}, nil, 0) },
				func() error { return r.c.DeleteFile(context.Background(), file1) },
				func() error { _, err := r.c.Directory(context.Background(), file1); return err },
			} {
				if err := request(); !errors.Is(err, ErrBusy) {
					r.t.Errorf("got %v, want ErrBusy", err)
				}
			}
			r.move(writeMoves()...)
			r.succeeds(done)
		}},
		{"a section that comes again without being called is taken", func(r *fileRig) {
			m := writeMoves()
			done := r.reading(0)
			r.move(m[:3]...)
			r.move(fileMove{"", []string{sWrong}, []string{sFailed}})
			r.tell(sReady, segment8, sEnd)
			r.expectASDU(sCall, sGot)
			r.move(m[4])
			r.succeeds(done)
		}},
		{"a transfer that was given up and is not answered holds the next one up for 4 s after its last segment", func(r *fileRig) {
			done := r.reading(0)
			r.cancel()
			r.fails(done, context.Canceled)
			r.expectASDU(fStop)
			next := r.begin(func(ctx context.Context) error {
				_, err := r.c.ReadFile(ctx, FileTransfer{FileID: file1}, &memFile{})
				return err
			})
			r.wait(stoppedWait - time.Millisecond)
			r.tell(segment8)
			r.silence(stoppedWait - time.Millisecond)
			r.wait(time.Millisecond)
			r.expectASDU(fSelect)
			r.move(writeMoves()...)
			r.succeeds(next)
		}},
		{"a transfer that was given up after the selection: both answers come before the next one", func(r *fileRig) {
			done := r.reading(0)
			r.cancel()
			r.fails(done, context.Canceled)
			r.expectASDU(fStop)
			r.tell(fReady)
			next := r.begin(func(ctx context.Context) error {
				_, err := r.c.ReadFile(ctx, FileTransfer{FileID: file1}, &memFile{})
				return err
			})
			r.expectSilence()
			r.tell(fReady)
			r.expectASDU(fSelect)
			r.move(writeMoves()...)
			r.succeeds(next)
		}},
		{"the station is told although the connection is closed at once", func(r *fileRig) {
			done := r.reading(0)
			r.move(writeMoves()[:2]...)
			go func() {
				r.cancel()
				<-done
				_ = r.c.Close() // the rig closes it again and looks at the error
			}()
			synctest.Wait()
			r.expectASDU(fStop)
		}},
		{"common addresses that are not one station's", func(r *fileRig) {
			for _, ca := range []uint16{0, asdu.GlobalCA} {
				if err := r.c.DeleteFile(context.Background(), FileID{CA: ca}); err == nil {
					r.t.Errorf("common address %d was taken", ca)
				}
			}
			if err := r.c.WriteFile(context.Background(), FileTransfer{FileID: file1}, nil, MaxFile+1); !errors.Is(err, ErrTooLarge) {
				r.t.Errorf("got %v, want ErrTooLarge", err)
			}
			synctest.Wait()
			r.expectSilence()
		}},
	}
}
