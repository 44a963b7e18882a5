package store_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/store"
)

// The fixtures are the same store, with the first schema: as SQLite database, as
// dump of PostgreSQL (pg_dump --inserts --no-owner) and as backup. They were
// filled by fillWith with 20 points, 102 revisions and key 1, and must never change.

// unzipped returns a fixture.
func unzipped(t *testing.T, name string) []byte {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// first makes the database of o what it was with the first schema.
func first(t *testing.T, o store.Options) {
	t.Helper()
	if o.URL == "" {
		if err := os.WriteFile(o.Path, unzipped(t, "schema1.sqlite.gz"), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	commands := regexp.MustCompile(`(?m)^\\.*$`) // those of psql
	execute(t, o, string(commands.ReplaceAll(unzipped(t, "schema1.postgres.sql.gz"), nil)))
}

func TestFirstSchemaIsBroughtUpToDate(t *testing.T) {
	each(t, func(t *testing.T, o store.Options) {
		o.Key = key(1)
		first(t, o)
		old := contentsOf(t, open(t, o))
		checkFirst(t, old)
		fresh := store.Options{Path: filepath.Join(t.TempDir(), "fresh.db"), Key: key(1)}
		backup, err := os.ReadFile(filepath.Join("testdata", "schema1.backup"))
		if err != nil {
			t.Fatal(err)
		}
		info, err := store.Restore(t.Context(), fresh, bytes.NewReader(backup), false)
		if err != nil || info.Version != "v0.5.0" || info.Schema != 1 {
			t.Fatalf("Restore = %+v, %v, want the backup of v0.5.0", info, err)
		}
		if diff := cmp.Diff(old, contentsOf(t, open(t, fresh))); diff != "" {
			t.Errorf("from the backup (-database +backup):\n%s", diff)
		}
	})
}

// checkFirst checks what fillWith has put in.
func checkFirst(t *testing.T, c contents) {
	t.Helper()
	if c.Head.Number != 102 || c.Head.Author != "bob" || len(c.Document) != 20 || len(c.Earlier) != 20 || len(c.Changes) != 20 {
		t.Errorf("head %+v, %d objects, %d at revision 1, %d changes, want 102, 20, 20, 20", c.Head, len(c.Document), len(c.Earlier), len(c.Changes))
	}
	if got, want := string(c.Document[0].Body), `{"ioa":101,"type":"int"}`; got != want {
		t.Errorf("first object %s, want %s", got, want)
	}
	if c.Secret != "open sesame" || len(c.Users) != 1 || c.Users[0].TOTP != "SEED" || c.Setting != "key" || len(c.Tokens) != 1 || c.Entries != 2 {
		t.Errorf("contents %+v", c)
	}
}
