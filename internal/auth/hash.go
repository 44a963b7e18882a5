package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Cost is what one hashing of a password costs: the parameters of argon2id.
// The zero value means the default, 64 MiB and 3 passes.
type Cost struct {
	Memory uint32 // KiB, 8 … 1048576, default 65536
	Passes uint32 // 1 … 16, default 3
	Lanes  uint8  // 1 … 16, default 1
}

func (c Cost) withDefaults() Cost {
	if c.Memory == 0 {
		c.Memory = 64 << 10
	}
	if c.Passes == 0 {
		c.Passes = 3
	}
	if c.Lanes == 0 {
		c.Lanes = 1
	}
	return c
}

const (
	saltOctets = 16
	hashOctets = 32
	// parallelHashings bounds the memory that sign-ins take, together with
	// waitingHashings, beyond which they are refused.
	parallelHashings = 2
	waitingHashings  = 32
)

// hasher hashes passwords, a few at a time. It is safe for concurrent use.
type hasher struct {
	cost Cost
	run  chan struct{} // holds one element for each hashing that runs
	line chan struct{} // and for each that runs or waits
}

func newHasher(c Cost) *hasher {
	return &hasher{cost: c.withDefaults(), run: make(chan struct{}, parallelHashings), line: make(chan struct{}, parallelHashings+waitingHashings)}
}

// enter waits for a place among those that hash.
func (h *hasher) enter(ctx context.Context) error {
	select {
	case h.line <- struct{}{}:
	default:
		e := refuse(http.StatusServiceUnavailable, CodeBusy, "too many sign-ins at once")
		e.RetryAfter = 5
		return e
	}
	select {
	case h.run <- struct{}{}:
		return nil
	case <-ctx.Done():
		<-h.line
		return ctx.Err()
	}
}

func (h *hasher) leave() {
	<-h.run
	<-h.line
}

// hash returns the hash of a password as a PHC string.
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	p := phc{cost: h.cost, salt: make([]byte, saltOctets)}
	if _, err := rand.Read(p.salt); err != nil {
		return "", fmt.Errorf("salt of a password: %w", err)
	}
	if err := h.enter(ctx); err != nil {
		return "", err
	}
	defer h.leave()
	p.sum = p.of(password, hashOctets)
	return p.String(), nil
}

// decoy returns a hash of no password: comparing with it costs what comparing
// with any other does, and never succeeds.
func (h *hasher) decoy() (string, error) {
	p := phc{cost: h.cost, salt: make([]byte, saltOctets), sum: make([]byte, hashOctets)}
	for _, b := range [][]byte{p.salt, p.sum} {
		if _, err := rand.Read(b); err != nil {
			return "", fmt.Errorf("decoy of a password: %w", err)
		}
	}
	return p.String(), nil
}

// verify reports whether the password is the one that was hashed, and whether
// it should be hashed anew because the parameters have changed.
func (h *hasher) verify(ctx context.Context, password, hashed string) (ok, rehash bool, err error) {
	p, err := parsePHC(hashed)
	if err != nil {
		return false, false, err
	}
	if err := h.enter(ctx); err != nil {
		return false, false, err
	}
	defer h.leave()
	same := subtle.ConstantTimeCompare(p.of(password, len(p.sum)), p.sum) == 1
	return same, same && (p.cost != h.cost || len(p.salt) != saltOctets || len(p.sum) != hashOctets), nil
}

// phc is a hash of a password with what is needed to make it again.
type phc struct {
	cost Cost
	salt []byte
	sum  []byte
}

func (p phc) of(password string, octets int) []byte {
	return argon2.IDKey([]byte(password), p.salt, p.cost.Passes, p.cost.Memory, p.cost.Lanes, uint32(octets))
}

// String returns the hash in the PHC string format.
func (p phc) String() string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.cost.Memory, p.cost.Passes, p.cost.Lanes,
		b64.EncodeToString(p.salt), b64.EncodeToString(p.sum))
}

var errPHC = errors.New("not a hash of argon2id in the PHC string format")

// parsePHC parses what String returns. It refuses parameters that would take
// more memory or time than a sign-in may.
func parsePHC(s string) (phc, error) {
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != "v="+strconv.Itoa(argon2.Version) {
		return phc{}, errPHC
	}
	params := strings.Split(parts[3], ",")
	if len(params) != 3 {
		return phc{}, errPHC
	}
	m, err1 := phcNumber(params[0], "m=", 8, 1<<20)
	t, err2 := phcNumber(params[1], "t=", 1, 16)
	l, err3 := phcNumber(params[2], "p=", 1, 16)
	salt, err4 := base64.RawStdEncoding.Strict().DecodeString(parts[4])
	sum, err5 := base64.RawStdEncoding.Strict().DecodeString(parts[5])
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		return phc{}, fmt.Errorf("%w: %w", errPHC, err)
	}
	if len(salt) < 8 || len(salt) > 64 || len(sum) < 16 || len(sum) > 64 {
		return phc{}, errPHC
	}
	return phc{cost: Cost{Memory: m, Passes: t, Lanes: uint8(l)}, salt: salt, sum: sum}, nil
}

func phcNumber(s, prefix string, low, high uint32) (uint32, error) {
	digits, ok := strings.CutPrefix(s, prefix)
	n, err := strconv.ParseUint(digits, 10, 32)
	if !ok || err != nil || uint32(n) < low || uint32(n) > high || digits[0] == '0' || digits[0] == '+' {
		return 0, fmt.Errorf("parameter %q: want %s%d to %d", s, prefix, low, high)
	}
	return uint32(n), nil
}
