package iec104

import (
	"context"
	"errors"
	"net"
	"slices"
	"testing/synctest"
	"time"
)

// clientSupervisionRows are the rows of the timers in the controlling station
// that need more than one step.
func clientSupervisionRows() []clientCheck {
	return slices.Concat(clientT1Rows(), clientT2Rows(), clientT3Rows(), t0Rows())
}

func clientT1Rows() []clientCheck {
	return []clientCheck{
		{row: "1.3 controlling t1 (I) supervises the oldest frame", script: func(r *rig) {
			r.start()
			for i := range 3 { // at 0, 5 and 10 s
				if i > 0 {
					r.silence(5 * time.Second)
				}
				r.commands(i, 1)
			}
			r.closesAfter(5*time.Second, NoAck)
		}},
		{row: "1.3 controlling t1 (I) goes on with the next oldest", script: func(r *rig) {
			r.start()
			r.commands(0, 1)
			r.silence(5 * time.Second)
			r.commands(1, 1)
			r.silence(9 * time.Second)
			r.send(sframe(1)) // at 14 s the first is acknowledged
			r.closesAfter(6*time.Second, NoAck)
		}},
		{row: "1.3 controlling t1 (I) stops with N(R) beyond the frame", script: func(r *rig) {
			r.start()
			r.commands(0, 1)
			r.silence(15*time.Second - time.Millisecond)
			r.send(sframe(1))
			r.silence(19 * time.Second)
		}},
		{row: "1.3 controlling t1 (I) is not prolonged by S, TESTFR or I of the station", script: func(r *rig) {
			r.start()
			r.commands(0, 1)
			for i := range 14 {
				r.silence(time.Second)
				r.send(sframe(0), testFRAct)
				r.expect(testFRCon)
				if i == 7 {
					r.send(iframe(0, 0, spont(1)))
				}
			}
			r.closesAfter(time.Second, NoAck)
		}},
		{row: "1.3 controlling t1 (U) of STARTDT act stops with its con only", script: func(r *rig) {
			r.starting()
			r.silence(10 * time.Second)
			r.send(stopDTCon, testFRCon)
			r.closesAfter(5*time.Second, NoStartCon)
		}},
		{row: "1.3 controlling t1 (U) of STOPDT act stops with its con only", script: func(r *rig) {
			r.start()
			r.stopping()
			r.expect(stopDTAct)
			r.silence(10 * time.Second)
			r.send(startDTCon, testFRCon)
			r.closesAfter(5*time.Second, NoStopCon)
		}},
		{row: "1.3 controlling t1 (U) of TESTFR act stops with its con", script: func(r *rig) {
			for range 3 {
				r.sendsAfter(20*time.Second, testFRAct)
				r.silence(15*time.Second - time.Millisecond)
				r.send(testFRCon)
			}
		}},
		{row: "1.3 controlling t1 (U) of TESTFR act expires", script: func(r *rig) {
			r.sendsAfter(20*time.Second, testFRAct)
			r.silence(14 * time.Second)
			r.send(testFRAct) // no confirmation of ours
			r.expect(testFRCon)
			r.closesAfter(time.Second, NoTestCon)
		}},
		{row: "1.3 controlling t1 (U) one timer for each act", p: Params{T3: 5 * time.Second}, script: func(r *rig) {
			result := r.starting()
			r.sendsAfter(5*time.Second, testFRAct)
			r.silence(9 * time.Second)
			r.send(startDTCon) // at 14 s
			if err := <-result; err != nil {
				r.t.Fatal(err)
			}
			r.closesAfter(6*time.Second, NoTestCon) // that of TESTFR goes on
		}},
	}
}

func clientT2Rows() []clientCheck {
	return []clientCheck{
		{row: "1.3 controlling t2 from the first received I frame, not prolonged", script: func(r *rig) {
			r.start()
			for i := range 4 { // at 0, 3, 6, 9 s
				r.send(iframe(i, 0, spont(i)))
				if i < 3 {
					r.silence(3 * time.Second)
				}
			}
			r.sendsAfter(time.Second, sframe(4))
			r.silence(10 * time.Second)
			r.send(iframe(4, 0, spont(4)))
			r.sendsAfter(10*time.Second, sframe(5))
		}},
		{row: "1.3 controlling t2 stops with a sent I frame", script: func(r *rig) {
			r.start()
			r.send(iframe(0, 0, spont(0)))
			r.silence(9 * time.Second)
			r.command()
			r.expect(iframe(0, 1, command))
			r.silence(2 * time.Second)
			r.send(iframe(1, 1, spont(1)))
			r.sendsAfter(10*time.Second, sframe(2))
		}},
		{row: "1.3 controlling t2 stops with a sent S frame", script: func(r *rig) {
			r.start()
			for i := range 8 {
				r.send(iframe(i, 0, spont(i)))
			}
			r.expect(sframe(8))
			r.silence(15 * time.Second)
		}},
		{row: "1.3 controlling t2 is not stopped by link control", script: func(r *rig) {
			r.start()
			r.send(iframe(0, 0, spont(0)))
			r.silence(9 * time.Second)
			r.send(testFRAct)
			r.expect(testFRCon)
			r.sendsAfter(time.Second, sframe(1))
		}},
	}
}

