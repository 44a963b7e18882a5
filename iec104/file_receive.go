package iec104

import (
	"fmt"
	"io"

	"busbar/iec104/asdu"
)

// localError is a fault of this side that ends a transfer.
type localError struct {
	fault uint8 // as the peer is told
	err   error
}

func (e *localError) Error() string { return e.err.Error() }
func (e *localError) Unwrap() error { return e.err }

// receive calls a file that was announced with a length, and writes it. It returns
// nil when everything is there and the checksum is right; the file is not yet
// acknowledged then.
func (t *fileTalk) receive(dst io.WriterAt, length uint32) error {
	if err := t.call(0, scqCallFile); err != nil {
		return err
	}
	in := incoming{dst: dst, length: length}
	for failed := 0; ; {
		s, err := t.next()
		switch {
		case err != nil:
			return err
		case s.header.Type == asdu.F_SR_NA_1 && s.length > length-in.done:
			return t.excess("section of %d octets, %d are left", s.length, length-in.done)
		case s.header.Type == asdu.F_SR_NA_1:
			whole, err := t.receiveSection(&in, s.section, s.length)
			switch {
			case err != nil:
				return err
			case whole:
				failed = 0
				continue
			case failed == fileRetries:
				return &localError{faultChecksum, fmt.Errorf("%w: section %d, %d times", ErrChecksum, s.section, failed+1)}
			}
			failed++
			if in.fault == faultNone {
				continue // stopped by the peer
			}
			if err := t.acknowledge(s.section, afqNoSection, in.fault); err != nil {
				return err
			}
		case s.is(asdu.F_LS_NA_1, lsqFile):
			if in.done != length || in.sum != s.sum {
				return &localError{faultChecksum, fmt.Errorf("%w: %d of %d octets, checksum %d, want %d", ErrChecksum, in.done, length, in.sum, s.sum)}
			}
			return nil
		default:
			if err := t.misplaced(&s, faultService); err != nil {
				return err
			}
		}
	}
}

// excess is the error of a peer that sends more than it has announced.
func (t *fileTalk) excess(format string, args ...any) error {
	return &localError{faultMemory, fmt.Errorf("%w: "+format, append([]any{ErrUnexpected}, args...)...)}
}

// incoming is a file that is being received.
type incoming struct {
	dst    io.WriterAt
	length uint32
	done   uint32 // octets in sections that were acknowledged
	sum    uint8  // of them
	fault  uint8  // of the last section, if it failed
}

// receiveSection calls a section and writes it behind those before. It is false if
// the section has to come again.
func (t *fileTalk) receiveSection(in *incoming, section uint8, length uint32) (whole bool, err error) {
	t.box.fresh()
	if err := t.call(section, scqCallSection); err != nil {
		return false, err
	}
	var got uint32
	var sum uint8
	for {
		s, err := t.next()
		switch {
		case err != nil:
			return false, err
		case s.header.Type == asdu.F_SR_NA_1 && s.section == section: // once more
		case s.header.Type == asdu.F_SG_NA_1 || s.header.Type == asdu.F_LS_NA_1 && s.action != lsqFile:
			if s.section != section {
				return false, &localError{faultSection, fmt.Errorf("%w: section %d, want %d", ErrUnexpected, s.section, section)}
			}
			if s.header.Type == asdu.F_LS_NA_1 {
				return t.endSection(in, &s, got == length, got, sum)
			}
			if uint32(len(s.content)) > length-got {
				return false, t.excess("segments of %d octets, %d are left in the section", len(s.content), length-got)
			}
			if _, err := in.dst.WriteAt(s.content, int64(in.done+got)); err != nil {
				return false, &localError{faultMemory, fmt.Errorf("iec104: file transfer: %w", err)}
			}
			got += uint32(len(s.content))
			sum = checksum(sum, s.content)
			t.advanced(in.done+got, in.length)
		default:
			if err := t.misplaced(&s, faultService); err != nil {
				return false, err
			}
		}
	}
}

// endSection acknowledges a section if it is whole.
func (t *fileTalk) endSection(in *incoming, s *fileStep, whole bool, got uint32, sum uint8) (bool, error) {
	in.fault = faultNone
	switch {
	case s.action == lsqStoppedSection:
		return false, nil // by the peer, who says how it goes on
	case s.action != lsqSection:
		return false, &localError{faultService, fmt.Errorf("%w: last segment with qualifier %d", ErrUnexpected, s.action)}
	case t.box.overran():
		in.fault = faultMemory
		return false, nil
	case !whole || sum != s.sum:
		in.fault = faultChecksum
		return false, nil
	}
	in.done += got
	in.sum += sum
	return true, t.acknowledge(s.section, afqSection, faultNone)
}

// fresh begins a section.
func (b *fileBox) fresh() {
	b.link.mu.Lock()
	defer b.link.unlock()
	b.overrun = false
}

// overran reports whether segments of the section were dropped.
func (b *fileBox) overran() bool {
	b.link.mu.Lock()
	defer b.link.unlock()
	return b.overrun
}
