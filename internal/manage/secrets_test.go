package manage_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"busbar/internal/manage"
	"busbar/internal/plant"
	"busbar/internal/plantdoc"
	"busbar/internal/store"
)

func TestSecretsAreTakenOut(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	r.must(`connectors a {"kind":"device","password":"geheim<&>","users":{"eve":"adam","bob@x":"12"}}`)
	r.wantDocument(1, `connectors a {"kind":"device","password":"${secret:a.password}","users":{"bob@x":"${secret:a.users.bob-x-dc5d1f7e}","eve":"${secret:a.users.eve}"}}`)
	r.wantSecrets("a.password=geheim<&>", "a.users.bob-x-dc5d1f7e=12", "a.users.eve=adam")

	// The same again changes nothing, another one is in force at once, without a revision.
	before := r.inForce
	r.must(`connectors a {"kind":"device","password":"geheim<&>","users":{"eve":"adam","bob@x":"12"}}`)
	if r.inForce != before {
		t.Error("the same secret was put into force again")
	}
	r.must(`connectors a {"kind":"device","password":"anders","users":{"eve":"${secret:a.users.eve}","bob@x":"12"}}`)
	if _, head := r.document(); head != 1 {
		t.Errorf("revision %d, want 1: a secret is no change of the document", head)
	}
	if r.inForce == before {
		t.Error("the other secret is not in force")
	}
	r.wantSecrets("a.password=anders", "a.users.bob-x-dc5d1f7e=12", "a.users.eve=adam")

	// The secrets go with their connector; a way back tells of it.
	r.must("connectors a")
	r.wantSecrets()
	_, err := r.Rollback(t.Context(), alice, 1, manage.ChangeOptions{})
	problems, ok := errors.AsType[plant.Problems](err)
	if !ok || len(problems) != 3 || !strings.Contains(err.Error(), "connectors.a.password: secret a.password: is not in the store") {
		t.Errorf("Rollback = %v, want the problem of 3 secrets", err)
	}
}

func TestASharedSecretOutlivesItsConnector(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	r.must(`connectors a {"kind":"device","password":"geheim"}`)
	r.must(`connectors b {"kind":"device","password":"${secret:a.password}"}`)
	r.must("connectors a")
	r.wantSecrets("a.password=geheim")
}

func TestSecretsAreSetAndDeleted(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	ctx := t.Context()
	if err := r.SetSecret(ctx, alice, "shared", "1"); err != nil {
		t.Fatal(err)
	}
	r.must(`connectors a {"kind":"device","password":"${secret:shared}"}`)
	before := r.inForce
	if err := r.SetSecret(ctx, alice, "shared", "1"); err != nil || r.inForce != before {
		t.Errorf("the same again: %v, and another plant in force: %v", err, r.inForce != before)
	}
	if err := r.SetSecret(ctx, alice, "shared", "2"); err != nil || r.inForce == before {
		t.Errorf("another one: %v, and the same plant in force: %v", err, r.inForce == before)
	}
	r.fail = errors.New("broken")
	if err := r.SetSecret(ctx, alice, "shared", "3"); err == nil {
		t.Error("SetSecret = nil, want that it cannot be applied")
	}
	r.wantSecrets("shared=2")
	if used, ok := errors.AsType[*manage.SecretInUseError](r.DeleteSecret(ctx, "shared")); !ok || used.Connector != "a" {
		t.Errorf("DeleteSecret = %v, want that a uses it", used)
	}
	r.must("connectors a")
	if err := r.DeleteSecret(ctx, "shared"); err != nil {
		t.Error(err)
	}
	if err := r.DeleteSecret(ctx, "shared"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("DeleteSecret again = %v, want ErrNotFound", err)
	}
}

