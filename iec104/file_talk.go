package iec104

import (
	"context"
	"fmt"
	"time"

	"busbar/iec104/asdu"
)

// fileRetries is how often a section is sent again after its checksum failed.
const fileRetries = 3

// fileTalk is one transfer, in either direction and either role: the steps after the
// file was announced are the same with roles exchanged. It belongs to one goroutine.
type fileTalk struct {
	box      *fileBox
	ctx      context.Context
	id       FileID
	oa       uint8
	limit    time.Duration // of a step
	progress func(done, total uint32)
	// answers: this side is a controlled station and says so when something has no
	// place; a controlling one ignores it.
	answers bool
	// aside takes what does not belong to the transfer.
	aside func(s *fileStep) error
}

// header returns the header of an ASDU of the transfer.
func (t *fileTalk) header(typ asdu.TypeID) asdu.Header {
	return asdu.Header{Type: typ, Cause: asdu.File, CA: t.id.CA, OA: t.oa}
}

func (t *fileTalk) build(typ asdu.TypeID, data []byte) ([]byte, error) {
	b, err := asdu.Append(nil, t.box.link.p.Sizes, t.header(typ), []asdu.Object{{IOA: t.id.IOA, Data: data}})
	if err != nil {
		return nil, fmt.Errorf("iec104: file transfer: %w", err)
	}
	return b, nil
}

func (t *fileTalk) send(typ asdu.TypeID, data []byte) error {
	b, err := t.build(typ, data)
	if err != nil {
		return err
	}
	return t.box.send(t.ctx, fileOut{asdu: b})
}

// call sends F_SC_NA_1.
func (t *fileTalk) call(section, scq uint8) error {
	return t.send(asdu.F_SC_NA_1, asdu.FileAction{Name: t.id.Name, Section: section, Action: scq}.Append(nil))
}

// acknowledge sends F_AF_NA_1.
func (t *fileTalk) acknowledge(section, afq, fault uint8) error {
	return t.send(asdu.F_AF_NA_1, asdu.FileAction{Name: t.id.Name, Section: section, Action: afq, Error: fault}.Append(nil))
}

// last sends F_LS_NA_1.
func (t *fileTalk) last(section, lsq, sum uint8) error {
	return t.send(asdu.F_LS_NA_1, asdu.LastSection{Name: t.id.Name, Section: section, Qualifier: lsq, Checksum: sum}.Append(nil))
}

// ready sends F_FR_NA_1.
func (t *fileTalk) ready(size uint32) error {
	return t.send(asdu.F_FR_NA_1, asdu.FileReady{Name: t.id.Name, Length: size}.Append(nil))
}

// next returns the next step of the transfer. It fails when there is none in time,
// and with what ends a transfer at any step: a refusal, and that the peer gives up.
func (t *fileTalk) next() (fileStep, error) {
	for {
		s, err := t.box.await(t.ctx, t.limit)
		if err != nil {
			return s, err
		}
		own := s.header.CA == t.id.CA && s.ioa == t.id.IOA
		switch {
		case own && (s.header.Cause.Unknown() || s.header.Negative && !t.answers):
			return s, t.refusal(&s)
		case !own || s.header.Cause != asdu.File || s.header.Negative || s.header.Test || s.name != t.id.Name || t.opening(&s):
			if err := t.aside(&s); err != nil {
				return s, err
			}
		case s.is(asdu.F_SC_NA_1, scqStopFile):
			return s, errStopped
		case s.is(asdu.F_AF_NA_1, afqNoFile):
			return s, faultError(s.fault)
		case s.is(asdu.F_LS_NA_1, lsqStoppedFile):
			return s, ErrAborted
		case s.header.Type == asdu.F_FR_NA_1 && s.negative, s.header.Type == asdu.F_SR_NA_1 && s.negative:
			return s, t.refusal(&s)
		default:
			return s, nil
		}
	}
}

// errStopped: the peer has deactivated the file.
var errStopped = fmt.Errorf("%w: file deactivated", ErrAborted)

// opening reports whether a step asks a controlled station for a further transfer.
func (t *fileTalk) opening(s *fileStep) bool {
	if !t.answers {
		return false
	}
	return s.header.Type == asdu.F_FR_NA_1 && !s.negative ||
		s.header.Type == asdu.F_SC_NA_1 && (s.action == scqDirectory || s.action == scqSelectFile || s.action == scqDeleteFile)
}

// refusal returns the error of a negative answer.
func (t *fileTalk) refusal(s *fileStep) error {
	return &NegativeError{Type: s.header.Type, CA: t.id.CA, IOA: t.id.IOA, Cause: s.header.Cause}
}

// misplaced deals with a step that is not the one to come: the transfer goes on as
// if it had not been there.
func (t *fileTalk) misplaced(s *fileStep, fault uint8) error {
	if !t.answers || s.header.Type == asdu.F_AF_NA_1 || s.header.Type == asdu.F_SG_NA_1 {
		return nil
	}
	afq := afqNoFile
	if s.section != 0 {
		afq = afqNoSection
	}
	b, err := t.build(asdu.F_AF_NA_1, asdu.FileAction{Name: s.name, Section: s.section, Action: afq, Error: fault}.Append(nil))
	if err != nil {
		return err
	}
	return t.box.send(t.ctx, fileOut{asdu: b, aside: true})
}

// advanced tells how far the transfer has got.
func (t *fileTalk) advanced(done, total uint32) {
	if t.progress != nil {
		t.progress(done, total)
	}
}
