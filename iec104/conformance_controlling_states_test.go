package iec104

import (
	"context"
	"errors"
	"testing/synctest"
	"time"
)

// clientStateRows are further rows of data transfer in the controlling station:
// what comes in a state in which it is not expected.
func clientStateRows() []clientCheck {
	return []clientCheck{
		{row: "1.4 controlling STOPPED: S received", script: func(r *rig) {
			r.send(sframe(0)) // only a controlled station closes
			r.expectSilence()
			r.start()
		}},
		{row: "1.4 controlling STOPPED: requests and user data are not sent", script: func(r *rig) {
			r.fails(r.gi(1), ErrNotStarted)
			r.expectSilence()
		}},
		{row: "1.4 controlling PENDING STARTED: S or TESTFR received", script: func(r *rig) {
			result := r.starting()
			r.send(sframe(0), testFRAct)
			r.expect(testFRCon)
			r.state("pending started")
			r.fails(r.gi(1), ErrNotStarted)
			r.send(startDTCon)
			if err := <-result; err != nil {
				r.t.Fatal(err)
			}
		}},
		{row: "1.4 controlling PENDING STARTED: user stops", script: func(r *rig) {
			ctx, cancel := context.WithCancel(r.t.Context())
			given := r.request(func(context.Context) error { return r.c.StartDT(ctx) })
			r.expect(startDTAct)
			cancel()
			r.fails(given, context.Canceled)
			stopping := r.stopping()
			r.silence(10 * time.Second) // STARTDT has to be confirmed first
			r.send(startDTCon)
			r.expect(stopDTAct)
			r.send(stopDTCon)
			if err := <-stopping; err != nil {
				r.t.Fatal(err)
			}
			r.state("stopped")
		}},
		{row: "1.4 controlling PENDING STARTED: the connection is lost", script: func(r *rig) {
			result := r.starting()
			r.conn.Close()
			r.wait(0)
			r.expectClosed(ClosedByPeer)
			if err := <-result; !errors.Is(err, ErrClosed) {
				r.t.Errorf("StartDT = %v, want ErrClosed", err)
			}
		}},
		{row: "1.4 controlling STARTED: user starts", script: func(r *rig) {
			r.start()
			if err := r.c.StartDT(r.t.Context()); err != nil {
				r.t.Fatal(err)
			}
			r.expectSilence()
			r.state("started")
		}},
		{row: "1.4 controlling PENDING STOPPED: I received is acknowledged at once", script: func(r *rig) {
			r.start()
			r.stopping()
			r.expect(stopDTAct)
			for i := range 20 { // more than w
				r.send(iframe(i, 0, spont(i)))
				r.expect(sframe(i + 1))
			}
			r.objects(20)
			r.send(stopDTCon)
			r.state("stopped")
			r.silence(15 * time.Second) // nothing is owed
		}},
		{row: "1.4 controlling PENDING UNCONFIRMED STOPPED: t1 (I) expires", script: func(r *rig) {
			r.start()
			r.commands(0, 1)
			r.silence(5 * time.Second)
			r.stopping()
			r.expect(stopDTAct)
			r.closesAfter(10*time.Second, NoAck)
		}},
		{row: "1.4 controlling PENDING UNCONFIRMED STOPPED: no more I", script: func(r *rig) {
			r.start()
			for i := range 14 { // two wait for the window
				r.command()
				if i < 12 {
					r.expect(iframe(i, 0, command))
				}
			}
			r.stopping()
			r.expect(stopDTAct)
			r.send(sframe(12))
			r.expectSilence()
			r.send(stopDTCon)
			r.expectSilence()
			r.start()
			r.silence(10 * time.Second) // nor in the next transfer
		}},
		{row: "1.4 controlling PENDING STOPPED: STARTDT con", script: func(r *rig) {
			r.start()
			r.stopping()
			r.expect(stopDTAct)
			r.send(startDTCon)
			r.state("pending stopped")
			r.closesAfter(15*time.Second, NoStopCon)
		}},
		{row: "1.4 controlling STOPPED after STOPDT con: I received", script: func(r *rig) {
			r.start()
			stopping := r.stopping()
			r.expect(stopDTAct)
			r.send(stopDTCon)
			if err := <-stopping; err != nil {
				r.t.Fatal(err)
			}
			r.send(iframe(0, 0, spont(1)))
			r.expectClosed(NotStarted)
			r.objects(0)
		}},
	}
}