func TestAFileIsTheOnlyWriter(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "plant.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("version: 1\nconnectors:\n  a: {kind: device, password: geheim, host: '${env:BUSBAR_SECRET_X}', users: {eve: '${env:BUSBAR_SECRET_X}'}}\n")
	r := newRig(t, file)
	for range 2 { // the second time nothing is new
		if _, err := r.ApplyFile(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := r.Record(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.wantDocument(1, `connectors a {"host":"${env:BUSBAR_SECRET_X}","kind":"device","password":"***","users":{"eve":"${env:BUSBAR_SECRET_X}"}}`)
		r.wantSecrets()
	}
	if head, err := r.store.Head(t.Context()); err != nil || head.Origin != store.OriginFile || head.Comment != file {
		t.Errorf("revision %+v, %v, want one of the file", head, err)
	}
	_, err := r.change(manage.ChangeOptions{}, "connectors a")
	if !errors.Is(err, manage.ErrFileManaged) || !strings.Contains(err.Error(), file) {
		t.Errorf("Change = %v, want ErrFileManaged that names %s", err, file)
	}
	write("version: 1\nconnectors:\n  b: {kind: device}\n")
	if err := r.Record(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.wantDocument(2, `connectors b {"kind":"device"}`)
	write("version: 1\nconnectors: [\n")
	if err := r.Record(t.Context()); err == nil {
		t.Error("Record of a faulty file = nil, want its problems")
	}
}

// TestAPlantThatIsTakenOverFromAFile may go on with what only a file may hold, as long as nobody
// changes it there; secrets that were written out are wanted.
func TestAPlantThatIsTakenOverFromAFile(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	commit := func(body string) {
		t.Helper()
		head, err := r.store.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		objs, _, err := r.store.Document(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		changes := plantdoc.Diff(objs, []plantdoc.Object{{Section: plantdoc.Connectors, ID: "a", Body: []byte(body)}})
		if _, err := r.store.Commit(t.Context(), head.Number, store.Revision{Origin: store.OriginFile}, changes, nil); err != nil {
			t.Fatal(err)
		}
	}
	commit(`{"host":"${env:BUSBAR_SECRET_X}","kind":"device"}`)
	if _, err := r.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.must(pointP)
	if _, err := r.change(manage.ChangeOptions{}, `connectors a {"host":"${env:BUSBAR_SECRET_X}","kind":"device","password":"1"}`); err == nil {
		t.Error("Change = nil, want that ${env:…} is not taken from the API")
	}
	r.must("points p")
	commit(`{"kind":"device","password":"***"}`)
	if _, err := r.Load(t.Context()); err == nil || !strings.Contains(err.Error(), "connectors.a.password: is ***") {
		t.Errorf("Load = %v, want that the password is missing", err)
	}
	r.must(`connectors a {"kind":"device","password":"geheim"}`)
}

func TestFilesOfAChangeLieInTheirDirectories(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ file, want string }{
		{"/srv/files/ca.pem", ""},
		{"/srv/files/a/../b/ca.pem", ""},
		{"/srv/files", ""},
		{"/etc/shadow", "outside"},
		{"/srv/files/../../etc/shadow", "outside"},
		{"/srv/files2/ca.pem", "outside"},
		{"files/ca.pem", "outside"},
		{"/", "outside"},
	} {
		r := newRig(t, "")
		body := fmt.Sprintf(`{"kind":"device","certs":[%q]}`, tt.file)
		_, err := r.change(manage.ChangeOptions{}, "connectors a "+body)
		_, tried := r.Try(t.Context(), "b", []byte(body))
		for _, err := range []error{err, tried} {
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), "certs.0: is "+tt.want) {
				t.Errorf("file %s: %v, want %q", tt.file, err, tt.want)
			}
		}
	}
}

func TestATrialIsRefusedWhatAChangeIs(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	for _, password := range []string{"${env:BUSBAR_SECRET_X}", "${file:x}", `\u0024{env:BUSBAR_SECRET_X}`} {
		_, err := r.Try(t.Context(), "a", []byte(`{"kind":"device","password":"`+password+`"}`))
		if err == nil || !strings.Contains(err.Error(), "works only in a local plant file") {
			t.Errorf("trial with %s = %v, want that it is refused", password, err)
		}
	}
	p, err := r.Try(t.Context(), "a", []byte(`{"kind":"device","password":"hunter2"}`))
	if err != nil || p.Connectors[0].Settings.(*deviceSettings).Password != "hunter2" {
		t.Errorf("trial = %v, want one with the password that is written out", err)
	}
	r.wantSecrets()
	r.wantDocument(0)
}
