package manage_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/connector"
	"busbar/internal/manage"
	"busbar/internal/plant"
	"busbar/internal/plantdoc"
	"busbar/internal/store"
)

type deviceSettings struct {
	Password connector.Secret            `json:"password"`
	Users    map[string]connector.Secret `json:"users"`
	Host     string                      `json:"host"`
	Certs    []string                    `json:"certs" file:"true"`
}

type topic struct {
	Topic string `json:"topic" required:"true"`
}

type place struct {
	IOA int `json:"ioa" min:"1" max:"65535"`
}

func kinds(tb testing.TB) *connector.Registry {
	tb.Helper()
	r, err := connector.NewRegistry(connector.Define("device", connector.Spec[deviceSettings, topic, place]{
		New:      func(deviceSettings, connector.Env) (connector.Connector, error) { return nil, nil },
		Selector: func(t topic) string { return t.Topic },
	}))
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// rig is a service on a store of its own, with a manager that only remembers.
type rig struct {
	*manage.Service
	tb      testing.TB
	store   *store.Store
	inForce *plant.Plant
	fail    error  // of the next Apply
	after   func() // called at the end of Apply; nil: nothing
	log     bytes.Buffer
}

func newRig(tb testing.TB, file string) *rig {
	tb.Helper()
	st, err := store.Open(tb.Context(), store.Options{Path: filepath.Join(tb.TempDir(), "store.db"), Key: bytes.Repeat([]byte{7}, 32)})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := st.Close(); err != nil {
			tb.Error(err)
		}
	})
	r := &rig{tb: tb, store: st}
	r.Service = manage.New(manage.Options{
		Store: st, Kinds: kinds(tb), File: file, Files: []string{"/srv/files"}, Log: slog.New(slog.NewTextHandler(&r.log, nil)),
		Secrets: plant.Secrets{Env: func(name string) (string, bool) { return "x", name == "BUSBAR_SECRET_X" }},
		Apply: func(_ context.Context, p *plant.Plant) error {
			if err := r.fail; err != nil {
				r.fail = nil
				return err
			}
			r.inForce = p
			if r.after != nil {
				r.after()
			}
			return nil
		},
	})
	if file == "" {
		if _, err := r.Load(tb.Context()); err != nil {
			tb.Fatal(err)
		}
	}
	return r
}

var alice = manage.Actor{Name: "alice", Origin: store.OriginAPI}

// change changes the plant by lines such as "connectors a {…}"; without a body the object is deleted.
func (r *rig) change(o manage.ChangeOptions, lines ...string) (manage.Result, error) {
	return r.Change(r.tb.Context(), alice, o, func(e *manage.Edit) error {
		for _, line := range lines {
			words := strings.SplitN(line, " ", 3)
			if len(words) == 2 {
				e.Delete(plantdoc.Section(words[0]), words[1])
				continue
			}
			body, err := plantdoc.ParseObject(".json", []byte(words[2]))
			if err != nil {
				body = []byte(words[2])
			}
			e.Put(plantdoc.Section(words[0]), words[1], body)
		}
		return nil
	})
}

func (r *rig) must(lines ...string) manage.Result {
	r.tb.Helper()
	result, err := r.change(manage.ChangeOptions{}, lines...)
	if err != nil {
		r.tb.Fatalf("change %q = %v, want nil", lines, err)
	}
	return result
}

// document returns the plant of the store in one line for each object.
func (r *rig) document() (lines []string, head int64) {
	r.tb.Helper()
	objs, revision, err := r.store.Document(r.tb.Context())
	if err != nil {
		r.tb.Fatal(err)
	}
	for _, o := range objs {
		lines = append(lines, string(o.Section)+" "+o.ID+" "+string(o.Body))
	}
	return lines, revision.Number
}

func (r *rig) wantDocument(head int64, want ...string) {
	r.tb.Helper()
	got, number := r.document()
	if diff := cmp.Diff(want, got); diff != "" || number != head {
		r.tb.Errorf("revision %d, want %d; document (-want +got):\n%s", number, head, diff)
	}
}

