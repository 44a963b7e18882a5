package journal

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// A small file is replaced as a whole: written under another name, synced,
// renamed, the directory synced. It ends with its length and checksum:
//
//	0  octets before this
//	8  crc32c of all before
const (
	tempSuffix  = ".tmp"
	trailerSize = 12
)

// summer sums and counts what is written through it.
type summer struct {
	w   io.Writer
	n   uint64
	sum uint32
}

func (s *summer) Write(b []byte) (int, error) {
	n, err := s.w.Write(b)
	s.sum = crc32.Update(s.sum, castagnoli, b[:n])
	s.n += uint64(n)
	return n, err
}

// replace replaces a file, or makes it. What was there stays if it fails.
func (j *Journal) replace(name string, content func(io.Writer) error) error {
	temp := name + tempSuffix
	if err := j.remove(temp); err != nil {
		return err
	}
	f, err := j.fs.Create(temp)
	if err != nil {
		return err
	}
	if err := errors.Join(writeSummed(f, content), f.Close()); err != nil {
		return errors.Join(err, j.fs.Remove(temp))
	}
	if err := j.fs.Rename(temp, name); err != nil {
		return errors.Join(err, j.fs.Remove(temp))
	}
	return j.fs.SyncDir()
}

func writeSummed(f File, content func(io.Writer) error) error {
	b := bufio.NewWriterSize(io.NewOffsetWriter(f, 0), 64<<10)
	s := &summer{w: b}
	if err := content(s); err != nil {
		return err
	}
	var count [8]byte
	binary.LittleEndian.PutUint64(count[:], s.n)
	if _, err := s.Write(count[:]); err != nil {
		return err
	}
	if err := binary.Write(b, binary.LittleEndian, s.sum); err != nil {
		return err
	}
	if err := b.Flush(); err != nil {
		return err
	}
	return f.Sync()
}

// errSum is that of a file that is not as it was written.
var errSum = errors.New("checksum or length wrong")

// checkSummed reads a file to its end and returns the octets of its content.
func checkSummed(f File) (int64, error) {
	size, err := f.Size()
	if err != nil {
		return 0, err
	}
	n := size - trailerSize
	if n < 0 {
		return 0, errSum
	}
	s := &summer{w: io.Discard}
	if _, err := io.Copy(s, io.NewSectionReader(f, 0, n+8)); err != nil {
		return 0, err
	}
	var t [trailerSize]byte
	if _, err := f.ReadAt(t[:], n); err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	if binary.LittleEndian.Uint64(t[:]) != uint64(n) || binary.LittleEndian.Uint32(t[8:]) != s.sum {
		return 0, errSum
	}
	return n, nil
}

// readSummed returns the content of a small file.
func (j *Journal) readSummed(name string) ([]byte, error) {
	f, err := j.fs.Open(name)
	if err != nil {
		return nil, err
	}
	n, err := checkSummed(f)
	var b []byte
	if err == nil {
		b = make([]byte, n)
		if _, err = f.ReadAt(b, 0); errors.Is(err, io.EOF) {
			err = nil
		}
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return b, nil
}
