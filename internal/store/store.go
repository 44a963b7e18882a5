package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"github.com/pressly/goose/v3"

	"busbar/internal/store/db"
)

// Options say where a store is and how its secrets are encrypted.
type Options struct {
	// Path is the file of an SQLite database, which is made if there is none.
	Path string
	// URL is a PostgreSQL database, postgres://user:password@host:port/name. It
	// wins over Path.
	URL string
	// Key encrypts secrets, 32 octets; nil: there is none yet.
	Key []byte
	// NewKey makes a key when the first secret needs one and Key is nil. nil:
	// without Key there are no secrets.
	NewKey func() ([]byte, error)
	// Alone keeps every other store that is opened so from working with the same PostgreSQL database,
	// until it is closed or its process ends. With SQLite the lock of the data directory sees to that.
	Alone bool
	// Version is that of Busbar, which backups tell.
	Version string
	// Log is told of migrations. nil: nobody is.
	Log *slog.Logger
}

// FileName is what the SQLite database in the data directory is called.
const FileName = "busbar.db"

// Store is an open store.
type Store struct {
	dialect goose.Dialect
	write   *sql.DB // of SQLite it has one connection: there is one writer
	read    *sql.DB
	log     *slog.Logger
	version string
	keys    keyring
	hold    hold
	silence atomic.Int64  // how long PostgreSQL may be silent, in ns; 0: for ever, while the schema is brought up to date
	audit   chan struct{} // holds one token: who has it appends to the audit log
}

//go:embed sql/migrations/*.sql
var schema embed.FS

// Open opens a store and brings its schema up to date. It fails if the
// database is of a newer version of Busbar than this one, and with [ErrInUse].
func Open(ctx context.Context, o Options) (*Store, error) {
	s, err := connect(ctx, o)
	if err != nil {
		return nil, err
	}
	if err := s.migrate(ctx, newest); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if o.Alone { // a restore may take longer
		s.silence.Store(int64(answerTimeout))
	}
	return s, nil
}

// OpenExisting opens a store that another process may be using: it must be
// there, and have the schema of this version of Busbar already.
func OpenExisting(ctx context.Context, o Options) (*Store, error) {
	if o.URL == "" {
		if _, err := os.Stat(o.Path); err != nil {
			return nil, fault("open", err)
		}
	}
	s, err := connect(ctx, o)
	if err != nil {
		return nil, err
	}
	if err := s.upToDate(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Store) upToDate(ctx context.Context) error {
	p, err := s.migrations()
	if err != nil {
		return err
	}
	have, target, err := p.GetVersions(ctx)
	if err != nil {
		return fault("read version of schema", err)
	}
	if have != target {
		return fmt.Errorf("store: its schema has version %d, this Busbar works with %d: use the one that runs with it", have, target)
	}
	return nil
}

// schemaVersion returns the version of the schema of this program, which that
// of an open store is.
func (s *Store) schemaVersion() (int64, error) {
	p, err := s.migrations()
	if err != nil {
		return 0, err
	}
	sources := p.ListSources()
	return sources[len(sources)-1].Version, nil
}

// connect opens the database as it is.
func connect(ctx context.Context, o Options) (*Store, error) {
	s := &Store{log: o.Log, version: o.Version, audit: make(chan struct{}, 1)}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if err := s.keys.init(o.Key, o.NewKey); err != nil {
		return nil, err
	}
	open := s.openSQLite
	if o.URL != "" {
		open = s.openPostgres
	}
	if err := open(ctx, o); err != nil {
		return nil, err
	}
	return s, nil
}

// Close closes the store once what is under way has ended.
func (s *Store) Close() error {
	s.hold.release()
	err := s.write.Close()
	if s.read != s.write {
		err = errors.Join(err, s.read.Close())
	}
	return fault("close", err)
}

// newest stands for the newest version of the schema that this program knows.
const newest = -1

// migrate brings the schema up to the given version.
func (s *Store) migrate(ctx context.Context, version int64) error {
	p, err := s.migrations()
	if err != nil {
		return err
	}
	have, target, err := p.GetVersions(ctx)
	if err != nil {
		return fault("read version of schema", err)
	}
	if have > target {
		return fmt.Errorf("store: %w: its schema has version %d, this Busbar knows %d", ErrNewer, have, target)
	}
	if version == newest {
		version = target
	}
	done, err := p.UpTo(ctx, version)
	if err != nil {
		return fault("bring schema up to date", err)
	}
	if len(done) > 0 {
		s.log.InfoContext(ctx, "configuration store brought up to date", "from", have, "to", version)
	}
	return nil
}

func (s *Store) migrations() (*goose.Provider, error) {
	files, err := fs.Sub(schema, "sql/migrations")
	if err != nil {
		return nil, err
	}
	options := []goose.ProviderOption{goose.WithDisableGlobalRegistry(true)}
	p, err := goose.NewProvider(s.dialect, s.write, files, options...)
	if err != nil {
		return nil, fault("read migrations", err)
	}
	return p, nil
}

// change runs do in a transaction, which is rolled back if do fails.
func (s *Store) change(ctx context.Context, what string, do func(q *db.Queries, tx *sql.Tx) error) error {
	if err := s.hold.mayWrite(); err != nil {
		return fault(what, err)
	}
	return transaction(ctx, s.write, nil, what, do)
}

// view runs do on one consistent snapshot.
func (s *Store) view(ctx context.Context, what string, do func(q *db.Queries, tx *sql.Tx) error) error {
	return transaction(ctx, s.read, &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead}, what, do)
}

func transaction(ctx context.Context, pool *sql.DB, o *sql.TxOptions, what string, do func(*db.Queries, *sql.Tx) error) (err error) {
	tx, err := pool.BeginTx(ctx, o)
	if err != nil {
		return fault(what, err)
	}
	defer func() {
		if err != nil {
			if failed := tx.Rollback(); failed != nil && !errors.Is(failed, sql.ErrTxDone) {
				err = errors.Join(err, fault("roll back", failed))
			}
		}
	}()
	if err := do(db.New(tx), tx); err != nil {
		return fault(what, err)
	}
	return fault(what, tx.Commit())
}

// now returns the time as the store keeps it.
func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

// millis returns a time as it is kept.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// instant returns a time that was kept.
func instant(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
