package image_test

import (
	"testing"
	"time"

	"busbar/internal/image"
	"busbar/internal/image/imagetest"
	"busbar/internal/image/journal"
)

// small are options that get the suite to fall back on the journal.
var small = image.Options{Log: 1000, Segment: 64 << 10, Limit: 64 << 20}

func TestEmbedded(t *testing.T) {
	t.Parallel()
	imagetest.Run(t, func(t *testing.T) image.Image {
		fs, err := journal.NewDisk(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		e := mustOpen(t, fs, small)
		t.Cleanup(func() { mustClose(t, e) })
		return e
	})
}

func TestEmbeddedKeeps(t *testing.T) {
	t.Parallel()
	imagetest.RunKept(t, func(t *testing.T) func() imagetest.Keeper {
		fs := newMemFS()
		return func() imagetest.Keeper { return mustOpen(t, fs, small) }
	})
}

// TestEmbeddedKeepsWhenKilled leaves it to the next start to make sense of what
// is there.
func TestEmbeddedKeepsWhenKilled(t *testing.T) {
	t.Parallel()
	imagetest.RunKept(t, func(t *testing.T) func() imagetest.Keeper {
		fs := newMemFS()
		return func() imagetest.Keeper { return &killed{Embedded: mustOpen(t, fs, small), t: t, fs: &fs} }
	})
}

// killed is an image that is not closed, once everything is acknowledged.
type killed struct {
	*image.Embedded
	t  *testing.T
	fs *memFS
}

func (k *killed) Close() error {
	if err := kept(k.t, k); err != nil {
		k.t.Error(err)
	}
	time.Sleep(100 * time.Millisecond) // until cursors are on disk
	after := memFS{k.fs.Clone()}
	err := k.Embedded.Close()
	*k.fs = after
	return err
}
