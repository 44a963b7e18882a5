package iec104

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"busbar/iec104/asdu"
)

// fileServer serves the requests for files on one connection, in a goroutine that
// is there while there are any.
type fileServer struct {
	conn  *ServerConn
	files Files
	box   *fileBox
	limit time.Duration
	done  chan struct{} // closed when the goroutine has ended
}

// filesOf returns the files of the session, nil if it has none.
func (c *ServerConn) filesOf() Files {
	if s, some := c.session.(FileSession); some {
		return s.Files()
	}
	return nil
}

// serveFile hands an ASDU of file transfer to the goroutine that serves them.
func (c *ServerConn) serveFile(a *asdu.ASDU) {
	s, ok := parseFileStep(a)
	switch {
	case !ok: // octets of another length than the type has: they were not parsed
		c.link.count.Ignored++
		return
	case a.Cause == asdu.Request && s.action != scqDirectory:
		c.mirror(a.Octets(), asdu.UnknownCause)
		return
	case a.Negative: // it has no meaning
		c.link.count.Ignored++
		return
	}
	if c.srv.cfg.NoOriginator {
		s.header.OA = 0
	}
	if c.files == nil {
		s := &fileServer{conn: c, files: c.filesOf(), box: newFileBox(&c.link), limit: c.srv.cfg.FileTimeout, done: make(chan struct{})}
		before := c.filesDone
		c.files, c.filesDone = s, s.done
		go s.run(before)
	}
	c.files.box.put(&s)
	c.files.box.tell()
}

// filesWaiting returns how many requests for files wait.
func (c *ServerConn) filesWaiting() int {
	if c.files == nil {
		return 0
	}
	return len(c.files.box.in)
}

// stopFiles ends what is being transferred.
func (c *ServerConn) stopFiles(err error) {
	if c.files != nil {
		c.files.box.close(err)
		c.files = nil
	}
}

// run serves what is in the box until nothing is left, or the box is closed.
func (f *fileServer) run(before chan struct{}) {
	defer close(f.done)
	if before != nil {
		<-before
	}
	for {
		s, ok := f.next()
		if !ok {
			return
		}
		// It fails when the box is closed, which ends the loop.
		if err := f.serve(&s); err != nil {
			return
		}
	}
}

// next returns the next request. It is false, and another goroutine will be
// started for later ones, when there is none and everything was sent.
func (f *fileServer) next() (fileStep, bool) {
	l := &f.conn.link
	for {
		l.mu.Lock()
		var s fileStep
		ok := false
		if f.box.closed == nil {
			s, ok = f.box.pop()
		}
		over := !ok && len(f.box.out) == 0
		if over && f.conn.files == f {
			f.conn.files = nil
		}
		l.unlock()
		if ok || over {
			return s, ok
		}
		<-f.box.news
	}
}

// serve serves a request, with the whole transfer if it begins one. It fails only
// because nothing can be sent.
func (f *fileServer) serve(s *fileStep) error {
	switch {
	case s.header.Test: // nothing is done under test conditions
		return f.refuse(s, faultService)
	case s.header.Type == asdu.F_FR_NA_1 && !s.negative:
		return f.receive(s)
	case s.header.Type != asdu.F_SC_NA_1:
		return f.refuse(s, faultService)
	case s.action == scqDirectory:
		return f.directory(s)
	case s.action == scqSelectFile:
		return f.send(s)
	case s.action == scqDeleteFile:
		err := f.files.Delete(s.id())
		f.log("delete", s, 0, err)
		return f.ready(s, 0, err != nil)
	default:
		return f.refuse(s, faultService)
	}
}

// aside serves what comes during a transfer and does not belong to it: a second one
// is refused.
func (f *fileServer) aside(s *fileStep) error {
	if s.is(asdu.F_SC_NA_1, scqDirectory) && !s.header.Test {
		return f.directory(s)
	}
	return f.refuse(s, faultName)
}

// refuse answers a request negatively. What is no request is not answered.
func (f *fileServer) refuse(s *fileStep, fault uint8) error {
	switch {
	case s.header.Type == asdu.F_FR_NA_1 && !s.negative:
		return f.ready(s, s.length, true)
	case s.header.Type == asdu.F_SC_NA_1 && (s.action == scqSelectFile || s.action == scqDeleteFile || s.action == scqStopFile):
		return f.ready(s, 0, true)
	case s.header.Type == asdu.F_SC_NA_1, s.header.Type == asdu.F_SR_NA_1,
		s.header.Type == asdu.F_LS_NA_1 && (s.action == lsqFile || s.action == lsqSection):
		afq := afqNoFile
		if s.section != 0 {
			afq = afqNoSection
		}
		action := asdu.FileAction{Name: s.name, Section: s.section, Action: afq, Error: fault}
		return f.answer(s, asdu.F_AF_NA_1, action.Append(nil))
	default:
		l := &f.conn.link
		l.mu.Lock()
		defer l.unlock()
		l.count.Ignored++
		return nil
	}
}

