package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

// connections is how many connections to PostgreSQL there are at most.
const connections = 8

// applicationName is what a connection of ours is called in pg_stat_activity,
// with a word after it that tells stores apart.
const applicationName = "busbar"

// openPostgres opens the database at the URL of o.
func (s *Store) openPostgres(ctx context.Context, o Options) error {
	config, err := pgx.ParseConfig(o.URL)
	if err != nil {
		return fmt.Errorf("store: database URL: %w", err) // without the password
	}
	config.RuntimeParams["application_name"] = applicationName + " " + rand.Text()
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = answerTimeout
	}
	config.AfterNetConnect = func(_ context.Context, _ *pgconn.Config, conn net.Conn) (net.Conn, error) {
		return &impatient{Conn: conn, limit: &s.silence}, nil
	}
	s.dialect = goose.DialectPostgres
	s.write = stdlib.OpenDB(*config)
	s.write.SetMaxOpenConns(connections)
	s.write.SetMaxIdleConns(connections)
	s.read = s.write
	if o.Alone {
		if err := s.takeHold(ctx, config); err != nil {
			return errors.Join(err, s.Close())
		}
	}
	// Keys are ordered by octets, whatever the database was made with.
	const collation = `CREATE COLLATION IF NOT EXISTS "BINARY" (provider = libc, locale = 'C')`
	if _, err := s.write.ExecContext(ctx, collation); err != nil {
		return errors.Join(fault("open database", err), s.Close())
	}
	return nil
}

// refuseOthers fails if another Busbar is connected to the database. With SQLite
// the lock of the data directory sees to that.
func (s *Store) refuseOthers(ctx context.Context, tx *sql.Tx) error {
	if s.dialect != goose.DialectPostgres {
		return nil
	}
	const others = `SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database()
		AND application_name LIKE $1 || ' %' AND application_name <> current_setting('application_name')`
	for range 50 { // a process that has just ended is connected a moment longer
		var n int
		if err := tx.QueryRowContext(ctx, others, applicationName).Scan(&n); err != nil {
			return err
		}
		if n == 0 {
			return nil
		}
		if _, err := tx.ExecContext(ctx, "SELECT pg_sleep(0.1), pg_stat_clear_snapshot()"); err != nil {
			return err
		}
	}
	return errors.New("another Busbar is connected to the database; stop it first")
}
