package iec104

import (
	"fmt"
	"io"

	"busbar/iec104/asdu"
)

const (
	// sectionSize is how long the sections are that a file is sent in, but for files
	// too long for the 255 sections that can be told apart.
	sectionSize = 65535
	maxSections = 255
)

// offer announces a file and sends it. It returns nil when the peer has acknowledged
// it as a whole.
func (t *fileTalk) offer(src io.Reader, size uint32) error {
	if err := t.ready(size); err != nil {
		return err
	}
	if err := t.called(); err != nil {
		return err
	}
	buf := make([]byte, min(size, max(sectionSize, (size+maxSections-1)/maxSections)))
	var done uint32
	var sum uint8
	for section := uint8(1); ; section++ {
		part := buf[:min(size-done, uint32(len(buf)))]
		if _, err := io.ReadFull(src, part); err != nil {
			return &localError{faultNone, fmt.Errorf("iec104: file transfer: %d octets from %d on: %w", len(part), done, err)}
		}
		if err := t.offerSection(section, part); err != nil {
			return err
		}
		sum = checksum(sum, part)
		done += uint32(len(part))
		t.advanced(done, size)
		if done == size {
			return t.finish(section, sum)
		}
	}
}

// called waits until the peer calls the file.
func (t *fileTalk) called() error {
	for {
		s, err := t.next()
		switch {
		case err != nil:
			return err
		case s.is(asdu.F_SC_NA_1, scqCallFile):
			return nil
		}
		if err := t.misplaced(&s, faultService); err != nil {
			return err
		}
	}
}

// offerSection announces a section and sends it, again if it did not arrive as it
// should. It returns nil when the peer has acknowledged it.
func (t *fileTalk) offerSection(section uint8, part []byte) error {
	ready := asdu.SectionReady{Name: t.id.Name, Section: section, Length: uint32(len(part))}.Append(nil)
	err := t.send(asdu.F_SR_NA_1, ready)
	for failed, called := 0, false; err == nil; {
		var s fileStep
		if s, err = t.next(); err != nil {
			return err
		}
		unsent, sending := t.box.unsent()
		switch sc := s.header.Type == asdu.F_SC_NA_1; {
		case s.section != section && s.header.Type != asdu.F_LS_NA_1:
			err = t.misplaced(&s, faultSection)
		case sc && s.action == scqSelectSection && !called:
			err = t.send(asdu.F_SR_NA_1, ready)
		case sc && s.action == scqCallSection && !called:
			called, err = true, t.sendSection(section, part)
		case sc && s.action == scqStopSection && called:
			t.box.drop()
			called, err = false, t.last(section, lsqStoppedSection, checksum(0, part[:len(part)-unsent]))
		case s.is(asdu.F_AF_NA_1, afqSection) && called && !sending:
			return nil
		case s.is(asdu.F_AF_NA_1, afqNoSection) && called:
			if failed++; failed > fileRetries {
				return &localError{faultChecksum, fmt.Errorf("section %d, %d times: %w", section, failed, faultError(s.fault))}
			}
			t.box.drop()
			called, err = false, t.send(asdu.F_SR_NA_1, ready)
		default:
			err = t.misplaced(&s, faultService)
		}
	}
	return err
}

// sendSection sends the segments of a section and the last one's end.
func (t *fileTalk) sendSection(section uint8, part []byte) error {
	if len(part) > 0 {
		b, err := t.build(asdu.F_SG_NA_1, asdu.Segment{Name: t.id.Name, Section: section}.Append(nil))
		if err != nil {
			return err
		}
		if err := t.box.send(t.ctx, fileOut{asdu: b[:len(b)-1], section: true, content: part}); err != nil {
			return err
		}
	}
	return t.last(section, lsqSection, checksum(0, part))
}

// finish tells the end of the file and waits until it is acknowledged.
func (t *fileTalk) finish(section, sum uint8) error {
	if err := t.last(section, lsqFile, sum); err != nil {
		return err
	}
	for {
		s, err := t.next()
		if err != nil {
			return err
		}
		if s.is(asdu.F_AF_NA_1, afqFile) {
			return nil
		}
		if err := t.misplaced(&s, faultService); err != nil {
			return err
		}
	}
}
