package commandlog

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"busbar/internal/connector"
)

// maxReports is how many bad lines of one file are logged.
const maxReports = 10

// Open reads the log in a directory, of which no other process may have one
// open, ends the orders that were under way when it was last written, and
// returns the records of the newest orders, oldest first, as many as
// [connector.Manager.RestoreCommands] keeps. A file or line that cannot be read
// is logged, and the others are read. It fails if the directory cannot be read;
// that nothing can be written shows when it is tried.
func Open(fs FS, log *slog.Logger, o Options) (*Log, []connector.CommandRecord, error) {
	s := &store{fs: fs, log: log, opts: o.withDefaults(), next: 1, open: make(map[string]lineAt)}
	h, err := s.restore()
	if err != nil {
		return nil, nil, fmt.Errorf("command log: %w", err)
	}
	l := &Log{
		log: log, opts: s.opts, fs: fs, store: s, reading: make(chan struct{}, 1),
		work: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}),
		status: Status{Files: len(s.files), Octets: s.octets()},
	}
	h.forget()
	for _, r := range h.interrupt() {
		l.interrupted(r)
	}
	go l.run()
	return l, h.records(), nil
}

// interrupted tells of an order that was ended by the restart, and records it.
func (l *Log) interrupted(r *connector.CommandRecord) {
	o := &r.Order
	l.log.Warn("command outcome unknown after a restart", "order", o.ID, "command", o.Command, "value", o.Value.String(),
		"requester", o.Requester.Connector, "peer", o.Requester.Peer, "certificate", o.Requester.Certificate, "originator", o.Requester.Originator, "executor", r.Executor)
	text, err := encode(r, time.Now())
	if err != nil {
		l.log.Error("end of a command is not recorded", "order", o.ID, "error", err)
		return
	}
	l.queue = append(l.queue, entry{id: o.ID, line: text, ended: true})
	l.waiting += len(text)
}

// restore reads the files, and opens the newest one if more fits into it.
func (s *store) restore() (*history, error) {
	names, err := s.fs.List()
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if number, ok := numberOf(name); ok {
			s.files = append(s.files, file{number: number})
			s.next = max(s.next, number+1)
		}
	}
	slices.SortFunc(s.files, func(a, b file) int { return cmp.Compare(a.number, b.number) })
	h := newHistory()
	for i := range s.files {
		f := &s.files[i]
		whole, err := s.read(f, h)
		if err != nil {
			s.log.Warn("file of the command log cannot be read", "file", nameOf(f.number), "error", err)
			continue
		}
		if i == len(s.files)-1 {
			s.resume(f, whole)
		}
	}
	return h, nil
}

// read takes the records of a file. whole is the length of its whole lines.
func (s *store) read(f *file, h *history) (whole int64, err error) {
	r, err := s.fs.Open(nameOf(f.number))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	lines := lineReader{r: bufio.NewReaderSize(r, maxLine)}
	bad := 0
	for {
		text, err := lines.next()
		f.size = lines.offset
		switch {
		case errors.Is(err, io.EOF):
			if lines.offset > lines.whole {
				s.log.Warn("last line of a file of the command log is torn off and left out",
					"file", nameOf(f.number), "line", lines.number, "octets", lines.offset-lines.whole)
			}
			if bad > maxReports {
				s.log.Warn("further lines of the command log are left out", "file", nameOf(f.number), "lines", bad-maxReports)
			}
			return lines.whole, nil
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return 0, err
		}
		var record connector.CommandRecord
		if err == nil {
			record, err = decode(text)
		}
		if err == nil {
			h.take(&record)
		} else if bad++; bad <= maxReports {
			s.log.Warn("line of the command log is left out", "file", nameOf(f.number), "line", lines.number, "error", err)
		}
	}
}

// resume opens the newest file for what follows. If that fails a new file follows.
func (s *store) resume(f *file, whole int64) {
	current, err := s.fs.Append(nameOf(f.number))
	if err == nil && f.size > whole {
		if err = current.Truncate(whole); err != nil {
			err = errors.Join(err, current.Close())
		}
	}
	if err != nil {
		s.log.Warn("file of the command log cannot be continued", "file", nameOf(f.number), "error", err)
		return
	}
	s.current, f.size = current, whole
}

// lineReader reads whole lines and counts.
type lineReader struct {
	r      *bufio.Reader
	number int   // of the line that was read last, from 1
	offset int64 // of what was read
	whole  int64 // of the end of the last line that has one
}

// next returns the next line without its end. It fails with io.EOF at the end of
// the file, also after a line without end, and with bufio.ErrBufferFull for a
// line that is too long, which is passed over.
func (l *lineReader) next() ([]byte, error) {
	text, err := l.r.ReadSlice('\n')
	l.offset += int64(len(text))
	if len(text) > 0 {
		l.number++
	}
	long := errors.Is(err, bufio.ErrBufferFull)
	for errors.Is(err, bufio.ErrBufferFull) {
		text, err = l.r.ReadSlice('\n')
		l.offset += int64(len(text))
	}
	if err != nil {
		return nil, err
	}
	l.whole = l.offset
	if long {
		return nil, bufio.ErrBufferFull
	}
	return text[:len(text)-1], nil
}
