package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"busbar/internal/store/db"
)

// What is known of whether this store alone works with the PostgreSQL database.
const (
	holdOff   = iota // nobody has asked for it
	holdHas          // it does
	holdLost         // the connection is lost, and with it the hold
	holdTaken        // another one has it now
)

// Times of the hold.
const (
	holdWait  = 5 * time.Second // for a process that has just ended
	holdAgain = 100 * time.Millisecond
	holdCheck = time.Second // how often the connection is tried
)

// holdKey is the advisory lock that is held, one in each database: "busbar" in ASCII.
const holdKey int64 = 0x627573626172

// hold keeps others from working with a PostgreSQL database for as long as a connection of its own lives: the server
// takes the lock back when that ends, in whatever way.
type hold struct {
	state  atomic.Int32
	cancel context.CancelFunc
	done   chan struct{}
}

// takeHold fails with [ErrInUse] if another process has the hold.
func (s *Store) takeHold(ctx context.Context, config *pgx.ConnConfig) error {
	conn, err := waitForHold(ctx, config)
	if err != nil {
		return fault("open database", err)
	}
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.hold.cancel, s.hold.done = cancel, make(chan struct{})
	s.hold.state.Store(holdHas)
	go func() {
		defer close(s.hold.done)
		s.keepHold(own, config, conn)
	}()
	return nil
}

func waitForHold(ctx context.Context, config *pgx.ConnConfig) (*pgx.Conn, error) {
	for until := time.Now().Add(holdWait); ; {
		conn, err := lockDatabase(ctx, config)
		if !errors.Is(err, ErrInUse) || time.Now().After(until) || !pause(ctx, holdAgain) {
			return conn, err
		}
	}
}

// pause is false if ctx ends meanwhile.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// lockDatabase opens a connection that has the lock.
func lockDatabase(ctx context.Context, config *pgx.ConnConfig) (*pgx.Conn, error) {
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	// A machine that is gone is noticed within a minute, and not after two hours.
	const keepalive = "SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3"
	got := false
	if _, err = conn.Exec(ctx, keepalive); err == nil {
		err = conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1)", holdKey).Scan(&got)
	}
	if err == nil && !got {
		err = ErrInUse
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close(ctx))
	}
	return conn, nil
}

// keepHold watches the connection that has the lock, and takes the lock again if that was lost, until ctx ends.
func (s *Store) keepHold(ctx context.Context, config *pgx.ConnConfig, conn *pgx.Conn) {
	for conn != nil {
		err := watch(ctx, conn)
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), holdCheck)
		if failed := conn.Close(closing); failed != nil && ctx.Err() == nil {
			s.log.DebugContext(ctx, "lost connection to the database is closed", "error", failed)
		}
		cancel()
		if ctx.Err() != nil {
			return
		}
		s.hold.state.Store(holdLost)
		s.log.WarnContext(ctx, "connection to the database is lost, it is read-only until there is one again", "error", err)
		conn = s.holdAgain(ctx, config)
	}
}

// holdAgain tries to take the lock until it has it; nil: ctx has ended.
func (s *Store) holdAgain(ctx context.Context, config *pgx.ConnConfig) *pgx.Conn {
	for {
		conn, err := lockDatabase(ctx, config)
		if err == nil {
			s.hold.state.Store(holdHas)
			s.log.InfoContext(ctx, "connection to the database is there again")
			return conn
		}
		if errors.Is(err, ErrInUse) && s.hold.state.Swap(holdTaken) != holdTaken {
			s.log.ErrorContext(ctx, "another Busbar has taken the database while the connection was lost: nothing is written; stop one of them")
		}
		if !pause(ctx, holdCheck) {
			return nil
		}
	}
}

// watch returns when the connection is lost or ctx ends.
func watch(ctx context.Context, conn *pgx.Conn) error {
	for pause(ctx, holdCheck) {
		if _, err := conn.Exec(ctx, "SELECT 1"); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// mayWrite fails if this store does not have the database alone, and should.
func (h *hold) mayWrite() error {
	switch h.state.Load() {
	case holdLost:
		return fmt.Errorf("%w: the connection was lost", ErrAway)
	case holdTaken:
		return ErrInUse
	}
	return nil
}

func (h *hold) release() {
	if h.cancel != nil {
		h.cancel()
		<-h.done
	}
}

// writer runs single statements that write.
func (s *Store) writer() *db.Queries { return db.New(guarded{s.write, &s.hold}) }

// guarded is a database that is written only by who may.
type guarded struct {
	*sql.DB
	hold *hold
}

// ExecContext runs a statement that writes.
func (g guarded) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if err := g.hold.mayWrite(); err != nil {
		return nil, err
	}
	return g.DB.ExecContext(ctx, query, args...)
}
