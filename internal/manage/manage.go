// Package manage is the one way to change the plant: a change is made to the document that the store
// holds, validated as a whole, stored as a revision and put into force, all of it or nothing.
package manage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"

	"busbar/internal/connector"
	"busbar/internal/plant"
	"busbar/internal/plantdoc"
	"busbar/internal/store"
)

// ErrFileManaged is returned for a change of a plant that comes from a file: the file is the only writer.
var ErrFileManaged = errors.New("the plant is managed by a file")

// ApplyError tells that a plant is right in itself, but could not be put into force, or not be
// stored after it was. The previous plant is in force.
type ApplyError struct{ Err error }

// Error returns why, and what is in force.
func (e *ApplyError) Error() string { return "the previous plant stays in force: " + e.Err.Error() }

// Unwrap returns the reason.
func (e *ApplyError) Unwrap() error { return e.Err }

// Actor is who changes the plant.
type Actor struct {
	Name, ID, Address string
	Origin            string // of its revisions: store.OriginAPI, OriginUI or OriginCLI
}

// Options say what a service works on.
type Options struct {
	Store *store.Store
	Kinds *connector.Registry
	// Apply puts a plant into force, or fails and changes nothing.
	Apply func(context.Context, *plant.Plant) error
	// Secrets say where ${env:…} and ${file:…} lead, in plants that were taken over from a file.
	Secrets plant.Secrets
	// Files are the absolute directories below which the files lie that a plant may name, unless it
	// comes from a file.
	Files []string
	// File is the plant file that is the only writer; empty: the store is.
	File string
	// Changed is called after each change that was put into force; nil: nothing is.
	Changed func()
	Log     *slog.Logger
}

// Service changes the plant, one change at a time. It keeps nothing of the plant between changes. Its
// methods may be called from any goroutine.
type Service struct {
	o       Options
	busy    chan struct{} // holds a token while there is a change
	inForce atomic.Bool   // a plant was applied
	commits committer     // the store

	doubtful bool          // it is not known whether the store holds the plant in force; belongs to who has busy
	doubts   chan struct{} // holds a token when it has become so
}

// New returns a service. The plant is not in force before [Service.Load] or [Service.Record].
func New(o Options) *Service {
	if o.Changed == nil {
		o.Changed = func() {}
	}
	return &Service{o: o, busy: make(chan struct{}, 1), commits: o.Store, doubts: make(chan struct{}, 1)}
}

// Managed returns the plant file that is the only writer; false if the store is.
func (s *Service) Managed() (file string, ok bool) { return s.o.File, s.o.File != "" }

// InForce reports whether a plant is in force.
func (s *Service) InForce() bool { return s.inForce.Load() }

func (s *Service) errManaged() error {
	return fmt.Errorf("%w, %s: change it there, then send SIGHUP, or start without the setting plant", ErrFileManaged, s.o.File)
}

// lock begins a change; it fails if ctx ends before it is its turn.
func (s *Service) lock(ctx context.Context) (unlock func(), err error) {
	select {
	case s.busy <- struct{}{}:
		return func() { <-s.busy }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// documentName stands for the file in which the plant decodes the document.
const documentName = "plant.json"

// decode makes a plant of the whole document. Secrets are looked up in fresh before the store.
func (s *Service) decode(ctx context.Context, objs []plantdoc.Object, fresh map[string]string) (*plant.Plant, plant.Problems) {
	secrets := s.o.Secrets
	secrets.Store = func(name string) (string, error) {
		if value, ok := fresh[name]; ok {
			return value, nil
		}
		return s.secret(ctx, name)
	}
	hidden := s.hidden(objs)
	p, problems := plant.Decode(documentName, plantdoc.JSON(objs), s.o.Kinds, plant.Options{Secrets: secrets})
	problems = append(hidden, problems...)
	if len(problems) > 0 {
		return nil, withoutPlace(problems)
	}
	p.Warnings = withoutPlace(p.Warnings)
	return p, nil
}

// Try makes a plant of one connector, with the secrets of the store, under the conditions of a
// change: what only a local file may hold is refused, unless the plant has the connector like
// this. It changes nothing. It fails with [plant.Problems].
func (s *Service) Try(ctx context.Context, id string, body []byte) (*plant.Plant, error) {
	var before []plantdoc.Object
	switch o, _, err := s.o.Store.Object(ctx, plantdoc.Connectors, id); {
	case err == nil:
		before = append(before, o)
	case !errors.Is(err, store.ErrNotFound):
		return nil, err
	}
	canonical, err := plantdoc.ParseObject(documentName, body)
	if err != nil {
		return nil, err
	}
	e := newEdit(ctx, s.o.Store, before)
	e.Put(plantdoc.Connectors, id, canonical)
	t := s.tidy(ctx, e)
	if len(t.problems) > 0 {
		return nil, t.problems
	}
	p, problems := s.decode(ctx, t.after, t.secrets)
	if len(problems) > 0 {
		return nil, problems
	}
	return p, nil
}

// withoutPlace removes the positions: nobody has written the document as it is decoded. It is one
// line, which problems name where they speak of a second object.
func withoutPlace(list []plant.Problem) []plant.Problem {
	lines := strings.NewReplacer(", first in line 1", "", ", in line 1", "", " in line 1", "")
	for i := range list {
		p := &list[i]
		p.File, p.Line, p.Col, p.Text = "plant", 0, 0, lines.Replace(p.Text)
	}
	return list
}

// apply puts a plant into force.
func (s *Service) apply(ctx context.Context, p *plant.Plant) error {
	if err := s.o.Apply(ctx, p); err != nil {
		return err
	}
	s.inForce.Store(true)
	s.o.Changed()
	return nil
}

// Load puts the plant of the store into force. It fails with [plant.Problems] if it is faulty,
// which can be because secrets are missing.
func (s *Service) Load(ctx context.Context) (warnings []plant.Problem, err error) {
	unlock, err := s.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	objs, _, err := s.o.Store.Document(ctx)
	if err != nil {
		return nil, err
	}
	p, problems := s.decode(ctx, objs, nil)
	if len(problems) > 0 {
		return nil, problems
	}
	return p.Warnings, s.apply(ctx, p)
}

// Validate returns what is wrong with a whole document, and what may not be meant. Secrets that
// are written out are as good as those of the store.
func (s *Service) Validate(ctx context.Context, objs []plantdoc.Object) (problems plant.Problems, warnings []plant.Problem) {
	e := newEdit(ctx, s.o.Store, nil)
	e.Replace(objs)
	t := s.tidy(ctx, e)
	if len(t.problems) > 0 {
		return t.problems, nil
	}
	p, problems := s.decode(ctx, t.after, t.secrets)
	if len(problems) > 0 {
		return problems, nil
	}
	return nil, p.Warnings
}
