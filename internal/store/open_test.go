package store_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"busbar/internal/store"
	"busbar/internal/store/storetest"
)

// TestMain becomes the child process of TestKillLeavesAConsistentStore when it
// is told to.
func TestMain(m *testing.M) {
	if place := os.Getenv(childEnv); place != "" {
		fmt.Fprintln(os.Stderr, child(place))
		os.Exit(1)
	}
	os.Exit(storetest.Main(m))
}

// open opens a store that is closed with its test.
func open(t testing.TB, o store.Options) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// each runs a test on every database, with options for one of its own.
func each(t *testing.T, test func(t *testing.T, o store.Options)) {
	t.Helper()
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, store.Options{Path: filepath.Join(t.TempDir(), "busbar.db")})
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, store.Options{URL: storetest.Postgres(t)})
	})
}
