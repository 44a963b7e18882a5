package iec104

import (
	"testing"
	"testing/synctest"
	"time"
)

// bubble runs a test with a connected peer of a station under virtual time.
func bubble(t *testing.T, cfg ServerConfig, script func(t *testing.T, st *testStation, p *peer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		st := newTestStation()
		script(t, st, connect(t, newTestServer(t, st, cfg)))
	})
}

func TestFramesAreServed(t *testing.T) {
	t.Parallel()
	for name, pieces := range map[string][]string{
		"all at once":      {testFRAct + startDTAct + giNumbered},
		"octet by octet":   split(testFRAct + startDTAct + giNumbered),
		"cut after length": {"68 04", "43 00 00 00" + "68 04 07 00 00", "00" + giNumbered},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, ServerConfig{}, func(t *testing.T, st *testStation, p *peer) {
				for _, piece := range pieces {
					p.send(piece)
				}
				p.expect(testFRCon, startDTCon)
				p.vs = 1
				p.expectASDU(giCon, giEnd)
				p.expectSilence()
			})
		})
	}
}

// giNumbered is a general interrogation as the first I frame.
const giNumbered = "68 0e 00 00 00 00" + giAct

// split returns hexadecimal digits octet by octet.
func split(digits string) (pieces []string) {
	for _, c := range digits {
		if c == ' ' {
			continue
		}
		if n := len(pieces); n > 0 && len(pieces[n-1]) == 1 {
			pieces[n-1] += string(c)
		} else {
			pieces = append(pieces, string(c))
		}
	}
	return pieces
}

func TestViolationsCloseTheConnection(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		started bool
		octets  string
		want    Reason
	}{
		{"wrong start octet", false, "67 04 43 00 00 00", BadStart},
		{"junk between frames", false, "00" + testFRAct, BadStart},
		{"length 3", false, "68 03 43 00 00", BadLength},
		{"length 254, before the rest is there", false, "68 fe", BadLength},
		{"u frame with length 5", false, "68 05 43 00 00 00 00", BadControlLength},
		{"u frame with two functions", false, "68 04 0f 00 00 00", BadFunction},
		{"i frame while stopped", false, giNumbered, NotStarted},
		{"s frame while stopped", false, "68 04 01 00 00 00", NotStarted},
		{"gap in n(s)", true, "68 0e 02 00 00 00" + giAct, BadSendNumber},
		{"n(r) of frames never sent", true, "68 04 01 00 02 00", BadAck},
		{"i frame without asdu", true, "68 04 00 00 00 00", BadASDU},
		{"asdu cut short", true, "68 0d 00 00 00 00 64 01 06 00 01 00 00 00 00", BadASDU},
		{"surplus octets", true, "68 0f 00 00 00 00" + giAct + "00", BadASDU},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			bubble(t, ServerConfig{}, func(t *testing.T, st *testStation, p *peer) {
				if tt.started {
					p.start()
				}
				p.send(tt.octets)
				p.expectClosed(tt.want)
			})
		})
	}
}

func TestStopWaitsForAcknowledgement(t *testing.T) {
	t.Parallel()
	bubble(t, ServerConfig{}, func(t *testing.T, st *testStation, p *peer) {
		p.start()
		st.put(event(100, 1))
		p.expectASDU("01 01 03 00 01 00 64 00 00 01")
		p.send(stopDTAct)
		p.expectSilence()
		st.put(event(101, 1))
		p.send(stopDTAct) // again: still nothing to confirm
		p.expectSilence()
		p.ack()
		p.expect(stopDTCon)
		st.expectRecord(t, "started true", "started false", "confirm 1")
		p.start()
		p.expectASDU("01 01 03 00 01 00 65 00 00 01")
	})
}

func TestStopAcknowledgesFirst(t *testing.T) {
	t.Parallel()
	bubble(t, ServerConfig{}, func(t *testing.T, st *testStation, p *peer) {
		p.start()
		p.send("68 0e 00 00 00 00 64 01 0a 00 01 00 00 00 00 14") // never answered
		p.expectSilence()
		p.send(stopDTAct)
		p.expect("68 04 01 00 02 00", stopDTCon)
		p.send(stopDTAct)
		p.expect(stopDTCon)
		p.tell(giAct)
		p.expectClosed(NotStarted)
	})
}

