package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// What callers tell apart.
var (
	// ErrNotFound says that what was named is not there.
	ErrNotFound = errors.New("is not there")
	// ErrConflict says that something of that name is there already, or that what
	// was to be changed has changed since it was read.
	ErrConflict = errors.New("conflicts with what is stored")
	// ErrNoKey says that a secret needs the key and there is none.
	ErrNoKey = errors.New("there is no key for secrets")
	// ErrWrongKey says that a secret was encrypted with another key.
	ErrWrongKey = errors.New("encrypted with another key")
	// ErrNewer says that a database or a backup is of a newer version of Busbar.
	ErrNewer = errors.New("is of a newer version of Busbar")
	// ErrDamaged says that a database or a backup holds what was not written so.
	ErrDamaged = errors.New("is damaged")
	// ErrFull says that there is no room on the disk.
	ErrFull = errors.New("there is no room on the disk")
	// ErrReadOnly says that the database must not be written.
	ErrReadOnly = errors.New("the database is read-only")
	// ErrAway says that PostgreSQL does not answer.
	ErrAway = errors.New("the database is not there")
	// ErrInUse says that another Busbar works with the database.
	ErrInUse = errors.New("another Busbar works with the database; stop it, or use another database")
	// ErrNotEmpty says that there is something where a backup was to go.
	ErrNotEmpty = errors.New("the store is not empty")
)

// fault says what failed and maps errors of both databases to those above.
func fault(what string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("store: %s: %w", what, ErrNotFound)
	}
	if class := classOf(err); class != nil && !errors.Is(err, class) {
		return fmt.Errorf("store: %s: %w: %w", what, class, err)
	}
	return fmt.Errorf("store: %s: %w", what, err)
}

// classOf returns the error of this package that an error of a database stands for, nil if none.
func classOf(err error) error {
	if e := (*sqlite.Error)(nil); errors.As(err, &e) {
		return classOfSQLite(e.Code())
	}
	if e := (*pgconn.PgError)(nil); errors.As(err, &e) {
		return classOfPostgres(e.Code)
	}
	if isAway(err) {
		return ErrAway
	}
	return nil
}

// isAway reports whether err says that a connection was lost or not made.
func isAway(err error) bool {
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok || errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.ErrUnexpectedEOF) {
		return true
	}
	_, ok := errors.AsType[net.Error](err)
	return ok && !errors.Is(err, context.DeadlineExceeded)
}

func classOfSQLite(code int) error {
	switch code {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
		return ErrConflict
	}
	switch code & 0xff { // the primary code
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return ErrDamaged
	case sqlite3.SQLITE_FULL:
		return ErrFull
	case sqlite3.SQLITE_READONLY:
		return ErrReadOnly
	}
	return nil
}

func classOfPostgres(code string) error {
	switch code {
	case "23505", "23503", "40001": // unique_violation, foreign_key_violation, serialization_failure
		return ErrConflict
	case "XX001", "XX002": // data_corrupted, index_corrupted
		return ErrDamaged
	case "53100": // disk_full
		return ErrFull
	case "57P01", "57P02", "57P03": // admin_shutdown, crash_shutdown, cannot_connect_now
		return ErrAway
	case "25006": // read_only_sql_transaction
		return ErrReadOnly
	}
	return nil
}
