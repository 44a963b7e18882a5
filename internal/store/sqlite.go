package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

// readers is how many read at the same time; more wait.
const readers = 4

// openSQLite opens the file of o. Nobody but its owner may read it.
func (s *Store) openSQLite(ctx context.Context, o Options) error {
	if o.Path == "" {
		return errors.New("store: no database is named")
	}
	path, err := filepath.Abs(o.Path)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if err := errors.Join(f.Chmod(0o600), f.Close()); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	s.dialect = goose.DialectSQLite3
	s.write, err = openFile(path, 1, "journal_mode(WAL)", "synchronous(FULL)", "cache_size(-16384)",
		"journal_size_limit(16777216)") // what a large change has made of the write-ahead log goes again
	if err != nil {
		return err
	}
	s.read, err = openFile(path, readers, "query_only(1)")
	if err != nil {
		return errors.Join(err, s.write.Close())
	}
	if err := s.write.PingContext(ctx); err != nil {
		return errors.Join(fault("open "+path, err), s.Close())
	}
	return nil
}

func openFile(path string, connections int, pragmas ...string) (*sql.DB, error) {
	q := url.Values{"_txlock": {"immediate"}, "_pragma": append(pragmas, "busy_timeout(10000)", "foreign_keys(1)")}
	file := url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: q.Encode()}
	pool, err := sql.Open("sqlite", file.String())
	if err != nil {
		return nil, fault("open "+path, err)
	}
	pool.SetMaxOpenConns(connections)
	pool.SetMaxIdleConns(connections)
	return pool, nil
}
