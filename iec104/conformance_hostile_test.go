package iec104

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"busbar/iec104/asdu"
)

// TestHostileStation has a station answer an interrogation in every disorder:
// confirmations and terminations twice, too early, negative, for other
// stations, groups and types, cut short, mixed with data. What becomes of the
// request is compared with a model of it.
func TestHostileStation(t *testing.T) {
	t.Parallel()
	pieces := []string{
		giCon, giEnd, "64 01 47 00 01 00 00 00 00 14", "64 01 4a 00 01 00 00 00 00 14", "64 01 2d 00 01 00 00 00 00 14",
		"64 01 07 00 02 00 00 00 00 14", "64 01 0a 00 02 00 00 00 00 14", "64 01 07 00 01 00 00 00 00 15", "64 01 07 00 01 00 05 00 00 14",
		"64 01 09 00 01 00 00 00 00 14", "65 01 07 00 01 00 00 00 00 05", "01 01 14 00 01 00 64 00 00 01", "01 01 14 00 02 00 64 00 00 01",
		"01 01 14 00 01 00", "ff 01 07 00 01 00 00 00 00 14", "", "64", "46 01 04 00 02 00 00 00 00 00",
	}
	for seed := range uint64(200) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				rnd := rand.New(rand.NewPCG(seed, 104))
				r := newRig(t, Params{}, media()[seed%2])
				r.start()
				out := r.gi(1)
				r.expectASDU(giAct)
				var begun, done bool
				var want error
				objects := 0
				for range 1 + rnd.IntN(12) {
					n := rnd.IntN(len(pieces))
					r.tell(pieces[n])
					switch {
					case done:
					case n == 4, n == 2 && !begun, n == 3 && begun:
						done, want = true, errRefused
					case n == 0:
						begun = true
					case n == 1 && begun:
						done = true
					case n == 11:
						objects++
					}
				}
				if done {
					r.judge(out, want, objects)
					return
				}
				r.waits(out)
				r.keptAlive(30 * time.Second)
				r.judge(out, ErrTimeout, objects)
			})
		})
	}
}

// errRefused stands for any refusal.
var errRefused = errors.New("refused")

func (r *rig) judge(out <-chan outcome, want error, objects int) {
	r.t.Helper()
	got := r.outcome(out)
	if errors.As(got.err, new(*NegativeError)) {
		got.err = errRefused
	}
	if !errors.Is(got.err, want) || got.res.Objects != objects {
		r.t.Fatalf("got %d objects, %v, want %d, %v", got.res.Objects, got.err, objects, want)
	}
}

// TestStationThatNeverAnswers has requests to a station that takes them and
// says nothing: each fails in its time, and what is remembered of them is bounded.
func TestStationThatNeverAnswers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Params{K: 32767, W: 1}, media()[0])
		r.start()
		const reads = 1000
		failed := make(chan error, reads)
		for i := range reads {
			go func() {
				_, err := r.c.Read(context.Background(), 1, uint32(i+1))
				failed <- err
			}()
		}
		synctest.Wait()
		for range reads {
			r.nextASDU()
		}
		r.keptAlive(10 * time.Second)
		for range reads {
			if err := <-failed; !errors.Is(err, ErrTimeout) {
				t.Fatalf("read = %v, want ErrTimeout", err)
			}
		}
		conn := r.c.active.conn
		if n := len(conn.overdue); n > maxOverdue {
			t.Errorf("%d requests remembered, want at most %d", n, maxOverdue)
		}
		r.keptAlive(30 * time.Second)
		r.tell(giCon)
		if n := len(conn.overdue); n != 0 || conn.asking.Load() {
			t.Errorf("%d requests remembered after their time, want none", n)
		}
		if n := r.c.Info().Answers; n != 0 {
			t.Errorf("%d requests open, want none", n)
		}
	})
}

// TestStationOfEveryAddress has every common address answer a request to all.
func TestStationOfEveryAddress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Params{}, media()[0])
		r.start()
		out := r.gi(asdu.GlobalCA)
		r.expectASDU("64 01 06 00 ff ff 00 00 00 14")
		const stations = 3000
		for ca := range stations {
			octets := fmt.Sprintf(" 00 %02x %02x 00 00 00 14", (ca+1)&0xff, (ca+1)>>8)
			r.tell("64 01 07"+octets, "64 01 0a"+octets, "64 01 07"+octets, "64 01 0a"+octets)
		}
		r.wait(time.Second)
		if res := r.succeeds(out); len(res.Stations) != stations {
			t.Errorf("%d stations, want %d", len(res.Stations), stations)
		}
	})
}
