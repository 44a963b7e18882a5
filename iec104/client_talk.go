package iec104

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"busbar/iec104/asdu"
)

const (
	// stoppedWait is how long a further transfer waits for the station's answer to
	// the end of one that was given up, which could be taken for one to itself, after
	// its last segment. There are stations that do not answer, and forget a transfer
	// after 3 s.
	stoppedWait = 4 * time.Second
	// maxEntries bounds the entries of a directory.
	maxEntries = 1 << 16
)

// clientFiles is the file transfer of a connection of a client; it is guarded by the
// lock of the link.
type clientFiles struct {
	box   *fileBox      // nil: nothing is being transferred
	ca    uint16        // whose file it is
	owed  int           // answers that may still come to a transfer that was given up; 0: it runs
	free  chan struct{} // closed when the box is given up
	timer *time.Timer   // gives it up if they do not come
}

// clientTalk is a transfer of a client.
type clientTalk struct {
	fileTalk
	conn     *clientConn
	selected bool // the station has announced the file
}

// openBox begins a transfer.
func (c *clientConn) openBox(ctx context.Context, ca uint16) (*fileBox, error) {
	l := &c.link
	for {
		l.mu.Lock()
		f := &c.files
		free, err := f.free, error(nil)
		switch {
		case l.ended || l.leaving:
			err = l.err
		case l.state != started:
			err = ErrNotStarted
		case f.box == nil:
			*f = clientFiles{box: newFileBox(l), ca: ca, free: make(chan struct{})}
			box := f.box
			l.unlock()
			return box, nil
		case f.owed == 0:
			err = fmt.Errorf("%w: a file is being transferred", ErrBusy)
		}
		l.unlock()
		if err != nil {
			return nil, err
		}
		select {
		case <-free:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// putFile hands over an ASDU of file transfer. It is called with the lock of the link.
func (c *clientConn) putFile(a *asdu.ASDU) {
	s, ok := parseFileStep(a)
	f := &c.files
	switch {
	case !ok || f.box == nil:
		c.link.count.Ignored++
	case f.owed == 0:
		f.box.put(&s)
		c.filed.Store(true)
	case s.header.Type == asdu.F_FR_NA_1, s.header.Type == asdu.F_SC_NA_1 && s.header.Cause.Unknown(), s.last:
		if f.owed--; f.owed == 0 {
			c.freeBox(f.box)
		}
	case s.header.Type == asdu.F_SG_NA_1 && f.timer != nil:
		f.timer.Reset(stoppedWait) // the station does not know yet
	}
}

// freeBox ends a transfer. It is called with the lock of the link.
func (c *clientConn) freeBox(box *fileBox) {
	if f := &c.files; f.box == box {
		if f.timer != nil {
			f.timer.Stop()
		}
		close(f.free)
		*f = clientFiles{}
	}
}

// stopFiles ends a transfer because data transfer is over. It is called with the
// lock of the link.
func (c *clientConn) stopFiles(err error) {
	if f := &c.files; f.box != nil {
		f.box.close(err)
		if f.owed > 0 {
			c.freeBox(f.box)
		}
	}
}

// finish sends the last ASDU of a transfer, if there is one, and ends it; owed is the
// number of answers that may still come.
func (t *clientTalk) finish(owed int, typ asdu.TypeID, data []byte) error {
	var b []byte
	var err error
	if typ != 0 {
		b, err = t.build(typ, data)
	}
	c := t.conn
	l := &c.link
	l.mu.Lock()
	defer l.unlock()
	if t.box.closed != nil { // the station knows
		owed, b = 0, nil
	}
	if b != nil {
		c.farewells = append(c.farewells, b)
		l.signal()
	}
	t.box.close(ErrClosed)
	if owed == 0 {
		c.freeBox(t.box)
		return err
	}
	f := &c.files
	f.owed = owed
	f.timer = time.AfterFunc(stoppedWait, func() {
		l.mu.Lock()
		defer l.unlock()
		c.freeBox(t.box)
	})
	return err
}

// over reports whether the peer knows why the transfer ended: it did not want it, or
// ended it.
func over(err error) bool {
	_, refused := errors.AsType[*NegativeError](err)
	_, own := errors.AsType[*localError](err)
	return refused || !own && (errors.Is(err, ErrAborted) || errors.Is(err, ErrChecksum))
}

// leave ends a request of one step.
func (t *clientTalk) leave(err error) {
	owed := 0
	if err != nil && !over(err) {
		owed = 1
	}
	_ = t.finish(owed, 0, nil) // nothing is sent, so that nothing fails
}

// endReading ends a transfer with what has to be told to the station.
func (t *clientTalk) endReading(err error) error {
	own, _ := errors.AsType[*localError](err)
	var owed int
	var typ asdu.TypeID
	action := asdu.FileAction{Name: t.id.Name}
	switch {
	case err == nil:
		typ, action.Action = asdu.F_AF_NA_1, afqFile
	case own != nil && (errors.Is(err, ErrUnexpected) || errors.Is(err, ErrChecksum)):
		typ, action.Action, action.Error = asdu.F_AF_NA_1, afqNoFile, own.fault
	case !over(err):
		typ, action.Action = asdu.F_SC_NA_1, scqStopFile
		if owed = 1; !t.selected {
			owed = 2
		}
	}
	if sendErr := t.finish(owed, typ, action.Append(nil)); err == nil {
		return sendErr
	}
	return err
}

// endWriting ends a transfer with what has to be told to the station.
func (t *clientTalk) endWriting(err error) error {
	var typ asdu.TypeID
	if err != nil && !over(err) {
		typ = asdu.F_LS_NA_1
	}
	last := asdu.LastSection{Name: t.id.Name, Qualifier: lsqStoppedFile}
	if sendErr := t.finish(0, typ, last.Append(nil)); err == nil {
		return sendErr
	}
	return err
}

// read selects a file and receives it.
func (t *clientTalk) read(dst io.WriterAt, limit uint32) (uint32, error) {
	if err := t.call(0, scqSelectFile); err != nil {
		return 0, err
	}
	s, err := t.announced()
	if err != nil {
		return 0, err
	}
	t.selected = true
	if limit > 0 && s.length > limit {
		return s.length, fmt.Errorf("%w: %d octets, most is %d", ErrTooLarge, s.length, limit)
	}
	return s.length, t.receive(dst, s.length)
}

// announced waits for F_FR_NA_1.
func (t *clientTalk) announced() (fileStep, error) {
	for {
		s, err := t.next()
		if err != nil || s.header.Type == asdu.F_FR_NA_1 {
			return s, err
		}
	}
}

// list asks for a directory.
func (t *clientTalk) list() ([]FileInfo, error) {
	b, err := t.build(asdu.F_SC_NA_1, asdu.FileAction{Name: t.id.Name}.Append(nil))
	if err != nil {
		return nil, err
	}
	asdu.SetCause(b, asdu.Request, false)
	if err := t.box.send(t.ctx, fileOut{asdu: b}); err != nil {
		return nil, err
	}
	var entries []FileInfo
	for {
		s, err := t.box.await(t.ctx, t.limit)
		switch {
		case err != nil && len(entries) > 0:
			return nil, fmt.Errorf("%w: %d entries: %w", ErrIncomplete, len(entries), err)
		case err != nil:
			return nil, err
		case s.header.CA != t.id.CA:
		case s.ioa == t.id.IOA && (s.header.Type == asdu.F_SC_NA_1 && s.header.Cause.Unknown() || s.header.Type == asdu.F_AF_NA_1):
			return nil, t.refusal(&s)
		case s.header.Type == asdu.F_DR_TA_1 && s.header.Cause == asdu.Request:
			t.box.advance()
			if entries = append(entries, s.entries...); len(entries) > maxEntries {
				return nil, fmt.Errorf("%w: directory of more than %d entries", ErrTooLarge, maxEntries)
			}
			if s.last {
				return listed(entries), nil
			}
		}
	}
}

// listed returns the entries of a directory. A single one of kind 0 stands for none.
func listed(entries []FileInfo) []FileInfo {
	if len(entries) == 1 && entries[0].Name == 0 && entries[0].Size == 0 && !entries[0].Directory {
		return nil
	}
	return entries
}
