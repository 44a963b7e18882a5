package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

// connections is how many connections to PostgreSQL there are at most.
const connections = 8

// applicationName is what a connection of ours is called in pg_stat_activity.
const applicationName = "busbar"

// openPostgres opens the database at the URL of o.
func (s *Store) openPostgres(ctx context.Context, o Options) error {
	config, err := pgx.ParseConfig(o.URL)
	if err != nil {
		return fmt.Errorf("store: database URL: %w", err) // without the password
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = applicationName
	}
	s.dialect = goose.DialectPostgres
	s.write = stdlib.OpenDB(*config)
	s.write.SetMaxOpenConns(connections)
	s.write.SetMaxIdleConns(connections)
	s.read = s.write
	// Keys are ordered by octets, whatever the database was made with.
	const collation = `CREATE COLLATION IF NOT EXISTS "BINARY" (provider = libc, locale = 'C')`
	if _, err := s.write.ExecContext(ctx, collation); err != nil {
		return errors.Join(fault("open database", err), s.Close())
	}
	return nil
}
