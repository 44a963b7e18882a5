package auth

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func TestAttemptsAreLimited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAttempts(3*time.Second, 2)
		for range 2 {
			if err := a.try("x"); err != nil {
				t.Fatal(err)
			}
		}
		var e *Error
		if err := a.try("x"); !errors.As(err, &e) || e.Status != 429 || e.RetryAfter != 3 {
			t.Fatalf("the third: %+v", err)
		}
		if err := a.try("y"); err != nil {
			t.Errorf("somebody else: %v", err)
		}
		time.Sleep(time.Duration(e.RetryAfter) * time.Second)
		if err := a.try("x"); err != nil {
			t.Errorf("after the wait: %v", err)
		}
	})
}

func TestAttemptsAreRememberedOfSoManyOnly(t *testing.T) {
	t.Parallel()
	a := newAttempts(time.Hour, 1)
	for i := range mostLimited * 2 {
		if err := a.try(fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	if len(a.byKey) != mostLimited || a.order.Len() != mostLimited {
		t.Errorf("%d and %d are remembered, want %d", len(a.byKey), a.order.Len(), mostLimited)
	}
	if err := a.try(fmt.Sprint(mostLimited*2 - 1)); err == nil {
		t.Error("the most recent is forgotten")
	}
}

func TestAddressesAreCountedByNetwork(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"192.0.2.1": "192.0.2.1", "::ffff:192.0.2.1": "192.0.2.1", "2001:db8:1:2:3::4": "2001:db8:1:2::/64", "fe80::1%eth0": "fe80::/64", "": "", "pipe": "pipe"} {
		if got := LimitedAddress(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
