package app

import (
	"errors"
	"fmt"
	"path/filepath"

	"busbar/internal/config"
	"busbar/internal/image"
	"busbar/internal/image/journal"
)

// journalDir is the directory of the journal in the data directory.
const journalDir = "journal"

// openImage opens the process image as the settings have it. It fails if the
// journal cannot be used.
func openImage(log *Log, c config.Config) (img image.Image, closeImage func() error, err error) {
	if c.Image == "memory" {
		log.Warn("process image in memory only: values and events do not outlive this process")
		m := image.New(image.Options{})
		return m, func() error { m.Close(); return nil }, nil
	}
	dir := filepath.Join(c.Data, journalDir)
	e, err := openEmbedded(log, c, dir)
	if errors.Is(err, journal.ErrLocked) {
		return nil, nil, fmt.Errorf("journal %s: is in use by another process", dir)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("journal %s cannot be used: %w; repair it, or start with an empty directory by moving it away", dir, err)
	}
	s := e.Status()
	log.Info("journal opened", "newest", e.Seq(), "used", s.Used, "limit", s.Limit, "damaged", s.Damaged)
	return e, func() error {
		if err := e.Close(); err != nil {
			return fmt.Errorf("closing the journal: %w", err)
		}
		return nil
	}, nil
}

func openEmbedded(log *Log, c config.Config, dir string) (*image.Embedded, error) {
	fs, err := journal.NewDisk(dir)
	if err != nil {
		return nil, err
	}
	return image.Open(fs, image.Options{Limit: c.JournalLimit, Preallocate: true, Logger: log.Logger})
}
