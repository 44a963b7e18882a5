package store_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"testing"
	"time"

	"busbar/internal/plantdoc"
	"busbar/internal/store"
	"busbar/internal/store/storetest"
)

func TestOneStoreAloneWorksWithADatabase(t *testing.T) {
	t.Parallel()
	o := store.Options{URL: storetest.Postgres(t), Alone: true}
	s, err := store.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if second, err := store.Open(t.Context(), o); !errors.Is(err, store.ErrInUse) {
		t.Fatalf("a second Open = %v, %v, want %v", second, err, store.ErrInUse)
	}
	if _, err := s.Commit(t.Context(), 0, store.Revision{}, many(3), nil); err != nil {
		t.Errorf("Commit of the first: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, o)
	other := o
	other.URL = storetest.Postgres(t)
	open(t, other)
}

// ended ends all connections to the database, as a restart of the server does.
const ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"

func TestTheStoreIsThereAgainAfterTheServerIs(t *testing.T) {
	t.Parallel()
	o := store.Options{URL: storetest.Postgres(t), Alone: true}
	s := open(t, o)
	for n := range int64(3) {
		execute(t, o, ended)
		eventually(t, func() error {
			at := plantdoc.Change{Section: plantdoc.Points, ID: fmt.Sprint("p", n), After: []byte(`{}`)}
			_, err := s.Commit(t.Context(), n, store.Revision{}, []plantdoc.Change{at}, nil)
			if err != nil && !errors.Is(err, store.ErrAway) {
				t.Fatalf("Commit = %v, want %v for some time", err, store.ErrAway)
			}
			return err
		})
	}
	eventually(t, func() error { // the lock is there again
		var held int
		err := raw(t, o).QueryRowContext(t.Context(), "SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory' AND database = "+
			"(SELECT oid FROM pg_database WHERE datname = current_database())").Scan(&held)
		if err == nil && held != 1 {
			err = fmt.Errorf("%d hold the database, want 1", held)
		}
		return err
	})
	if _, err := store.Open(t.Context(), o); !errors.Is(err, store.ErrInUse) {
		t.Errorf("a second Open = %v, want %v", err, store.ErrInUse)
	}
}

func TestAStoreWhoseDatabaseWasTakenMeanwhileWritesNothing(t *testing.T) {
	t.Parallel()
	o := store.Options{URL: storetest.Postgres(t), Alone: true}
	s := open(t, o)
	thief, err := raw(t, o).Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// It waits for the lock, and gets it when the connection that has it is ended.
	got := make(chan error, 1)
	go func() {
		_, err := thief.ExecContext(t.Context(), "SELECT pg_advisory_lock(x'627573626172'::bigint)")
		got <- err
	}()
	const holder = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted AND " +
		"database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND " +
		"EXISTS (SELECT FROM pg_locks w WHERE w.locktype = 'advisory' AND NOT w.granted AND w.database = pg_locks.database)"
	eventually(t, func() error {
		execute(t, o, holder)
		select {
		case err := <-got:
			return err
		default:
			return errors.New("the lock is not taken")
		}
	})
	eventually(t, func() error {
		if err := s.SetSetting(t.Context(), "a", "b"); !errors.Is(err, store.ErrInUse) {
			return fmt.Errorf("SetSetting = %w, want %w", err, store.ErrInUse)
		}
		return nil
	})
	if _, err := s.Head(t.Context()); err != nil {
		t.Errorf("Head = %v, want nil: it may still read", err)
	}
	if err := thief.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestAServerThatHangsIsNotWaitedForForEver(t *testing.T) {
	t.Parallel()
	near, far := net.Pipe()
	defer far.Close()
	c := store.Impatient(near, time.Millisecond)
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Read = %v, want a timeout", err)
	}
	if _, err := c.Write([]byte("x")); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Write = %v, want a timeout", err)
	}
	slow := store.Impatient(near, time.Hour)
	if err := slow.SetDeadline(time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if _, err := slow.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Read = %v, want that the deadline of the user holds", err)
	}
}

// eventually calls do until it returns nil.
func eventually(t *testing.T, do func() error) {
	t.Helper()
	tick, end := time.NewTicker(50*time.Millisecond), time.After(30*time.Second)
	defer tick.Stop()
	for {
		err := do()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-end:
			t.Fatal(err)
		}
	}
}
