package auth

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
)

// cheap is the cost of hashings in tests.
var cheap = Cost{Memory: 64, Passes: 1, Lanes: 1}

func TestHashIsVerified(t *testing.T) {
	t.Parallel()
	h := newHasher(cheap)
	hashed, err := h.hash(t.Context(), "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	again, err := h.hash(t.Context(), "correct horse")
	if err != nil || again == hashed {
		t.Fatalf("the same password twice: %q, %v, want another salt", again, err)
	}
	for password, want := range map[string]bool{"correct horse": true, "correct horsf": false, "": false, "correct horse ": false} {
		if ok, rehash, err := h.verify(t.Context(), password, hashed); err != nil || ok != want || rehash {
			t.Errorf("%q: %v, rehash %v, %v, want %v", password, ok, rehash, err, want)
		}
	}
}

// The vectors were made by the reference implementation's tool:
// echo -n password | argon2 somesalt -id -t 2 -m 16 -p 1 -l 32, and the like; they
// are those of its own test suite.
func TestReferenceHashes(t *testing.T) {
	t.Parallel()
	h := newHasher(cheap)
	for _, c := range []struct{ password, hashed string }{
		{"password", "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"},
		{"password", "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc"},
		{"password", "$argon2id$v=19$m=65536,t=1,p=1$c29tZXNhbHQ$9qWtwbpyPd3vm1rB1GThgPzZ3/ydHL92zKL+15XZypg"},
		{"differentpassword", "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$C4TWUs9rDEvq7w3+J4umqA32aWKB1+DSiRuBfYxFj94"},
	} {
		ok, rehash, err := h.verify(t.Context(), c.password, c.hashed)
		if !ok || !rehash || err != nil {
			t.Errorf("%s: %v, rehash %v, %v, want true and true", c.hashed, ok, rehash, err)
		}
	}
}

func TestHashingsAreBounded(t *testing.T) {
	t.Parallel()
	h := newHasher(cheap)
	for range parallelHashings {
		if err := h.enter(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	errs := make(chan error, waitingHashings+1)
	for range waitingHashings + 1 {
		wg.Go(func() { errs <- h.enter(ctx) })
	}
	var busy *Error
	if err := <-errs; !errors.As(err, &busy) || busy.Code != CodeBusy || busy.RetryAfter == 0 {
		t.Errorf("one more than may wait: %v, want %s", err, CodeBusy)
	}
	cancel()
	wg.Wait()
	for range waitingHashings {
		if err := <-errs; !errors.Is(err, context.Canceled) {
			t.Errorf("waiting: %v, want %v", err, context.Canceled)
		}
	}
	for range parallelHashings {
		h.leave()
	}
	if _, err := h.hash(t.Context(), "a"); err != nil {
		t.Errorf("after they have left: %v", err)
	}
}

func FuzzPHC(f *testing.F) {
	f.Add("$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4")
	f.Add("$argon2id$v=19$m=4294967295,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4")
	f.Add("$argon2i$v=16$m=256,t=2,p=1$$")
	f.Add("$argon2id$v=19$m=,t=,p=$$")
	f.Fuzz(func(t *testing.T, s string) {
		p, err := parsePHC(s)
		if err != nil {
			return
		}
		if p.String() != s {
			t.Errorf("%q comes back as %q", s, p.String())
		}
		if p.cost.Memory > 1<<20 || p.cost.Passes > 16 || p.cost.Lanes > 16 {
			t.Errorf("%q: cost %+v is beyond the limits", s, p.cost)
		}
	})
}

func TestPasswordRules(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, password, user, want string }{
		{"long enough", "wet stone 7 lamp", "alice", ""},
		{"umlauts count as one", "grüßgöttäöüß", "alice", ""},
		{"too short", "wet stone 7", "alice", "11 characters"},
		{"too short in characters, not in octets", "grüßgött", "alice", "8 characters"},
		{"too long", strings.Repeat("abcdefgh", 40), "alice", "320 characters"},
		{"the name in it", "lovely-Alice-2026", "alice", "name of the user"},
		{"a short name in it is chance", "wet stone 7 lamp", "et", ""},
		{"one character again and again", "xyxyxyxyxyxyxyxy", "alice", "different characters"},
		{"common", "correcthorsebatterystaple", "alice", "most common"},
		{"common with digits around it", "Password2026!", "alice", "most common"},
		{"common in capitals", "QWERTYUIOPAS", "alice", "most common"},
		{"common twice", "letmeinletmein", "alice", "most common"},
		{"not UTF-8", "abcdefghijkl\xff", "alice", "UTF-8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := checkPassword(c.password, c.user)
			if c.want == "" {
				if err != nil {
					t.Errorf("%v, want none", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}
