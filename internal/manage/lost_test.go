package manage_test

import (
	"context"
	"errors"
	"testing"

	"busbar/internal/manage"
	"busbar/internal/plantdoc"
	"busbar/internal/store"
)

// lostStore is a database that is lost at the end of a transaction.
type lostStore struct {
	*store.Store
	stored bool // the transaction has ended well all the same
	away   int  // how often it cannot be asked afterwards
}

var errLost = errors.New("connection reset by peer")

func (l *lostStore) CommitSecrets(
	ctx context.Context, base int64, r store.Revision, changes []plantdoc.Change, secrets map[string]string, apply func() error,
) (store.Revision, error) {
	_, err := l.Store.CommitSecrets(ctx, base, r, changes, secrets, func() error {
		if err := apply(); err != nil || l.stored {
			return err
		}
		return errLost
	})
	return store.Revision{}, errors.Join(err, errLost)
}

func (l *lostStore) Settled(ctx context.Context) (store.Revision, error) {
	if l.away > 0 {
		l.away--
		return store.Revision{}, errLost
	}
	return l.Store.Settled(ctx)
}

func TestAChangeStandsThatWasStoredWhenTheDatabaseWasLost(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	r.must(device, pointP)
	manage.SetCommitter(r.Service, &lostStore{Store: r.store, stored: true})
	result, err := r.change(manage.ChangeOptions{}, "points p", `connectors a {"kind":"device","password":"geheim"}`)
	if err != nil || result.Revision.Number != 2 {
		t.Errorf("Change = revision %d, %v, want 2", result.Revision.Number, err)
	}
	if len(r.inForce.Points) != 0 {
		t.Errorf("in force: %v, want the new plant, without points", r.inForce.Points)
	}
	r.wantDocument(2, `connectors a {"kind":"device","password":"${secret:a.password}"}`)
	r.wantSecrets("a.password=geheim")
	if err := r.SetSecret(t.Context(), alice, "a.password", "anders"); err != nil {
		t.Errorf("SetSecret = %v, want nil, since it is stored", err)
	}
}

func TestStoreAndPlantAgreeAgainWhenTheDatabaseIsBack(t *testing.T) {
	t.Parallel()
	for name, stored := range map[string]bool{"the change was stored": true, "the change was not stored": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, "")
			r.must(device, pointP)
			lost := &lostStore{Store: r.store, stored: stored, away: 3}
			manage.SetCommitter(r.Service, lost)
			_, err := r.change(manage.ChangeOptions{}, "points p")
			if fault, ok := errors.AsType[*manage.ApplyError](err); !ok || !errors.Is(fault, errLost) {
				t.Fatalf("Change = %v, want an ApplyError because of the connection", err)
			}
			if len(r.inForce.Points) != 1 {
				t.Errorf("in force: %v, want the plant of before as long as it is not known", r.inForce.Points)
			}
			if _, err := r.change(manage.ChangeOptions{}, "points p"); !errors.Is(err, errLost) {
				t.Errorf("the next change = %v, want that the database is away", err)
			}
			want := 1
			if stored {
				want = 0
			}
			r.settle(t)
			if len(r.inForce.Points) != want || lost.away != 0 {
				t.Errorf("in force: %v, want what is stored", r.inForce.Points)
			}
		})
	}
}

// settle runs the service until the store and the plant in force agree.
func (r *rig) settle(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r.after = cancel
	if err := r.Run(ctx); err != nil {
		t.Errorf("Run = %v, want nil", err)
	}
	r.after = nil
}

func TestSecretsAreStoredWithTheirChangeOrNotAtAll(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	r.must(`connectors a {"kind":"device","host":"old","password":"geheim"}`)
	seen := ""
	r.after = func() { // the process may be killed here
		var err error
		if seen, err = r.store.Secret(t.Context(), "a.password"); err != nil {
			t.Error(err)
		}
	}
	r.must(`connectors a {"kind":"device","host":"new","password":"anders"}`)
	if seen != "geheim" {
		t.Errorf("before the end of the change the store holds the secret %q with the old plant, want that of the old plant", seen)
	}
	if got, err := r.store.Secret(t.Context(), "a.password"); err != nil || got != "anders" {
		t.Errorf("secret = %q, %v, want anders", got, err)
	}
}
