package manage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"busbar/internal/plant"
	"busbar/internal/plantdoc"
	"busbar/internal/store"
)

// committer stores changes as a revision; see [store.Store.CommitSecrets] and [store.Store.Settled].
type committer interface {
	CommitSecrets(
		ctx context.Context, base int64, r store.Revision, changes []plantdoc.Change, secrets map[string]string, apply func() error,
	) (store.Revision, error)
	Settled(ctx context.Context) (store.Revision, error)
}

// commitment is a change that is to be stored and put into force.
type commitment struct {
	actor   Actor
	comment string
	head    store.Revision
	before  []plantdoc.Object // the document of head
	changes []plantdoc.Change
	secrets []turn
	plant   *plant.Plant // nil: the one in force stays
}

// commit stores changes as a revision and puts the plant into force. If it fails the plant of before is in force.
func (s *Service) commit(ctx context.Context, c commitment) (store.Revision, error) {
	if len(c.changes) == 0 && len(c.secrets) == 0 { // but nothing was in force
		return c.head, applyError(s.apply(ctx, c.plant))
	}
	known := s.secretsOf(ctx, c.before)
	fresh := make(map[string]string, len(c.secrets))
	for _, t := range c.secrets {
		fresh[t.name] = t.after
	}
	applied := false
	r := store.Revision{Author: c.actor.Name, Comment: c.comment, Origin: c.actor.Origin}
	revision, err := s.commits.CommitSecrets(ctx, c.head.Number, r, c.changes, fresh, func() error {
		if c.plant == nil {
			return nil
		}
		if err := s.apply(ctx, c.plant); err != nil {
			return applyError(err)
		}
		applied = true
		return nil
	})
	if err != nil && applied {
		revision, err = s.fallBack(ctx, c, known, err)
	}
	if err == nil && len(c.changes) > 0 {
		s.o.Log.Info("plant changed", "revision", revision.Number, "author", c.actor.Name, "origin", c.actor.Origin, "changes", len(c.changes))
	}
	return revision, err
}

func applyError(err error) error {
	if err == nil {
		return nil
	}
	return &ApplyError{Err: err}
}

// settleTimeout is how long a change waits to learn whether it was stored after all.
const settleTimeout = 5 * time.Second

// fallBack puts the plant of before into force again, because the end of the transaction has failed; but
// if the database is lost at that moment the change may be stored all the same, and then it stays.
func (s *Service) fallBack(ctx context.Context, c commitment, known map[string]string, failed error) (store.Revision, error) {
	head, stored, unknown := s.stored(ctx, c)
	if stored {
		s.o.Log.Warn("the database was lost when it had stored the change", "revision", head.Number, "error", failed)
		return head, nil
	}
	if unknown != nil {
		s.doubt()
	}
	if again := s.again(ctx, c.before, known); again != nil {
		return store.Revision{}, fmt.Errorf("the plant is in force but is not stored: %w; nor can the previous one be put into force again: %w", failed, again)
	}
	return store.Revision{}, &ApplyError{Err: fmt.Errorf("the new one cannot be stored: %w", failed)}
}

// stored reports whether a change is in the store, and fails if that cannot be found out now.
func (s *Service) stored(ctx context.Context, c commitment) (head store.Revision, stored bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	if head, err = s.commits.Settled(ctx); err != nil {
		return head, false, err
	}
	if len(c.changes) > 0 {
		return head, head.Number == c.head.Number+1 && head.Author == c.actor.Name && head.Origin == c.actor.Origin, nil
	}
	value, err := s.o.Store.Secret(ctx, c.secrets[0].name)
	if errors.Is(err, store.ErrNotFound) {
		return head, false, nil
	}
	return head, err == nil && value == c.secrets[0].after, err
}

// again puts the plant of a document into force again. Secrets are looked up in known before the store.
func (s *Service) again(ctx context.Context, objs []plantdoc.Object, known map[string]string) error {
	p, problems := s.decode(ctx, objs, known)
	if len(problems) > 0 {
		return problems
	}
	return s.apply(ctx, p)
}

// secretsOf returns the secrets that a document refers to, so that it can be put into force again
// when the store cannot be read.
func (s *Service) secretsOf(ctx context.Context, objs []plantdoc.Object) map[string]string {
	known := make(map[string]string)
	for name := range references(objs) {
		if value, err := s.o.Store.Secret(ctx, name); err == nil { // else decode asks again, and tells
			known[name] = value
		}
	}
	return known
}

// doubt notes that the plant of the store may not be the one in force.
func (s *Service) doubt() {
	s.doubtful = true
	select {
	case s.doubts <- struct{}{}:
	default:
	}
}

// certain puts the plant of the store into force, if it is in doubt whether that is the one in force.
// It is called by who has the lock.
func (s *Service) certain(ctx context.Context) error {
	if !s.doubtful {
		return nil
	}
	head, err := s.commits.Settled(ctx)
	if err != nil {
		return err
	}
	objs, _, err := s.o.Store.Document(ctx)
	if err != nil {
		return err
	}
	s.doubtful = false
	if err := s.again(ctx, objs, nil); err != nil {
		s.o.Log.Error("the plant of the store is not in force: correct it through the API", "revision", head.Number, "error", err)
		return nil
	}
	s.o.Log.Info("the plant of the store is in force", "revision", head.Number)
	return nil
}

// doubtEvery is how often the store is asked again which plant it holds.
const doubtEvery = time.Second

// Run makes the plant in force and the one of the store agree again after a change that was broken
// off by the loss of the database, as soon as that is there again, until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	wait := time.NewTimer(doubtEvery)
	defer wait.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.doubts:
		case <-wait.C:
		}
		unlock, err := s.lock(ctx)
		if err != nil {
			return nil // ctx has ended
		}
		if err := s.certain(ctx); err != nil {
			s.o.Log.Debug("not known which plant is stored", "error", err)
			wait.Reset(doubtEvery)
		}
		unlock()
	}
}