func (r *rig) wantSecrets(want ...string) {
	r.tb.Helper()
	list, err := r.store.Secrets(r.tb.Context())
	if err != nil {
		r.tb.Fatal(err)
	}
	var got []string
	for _, s := range list {
		value, err := r.store.Secret(r.tb.Context(), s.Name)
		if err != nil {
			r.tb.Fatal(err)
		}
		got = append(got, s.Name+"="+value)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		r.tb.Errorf("secrets (-want +got):\n%s", diff)
	}
}

const (
	device = `connectors a {"kind":"device"}`
	pointP = `points p {"from":{"connector":"a","topic":"t","value":"v"},"to":[{"connector":"a","ioa":1}],"type":"float"}`
)

func TestAChangeIsStoredAndInForce(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	result, err := r.change(manage.ChangeOptions{Comment: "first"}, device, pointP)
	if err != nil {
		t.Fatal(err)
	}
	if result.Revision.Number != 1 || result.Revision.Author != "alice" || result.Revision.Comment != "first" || len(result.Changes) != 2 {
		t.Errorf("result %+v, want revision 1 of alice with 2 changes", result)
	}
	r.wantDocument(1, device, pointP)
	if len(r.inForce.Points) != 1 || r.inForce.Points[0].ID != "p" {
		t.Errorf("in force: %v, want the point p", r.inForce.Points)
	}
	if again := r.must(device, pointP); again.Revision.Number != 1 || len(again.Changes) != 0 {
		t.Errorf("the same again: %+v, want revision 1 and no change", again)
	}
	r.must("points p")
	r.wantDocument(2, device)
	if len(r.inForce.Points) != 0 {
		t.Errorf("in force: %v, want no point", r.inForce.Points)
	}
}

func TestAFaultyChangeLeavesEverythingUntouched(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for _, tt := range []struct {
		name  string
		lines []string
		o     manage.ChangeOptions
		fail  error // of Apply
		want  string
	}{
		{name: "a value that is none", lines: []string{`points q {"type":"flaot"}`}, want: "plant: points.q.type: is \"flaot\", want one of"},
		{name: "a key that is unknown", lines: []string{`connectors a {"kind":"device","hsot":"x"}`}, want: "plant: connectors.a.hsot: unknown key"},
		{name: "a reference to nothing", lines: []string{"connectors a"}, want: "plant: points.p.from.connector: there is no connector a"},
		{name: "no JSON", lines: []string{`points q {"type":`}, want: "plant: points.q: is no JSON"},
		{name: "an id that is none", lines: []string{`points a//b {"type":"float"}`}, want: "a//b"},
		{name: "an id that ends the document", lines: []string{`points x":{},"y {"type":"float"}`}, want: "plant: points."},
		{name: "an unknown section", lines: []string{`dashboards d {"type":"float"}`}, want: "dashboards"},
		{name: "a secret that is not there", lines: []string{`connectors a {"kind":"device","password":"${secret:x}"}`}, want: "connectors.a.password: secret x: is not in the store"},
		{name: "a secret of the machine", lines: []string{`connectors a {"kind":"device","host":"x${env:BUSBAR_SECRET_A}"}`}, want: "connectors.a.host: ${env:…} works only in a local plant file"},
		{name: "a file of the machine", lines: []string{`connectors a {"kind":"device","host":"${file:a}"}`}, want: "connectors.a.host: ${file:…} works only in a local plant file"},
		{name: "a hidden secret", lines: []string{`connectors a {"kind":"device","password":"***"}`}, want: "connectors.a.password: is ***, which stands for"},
		{name: "half a secret", lines: []string{`connectors a {"kind":"device","password":"x${secret:x}"}`}, want: "connectors.a.password: is a reference and more"},
		{name: "a secret with a faulty rest", lines: []string{`connectors a {"kind":"device","password":"geheim","no":1}`}, want: "connectors.a.no: unknown key"},
		{name: "another base", lines: []string{`points q {"type":"float"}`}, o: manage.ChangeOptions{Base: new(int64)}, want: "the plant has revision 1, not 0"},
		{name: "a plant that cannot be applied", lines: []string{`points q {"type":"float"}`}, fail: broken, want: "the previous plant stays in force: broken"},
		{name: "a secret of a plant that cannot be applied", lines: []string{`connectors a {"kind":"device","password":"geheim"}`}, fail: broken, want: "the previous plant stays in force: broken"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, "")
			r.must(device, pointP)
			before := r.inForce
			r.fail = tt.fail
			_, err := r.change(tt.o, tt.lines...)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Change = %v, want %q", err, tt.want)
			}
			if _, ok := errors.AsType[*manage.ApplyError](err); ok != (tt.fail != nil) {
				t.Errorf("Change = %#v, want an ApplyError: %v", err, tt.fail != nil)
			}
			r.wantDocument(1, device, pointP)
			r.wantSecrets()
			if r.inForce != before {
				t.Error("another plant is in force")
			}
		})
	}
}

func TestADryRunChangesNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	r.must(device)
	before := r.inForce
	result, err := r.change(manage.ChangeOptions{DryRun: true}, `connectors a {"kind":"device","password":"geheim"}`, pointP)
	if err != nil || len(result.Changes) != 2 || result.Revision.Number != 1 {
		t.Errorf("dry run = %+v, %v, want 2 changes of revision 1", result, err)
	}
	if result, err = r.change(manage.ChangeOptions{DryRun: true}, "points q {}"); err == nil {
		t.Errorf("dry run = %+v, want the problem", result)
	}
	result, err = r.change(manage.ChangeOptions{DryRun: true}, `connectors b {"kind":"device"}`)
	if err != nil || len(result.Warnings) != 2 || result.Warnings[1].Path != "connectors.b" {
		t.Errorf("dry run = %+v, %v, want the warning that a and b are not used", result.Warnings, err)
	}
	r.wantDocument(1, device)
	r.wantSecrets()
	if r.inForce != before {
		t.Error("another plant is in force")
	}
}

// fullDisk is a store whose transactions do not end well.
type fullDisk struct{ *store.Store }

var errDisk = errors.New("the disk is full")

func (d fullDisk) CommitSecrets(
	ctx context.Context, base int64, r store.Revision, changes []plantdoc.Change, secrets map[string]string, apply func() error,
) (store.Revision, error) {
	return d.Store.CommitSecrets(ctx, base, r, changes, secrets, func() error {
		if err := apply(); err != nil {
			return err
		}
		return errDisk
	})
}

func TestACommitThatFailsPutsThePreviousPlantIntoForceAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	r.must(device, pointP)
	manage.SetCommitter(r.Service, fullDisk{r.store})
	_, err := r.change(manage.ChangeOptions{}, "points p", `connectors a {"kind":"device","password":"geheim"}`)
	if fault, ok := errors.AsType[*manage.ApplyError](err); !ok || !errors.Is(fault, errDisk) {
		t.Errorf("Change = %v, want an ApplyError because of the disk", err)
	}
	if len(r.inForce.Points) != 1 {
		t.Errorf("in force: %v, want the point p again", r.inForce.Points)
	}
	r.wantDocument(1, device, pointP)
	r.wantSecrets()

	r.after = func() { r.fail = errors.New("broken") } // so that the previous one cannot be applied
	if _, err := r.change(manage.ChangeOptions{}, "points p"); !errors.Is(err, errDisk) || !strings.Contains(err.Error(), "nor can the previous one be put into force again: broken") {
		t.Errorf("Change = %v, want that the plant in force is not the stored one", err)
	}
}

func TestRollbackMakesANewRevisionOfAnOldDocument(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	r.must(device, pointP)
	r.must("points p", `connectors b {"kind":"device"}`)
	result, err := r.Rollback(t.Context(), alice, 1, manage.ChangeOptions{})
	if err != nil || result.Revision.Number != 3 || result.Revision.Comment != "back to revision 1" {
		t.Errorf("Rollback = %+v, %v, want revision 3", result.Revision, err)
	}
	r.wantDocument(3, device, pointP)
	if _, err := r.Rollback(t.Context(), alice, 99, manage.ChangeOptions{}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Rollback to what never was = %v, want ErrNotFound", err)
	}
}
