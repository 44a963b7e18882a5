package manage

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"busbar/internal/plant"
	"busbar/internal/plantdoc"
	"busbar/internal/store"
)

// ChangeOptions say how the plant is changed.
type ChangeOptions struct {
	Comment string
	// Base is the revision that the change was made for; nil: whichever is in force.
	Base *int64
	// DryRun finds out what would be changed and what is wrong with it, and changes nothing.
	DryRun bool
}

// Result is what became of a change.
type Result struct {
	// Revision is the one that holds the change; the one before if nothing was to be changed, or
	// with DryRun.
	Revision store.Revision
	Changes  []plantdoc.Change
	Warnings []plant.Problem // about the whole plant
}

// Change changes the plant by what edit does, all of it or nothing. What changes nothing makes no
// revision. It fails with [plant.Problems] if the plant would be faulty, [ErrFileManaged] if a file
// is the only writer, [store.ErrConflict] if the base is not the newest revision, [*ApplyError] if the plant cannot be put
// into force, and with the error of edit. The previous plant stays in force then.
func (s *Service) Change(ctx context.Context, a Actor, o ChangeOptions, edit func(*Edit) error) (Result, error) {
	if s.o.File != "" && !o.DryRun {
		return Result{}, s.errManaged()
	}
	unlock, err := s.lock(ctx)
	if err != nil {
		return Result{}, err
	}
	defer unlock()
	if err := s.certain(ctx); err != nil {
		return Result{}, err
	}
	before, head, err := s.o.Store.Document(ctx)
	if err != nil {
		return Result{}, err
	}
	if o.Base != nil && *o.Base != head.Number {
		return Result{}, fmt.Errorf("%w: the plant has revision %d, not %d", store.ErrConflict, head.Number, *o.Base)
	}
	e := newEdit(ctx, s.o.Store, before)
	e.head = head.Number
	if err := edit(e); err != nil {
		return Result{}, err
	}
	return s.settle(ctx, a, o, head, e)
}

// settle validates an edit, and stores and applies it.
func (s *Service) settle(ctx context.Context, a Actor, o ChangeOptions, head store.Revision, e *Edit) (Result, error) {
	t := s.tidy(ctx, e)
	if len(t.problems) > 0 {
		return Result{}, t.problems
	}
	r := Result{Revision: head, Changes: plantdoc.Diff(e.before, t.after)}
	turnover, err := s.turnover(ctx, t.secrets)
	if err != nil {
		return Result{}, err
	}
	if len(r.Changes) == 0 && len(turnover) == 0 && s.InForce() && !o.DryRun {
		return r, nil
	}
	p, problems := s.decode(ctx, t.after, t.secrets)
	if len(problems) > 0 {
		return Result{}, problems
	}
	r.Warnings = p.Warnings
	if o.DryRun {
		return r, nil
	}
	ctx = context.WithoutCancel(ctx) // who asked may leave: what is begun is brought to an end
	r.Revision, err = s.commit(ctx, commitment{
		actor: a, comment: o.Comment, head: head, before: e.before, changes: r.Changes, secrets: turnover, plant: p,
	})
	if err != nil {
		return Result{}, err
	}
	s.dropSecrets(ctx, t.after, r.Changes)
	return r, nil
}

// turn is a secret that gets another value.
type turn struct{ name, after string }

// turnover returns which of the secrets differ from those of the store.
func (s *Service) turnover(ctx context.Context, secrets map[string]string) ([]turn, error) {
	var list []turn
	for name, value := range secrets {
		before, err := s.o.Store.Secret(ctx, name)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, fmt.Errorf("secret %s: %w", name, err)
		}
		if err != nil || before != value {
			list = append(list, turn{name, value})
		}
	}
	return list, nil
}

// dropSecrets deletes the own secrets of connectors that were removed.
func (s *Service) dropSecrets(ctx context.Context, after []plantdoc.Object, changes []plantdoc.Change) {
	var gone []string
	for _, c := range changes {
		if c.Section == plantdoc.Connectors && c.After == nil && bytes.Contains(c.Before, []byte("${secret:"+c.ID+".")) {
			gone = append(gone, c.ID+".")
		}
	}
	if len(gone) == 0 {
		return
	}
	secrets, err := s.o.Store.Secrets(ctx)
	if err != nil {
		s.o.Log.Warn("secrets of connectors that are gone are not deleted", "error", err)
		return
	}
	used := references(after)
	for _, secret := range secrets {
		_, needed := used[secret.Name]
		for _, prefix := range gone {
			if needed || !strings.HasPrefix(secret.Name, prefix) {
				continue
			}
			if err := s.o.Store.DeleteSecret(ctx, secret.Name); err != nil {
				s.o.Log.Warn("secret of a connector that is gone is not deleted", "secret", secret.Name, "error", err)
			}
		}
	}
}

// Rollback makes the document of an older revision a new one. It fails as Change does, and with
// [store.ErrNotFound].
func (s *Service) Rollback(ctx context.Context, a Actor, number int64, o ChangeOptions) (Result, error) {
	o.Comment = cmp.Or(o.Comment, RollbackComment(number))
	return s.Change(ctx, a, o, func(e *Edit) error { return e.Restore(number) })
}

// RollbackComment is the comment of a rollback for which none is given.
func RollbackComment(number int64) string { return fmt.Sprintf("back to revision %d", number) }