// clientCloseRows are the conditions that close the connection, in the
// controlling station, by their numbers. The sixth is t0.
func clientCloseRows() []clientCheck {
	closes := func(row string, want Reason, objects int, frames string) clientCheck {
		return clientCheck{row: "1.5 controlling " + row, script: func(r *rig) {
			r.start()
			r.send(frames)
			r.expectClosed(want)
			r.objects(objects)
			r.wait(time.Minute) // all timers are stopped
			if err := r.c.Err(); !errors.Is(err, ErrClosed) {
				r.t.Errorf("ended with %v, want ErrClosed in it", err)
			}
			r.another() // V(S) and V(R) from 0
			r.start()
			r.commands(0, 1)
			r.send(iframe(0, 1, spont(1)))
			r.objects(objects + 1)
		}}
	}
	return []clientCheck{
		closes("1: wrong start octet", BadStart, 1, iframe(0, 0, spont(1))+"00"),
		closes("1: L outside 4 to 253", BadLength, 0, "68 fe"),
		closes("1: S or U with L other than 4", BadControlLength, 0, "68 05 01 00 00 00 00"),
		closes("1: undefined U function", BadFunction, 0, "68 04 c3 00 00 00"),
		{row: "1.5 controlling 2: I frame in STOPPED", script: func(r *rig) {
			r.send(iframe(0, 0, spont(1)))
			r.expectClosed(NotStarted)
			r.objects(0)
		}},
		closes("3: N(S) with a gap", BadSendNumber, 1, iframe(0, 0, spont(1))+iframe(2, 0, spont(2))),
		closes("3: N(S) repeated", BadSendNumber, 1, iframe(0, 0, spont(1))+iframe(0, 0, spont(1))),
		closes("4: N(R) outside Ack to V(S), S", BadAck, 0, sframe(1)),
		closes("4: N(R) outside Ack to V(S), I", BadAck, 0, iframe(0, 1, spont(1))),
		{row: "1.5 controlling 5: t1 of an I frame", script: func(r *rig) {
			r.start()
			r.commands(0, 1)
			r.closesAfter(15*time.Second, NoAck)
		}},
		{row: "1.5 controlling 5: t1 of STARTDT act", script: func(r *rig) {
			r.starting()
			r.closesAfter(15*time.Second, NoStartCon)
		}},
		{row: "1.5 controlling 5: t1 of STOPDT act", script: func(r *rig) {
			r.start()
			r.stopping()
			r.expect(stopDTAct)
			r.closesAfter(15*time.Second, NoStopCon)
		}},
		{row: "1.5 controlling 5: t1 of TESTFR act", script: func(r *rig) {
			r.sendsAfter(20*time.Second, testFRAct)
			r.closesAfter(15*time.Second, NoTestCon)
		}},
		{row: "1.5 controlling 7: malformed ASDU is dropped and counted", script: func(r *rig) {
			r.start()
			r.send(iframe(0, 0, "01 02 03 00 01 00 64 00 00 01"), iframe(1, 0, spont(1)))
			r.objects(1)
			if n := r.c.Info().Discarded; n != 1 {
				r.t.Errorf("%d discarded, want 1", n)
			}
			r.sendsAfter(10*time.Second, sframe(2))
		}},
		{row: "1.5 controlling 8: incomplete APDU older than t1", script: func(r *rig) {
			r.start()
			r.send("68")
			r.closesAfter(15*time.Second, Incomplete)
		}},
		{row: "1.5 controlling 8: the time runs from the first octet, whatever follows", script: func(r *rig) {
			r.start()
			frame := octets(r.t, iframe(0, 0, spont(1)))
			for i := range 14 { // an octet a second
				r.sendOctets(frame[i : i+1])
				r.silence(time.Second)
			}
			r.closesAfter(time.Second, Incomplete)
		}},
		{row: "1.5 controlling 9: TCP FIN", script: func(r *rig) {
			r.start()
			out := r.gi(1)
			r.expectASDU(giAct)
			r.conn.Close()
			r.wait(0)
			r.expectClosed(ClosedByPeer)
			r.fails(out, ErrClosed)
		}},
	}
}

// standbyRows are what a controlling station does with redundant connections.
func standbyRows() []fleetCheck {
	return []fleetCheck{
		{row: "1.6 controlling data of a standby are not taken", addrs: 2, script: func(f *fleet) {
			a, b := f.start("a"), f.peer("b")
			b.tell(spont(5))
			b.expectClosed(NotStarted)
			a.tell(spont(1))
			if n := len(f.got.all()); n != 1 {
				f.t.Errorf("%d objects, want that of the started connection", n)
			}
		}},
		{row: "1.6 controlling a standby that the station closes is connected again, the started one goes on", addrs: 2, script: func(f *fleet) {
			a, b := f.start("a"), f.peer("b")
			b.conn.Close()
			synctest.Wait()
			f.dialled("a", "b")
			f.wait(f.lastRetry())
			f.dialled("b")
			f.peer("b").expectSilence()
			a.tell(spont(1))
			f.saw("a connected", "b connected", "a started", "b down: closed by peer", "b connected")
		}},
	}
}
