package manage

import (
	"context"
	"fmt"
	"strings"

	"busbar/internal/plant"
	"busbar/internal/plantdoc"
)

// SetSecret sets a secret of the store. If the plant refers to it, it is put into force with the new
// value; if it cannot be, the secret keeps its former value.
func (s *Service) SetSecret(ctx context.Context, a Actor, name, value string) error {
	unlock, err := s.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if err := s.certain(ctx); err != nil {
		return err
	}
	turnover, err := s.turnover(ctx, map[string]string{name: value})
	if err != nil || len(turnover) == 0 && s.InForce() {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	return s.turnSecrets(ctx, a, turnover)
}

// turnSecrets stores secrets, and puts the plant into force again if it refers to them.
func (s *Service) turnSecrets(ctx context.Context, a Actor, turnover []turn) error {
	objs, head, err := s.o.Store.Document(ctx)
	if err != nil {
		return err
	}
	c := commitment{actor: a, head: head, before: objs, secrets: turnover}
	fresh, used, refs := make(map[string]string), false, references(objs)
	for _, t := range turnover {
		fresh[t.name] = t.after
		used = used || refs[t.name] != ""
	}
	used = used && s.o.File == ""
	if used && s.InForce() {
		var problems plant.Problems
		if c.plant, problems = s.decode(ctx, objs, fresh); len(problems) > 0 {
			return applyError(problems)
		}
	}
	if len(turnover) > 0 {
		if _, err := s.commit(ctx, c); err != nil {
			return err
		}
	}
	if used && !s.InForce() {
		if err := s.again(ctx, objs, nil); err != nil { // a step on the way
			s.o.Log.Warn("plant is still not in force", "error", err)
		}
	}
	return nil
}

// SecretInUseError tells that a secret cannot be deleted.
type SecretInUseError struct{ Name, Connector string }

// Error tells who uses it.
func (e *SecretInUseError) Error() string {
	return fmt.Sprintf("secret %s is used by connector %s", e.Name, e.Connector)
}

// DeleteSecret deletes a secret of the store. It fails with [*SecretInUseError] if the plant refers
// to it, and with [store.ErrNotFound].
func (s *Service) DeleteSecret(ctx context.Context, name string) error {
	unlock, err := s.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	_, user, err := s.secretUser(ctx, name)
	if err != nil {
		return err
	}
	if user != "" {
		return &SecretInUseError{Name: name, Connector: user}
	}
	return s.o.Store.DeleteSecret(ctx, name)
}

// secretUser returns the document, and a connector in it that refers to a secret; empty if none does.
func (s *Service) secretUser(ctx context.Context, name string) (objs []plantdoc.Object, connector string, err error) {
	if objs, _, err = s.o.Store.Document(ctx); err != nil {
		return nil, "", err
	}
	return objs, references(objs)[name], nil
}

// references returns the secrets that the connectors of a document refer to, by name of the secret.
func references(objs []plantdoc.Object) map[string]string {
	refs := make(map[string]string)
	for _, o := range objs {
		if o.Section != plantdoc.Connectors {
			break
		}
		rest := string(o.Body)
		for {
			_, after, ok := strings.Cut(rest, "${secret:")
			if !ok {
				break
			}
			name, tail, _ := strings.Cut(after, "}")
			refs[name], rest = o.ID, tail
		}
	}
	return refs
}