func TestTimers(t *testing.T) {
	t.Parallel()
	cfg := ServerConfig{Params: Params{T1: 15 * time.Second, T2: 10 * time.Second, T3: 20 * time.Second}}
	const ms = time.Millisecond
	answered := "64 01 0a 00 01 00 00 00 00 14" // an I frame without an answer
	tests := map[string]func(st *testStation, p *peer){
		"t3 then t1 while stopped": func(_ *testStation, p *peer) {
			p.wait(20*time.Second - ms)
			p.expectSilence()
			p.wait(ms)
			p.expect(testFRAct)
			p.wait(15*time.Second - ms)
			p.expectSilence()
			p.wait(ms)
			p.expectClosed(NoTestCon)
		},
		"t3 restarts with every frame received": func(_ *testStation, p *peer) {
			p.wait(19 * time.Second)
			p.send(testFRCon)
			p.wait(20*time.Second - ms)
			p.expectSilence()
			p.wait(ms)
			p.expect(testFRAct)
			p.send(testFRCon)
			p.wait(20 * time.Second)
			p.expect(testFRAct)
		},
		"t2 after the first frame, not the last": func(_ *testStation, p *peer) {
			p.start()
			p.tell(answered)
			p.wait(9 * time.Second)
			p.tell(answered)
			p.wait(time.Second - ms)
			p.expectSilence()
			p.wait(ms)
			p.expect("68 04 01 00 04 00")
			p.wait(9 * time.Second)
			p.expectSilence()
		},
		"t1 of the oldest i frame, whatever else comes": func(st *testStation, p *peer) {
			p.start()
			st.put(event(1, 0))
			p.expectASDU("01 01 03 00 01 00 01 00 00 00")
			p.wait(5 * time.Second)
			st.put(event(2, 0))
			p.expectASDU("01 01 03 00 01 00 02 00 00 00")
			p.send("68 04 01 00 00 00", testFRAct)
			p.expect(testFRCon)
			p.wait(10*time.Second - ms)
			p.expectSilence()
			p.wait(ms)
			p.expectClosed(NoAck)
		},
		"t1 of an incomplete frame": func(_ *testStation, p *peer) {
			p.send("68")
			p.wait(14 * time.Second)
			p.send("04 43")
			p.wait(time.Second - ms)
			p.expectSilence()
			p.wait(ms)
			p.expectClosed(Incomplete)
		},
		"t1 of a peer that does not read": func(st *testStation, p *peer) {
			p.pause()
			p.send(testFRAct)
			p.wait(15 * time.Second)
			p.resume()
			p.expectClosed(WriteStalled)
		},
	}
	for name, script := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, cfg, func(_ *testing.T, st *testStation, p *peer) { script(st, p) })
		})
	}
}

func TestWindow(t *testing.T) {
	t.Parallel()
	cfg := ServerConfig{Params: Params{K: 3, W: 2}, MaxObjectsPerASDU: 1}
	bubble(t, cfg, func(t *testing.T, st *testStation, p *peer) {
		p.start()
		for i := range uint32(7) {
			st.put(event(i, 0))
		}
		for i := range 3 {
			p.expectASDU(single1(i))
		}
		p.expectSilence()
		p.send("68 04 01 00 02 00")
		p.expectASDU(single1(3))
		p.expectSilence()
		p.ack()
		p.expectASDU(single1(4), single1(5), single1(6))
		p.ack()
		st.expectRecord(t, "started true", "confirm 1", "confirm 3", "confirm 3")
		// w: two of the peer's are acknowledged at once, one is not.
		for range 5 {
			p.tell("64 01 0a 00 01 00 00 00 00 14")
		}
		p.expect("68 04 01 00 04 00", "68 04 01 00 08 00")
		p.expectSilence()
	})
}

// single1 is the ASDU of event(i, 0).
func single1(i int) string {
	return "01 01 03 00 01 00 " + string("0123456789abcdef"[i>>4]) + string("0123456789abcdef"[i&15]) + " 00 00 00"
}

func TestAPeerThatSpeaksTLSOnAPlainPortIsNamed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, newTestServer(t, newTestStation(), ServerConfig{}))
		p.send("16 03 01 00 c8 01")
		err := <-p.served
		if want := "iec104: bad start octet: apci: no start octet: TLS on a port without TLS"; err.Error() != want {
			t.Errorf("closed by %q, want %q", err, want)
		}
	})
}