func clientT3Rows() []clientCheck {
	return []clientCheck{
		{row: "1.3 controlling t3 from the establishment of the connection", script: func(r *rig) {
			r.sendsAfter(20*time.Second, testFRAct)
		}},
		{row: "1.3 controlling t3 restarts with every received frame", script: func(r *rig) {
			r.start()
			for _, f := range []string{iframe(0, 0, spont(0)), sframe(0), testFRAct, testFRCon, startDTCon, stopDTCon, startDTAct} {
				r.wait(19 * time.Second)
				for b := r.next(); b != nil; b = r.next() {
					if b[2] == 0x43 {
						r.t.Fatalf("TESTFR act before t3, in front of %s", f)
					}
				}
				r.send(f)
			}
			r.sendsAfter(20*time.Second, testFRAct)
		}},
		{row: "1.3 controlling t3 is not restarted by sent frames", p: Params{T1: 60 * time.Second}, script: func(r *rig) {
			r.start()
			for i := range 4 { // at 0, 5, 10 and 15 s
				r.commands(i, 1)
				if i < 3 {
					r.silence(5 * time.Second)
				}
			}
			r.sendsAfter(5*time.Second, testFRAct)
		}},
		{row: "1.3 controlling t3 runs in STOPPED", script: func(r *rig) {
			r.start()
			stopping := r.stopping()
			r.expect(stopDTAct)
			r.send(stopDTCon)
			if err := <-stopping; err != nil {
				r.t.Fatal(err)
			}
			r.sendsAfter(20*time.Second, testFRAct)
			r.closesAfter(15*time.Second, NoTestCon)
		}},
		{row: "1.3 controlling only one TESTFR act outstanding", p: Params{T3: 2 * time.Second}, script: func(r *rig) {
			r.sendsAfter(2*time.Second, testFRAct)
			for range 14 {
				r.silence(time.Second)
				r.send(startDTCon) // something else, so that t3 would begin anew
			}
			r.closesAfter(time.Second, NoTestCon)
		}},
		{row: "1.3 controlling a dead peer is found within t3 + t1", script: func(r *rig) {
			r.start()
			r.wait(7 * time.Second)
			r.send(testFRAct) // the last that is heard of it
			r.expect(testFRCon)
			r.sendsAfter(20*time.Second, testFRAct)
			r.closesAfter(15*time.Second, NoTestCon)
		}},
		{row: "1.3 controlling the parameters count", p: Params{T1: 3 * time.Second, T2: time.Second, T3: 5 * time.Second}, script: func(r *rig) {
			r.start()
			r.send(iframe(0, 0, spont(0)))
			r.sendsAfter(time.Second, sframe(1))
			r.sendsAfter(4*time.Second, testFRAct)
			r.closesAfter(3*time.Second, NoTestCon)
		}},
	}
}

// t0Rows have a client of their own.
func t0Rows() []clientCheck {
	dialing := func(r *rig, t0, takes time.Duration) (*Client, time.Duration, error) {
		r.t.Helper()
		dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
			if !sleep(ctx, takes) {
				return nil, ctx.Err()
			}
			_, far := newPeer(r.t)
			return far, nil
		}
		c, err := NewClient("station", Params{T0: t0}, WithDialer(dial))
		if err != nil {
			r.t.Fatal(err)
		}
		r.t.Cleanup(func() { _ = c.Close() }) // there may be no connection
		begin := time.Now()
		err = c.Connect(r.t.Context())
		return c, time.Since(begin), err
	}
	return []clientCheck{
		{row: "1.3 controlling t0 aborts the attempt", script: func(r *rig) {
			for t0, want := range map[time.Duration]time.Duration{0: 30 * time.Second, 5 * time.Second: 5 * time.Second} {
				c, took, err := dialing(r, t0, time.Hour)
				if !errors.Is(err, ErrTimeout) || took != want {
					r.t.Errorf("Connect = %v after %v, want ErrTimeout after %v", err, took, want)
				}
				if c.Done() != nil {
					r.t.Error("there is a connection all the same")
				}
			}
		}},
		{row: "1.3 controlling t0 stops when the connection is established", script: func(r *rig) {
			c, took, err := dialing(r, 5*time.Second, 4999*time.Millisecond)
			if err != nil || took != 4999*time.Millisecond {
				r.t.Fatalf("Connect = %v after %v, want it established after 4.999 s", err, took)
			}
			r.wait(10 * time.Second)
			synctest.Wait()
			if err := c.Err(); err != nil {
				r.t.Errorf("closed: %v", err)
			}
		}},
	}
}
