package iec104server

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"

	"busbar/iec104"
	"busbar/internal/connector"
)

// FileSettings is the key files.
type FileSettings struct {
	Dir     string        `json:"dir" file:"true" doc:"directory whose files controlling stations may read"`
	CA      CommonAddress `json:"ca" doc:"common address of the files, which must be one of the targets'"`
	IOA     ObjectAddress `json:"ioa" doc:"first address of files whose name does not give one"`
	Write   bool          `json:"write" doc:"whether controlling stations may write files, and delete those that were written"`
	MaxSize int           `json:"maxSize" min:"1" max:"16777215" doc:"octets of the largest file that is taken"`
}

func fileDefaults() FileSettings { return FileSettings{IOA: 30000, MaxSize: iec104.MaxFile} }

// problems returns what is wrong with the key.
func (f *FileSettings) problems() []connector.Problem {
	switch {
	case f.Dir == "" && *f != fileDefaults():
		return []connector.Problem{connector.Faultf("files.dir", "is missing, want the directory of the files")}
	case f.Dir != "" && f.CA == 0:
		return []connector.Problem{connector.Faultf("files.ca", "is missing, want the common address of the files")}
	}
	return nil
}

const (
	// maxFiles is how many files of a directory are served.
	maxFiles = 4096
	// incomingPrefix begins the names of files that are not complete.
	incomingPrefix = ".busbar-incoming-"
	// transparent is the kind of a file whose name does not give one.
	transparent = 1
)

// Why a request for a file is refused.
var (
	errNoFile    = errors.New("no such file")
	errNoWriting = errors.New("files are not to be written")
	errForeign   = errors.New("the file was not written by a controlling station")
	errFull      = fmt.Errorf("the directory has %d files already", maxFiles)
)

// fileStore serves the files of a directory. The directory is looked at with each
// request, and only at files in it: nothing leads out of it, and links are not followed.
// What is written gets a name made of its address.
type fileStore struct {
	settings FileSettings
	zone     *time.Location
	log      *slog.Logger

	mu       sync.Mutex
	assigned map[string]uint32 // addresses of files whose names do not give one
}

// newFileStore returns the files of the settings, nil if there are none.
func newFileStore(s *Settings, log *slog.Logger) *fileStore {
	if s.Files.Dir == "" {
		return nil
	}
	return &fileStore{settings: s.Files, zone: s.Time.Location, log: log, assigned: map[string]uint32{}}
}

// ownName returns the name of a file that was written by a controlling station.
func ownName(id iec104.FileID) string { return fmt.Sprintf("%d-%d.bin", id.IOA, id.Name) }

// find returns the file with an address.
func (f *fileStore) find(root *os.Root, id iec104.FileID) (found *storedFile, files int, err error) {
	list, err := f.scan(root)
	if err != nil {
		return nil, 0, err
	}
	for i := range list {
		if list[i].IOA == id.IOA && list[i].Name == id.Name && id.CA == uint16(f.settings.CA) {
			return &list[i], len(list), nil
		}
	}
	return nil, len(list), nil
}

// in calls do with the directory.
func (f *fileStore) in(do func(root *os.Root) error) error {
	root, err := os.OpenRoot(f.settings.Dir)
	if err != nil {
		return err
	}
	return errors.Join(do(root), root.Close())
}

// Directory implements [iec104.Files]. There are no sub-directories.
func (f *fileStore) Directory(dir iec104.FileID) (infos []iec104.FileInfo, err error) {
	if dir.IOA != 0 || dir.Name != 0 || dir.CA != uint16(f.settings.CA) {
		return nil, errNoFile
	}
	err = f.in(func(root *os.Root) error {
		list, err := f.scan(root)
		for i := range list {
			infos = append(infos, list[i].FileInfo)
		}
		return err
	})
	if err != nil {
		f.log.Warn("files cannot be listed", "dir", f.settings.Dir, "error", err)
	}
	return infos, err
}

// Open implements [iec104.Files].
func (f *fileStore) Open(id iec104.FileID) (file iec104.OutgoingFile, err error) {
	err = f.in(func(root *os.Root) error {
		found, _, err := f.find(root, id)
		switch {
		case err != nil:
			return err
		case found == nil:
			return errNoFile
		}
		opened, err := root.Open(found.path)
		if err == nil {
			file = &outgoingFile{File: opened, size: int64(found.Size)}
		}
		return err
	})
	return file, err
}

// Create implements [iec104.Files].
func (f *fileStore) Create(id iec104.FileID, size uint32) (file iec104.IncomingFile, err error) {
	switch {
	case !f.settings.Write:
		return nil, errNoWriting
	case id.CA != uint16(f.settings.CA) || id.IOA == 0:
		return nil, errNoFile
	case int64(size) > int64(f.settings.MaxSize):
		return nil, fmt.Errorf("%w: %d octets, most is %d", iec104.ErrTooLarge, size, f.settings.MaxSize)
	}
	err = f.in(func(root *os.Root) error {
		found, files, err := f.find(root, id)
		switch {
		case err != nil:
			return err
		case found != nil && found.path != ownName(id):
			return errForeign
		case found == nil && files >= maxFiles:
			return errFull
		}
		incoming := &incomingFile{dir: f.settings.Dir, temporary: incomingPrefix + rand.Text(), name: ownName(id)}
		incoming.File, err = root.OpenFile(incoming.temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
		if err == nil {
			file = incoming
		}
		return err
	})
	return file, err
}

// Delete implements [iec104.Files].
func (f *fileStore) Delete(id iec104.FileID) error {
	if !f.settings.Write {
		return errNoWriting
	}
	return f.in(func(root *os.Root) error {
		found, _, err := f.find(root, id)
		switch {
		case err != nil:
			return err
		case found == nil:
			return errNoFile
		case found.path != ownName(id):
			return errForeign
		}
		return root.Remove(found.path)
	})
}

// sweep removes what a process that was killed has left of files it was receiving. A
// directory that is not there is found out when it is asked for.
func (f *fileStore) sweep() {
	err := f.in(func(root *os.Root) error {
		left, err := fs.Glob(root.FS(), incomingPrefix+"*")
		for _, name := range left {
			err = errors.Join(err, root.Remove(name))
		}
		return err
	})
	if err != nil {
		f.log.Warn("files cannot be tidied up", "dir", f.settings.Dir, "error", err)
	}
}

// outgoingFile is read by a controlling station.
type outgoingFile struct {
	*os.File
	size int64
}

func (o *outgoingFile) Size() int64 { return o.size }

// Close implements [iec104.OutgoingFile]: a file that was delivered stays.
func (o *outgoingFile) Close(bool) error { return o.File.Close() }

// incomingFile is written by a controlling station.
type incomingFile struct {
	*os.File
	dir, temporary, name string
}

// Close implements [iec104.IncomingFile]: a complete file takes the place of the one
// before as a whole.
func (i *incomingFile) Close(complete bool) error {
	var err error
	if complete {
		err = i.Sync()
	}
	err = errors.Join(err, i.File.Close())
	root, rootErr := os.OpenRoot(i.dir)
	if rootErr != nil {
		return errors.Join(err, rootErr)
	}
	if complete && err == nil {
		err = root.Rename(i.temporary, i.name)
		complete = err == nil
	} else {
		complete = false
	}
	if !complete {
		err = errors.Join(err, root.Remove(i.temporary))
	}
	return errors.Join(err, root.Close())
}
