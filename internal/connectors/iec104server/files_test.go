package iec104server

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"busbar/iec104"
	"busbar/iec104/asdu"
	"busbar/internal/point"
)

// fileRig is a directory that is served.
type fileRig struct {
	*fileStore
	t   *testing.T
	dir string
}

func newFileRig(t *testing.T, change ...func(*FileSettings)) *fileRig {
	t.Helper()
	s := defaults()
	s.Files.Dir, s.Files.CA, s.Files.Write = t.TempDir(), 1, true
	for _, f := range change {
		f(&s.Files)
	}
	return &fileRig{t: t, dir: s.Files.Dir, fileStore: newFileStore(&s, slog.New(slog.DiscardHandler))}
}

func (r *fileRig) put(name, content string) {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.dir, name), []byte(content), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// names returns what is in the directory.
func (r *fileRig) names() (names []string) {
	r.t.Helper()
	entries, err := os.ReadDir(r.dir)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// listed checks the directory as a controlling station sees it.
func (r *fileRig) listed(want ...string) {
	r.t.Helper()
	infos, err := r.Directory(iec104.FileID{CA: 1})
	if err != nil {
		r.t.Fatal(err)
	}
	var got []string
	for _, i := range infos {
		got = append(got, fmt.Sprintf("%d-%d:%d", i.IOA, i.Name, i.Size))
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		r.t.Fatalf("listed %q, want %q", got, want)
	}
}

func (r *fileRig) read(ioa uint32, kind uint16) (string, error) {
	f, err := r.Open(iec104.FileID{CA: 1, IOA: ioa, Name: kind})
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(f)
	if err == nil && int64(len(b)) != f.Size() {
		err = fmt.Errorf("%d octets, announced %d", len(b), f.Size())
	}
	if closeErr := f.Close(true); err == nil {
		err = closeErr
	}
	return string(b), err
}

func (r *fileRig) write(ioa uint32, kind uint16, content string, complete bool) error {
	f, err := r.Create(iec104.FileID{CA: 1, IOA: ioa, Name: kind}, uint32(len(content)))
	if err != nil {
		return err
	}
	if _, err := f.WriteAt([]byte(content), 0); err != nil {
		r.t.Fatal(err)
	}
	for _, name := range r.names() {
		if name == ownName(iec104.FileID{IOA: ioa, Name: kind}) {
			if b, _ := os.ReadFile(filepath.Join(r.dir, name)); string(b) == content {
				r.t.Errorf("%s is visible before it is complete", name)
			}
		}
	}
	return f.Close(complete)
}

func TestFilesHaveAddresses(t *testing.T) {
	t.Parallel()
	r := newFileRig(t)
	r.listed()
	r.put("b.txt", "bb")
	r.put("c.txt", "ccc")
	r.put("30001-1.fault", "x")
	r.put("100-2", "zz")
	r.put("16777216-1.bin", "address out of range")
	r.put("5-65536.bin", "kind out of range")
	r.put(".hidden", "h")
	if err := os.Mkdir(filepath.Join(r.dir, "7-1.dir"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(r.dir, "8-1.link")); err != nil {
		t.Fatal(err)
	}
	want := []string{"100-2:2", "30000-1:20", "30001-1:1", "30002-1:17", "30003-1:2", "30004-1:3"}
	r.listed(want...)
	r.put("a.txt", "aaaa") // the others keep their addresses
	r.listed(append(want, "30005-1:4")...)
	if got, err := r.read(30003, 1); got != "bb" || err != nil {
		t.Errorf("read %q, %v", got, err)
	}
	for _, id := range [][2]uint32{{30003, 2}, {8, 1}, {7, 1}, {0, 0}, {30006, 1}} {
		if _, err := r.read(id[0], uint16(id[1])); err == nil {
			t.Errorf("%v was read", id)
		}
	}
	r.put("30003-1.taken", "t") // takes the address of b.txt, which gets another
	if got, err := r.read(30003, 1); got != "t" || err != nil {
		t.Errorf("read %q, %v", got, err)
	}
	if got, err := r.read(30006, 1); got != "bb" || err != nil {
		t.Errorf("read %q, %v", got, err)
	}
}

func TestFilesAreWritten(t *testing.T) {
	t.Parallel()
	r := newFileRig(t, func(s *FileSettings) { s.MaxSize = 10 })
	r.put("mine.txt", "mine")
	r.listed("30000-1:4")
	steps := []struct {
		name string
		do   func() error
		ok   bool
		want []string // names that are there then
	}{
		{"new", func() error { return r.write(500, 1, "first", true) }, true, []string{"500-1.bin", "mine.txt"}},
		{"given up", func() error { return r.write(501, 1, "other", false) }, true, []string{"500-1.bin", "mine.txt"}},
		{"again, given up", func() error { return r.write(500, 1, "second", false) }, true, []string{"500-1.bin", "mine.txt"}},
		{"again", func() error { return r.write(500, 1, "third", true) }, true, []string{"500-1.bin", "mine.txt"}},
		{"another kind", func() error { return r.write(500, 65535, "", true) }, true, []string{"500-1.bin", "500-65535.bin", "mine.txt"}},
		{"too large", func() error { return r.write(502, 1, "12345678901", true) }, false, nil},
		{"over a file of somebody else", func() error { return r.write(30000, 1, "x", true) }, false, nil},
		{"without address", func() error { return r.write(0, 1, "x", true) }, false, nil},
		{"delete a file of somebody else", func() error { return r.Delete(iec104.FileID{CA: 1, IOA: 30000, Name: 1}) }, false, nil},
		{"delete nothing", func() error { return r.Delete(iec104.FileID{CA: 1, IOA: 9, Name: 1}) }, false, nil},
		{"delete at another common address", func() error { return r.Delete(iec104.FileID{CA: 2, IOA: 500, Name: 1}) }, false, nil},
		{"delete", func() error { return r.Delete(iec104.FileID{CA: 1, IOA: 500, Name: 65535}) }, true, []string{"500-1.bin", "mine.txt"}},
	}
	for _, s := range steps {
		if err := s.do(); (err == nil) != s.ok {
			t.Fatalf("%s: %v", s.name, err)
		}
		if names := r.names(); s.want != nil && !slices.Equal(names, s.want) {
			t.Fatalf("%s: there are %q, want %q", s.name, names, s.want)
		}
	}
	if got, err := r.read(500, 1); got != "third" || err != nil {
		t.Errorf("read %q, %v", got, err)
	}
	r.put(incomingPrefix+"left", "half")
	r.listed("30000-1:4", "500-1:5")
	r.sweep()
	if names := r.names(); !slices.Equal(names, []string{"500-1.bin", "mine.txt"}) {
		t.Errorf("after tidying up there are %q", names)
	}
}

func TestFilesAreRefused(t *testing.T) {
	t.Parallel()
	r := newFileRig(t, func(s *FileSettings) { s.Write = false })
	r.put("1-1.bin", "x")
	if err := r.write(2, 1, "x", true); err == nil {
		t.Error("a file was written that must not be")
	}
	if err := r.Delete(iec104.FileID{CA: 1, IOA: 1, Name: 1}); err == nil {
		t.Error("a file was deleted that must not be")
	}
	if _, err := r.Directory(iec104.FileID{CA: 1, IOA: 1, Name: 1}); err == nil {
		t.Error("a sub-directory was listed")
	}
	if err := os.RemoveAll(r.dir); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Directory(iec104.FileID{CA: 1}); err == nil {
		t.Error("a directory was listed that is not there")
	}
	r.sweep() // is told in the log
}

func TestFileSettings(t *testing.T) {
	for _, tt := range []struct{ name, lines, want string }{
		{"dir is missing", "    files: {ca: 1}\n", "connectors.scada.files.dir: is missing"},
		{"ca is missing", "    files: {dir: /tmp}\n", "connectors.scada.files.ca: is missing"},
		{"ca of no target", "    files: {dir: /tmp, ca: 2}\n", "connectors.scada.files.ca: is 2, which no target has"},
		{"maxSize", "    files: {dir: /tmp, ca: 1, maxSize: 16777216}\n", "connectors.scada.files.maxSize"},
		{"right", "    files: {dir: /tmp, ca: 1, ioa: 100, write: true, maxSize: 1000}\n", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			target := "points:\n  p:\n    type: float\n    to:\n      - {connector: scada, ca: 1, ioa: 1, as: M_ME_TF_1}\n"
			p, problems := decode(t, withSettings("    listen: 127.0.0.1:2404\n"+tt.lines)+target)
			if p != nil {
				for _, w := range p.Warnings {
					if strings.HasPrefix(w.Path, "connectors.") {
						problems = append(problems, w.Path+": "+w.Text)
					}
				}
			}
			if got := strings.Join(problems, "\n"); tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestServerTransfersFiles transfers over the network and looks at the directory.
func TestServerTransfersFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	srv := startServer(t, false, func(s *Settings) { s.Files.Dir, s.Files.CA, s.Files.Write = dir, 1, true })
	srv.feed.targets(at(1, 1, 1, asdu.M_SP_NA_1, point.Single))
	defer srv.stop(t)
	r, err := iec104.Dial(t.Context(), srv.awaitAddress(t), iec104.Params{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := r.StartDT(t.Context()); err != nil {
		t.Fatal(err)
	}
	content := bytes.Repeat([]byte("busbar "), 30_000)
	progress := uint32(0)
	f := iec104.FileTransfer{FileID: iec104.FileID{CA: 1, IOA: 500, Name: 2}, Progress: func(done, _ uint32) { progress = done }}
	if err := r.WriteFile(t.Context(), f, bytes.NewReader(content), int64(len(content))); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "500-2.bin")); err != nil || !bytes.Equal(got, content) || int(progress) != len(content) {
		t.Fatalf("%d octets, %v, progress %d", len(got), err, progress)
	}
	infos, err := r.Directory(t.Context(), iec104.FileID{CA: 1})
	if err != nil || len(infos) != 1 || int(infos[0].Size) != len(content) {
		t.Fatalf("directory %+v, %v", infos, err)
	}
	if made, ok := infos[0].Time.Date(nil); !ok || time.Since(made) > time.Hour {
		t.Errorf("made %v, %t", made, ok)
	}
	dst, err := os.Create(filepath.Join(t.TempDir(), "copy"))
	if err != nil {
		t.Fatal(err)
	}
	defer dst.Close()
	if _, err := r.ReadFile(t.Context(), f, dst); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(dst.Name()); err != nil || !bytes.Equal(got, content) {
		t.Fatalf("%d octets, %v", len(got), err)
	}
	if err := r.DeleteFile(t.Context(), f.FileID); err != nil {
		t.Fatal(err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("left are %v, %v", entries, err)
	}
}
