package cli

import (
	"os"
	"path/filepath"
	"testing"
)

func TestNoFileIsATerminal(t *testing.T) {
	t.Parallel()
	f, err := os.Create(filepath.Join(t.TempDir(), "x"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	for _, f := range []*os.File{f, null} {
		if shown(f) != nil {
			t.Errorf("%s is a terminal", f.Name())
		}
	}
}
