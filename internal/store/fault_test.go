package store_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"busbar/internal/store"
	"busbar/internal/store/storetest"
	"busbar/test/rig"
)

func TestOpenMakesAFileForItsOwnerAlone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a ? b#c%20.db")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	s := open(t, store.Options{Path: path})
	if err := s.SetSetting(t.Context(), "a", "b"); err != nil {
		t.Fatal(err)
	}
	names, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		info, err := name.Info()
		if err != nil || info.Mode().Perm() != 0o600 || !strings.HasPrefix(name.Name(), filepath.Base(path)) {
			t.Errorf("file %s: %v, %v, want mode 0600", name.Name(), info.Mode(), err)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := filepath.Join(dir, "text.db")
	if err := os.WriteFile(text, bytes.Repeat([]byte("this is no database\n"), 500), 0o600); err != nil {
		t.Fatal(err)
	}
	readOnly := storetest.Postgres(t)
	execute(t, store.Options{URL: readOnly}, `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', current_database()); END $$`)
	tests := []struct {
		name string
		o    store.Options
		want error
		word string
	}{
		{"nothing", store.Options{}, nil, "no database is named"},
		{"a file that is no database", store.Options{Path: text}, store.ErrDamaged, text},
		{"a folder that is not there", store.Options{Path: filepath.Join(dir, "no", "busbar.db")}, os.ErrNotExist, "no such file"},
		{"a folder", store.Options{Path: dir}, nil, "is a directory"},
		{"a database that must not be written", store.Options{URL: readOnly}, store.ErrReadOnly, "read-only"},
		{"a server that is not there", store.Options{URL: "postgres://busbar:sesame@/busbar?host=" + dir}, os.ErrNotExist, dir},
		{"a URL that is none", store.Options{URL: "postgres://busbar:sesame@host:port/x"}, nil, "database URL"},
		{"a key of another length", store.Options{Path: filepath.Join(dir, "new.db"), Key: []byte("short")}, nil, "want 32"},
	}
	for _, tt := range tests {
		s, err := store.Open(t.Context(), tt.o)
		if err == nil {
			t.Errorf("%s: opened %v", tt.name, s.Close())
			continue
		}
		if tt.want != nil && !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.word) {
			t.Errorf("%s: %v, want %v and %q", tt.name, err, tt.want, tt.word)
		}
		if strings.Contains(err.Error(), "sesame") {
			t.Errorf("%s: the error holds the password: %v", tt.name, err)
		}
	}
}

func TestOpenRefusesANewerSchema(t *testing.T) {
	each(t, func(t *testing.T, o store.Options) {
		if _, err := store.OpenExisting(t.Context(), o); err == nil {
			t.Error("OpenExisting opens what is not there")
		}
		open(t, o)
		s, err := store.OpenExisting(t.Context(), o)
		if err != nil {
			t.Fatalf("OpenExisting beside another: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		execute(t, o, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, TRUE)")
		if _, err := store.Open(t.Context(), o); !errors.Is(err, store.ErrNewer) {
			t.Errorf("Open = %v, want %v", err, store.ErrNewer)
		}
		if _, err := store.OpenExisting(t.Context(), o); err == nil || !strings.Contains(err.Error(), "version 999") {
			t.Errorf("OpenExisting = %v, want which version it is", err)
		}
	})
}

func TestDamageIsNamed(t *testing.T) {
	t.Parallel()
	o := store.Options{Path: filepath.Join(t.TempDir(), "busbar.db")}
	s, err := store.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Commit(t.Context(), 0, store.Revision{}, many(5000), nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(o.Path)
	if err != nil {
		t.Fatal(err)
	}
	for i := len(data) / 2; i < len(data); i++ {
		data[i] = 0xa5
	}
	if err := os.WriteFile(o.Path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	damaged := open(t, o)
	if list, _, err := damaged.Document(t.Context()); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("Document = %d objects, %v, want %v", len(list), err, store.ErrDamaged)
	}
}

func TestFullDiskIsNamedAndHarmsNothing(t *testing.T) {
	t.Parallel()
	disk := rig.NewDisk(t, 2<<20)
	write := func() string {
		args := disk.Command(os.Args[0])
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Env = append(os.Environ(), childEnv+"="+filepath.Join(disk.Dir, "busbar.db"))
		var said bytes.Buffer
		cmd.Stderr = &said
		if err := cmd.Run(); err == nil {
			t.Error("the child ended without an error")
		}
		return said.String()
	}
	for range 3 { // it opens again, and says the same
		if said := write(); !strings.Contains(said, store.ErrFull.Error()) {
			t.Errorf("on a full disk: %s, want %v", said, store.ErrFull)
		}
	}
	args := disk.Command("mount", "-o", "remount,ro", disk.Dir)
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("mount: %v\n%s", err, out)
	}
	if said := write(); !strings.Contains(said, "read-only file system") {
		t.Errorf("on a disk that must not be written: %s", said)
	}
}
