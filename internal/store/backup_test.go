package store_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/plantdoc"
	"busbar/internal/store"
	"busbar/internal/store/storetest"
)

// contents is what a backup keeps of a store.
type contents struct {
	Head     store.Revision
	Document []plantdoc.Object
	Earlier  []plantdoc.Object // at revision 1
	Changes  []plantdoc.Change // of revision 1
	Secret   string
	Secrets  []store.SecretInfo
	Users    []store.User
	Tokens   []store.Token
	Audit    []store.AuditEntry
	Entries  int64 // of the audit log, verified
	Setting  string
}

func contentsOf(t *testing.T, s *store.Store) (c contents) {
	t.Helper()
	ctx := t.Context()
	var errs [10]error
	c.Document, c.Head, errs[0] = s.Document(ctx)
	c.Earlier, errs[1] = s.DocumentAt(ctx, 1)
	c.Changes, errs[2] = s.Changes(ctx, 1)
	c.Secret, errs[3] = s.Secret(ctx, "mqtt.password")
	c.Secrets, errs[4] = s.Secrets(ctx)
	c.Users, errs[5] = s.Users(ctx, "", 0)
	c.Tokens, errs[6] = s.Tokens(ctx)
	c.Audit, errs[7] = s.Audit(ctx, store.AuditFilter{}, 0)
	c.Entries, errs[8] = s.VerifyAudit(ctx)
	c.Setting, errs[9] = s.Setting(ctx, "cookie")
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	return c
}

// fill puts something into every table.
func fill(t *testing.T, s *store.Store) {
	t.Helper()
	fillWith(t, s, 450, 3)
}

// fillWith puts so many points, so many revisions and something else into every table.
func fillWith(t *testing.T, s *store.Store, points int, revisions int64) {
	t.Helper()
	ctx := t.Context()
	changes := many(points)
	_, err := s.Commit(ctx, 0, store.Revision{Author: "alice", Comment: "Öl", Origin: store.OriginAPI}, changes, nil)
	if err != nil {
		t.Fatal(err)
	}
	body := []byte(`{"type":"int"}`)
	for i := int64(1); i < revisions; i++ {
		next := fmt.Appendf(nil, `{"ioa":%d,"type":"int"}`, i)
		change := plantdoc.Change{Section: plantdoc.Points, ID: changes[0].ID, Before: body, After: next}
		if _, err := s.Commit(ctx, i, store.Revision{Author: "bob", Origin: store.OriginUI}, []plantdoc.Change{change}, nil); err != nil {
			t.Fatal(err)
		}
		body = next
	}
	user := store.User{Name: "alice", Password: "$argon2id$", Roles: []string{"admin"}, Subtrees: []string{"a/b"}, TOTP: "SEED", MustChange: true}
	user, err1 := s.CreateUser(ctx, user)
	_, err2 := s.CreateToken(ctx, store.Token{Name: "ci", Hash: [32]byte{1}, Expires: time.UnixMilli(1).UTC(), Roles: []string{"viewer"}})
	_, err3 := s.CreateSession(ctx, store.Session{Hash: [32]byte{2}, UserID: user.ID})
	err = errors.Join(err1, err2, err3, s.SetSecret(ctx, "mqtt.password", "open sesame", "alice"), s.SetSetting(ctx, "cookie", "key"),
		s.AddAudit(ctx, store.AuditEntry{Actor: "alice", Action: "auth.login", Result: "ok"}),
		s.AddAudit(ctx, store.AuditEntry{Actor: "bob", Action: "putPoint", Result: "ok", After: `{"type":"int"}`}))
	if err != nil {
		t.Fatal(err)
	}
}

// places returns options for an empty database of each kind.
func places(t *testing.T) map[string]store.Options {
	return map[string]store.Options{
		"sqlite":   {Path: filepath.Join(t.TempDir(), "busbar.db"), Key: key(1)},
		"postgres": {URL: storetest.Postgres(t), Key: key(1)},
	}
}

