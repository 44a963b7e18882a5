package commandlog

import (
	"fmt"
	"log/slog"
	"strconv"
	"strings"
)

// store is the files of a log. It belongs to one goroutine at a time.
type store struct {
	fs    FS
	log   *slog.Logger
	opts  Options
	files []file // oldest first; the newest is written if current is not nil
	next  uint64 // number of the next file
	// current takes the next lines; nil: they begin a new file.
	current File
	open    map[string]lineAt // newest lines of orders that have not ended, by id
}

// file is a file of the directory.
type file struct {
	number uint64
	size   int64 // octets
}

// lineAt is a line and the number of the file that it is in.
type lineAt struct {
	text   []byte
	number uint64
}

// suffix is how the names of files end, after eight digits or more.
const suffix = ".jsonl"

func nameOf(number uint64) string { return fmt.Sprintf("%08d%s", number, suffix) }

// numberOf returns the number in the name of a file of the log.
func numberOf(name string) (number uint64, ok bool) {
	digits, ok := strings.CutSuffix(name, suffix)
	if !ok {
		return 0, false
	}
	number, err := strconv.ParseUint(digits, 10, 63)
	return number, err == nil && nameOf(number) == name
}

// keep makes entries durable. After an error none of them counts as such, and
// nothing more is written to the same file.
func (s *store) keep(entries []entry) error {
	var lines []byte
	for _, e := range entries {
		lines = append(lines, e.line...)
	}
	if err := s.write(lines); err != nil {
		s.leave()
		return err
	}
	number := s.files[len(s.files)-1].number
	for _, e := range entries {
		if e.ended {
			delete(s.open, e.id)
		} else {
			s.open[e.id] = lineAt{e.line, number}
		}
	}
	return nil
}

func (s *store) write(lines []byte) error {
	if s.current == nil || s.newest().size+int64(len(lines)) > s.opts.Segment {
		return s.begin(lines)
	}
	return s.append(lines)
}

func (s *store) newest() *file { return &s.files[len(s.files)-1] }

// append writes lines to the current file and syncs it.
func (s *store) append(lines []byte) error {
	n, err := s.current.Write(lines)
	s.newest().size += int64(n)
	if err != nil {
		return err
	}
	return s.current.Sync()
}

// begin makes a new file of lines, the first of which are those of orders under
// way that would go with the oldest files, and removes these.
func (s *store) begin(lines []byte) error {
	surplus := s.surplus()
	carried, head := s.carry(surplus)
	s.leave()
	if err := s.create(append(head, lines...)); err != nil {
		return err
	}
	for _, id := range carried {
		s.open[id] = lineAt{s.open[id].text, s.newest().number}
	}
	s.remove(surplus)
	return nil
}

// carry returns the orders under way whose newest lines are in the n oldest
// files, and these lines.
func (s *store) carry(n int) (ids []string, lines []byte) {
	if n == 0 {
		return nil, nil
	}
	last := s.files[n-1].number
	for id, l := range s.open {
		if l.number <= last {
			ids, lines = append(ids, id), append(lines, l.text...)
		}
	}
	return ids, lines
}

// surplus returns how many of the oldest files give way to a new one.
func (s *store) surplus() int {
	rest := int64(0)
	for _, f := range s.files {
		rest += f.size
	}
	n := 0
	for n < len(s.files) && (rest > s.opts.Limit-s.opts.Segment || len(s.files)-n >= maxFiles) {
		rest -= s.files[n].size
		n++
	}
	return n
}

// create makes the next file, durable with its lines. A file that could not be
// made is removed again.
func (s *store) create(lines []byte) error {
	number := s.next
	s.next++
	f, err := s.fs.Create(nameOf(number))
	if err != nil {
		return err
	}
	s.current = f
	s.files = append(s.files, file{number: number})
	if err = s.append(lines); err == nil {
		err = s.fs.SyncDir()
	}
	if err == nil {
		return nil
	}
	s.leave()
	if rm := s.fs.Remove(nameOf(number)); rm != nil {
		s.log.Warn("file of the command log is not removed", "file", nameOf(number), "error", rm)
		return err // it goes with the oldest
	}
	s.files = s.files[:len(s.files)-1]
	return err
}

// remove removes the n oldest files. What cannot be removed is tried again with
// the next file.
func (s *store) remove(n int) {
	var rest []file
	for _, f := range s.files[:n] {
		if err := s.fs.Remove(nameOf(f.number)); err != nil {
			s.log.Warn("file of the command log is not removed", "file", nameOf(f.number), "error", err)
			rest = append(rest, f)
		}
	}
	s.files = append(rest, s.files[n:]...)
}

// leave closes the current file. What it holds is synced, or told not to be kept.
func (s *store) leave() {
	if s.current == nil {
		return
	}
	if err := s.current.Close(); err != nil {
		s.log.Warn("file of the command log is not closed", "file", nameOf(s.newest().number), "error", err)
	}
	s.current = nil
}

// octets returns the size of all files.
func (s *store) octets() (sum int64) {
	for _, f := range s.files {
		sum += f.size
	}
	return sum
}
