package manage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"slices"

	"busbar/internal/plant"
	"busbar/internal/plantdoc"
	"busbar/internal/store"
)

// ApplyFile puts the plant file, which is the only writer, into force. It fails with
// [plant.Problems] if it is faulty, and changes nothing then.
func (s *Service) ApplyFile(ctx context.Context) (warnings []plant.Problem, err error) {
	unlock, err := s.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	secrets := s.o.Secrets
	secrets.Store = func(name string) (string, error) { return s.secret(ctx, name) }
	p, problems := plant.Load(s.o.File, s.o.Kinds, plant.Options{Secrets: secrets})
	if len(problems) > 0 {
		return nil, problems
	}
	return p.Warnings, s.apply(ctx, p)
}

// recordedFile is the setting that tells what was recorded last: revision and hash of the file.
const recordedFile = "plant.file"

// Record stores the content of the plant file as a revision, if it differs from the newest one.
// Secrets that are written out in it are stored as "***". It applies nothing.
func (s *Service) Record(ctx context.Context) error {
	data, err := os.ReadFile(s.o.File)
	if err != nil {
		return err
	}
	unlock, err := s.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	sum := sha256.Sum256(data)
	mark := func(r store.Revision) string { return fmt.Sprintf("%d %s", r.Number, hex.EncodeToString(sum[:])) }
	head, err := s.o.Store.Head(ctx)
	if err != nil {
		return err
	}
	if known, err := s.o.Store.Setting(ctx, recordedFile); err == nil && known == mark(head) {
		return nil
	}
	after, problems := plantdoc.Parse(s.o.File, data)
	if len(problems) > 0 {
		return problems
	}
	slices.SortFunc(after, plantdoc.Compare)
	if err := s.mask(after); err != nil {
		return err
	}
	before, head, err := s.o.Store.Document(ctx)
	if err != nil {
		return err
	}
	if changes := plantdoc.Diff(before, after); len(changes) > 0 {
		r := store.Revision{Author: store.OriginFile, Comment: s.o.File, Origin: store.OriginFile}
		if head, err = s.o.Store.Commit(ctx, head.Number, r, changes, nil); err != nil {
			return err
		}
		s.o.Log.Info("plant file recorded", "revision", head.Number, "changes", len(changes), "file", s.o.File)
	}
	return s.o.Store.SetSetting(ctx, recordedFile, mark(head))
}

// mask hides the secrets that are written out in the connectors of a document.
func (s *Service) mask(objs []plantdoc.Object) error {
	for i, o := range objs {
		if o.Section != plantdoc.Connectors {
			break
		}
		body, err := s.cut(&cut{id: o.ID, mask: true}, o.Body)
		if err != nil {
			return fmt.Errorf("connector %s: %w", o.ID, err)
		}
		objs[i].Body = body
	}
	return nil
}