func key(n byte) []byte { return bytes.Repeat([]byte{n}, store.KeySize) }

func TestBackupGoesFromAnyDatabaseToAny(t *testing.T) {
	t.Parallel()
	for from, source := range places(t) {
		s := open(t, source)
		fillWith(t, s, 450, 102) // beyond a snapshot
		var backup bytes.Buffer
		made, err := s.Backup(t.Context(), &backup)
		if err != nil {
			t.Fatal(err)
		}
		if want := store.KeyID(key(1)); len(made.Keys) != 1 || made.Keys[0] != want || made.Revision != 102 {
			t.Errorf("%s: Backup = %+v, want revision 102 and key %s", from, made, want)
		}
		want := contentsOf(t, s)
		for to, target := range places(t) {
			t.Run(from+" to "+to, func(t *testing.T) {
				info, err := store.Restore(t.Context(), target, bytes.NewReader(backup.Bytes()), false)
				if err != nil || !cmp.Equal(info, made) {
					t.Fatalf("Restore = %+v, %v, want %+v", info, err, made)
				}
				restored := open(t, target)
				if diff := cmp.Diff(want, contentsOf(t, restored)); diff != "" {
					t.Errorf("contents (-want +got):\n%s", diff)
				}
				if list, err := restored.Sessions(t.Context(), ""); err != nil || len(list) > 0 {
					t.Errorf("sessions after restore: %v, %v, want none", list, err)
				}
			})
		}
	}
}

// writerFunc is what is written to it.
type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestBackupIsOfOneMoment(t *testing.T) {
	each(t, func(t *testing.T, o store.Options) {
		o.Key = key(1)
		s, ctx := open(t, o), t.Context()
		fillWith(t, s, 2000, 2)
		want := contentsOf(t, s)
		var backup bytes.Buffer
		head := want.Head.Number
		_, err := s.Backup(ctx, writerFunc(func(p []byte) (int, error) { // while it is written, others write
			if head == want.Head.Number+3 {
				return backup.Write(p)
			}
			o := want.Document[head]
			gone := plantdoc.Change{Section: plantdoc.Points, ID: o.ID, Before: o.Body}
			if _, err := s.Commit(ctx, head, store.Revision{}, []plantdoc.Change{gone}, nil); err != nil {
				return 0, err
			}
			head++
			return backup.Write(p)
		}))
		if err != nil || head != want.Head.Number+3 {
			t.Fatalf("Backup: %v, with %d commits meanwhile, want 3", err, head-want.Head.Number)
		}
		target := store.Options{Path: filepath.Join(t.TempDir(), "restored.db"), Key: key(1)}
		if _, err := store.Restore(ctx, target, &backup, false); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, contentsOf(t, open(t, target))); diff != "" {
			t.Errorf("contents (-want +got):\n%s", diff)
		}
	})
}

func TestBackupFailsWithItsWriter(t *testing.T) {
	each(t, func(t *testing.T, o store.Options) {
		s := open(t, o)
		full := errors.New("full")
		if _, err := s.Backup(t.Context(), writerFunc(func([]byte) (int, error) { return 0, full })); !errors.Is(err, full) {
			t.Errorf("Backup = %v, want %v", err, full)
		}
	})
}

func TestBackupHoldsNoSecretAndNoKey(t *testing.T) {
	each(t, func(t *testing.T, o store.Options) {
		o.Key = []byte("0123456789abcdefghijklmnopqrstuv")
		s := open(t, o)
		fill(t, s)
		var backup bytes.Buffer
		if _, err := s.Backup(t.Context(), &backup); err != nil {
			t.Fatal(err)
		}
		z, err := gzip.NewReader(&backup)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(z)
		if err != nil || !bytes.Contains(text, []byte("mqtt.password")) {
			t.Fatalf("backup has no secret of that name, %v", err)
		}
		for _, word := range []string{"open sesame", "SEED", "0123456789abcdef", "MDEyMzQ1"} { // the last is the key in base64
			if bytes.Contains(text, []byte(word)) {
				t.Errorf("the backup holds %q", word)
			}
		}
	})
}

