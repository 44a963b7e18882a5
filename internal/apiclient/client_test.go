package apiclient

import (
	"context"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

func TestServersThatAreRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		opts Options
		want string // part of the error; empty: it is taken
	}{
		{Options{Server: "https://busbar.example.org"}, ""},
		{Options{Server: "https://busbar.example.org/plant-1/"}, ""},
		{Options{Server: "http://127.0.0.1:8080"}, ""},
		{Options{Server: "http://[::1]:8080"}, ""},
		{Options{Server: "http://localhost"}, ""},
		{Options{Server: "http://busbar.example.org"}, "others can read the token"},
		{Options{Server: "http://localhost.example.org"}, "others can read the token"},
		{Options{Server: "http://busbar.example.org", Plain: true}, ""},
		{Options{Server: "https://busbar.example.org", InsecureLoopback: true}, "must be checked"},
		{Options{Server: "https://127.0.0.1", InsecureLoopback: true}, ""},
		{Options{Server: "busbar.example.org"}, "want an address"},
		{Options{Server: "ftp://busbar.example.org"}, "want an address"},
		{Options{Server: "https://alice:secret@busbar.example.org"}, "alice:xxxxx@"},
		{Options{Server: "https://busbar.example.org?x=1"}, "without user"},
		{Options{Server: "https://busbar.example.org", CA: "/nowhere"}, "no such file"},
		{Options{Server: "https://busbar.example.org", CA: "client.go"}, "no certificate"},
	} {
		_, err := New(tt.opts)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v, want %q", tt.opts, err, tt.want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("the error shows a password: %v", err)
		}
	}
}

// client is a client of a server that handles as h does, and how often it was asked.
func client(t *testing.T, h http.HandlerFunc) (*Client, *atomic.Int32) {
	t.Helper()
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		h(w, r)
	}))
	t.Cleanup(server.Close)
	c, err := New(Options{Server: server.URL, Token: "bb_secret", Agent: "busbar/test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, &asked
}

func TestOnlyReadingIsTriedAgain(t *testing.T) {
	t.Parallel()
	busy := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "0")
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	c, asked := client(t, busy)
	if _, err := c.Tokens(t.Context()); err == nil || asked.Load() != attempts {
		t.Errorf("reading: %v after %d requests, want an error after %d", err, asked.Load(), attempts)
	}
	c, asked = client(t, busy)
	if err := c.DeleteToken(t.Context(), "a/b"); err == nil || asked.Load() != 1 {
		t.Errorf("deleting: %v after %d requests, want an error after one", err, asked.Load())
	}
	c, asked = client(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })
	if _, err := c.Tokens(t.Context()); err == nil || asked.Load() != 1 {
		t.Errorf("forbidden: %v after %d requests, want an error after one", err, asked.Load())
	}
}

func TestReadingEndsWithTheContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	c, _ := client(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(http.StatusTooManyRequests)
		cancel()
	})
	if _, err := c.Tokens(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that it is cancelled", err)
	}
}

func TestProblems(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, kind, body string
		status           int
		want             string
		lines            string
	}{
		{"of Busbar", "application/problem+json", `{"title":"Conflict","status":409,"code":"file-managed","detail":"the plant is managed","id":"X","errors":[{"location":"points.a","message":"is wrong"},{"message":"all"}]}`,
			409, "the server answers 409 Conflict: the plant is managed (id X in the log of the server)", "points.a: is wrong|all"},
		{"of a proxy", "text/html", "<html>Bad Gateway</html>", 400, "the server answers 400 Bad Request: this is no answer of Busbar; is the address right?", ""},
		{"plain", "text/plain; charset=utf-8", "not now\nmore", 404, "the server answers 404 Not Found: not now", ""},
		{"elsewhere", "", "", 301, "the server answers 301 Moved Permanently: it sends on to https://elsewhere.example.org/, want the address that it is reached at", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, asked := client(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", tt.kind)
				if tt.status == 301 {
					w.Header().Set("Location", "https://elsewhere.example.org/")
				}
				w.WriteHeader(tt.status)
				_, _ = w.Write([]byte(tt.body))
			})
			_, err := c.Users(t.Context())
			p, ok := errors.AsType[*Problem](err)
			if !ok || p.Error() != tt.want || strings.Join(p.Lines(), "|") != tt.lines || p.Status != tt.status || asked.Load() != 1 {
				t.Errorf("error %v, lines %q after %d requests, want %q and %q", err, p.Lines(), asked.Load(), tt.want, tt.lines)
			}
		})
	}
}

func TestWhatIsSent(t *testing.T) {
	t.Parallel()
	c, _ := client(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.EscapedPath() != "/api/v1/tokens/a%2Fb" || r.Header.Get("Authorization") != "Bearer bb_secret" || r.Header.Get("User-Agent") != "busbar/test" {
			t.Errorf("request %s %v", r.URL.EscapedPath(), r.Header)
		}
		w.WriteHeader(http.StatusNoContent)
	})
	if err := c.DeleteToken(t.Context(), "a/b"); err != nil {
		t.Error(err)
	}
}

func TestCertificatesAreChecked(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		_, _ = w.Write([]byte(`{"items":[]}`))
	}))
	defer server.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		opts Options
		ok   bool
	}{{Options{}, false}, {Options{CA: ca}, true}, {Options{InsecureLoopback: true}, true}} {
		tt.opts.Server = server.URL
		c, err := New(tt.opts)
		if err != nil {
			t.Fatal(err)
		}
		before := asked.Load()
		if _, err := c.Users(t.Context()); (err == nil) != tt.ok || asked.Load() > before != tt.ok {
			t.Errorf("%+v: %v, want that it succeeds: %t", tt.opts, err, tt.ok)
		}
		c.Close()
	}
}

func FuzzProblem(f *testing.F) {
	f.Add([]byte(`{"title":"x","errors":[{"location":"a","message":"b"}]}`), "application/problem+json")
	f.Add([]byte("\xff\n"), "text/plain")
	f.Fuzz(func(t *testing.T, body []byte, kind string) {
		r := httptest.NewRecorder()
		r.Header().Set("Content-Type", kind)
		r.WriteHeader(http.StatusTeapot)
		_, _ = r.Write(body)
		p := problemOf(r.Result())
		if p.Status != http.StatusTeapot || p.Error() == "" || len(p.Lines()) != len(p.Errors) {
			t.Errorf("problem %+v", p)
		}
	})
}
