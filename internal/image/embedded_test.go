package image_test

import (
	"testing"

	"busbar/internal/image"
	"busbar/internal/image/imagetest"
	"busbar/internal/image/journal"
)

func TestEmbedded(t *testing.T) {
	t.Parallel()
	imagetest.Run(t, func(t *testing.T) image.Image {
		return open(t, t.TempDir(), image.Options{Log: 1000})
	})
}

// open opens an image in a directory and closes it with the test.
func open(t testing.TB, dir string, opts image.Options) *image.Embedded {
	t.Helper()
	fs, err := journal.NewDisk(dir)
	if err != nil {
		t.Fatal(err)
	}
	e, err := image.Open(fs, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}
