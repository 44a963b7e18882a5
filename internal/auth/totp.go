package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"

	"busbar/internal/store"
)

const (
	totpPeriod    = 30 // seconds
	totpSecret    = 20 // octets
	recoveryCodes = 10
	// recoveryOctets make 80 bits, 16 characters.
	recoveryOctets = 10
)

// secondFactor is the second factor of an account as it is kept: a shared secret
// for one-time passwords by time (RFC 6238, SHA-1, 6 digits, 30 s).
type secondFactor struct {
	Secret string `json:"secret"` // base32
	// Confirmed is whether a code has shown that the secret arrived; before
	// that no code is asked for.
	Confirmed bool `json:"confirmed"`
	// Last is the time step of the last code that was taken: no code is taken twice.
	Last int64 `json:"last"`
	// Recovery are SHA-256 hashes, in hex, of the recovery codes that are left.
	Recovery []string `json:"recovery,omitempty"`
}

// parseFactor parses what the store has; "" is none.
func parseFactor(s string) (f secondFactor, err error) {
	if s == "" {
		return f, nil
	}
	if err := json.Unmarshal([]byte(s), &f); err != nil {
		return secondFactor{}, fmt.Errorf("second factor: %w", err)
	}
	return f, nil
}

func (f secondFactor) String() string {
	data, err := json.Marshal(f)
	if err != nil { // there is nothing in it that cannot be written
		return ""
	}
	return string(data)
}

// newFactor returns a new secret that is not confirmed, and its address for apps.
func newFactor(user string) (secondFactor, string, error) {
	key, err := totp.Generate(totp.GenerateOpts{Issuer: "Busbar", AccountName: user, Period: totpPeriod, SecretSize: totpSecret,
		Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
	if err != nil {
		return secondFactor{}, "", fmt.Errorf("second factor: %w", err)
	}
	return secondFactor{Secret: key.Secret()}, key.URL(), nil
}

// take reports whether a code is right, and notes that it was used. The codes
// of the time step before and after count too, because clocks differ.
func (f *secondFactor) take(code string, now time.Time) bool {
	code = strings.ReplaceAll(strings.TrimSpace(code), " ", "")
	if len(code) != otp.DigitsSix.Length() {
		return f.recover(code)
	}
	step := now.Unix() / totpPeriod
	for s := step - 1; s <= step+1; s++ {
		want, err := hotp.GenerateCodeCustom(f.Secret, uint64(s), hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
		if err == nil && s > f.Last && subtle.ConstantTimeCompare([]byte(code), []byte(want)) == 1 {
			f.Last = s
			return true
		}
	}
	return false
}

// recover takes a recovery code, which can be used once.
func (f *secondFactor) recover(code string) bool {
	hash := recoveryHash(code)
	for i, h := range f.Recovery {
		if subtle.ConstantTimeCompare([]byte(h), []byte(hash)) == 1 {
			f.Recovery = slices.Delete(slices.Clone(f.Recovery), i, i+1)
			return true
		}
	}
	return false
}

func recoveryHash(code string) string {
	sum := sha256.Sum256([]byte(strings.ToUpper(strings.ReplaceAll(code, "-", ""))))
	return hex.EncodeToString(sum[:])
}

// newRecovery replaces the recovery codes and returns the new ones, which
// nobody can see again.
func (f *secondFactor) newRecovery() ([]string, error) {
	f.Recovery = nil
	var codes []string
	for range recoveryCodes {
		random := make([]byte, recoveryOctets)
		if _, err := rand.Read(random); err != nil {
			return nil, fmt.Errorf("recovery codes: %w", err)
		}
		text := base32.StdEncoding.EncodeToString(random)
		codes = append(codes, text[:4]+"-"+text[4:8]+"-"+text[8:12]+"-"+text[12:])
		f.Recovery = append(f.Recovery, recoveryHash(text))
	}
	return codes, nil
}

var errNoKeyForTOTP = refuse(http.StatusConflict, CodeConflict, "a second factor needs a key for secrets, see the setting secrets.key")

// SecondFactor reports whether an account signs in with a second factor.
func SecondFactor(u store.User) bool {
	f, err := parseFactor(u.TOTP)
	return err == nil && f.Confirmed
}
