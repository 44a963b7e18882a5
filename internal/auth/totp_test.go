package auth

import (
	"encoding/base32"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The codes of RFC 6238 appendix B (SHA-1), of which the last six digits are ours.
func TestCodesOfTheStandard(t *testing.T) {
	t.Parallel()
	secret := base32.StdEncoding.EncodeToString([]byte("12345678901234567890"))
	for at, code := range map[int64]string{59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130"} {
		f := secondFactor{Secret: secret}
		if !f.take(code, time.Unix(at, 0)) {
			t.Errorf("%d: %s is refused", at, code)
		}
		if f.take(code, time.Unix(at, 0)) {
			t.Errorf("%d: %s is taken twice", at, code)
		}
	}
}

func TestCodesAreTakenOnceAndAroundTheirTime(t *testing.T) {
	t.Parallel()
	secret := base32.StdEncoding.EncodeToString([]byte("12345678901234567890"))
	const code, at = "005924", 1234567890
	for _, c := range []struct {
		name  string
		code  string
		after time.Duration
		want  bool
	}{
		{"a step late", code, 30 * time.Second, true},
		{"a step early", code, -30 * time.Second, true},
		{"two steps late", code, 61 * time.Second, false},
		{"two steps early", code, -61 * time.Second, false},
		{"with spaces, as apps show it", " 005 924", 0, true},
		{"another", "005925", 0, false},
		{"none", "", 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := secondFactor{Secret: secret}
			if got := f.take(c.code, time.Unix(at, 0).Add(c.after)); got != c.want {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
	f := secondFactor{Secret: secret}
	if !f.take("005924", time.Unix(at, 0)) || f.take("005924", time.Unix(at+30, 0)) {
		t.Error("the code is taken again in the next step")
	}
}

func TestRecoveryCodesAreTakenOnce(t *testing.T) {
	t.Parallel()
	f, address, err := newFactor("alice")
	if err != nil || !strings.HasPrefix(address, "otpauth://totp/Busbar:alice?") {
		t.Fatal(address, err)
	}
	codes, err := f.newRecovery()
	if err != nil || len(codes) != recoveryCodes {
		t.Fatal(codes, err)
	}
	for i, c := range codes {
		if strings.Contains(f.String(), c) {
			t.Error("a recovery code is kept in plain text")
		}
		if i%2 == 1 {
			c = strings.ToLower(strings.ReplaceAll(c, "-", ""))
		}
		again, err := parseFactor(f.String())
		if err != nil || !cmp.Equal(again, f) {
			t.Fatal(again, err)
		}
		if !f.take(c, time.Now()) || f.take(c, time.Now()) {
			t.Errorf("%s is not taken exactly once", c)
		}
	}
	if len(f.Recovery) != 0 {
		t.Errorf("%d codes are left", len(f.Recovery))
	}
}
