package iec104server

import (
	"errors"
	"runtime"
	"syscall"
	"testing"
	"time"

	"busbar/iec104/asdu"
	"busbar/internal/connector"
	"busbar/internal/point"
)

// invalidTimes returns of the next events which have a time tag that is invalid.
func invalidTimes(s *session) []bool {
	var got []bool
	for _, e := range take(s, 100) {
		got = append(got, e.Time.Invalid())
	}
	return got
}

func TestTimesOfAClockThatCannotBeTrusted(t *testing.T) {
	ask := func(s *Settings) { s.Clock = "kernel" }
	for _, tt := range []struct {
		name   string
		change func(*Settings)
		kernel bool
		err    error
		now    time.Time
		want   bool // of times that this machine gives
	}{
		{name: "trusted", change: func(*Settings) {}, now: epoch},
		{name: "before there was Busbar", change: func(*Settings) {}, now: time.Date(1970, 1, 1, 0, 1, 0, 0, time.UTC), want: true},
		{name: "synchronised", change: ask, kernel: true, now: epoch},
		{name: "not synchronised", change: ask, now: epoch, want: true},
		{name: "kernel does not tell", change: ask, err: errors.New("no"), now: epoch, want: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, tt.change)
			r.clock.Store(tt.now.UnixNano())
			r.kernel = func() (bool, error) { return tt.kernel, tt.err }
			r.askKernel(t.Context())
			r.targets([]connector.Target{at(1, 1, 1, asdu.M_ME_TF_1, point.Float), at(2, 1, 2, asdu.M_IT_TB_1, point.Counter)})
			s := r.join().settle()
			theirs, ours := news(1, point.FloatValue(1)), news(1, point.FloatValue(2))
			ours.Time, ours.TimeQuality = point.InstantOf(r.now()), point.TimeSubstituted
			r.publish(theirs, ours)
			s.asks(t, freezeOnly)
			r.publish()
			if got := invalidTimes(s); len(got) != 3 || got[0] || got[1] != tt.want || got[2] != tt.want {
				t.Errorf("time tags invalid: %v, want that of the source valid, and %v of arrival and freeze", got, tt.want)
			}
			ours.Value = point.FloatValue(3)
			r.publish(ours)
			r.save()
			r.restart()
			if got := invalidTimes(r.joinFrom(s.peer).settled(t)); len(got) != 4 || got[2] != tt.want {
				t.Errorf("time tags invalid after a restart: %v, want %v of the freeze", got, tt.want)
			}
		})
	}
}

func TestKernelIsAskedOnlyWhereItIsWanted(t *testing.T) {
	r := newRig(t)
	r.kernel = func() (bool, error) {
		t.Error("the kernel was asked")
		return false, nil
	}
	r.askKernel(t.Context())
}

func TestKernelTellsAboutItsClock(t *testing.T) {
	_, err := kernelClock()
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSYS) {
		t.Skip("this machine does not let us ask: ", err)
	}
	if (err != nil) == knowsKernel {
		t.Errorf("on %s: error %v", runtime.GOOS, err)
	}
}
