package manage

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"

	"busbar/internal/plant"
	"busbar/internal/plantdoc"
	"busbar/internal/store"
)

// hiddenSecret stands for a secret that was written out in a plant file.
const hiddenSecret = "***"

// secret returns a secret of the store.
func (s *Service) secret(ctx context.Context, name string) (string, error) {
	value, err := s.o.Store.Secret(ctx, name)
	if errors.Is(err, store.ErrNotFound) {
		return "", errors.New("is not in the store, want it to be set there")
	}
	return value, err
}

// tidied is an edit without secrets that are written out.
type tidied struct {
	after    []plantdoc.Object
	secrets  map[string]string // that are to be set, by name
	problems plant.Problems
}

// tidy takes secrets out of the connectors that an edit has changed, and refuses there what
// only a local file may hold.
func (s *Service) tidy(_ context.Context, e *Edit) tidied {
	t := tidied{after: e.after(), secrets: make(map[string]string), problems: slices.Clone(e.faults)}
	cloned := false
	for i, o := range t.after {
		if o.Section != plantdoc.Connectors {
			break // they come first
		}
		if old, ok := find(e.before, o.Section, o.ID); ok && bytes.Equal(old.Body, o.Body) {
			continue
		}
		c := cut{id: o.ID, secrets: t.secrets}
		body, err := s.cut(&c, o.Body)
		if err != nil {
			c.fault("", err.Error())
		}
		t.problems = append(t.problems, c.problems...)
		if bytes.Equal(body, o.Body) {
			continue
		}
		if !cloned {
			t.after, cloned = slices.Clone(t.after), true
		}
		t.after[i].Body = body
	}
	return t
}

// hidden reports the connectors of a document whose secrets were written out in a plant file
// that is no more the writer.
func (s *Service) hidden(objs []plantdoc.Object) (problems plant.Problems) {
	for _, o := range objs {
		if o.Section != plantdoc.Connectors {
			break
		}
		if !bytes.Contains(o.Body, []byte(`"`+hiddenSecret+`"`)) {
			continue
		}
		c := cut{id: o.ID, secrets: make(map[string]string)}
		if _, err := s.cut(&c, o.Body); err == nil {
			for _, p := range c.problems {
				if strings.HasPrefix(p.Text, "is "+hiddenSecret) {
					problems = append(problems, p)
				}
			}
		}
	}
	return problems
}
