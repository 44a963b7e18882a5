package iec104

import (
	"bytes"
	"context"
	"testing"
	"testing/synctest"

	"busbar/iec104/apci"
	"busbar/iec104/asdu"
)

// FuzzServer sends octets to a started connection, and as an ASDU in a frame
// with the right numbers to another. Nothing may panic or hang, every frame
// that comes back must be one, and their number is bounded.
func FuzzServer(f *testing.F) {
	for _, s := range []string{testFRAct, stopDTAct, giNumbered, "68 04 01 00 00 00", "68", "34 01 06 05 01 00 88 13 00 01",
		giAct, "65 01 06 00 ff ff 00 00 00 05", "66 01 05 00 01 00 64 00 00", "2d 02 06 05 01 00 88 13 00 01 8a 13 00 01",
		"6e 01 06 00 01 00 f4 01 00 48 01 01", "71 01 06 00 01 00 00 00 00 01", fSelect, fReady, dirCall, fDelete} {
		f.Add(octetsOf(s))
	}
	f.Fuzz(func(t *testing.T, octets []byte) {
		synctest.Test(t, func(t *testing.T) {
			st := newTestStation()
			st.points[1] = many(1, 300)
			st.counters = []Item{{Type: asdu.M_IT_NA_1, Object: asdu.Object{IOA: 1}}}
			st.verdict = func(c Command) Verdict { return Verdict(c.IOA % 3) }
			st.files, st.parameters = fuzzFiles(), map[uint32]Parameter{500: {}}
			s := newTestServer(t, st, ServerConfig{})
			raw, framed := connect(t, s), connect(t, s)
			raw.start()
			raw.sendOctets(octets)
			framed.start()
			framed.sendOctets(apci.AppendI(nil, 0, 0, octets[:min(len(octets), apci.MaxASDU)]))
			for _, p := range []*peer{raw, framed} {
				for n := 0; p.next() != nil; n++ {
					if n > 20+len(octets) {
						t.Fatalf("%d frames and more come back", n)
					}
				}
				p.conn.Close()
				<-p.served
			}
			if n := len(s.Conns()); n != 0 {
				t.Errorf("%d connections left", n)
			}
		})
	})
}

// FuzzClient sends octets to a client that has one request open, or all, and as
// an ASDU in a frame with the right numbers to another. Nothing may panic or hang,
// and every request ends.
func FuzzClient(f *testing.F) {
	for i, s := range []string{giCon, "65 01 07 00 ff ff 00 00 00 05", "01 01 05 00 01 00 64 00 00 01", "2d 01 07 00 01 00 88 13 00 01",
		"70 01 07 00 01 00 09 00 00 00 00 80 3f 81", "64 01 09 00 01 00 00 00 00 14", giEnd, "64 01 07 00 01 00", "70 01 07 00 01 00",
		"66 01 05 00 01 00", "2d 01 2f 00 01 00 88 13 00 01", "46 01 04 00 01 00 00 00 00 00", "01 82 14 00 01 00 ff ff ff 01 00",
		"0f 01 25 00 01 00 20 03 00 15 cd 5b 07 05", testFRAct, startDTAct, stopDTCon, "68 04 01 00 00 00", "68", "68 0e 00 00 02 00" + giCon,
		fReady, fCall, "7e 81 05 00 01 00 00 00 00 00 00 00 00 00 20 f3 69 2d 8d 4e 07 1a"} {
		f.Add(uint8(i), octetsOf(s))
	}
	requests := []func(ctx context.Context, c *Client) error{
		func(ctx context.Context, c *Client) error { _, err := c.Interrogate(ctx, 1, 20); return err },
		func(ctx context.Context, c *Client) error { _, err := c.Counters(ctx, asdu.GlobalCA, 5, 0); return err },
		func(ctx context.Context, c *Client) error { _, err := c.Read(ctx, 1, 100); return err },
		func(ctx context.Context, c *Client) error {
			return c.Command(ctx, Operation{CA: 1, IOA: 5000, Type: asdu.C_SC_NA_1, Value: 1})
		},
		func(ctx context.Context, c *Client) error {
			_, err := c.SetParameter(ctx, Parameter{CA: 1, IOA: 9, Type: asdu.P_ME_NC_1, Qualifier: 1})
			return err
		},
		func(ctx context.Context, c *Client) error { return c.CancelInterrogation(ctx, 1, 20) },
		readFile1, writeFile1,
		func(ctx context.Context, c *Client) error { _, err := c.Directory(ctx, FileID{CA: 1}); return err },
	}
	f.Fuzz(func(t *testing.T, which uint8, octets []byte) {
		open := requests
		if n := int(which) % (len(requests) + 1); n < len(requests) {
			open = requests[n : n+1]
		}
		synctest.Test(t, func(t *testing.T) {
			for _, framed := range []bool{false, true} {
				r := newRig(t, Params{}, media()[0])
				r.start()
				var out []<-chan outcome
				for _, request := range open {
					out = append(out, r.request(func(ctx context.Context) error { return request(ctx, r.c) }))
				}
				if framed {
					octets = apci.AppendI(nil, 0, apci.Seq(r.c.Info().VS), octets[:min(len(octets), apci.MaxASDU)])
				}
				r.sendOctets(octets)
				for n := 0; r.next() != nil; n++ {
					if n > 20+len(octets) {
						t.Fatalf("%d frames and more come back", n)
					}
				}
				r.conn.Close()
				r.wait(0)
				for _, o := range out {
					r.outcome(o)
				}
			}
		})
	})
}

