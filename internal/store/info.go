package store

import (
	"context"

	"github.com/pressly/goose/v3"
)

// Info is what a store says about its database.
type Info struct {
	Kind string // sqlite or postgres
	Size int64  // octets
}

// Info returns what database the store is, and how large.
func (s *Store) Info(ctx context.Context) (Info, error) {
	i, query := Info{Kind: "sqlite"}, "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
	if s.dialect == goose.DialectPostgres {
		i, query = Info{Kind: "postgres"}, "SELECT pg_database_size(current_database())"
	}
	err := s.read.QueryRowContext(ctx, query).Scan(&i.Size)
	return i, fault("read size", err)
}
