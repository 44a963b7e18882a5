package iec104server

import (
	"io/fs"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"busbar/iec104"
	"busbar/iec104/asdu"
)

// storedFile is a file of the directory.
type storedFile struct {
	iec104.FileInfo
	path string // its name in the directory
}

// namePattern is how a name gives an address: object address and kind, then anything
// behind one of the signs that end them.
var namePattern = regexp.MustCompile(`^([1-9][0-9]{0,7})-(0|[1-9][0-9]{0,4})(?:[._-].*)?$`)

// addressOfName returns the address that a name gives.
func addressOfName(name string) (ioa uint32, kind uint16, ok bool) {
	m := namePattern.FindStringSubmatch(name)
	if m == nil {
		return 0, 0, false
	}
	i, err := strconv.ParseUint(m[1], 10, 24)
	n, kindErr := strconv.ParseUint(m[2], 10, 16)
	return uint32(i), uint16(n), err == nil && kindErr == nil
}

// fileScan is what is found in a directory.
type fileScan struct {
	zone *time.Location
	list []storedFile
	at   map[fileAddress]bool
}

type fileAddress struct {
	ioa  uint32
	kind uint16
}

// add adds a file; false: there is one with its address, or there are too many.
func (s *fileScan) add(info fs.FileInfo, a fileAddress) bool {
	if s.at[a] || len(s.list) == maxFiles || a.ioa == 0 || a.ioa > asdu.MaxIOA {
		return false
	}
	s.at[a] = true
	s.list = append(s.list, storedFile{path: info.Name(), FileInfo: iec104.FileInfo{
		IOA: a.ioa, Name: a.kind, Size: uint32(info.Size()), Time: asdu.TimeOf(info.ModTime(), s.zone),
	}})
	return true
}

// scan looks at the directory. Files whose name gives an address have that; the others
// keep the one that they were given, or are given the next.
func (f *fileStore) scan(root *os.Root) ([]storedFile, error) {
	entries, err := fs.ReadDir(root.FS(), ".") // in the order of names
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	s := fileScan{zone: f.zone, at: map[fileAddress]bool{}}
	var unnamed []fs.FileInfo
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() || strings.HasPrefix(e.Name(), ".") || info.Size() > iec104.MaxFile {
			continue
		}
		if ioa, kind, named := addressOfName(e.Name()); named {
			s.add(info, fileAddress{ioa, kind})
		} else {
			unnamed = append(unnamed, info)
		}
	}
	f.assign(&s, unnamed)
	return s.list, nil
}

// assign adds files whose name gives no address. The caller holds mu.
func (f *fileStore) assign(s *fileScan, infos []fs.FileInfo) {
	before := f.assigned
	f.assigned = make(map[string]uint32, len(infos))
	var fresh []fs.FileInfo
	for _, info := range infos {
		if ioa := before[info.Name()]; s.add(info, fileAddress{ioa, transparent}) {
			f.assigned[info.Name()] = ioa
		} else {
			fresh = append(fresh, info)
		}
	}
	next := fileAddress{uint32(f.settings.IOA), transparent}
	for _, info := range fresh {
		for s.at[next] {
			next.ioa++
		}
		if s.add(info, next) {
			f.assigned[info.Name()] = next.ioa
		}
	}
}
