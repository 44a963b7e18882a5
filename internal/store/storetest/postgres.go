// Package storetest runs a PostgreSQL of its own for the tests of a package.
package storetest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
)

// shared is the server of the test binary, started when the first test asks.
var shared struct {
	sync.Mutex
	may    bool // Main will stop it
	server *server
	err    error
}

// Main runs the tests of a package that uses [Postgres] and returns the exit code;
// call it in TestMain:
//
//	func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }
func Main(m *testing.M) int {
	shared.Lock()
	shared.may = true
	shared.Unlock()
	code := m.Run()
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil {
		return code
	}
	if err := shared.server.stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stop PostgreSQL:", err)
		return max(code, 1)
	}
	return code
}

// Postgres returns the URL of an empty database that goes with the test. All
// tests of a package share one server, which sorts text as people do, not by octets.
func Postgres(tb testing.TB) string {
	tb.Helper()
	s, err := started()
	if err != nil {
		tb.Fatalf("PostgreSQL: %v", err)
	}
	name := "test_" + rand.Text()
	s.exec(tb, context.Background(), `CREATE DATABASE "`+name+`"`)
	tb.Cleanup(func() { s.exec(tb, context.Background(), `DROP DATABASE "`+name+`" WITH (FORCE)`) })
	return s.url(name)
}

func started() (*server, error) {
	shared.Lock()
	defer shared.Unlock()
	if !shared.may {
		return nil, errors.New("the package has no TestMain that calls storetest.Main")
	}
	if shared.server == nil && shared.err == nil {
		shared.server, shared.err = start()
	}
	return shared.server, shared.err
}

// url returns the URL of a database of the server.
func (s *server) url(name string) string {
	q := url.Values{"host": {s.dir}, "user": {superuser}}
	return (&url.URL{Scheme: "postgres", Host: "", Path: "/" + name, RawQuery: q.Encode()}).String()
}

func (s *server) exec(tb testing.TB, ctx context.Context, statement string) {
	tb.Helper()
	c, err := pgx.Connect(ctx, s.url("postgres"))
	if err != nil {
		tb.Fatalf("PostgreSQL: %v", err)
	}
	if _, err := c.Exec(ctx, statement); err != nil {
		tb.Errorf("PostgreSQL: %s: %v", statement, err)
	}
	if err := c.Close(ctx); err != nil {
		tb.Errorf("PostgreSQL: %v", err)
	}
}

// tool returns the path of a program of the newest PostgreSQL that is installed.
func tool(name string) (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if err != nil {
		return "", err
	}
	if len(found) == 0 {
		return "", fmt.Errorf("there is no %s: make tools installs it", name)
	}
	return found[len(found)-1], nil
}
