package rig

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// Patience is the longest that a test waits for one thing. It is reached only
// by tests that fail.
const Patience = 20 * time.Second

// Until waits until done returns true; what names the thing that is waited for.
func Until(tb testing.TB, what string, done func() bool) {
	tb.Helper()
	if !poll(done) {
		tb.Fatalf("waited %v in vain for %s", Patience, what)
	}
}

// poll looks every few milliseconds whether done returns true. It reports false
// when Patience is over.
func poll(done func() bool) bool {
	deadline := time.NewTimer(Patience)
	defer deadline.Stop()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for !done() {
		select {
		case <-look.C:
		case <-deadline.C:
			return false
		}
	}
	return true
}

// FreeAddr returns a loopback address with a TCP port that nothing listens on.
// It lies below the ports that the system gives to outgoing connections, and
// its UDP port is held until the test ends, so that no other test, of this
// process or another, gets it meanwhile.
func FreeAddr(tb testing.TB) string {
	tb.Helper()
	for range 100 {
		addr := fmt.Sprintf("127.0.0.1:%d", 10000+rand.IntN(20000))
		mark, err := net.ListenPacket("udp", addr)
		if err != nil {
			continue
		}
		l, err := net.Listen("tcp", addr)
		if err != nil {
			mark.Close()
			continue
		}
		l.Close()
		tb.Cleanup(func() { mark.Close() })
		return addr
	}
	tb.Fatal("no free port between 10000 and 30000")
	return ""
}

// Log collects what a program writes. It may be used from any goroutine.
type Log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements [io.Writer].
func (l *Log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

// String returns what was written until now.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Len returns how many octets were written, to be given to After.
func (l *Log) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Len()
}

// After returns what was written after the first n octets.
func (l *Log) After(n int) string { return l.String()[n:] }

// Await waits until a line that was written after the first n octets has all
// parts, and returns it.
func (l *Log) Await(tb testing.TB, n int, parts ...string) string {
	tb.Helper()
	var found string
	ok := poll(func() bool {
		for line := range strings.Lines(l.After(n)) {
			if hasAll(line, parts) {
				found = line
				return true
			}
		}
		return false
	})
	if !ok {
		tb.Fatalf("waited %v in vain for a line with %q in:\n%s", Patience, parts, l.After(n))
	}
	return found
}

func hasAll(line string, parts []string) bool {
	for _, p := range parts {
		if !strings.Contains(line, p) {
			return false
		}
	}
	return true
}