func TestRestoreRefuses(t *testing.T) {
	each(t, func(t *testing.T, o store.Options) {
		source := open(t, store.Options{Path: filepath.Join(t.TempDir(), "source.db"), Key: key(1)})
		fill(t, source)
		var good bytes.Buffer
		if _, err := source.Backup(t.Context(), &good); err != nil {
			t.Fatal(err)
		}
		s, err := store.Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(s.SetSetting(t.Context(), "kept", "yes"), s.Close()); err != nil {
			t.Fatal(err)
		}
		flipped := bytes.Clone(good.Bytes())
		flipped[len(flipped)/2] ^= 0x10
		tests := []struct {
			name   string
			backup []byte
			force  bool
			want   error
		}{
			{"a store that is not empty", good.Bytes(), false, store.ErrNotEmpty},
			{"a backup that was cut off", good.Bytes()[:good.Len()/2], true, store.ErrDamaged},
			{"a backup that has lost its end", good.Bytes()[:good.Len()-1], true, store.ErrDamaged},
			{"a backup that was changed", flipped, true, store.ErrDamaged},
			{"a file that is no backup", []byte("version: 1\n"), true, store.ErrDamaged},
			{"a backup with fewer rows than it says", packed(`{"busbarBackup":1,"schema":1}`, `{"rows":1}`), true, store.ErrDamaged},
			{"a row of another width", packed(`{"busbarBackup":1,"schema":1}`, `{"table":"settings","columns":["name","value","sealed"]}`, `["a"]`, `{"rows":1}`), true, store.ErrDamaged},
			{"a table whose name is a statement", packed(`{"busbarBackup":1,"schema":1}`, `{"table":"settings; DROP TABLE users","columns":["name"]}`, `{"rows":0}`), true, store.ErrDamaged},
			{"a newer schema", packed(`{"busbarBackup":1,"schema":999}`, `{"rows":0}`), true, store.ErrNewer},
			{"a newer format", packed(`{"busbarBackup":9,"schema":1}`, `{"rows":0}`), true, store.ErrNewer},
		}
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				if _, err := store.Restore(t.Context(), o, bytes.NewReader(tt.backup), tt.force); !errors.Is(err, tt.want) {
					t.Errorf("Restore = %v, want %v", err, tt.want)
				}
				s, err := store.Open(t.Context(), o)
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				if v, err := s.Setting(t.Context(), "kept"); v != "yes" || err != nil {
					t.Errorf("afterwards the setting is %q, %v, want what was there", v, err)
				}
			})
		}
		if _, err := store.Restore(t.Context(), o, bytes.NewReader(good.Bytes()), true); err != nil {
			t.Errorf("with force: %v", err)
		}
		s = open(t, o)
		if _, err := s.Setting(t.Context(), "kept"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("after a restore with force the setting gives %v, want %v", err, store.ErrNotFound)
		}
	})
}

// packed returns lines as a backup has them.
func packed(lines ...string) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = io.WriteString(z, strings.Join(lines, "\n")+"\n")
	_ = z.Close()
	return b.Bytes()
}

func TestRestoreIsRefusedWhileAnotherBusbarUsesTheDatabase(t *testing.T) {
	t.Parallel()
	o := store.Options{URL: storetest.Postgres(t)}
	s, err := store.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	backup := packed(`{"busbarBackup":1,"schema":1}`, `{"rows":0}`)
	if _, err := store.Restore(t.Context(), o, bytes.NewReader(backup), true); err == nil || !strings.Contains(err.Error(), "another Busbar") {
		t.Errorf("Restore = %v, want that another Busbar is connected", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Restore(t.Context(), o, bytes.NewReader(backup), true); err != nil {
		t.Errorf("Restore once the other is closed: %v", err)
	}
}