// ready answers with F_FR_NA_1.
func (f *fileServer) ready(s *fileStep, size uint32, negative bool) error {
	return f.answer(s, asdu.F_FR_NA_1, asdu.FileReady{Name: s.name, Length: size, Negative: negative}.Append(nil))
}

// answer sends one ASDU that does not belong to a transfer.
func (f *fileServer) answer(s *fileStep, t asdu.TypeID, data []byte) error {
	h := asdu.Header{Type: t, Cause: asdu.File, CA: s.header.CA, OA: s.header.OA, Test: s.header.Test}
	return f.sendObjects(h, asdu.Object{IOA: s.ioa, Data: data})
}

func (f *fileServer) sendObjects(h asdu.Header, objs ...asdu.Object) error {
	b, err := asdu.Append(nil, f.conn.link.p.Sizes, h, objs)
	if err != nil {
		l := &f.conn.link
		l.mu.Lock()
		defer l.unlock()
		f.conn.unencodable(err)
		return nil
	}
	return f.box.send(context.Background(), fileOut{asdu: b, aside: true})
}

// directory answers with the entries of a directory, those with consecutive
// addresses together. An empty one has an entry of kind 0.
func (f *fileServer) directory(s *fileStep) error {
	entries, err := f.files.Directory(s.id())
	if err != nil {
		h := s.header
		h.Cause, h.Negative = asdu.UnknownIOA, true
		action := asdu.FileAction{Name: s.name, Section: s.section, Action: s.action, Error: s.fault}
		return f.sendObjects(h, asdu.Object{IOA: s.ioa, Data: action.Append(nil)})
	}
	if len(entries) == 0 {
		entries = []FileInfo{{IOA: s.ioa}}
	}
	slices.SortStableFunc(entries, func(a, b FileInfo) int { return cmp.Compare(a.IOA, b.IOA) })
	h := asdu.Header{Type: asdu.F_DR_TA_1, Cause: asdu.Request, CA: s.header.CA, OA: s.header.OA, SQ: true}
	most := max(1, int(f.conn.srv.packing[asdu.F_DR_TA_1].serial))
	var objs []asdu.Object
	for i := range entries {
		objs = append(objs, entries[i].object(i == len(entries)-1))
		if len(objs) < most && i+1 < len(entries) && entries[i+1].IOA == entries[i].IOA+1 {
			continue
		}
		if err := f.sendObjects(h, objs...); err != nil {
			return err
		}
		objs = objs[:0]
	}
	return nil
}

// talk returns the transfer that a request begins.
func (f *fileServer) talk(s *fileStep) *fileTalk {
	return &fileTalk{
		box: f.box, ctx: context.Background(), id: s.id(), oa: s.header.OA, limit: f.limit, answers: true, aside: f.aside,
	}
}

// send sends a file that the controlling station has selected.
func (f *fileServer) send(s *fileStep) error {
	file, err := f.files.Open(s.id())
	if err == nil && (file.Size() < 0 || file.Size() > MaxFile) {
		err = errors.Join(ErrTooLarge, file.Close(false))
	}
	if err != nil {
		f.log("send", s, 0, err)
		return f.ready(s, 0, true)
	}
	t, size := f.talk(s), uint32(file.Size())
	err = t.offer(file, size)
	f.log("send", s, size, errors.Join(err, file.Close(err == nil)))
	if err != nil {
		f.box.drop()
	}
	switch own, _ := errors.AsType[*localError](err); {
	case errors.Is(err, errStopped):
		return f.ready(s, size, false)
	case own != nil, errors.Is(err, ErrTimeout):
		return t.last(0, lsqStoppedFile, 0)
	}
	return nil
}

// receive receives a file that the controlling station has announced.
func (f *fileServer) receive(s *fileStep) error {
	file, err := f.files.Create(s.id(), s.length)
	if err != nil {
		f.log("receive", s, s.length, err)
		return f.ready(s, s.length, true)
	}
	t := f.talk(s)
	err = t.receive(file, s.length)
	if closeErr := file.Close(err == nil); err == nil && closeErr != nil {
		err = &localError{faultMemory, closeErr}
	}
	f.log("receive", s, s.length, err)
	switch own, _ := errors.AsType[*localError](err); {
	case err == nil:
		return t.acknowledge(0, afqFile, faultNone)
	case own != nil:
		return t.acknowledge(0, afqNoFile, own.fault)
	case errors.Is(err, ErrTimeout):
		return t.acknowledge(0, afqNoFile, faultNone)
	case errors.Is(err, errStopped):
		return f.ready(s, s.length, false)
	}
	return nil
}

// log tells what came of a request, failures within limits.
func (f *fileServer) log(request string, s *fileStep, size uint32, err error) {
	srv := f.conn.srv
	l := srv.opt.log.With("conn", f.conn.id, "ca", s.header.CA, "ioa", s.ioa, "nof", s.name)
	if err == nil {
		l.Info("file transfer done", "request", request, "octets", size)
		return
	}
	if skipped, ok := srv.quiet.due(fileFailed, addressOf(f.conn.remote)); ok {
		l.Warn("file transfer failed", "request", request, "skipped", skipped, "error", err)
	}
}