func fuzzFiles() *testFiles {
	f := newTestFiles()
	f.files[file1] = []byte{1, 2, 3, 4, 5, 6, 7, 8}
	f.dirs[FileID{CA: 1}] = []FileInfo{{IOA: 30000, Name: 1, Size: 8}, {IOA: 90, Name: 1, Directory: true}}
	return f
}

func readFile1(ctx context.Context, c *Client) error {
	var dst memFile
	n, err := c.ReadFile(ctx, FileTransfer{FileID: file1}, &dst)
	if err == nil && int(n) != len(dst.b) {
		panic("a file that is not whole was taken for one")
	}
	return err
}

func writeFile1(ctx context.Context, c *Client) error {
	return c.WriteFile(ctx, FileTransfer{FileID: file1}, bytes.NewReader(make([]byte, 700)), 700)
}

// FuzzFiles sends ASDUs, each behind its length, one after the other to a station with
// files, and to clients that read and that write one. Nothing may panic or hang, every
// transfer ends with the connection, and a file is told to be complete only after a
// checksum.
func FuzzFiles(f *testing.F) {
	seed := func(asdus ...string) (b []byte) {
		for _, a := range asdus {
			o := octetsOf(a)
			b = append(append(b, byte(len(o))), o...)
		}
		return b
	}
	f.Add(seed(fSelect, fCall, sCall, sGot, fGot))
	f.Add(seed(fSelect, fCall, sCall, sFailed, sCall, sStop, sCall, fStop, fDelete, dirCall))
	f.Add(seed(fReady, sReady, segment8, sEnd, fEnd))
	f.Add(seed(fReady, sReady, segment8, sWrong, sReady, segment8, sStopped, sReady, segment8, segment8))
	f.Add(seed(fReady, fGone, sNotReady, fEndWrong, fRefused, fSelectOther))
	f.Fuzz(func(t *testing.T, b []byte) {
		var asdus []string
		for len(b) > 1 && len(asdus) < 100 {
			n := min(int(b[0]), len(b)-1, apci.MaxASDU)
			asdus = append(asdus, hexOf(b[1:1+n]))
			b = b[1+n:]
		}
		synctest.Test(t, func(t *testing.T) {
			e := newFileEdge(t, ServerConfig{})
			e.files.dirs = fuzzFiles().dirs
			fuzzSteps(t, e.peer, asdus)
			<-e.served
			if e.files.open != 0 {
				t.Errorf("%d files were not closed", e.files.open)
			}
			for _, request := range []func(context.Context, *Client) error{readFile1, writeFile1} {
				r := newRig(t, Params{}, media()[0])
				r.start()
				out := r.request(func(ctx context.Context) error { return request(ctx, r.c) })
				fuzzSteps(t, r.peer, asdus)
				r.wait(0)
				r.outcome(out)
			}
		})
	})
}

// fuzzSteps tells ASDUs, takes what is answered, and closes the connection.
func fuzzSteps(t *testing.T, p *peer, asdus []string) {
	t.Helper()
	for _, a := range asdus {
		if len(a) > 0 && !p.closed() {
			p.tell(a)
		}
		for n := 0; ; n++ {
			b := p.next()
			if b == nil {
				break
			}
			if b[2]&1 == 0 {
				p.vr = (p.vr + 1) % apci.Modulus
			}
			if n > 300 {
				t.Fatalf("%d frames come back at once", n)
			}
		}
	}
	p.conn.Close()
	p.wait(0)
}
