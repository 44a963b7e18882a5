package iec104

import (
	"busbar/iec104/asdu"
)

// fileStep is an ASDU of file transfer as received. Which members it has depends on
// its type.
type fileStep struct {
	header   asdu.Header
	ioa      uint32
	name     uint16
	section  uint8
	length   uint32
	action   uint8 // SCQ, AFQ or LSQ
	fault    uint8 // of F_SC_NA_1 and F_AF_NA_1
	negative bool  // F_FR_NA_1 and F_SR_NA_1
	sum      uint8
	content  []byte     // of segments, in the octets that were parsed
	entries  []FileInfo // of F_DR_TA_1
	last     bool       // of these, the last one is the last of the directory
}

// parseFileStep returns what an ASDU of file transfer says; false: it is none.
func parseFileStep(a *asdu.ASDU) (s fileStep, ok bool) {
	if !fileType(a.Type) || a.Count() == 0 {
		return s, false
	}
	s.header = a.Header
	if a.Type == asdu.F_DR_TA_1 {
		return s, s.parseEntries(a)
	}
	var objs [1]asdu.Object
	if a.Count() != 1 {
		return s, false
	}
	o := &a.AppendObjects(objs[:0])[0]
	s.ioa = o.IOA
	return s, s.parse(o.Data)
}

func (s *fileStep) parse(b []byte) (ok bool) {
	switch s.header.Type {
	case asdu.F_FR_NA_1:
		var f asdu.FileReady
		f, ok = asdu.ParseFileReady(b)
		s.name, s.length, s.negative = f.Name, f.Length, f.Negative
	case asdu.F_SR_NA_1:
		var f asdu.SectionReady
		f, ok = asdu.ParseSectionReady(b)
		s.name, s.section, s.length, s.negative = f.Name, f.Section, f.Length, f.NotReady
	case asdu.F_SC_NA_1, asdu.F_AF_NA_1:
		var f asdu.FileAction
		f, ok = asdu.ParseFileAction(b)
		s.name, s.section, s.action, s.fault = f.Name, f.Section, f.Action, f.Error
	case asdu.F_LS_NA_1:
		var f asdu.LastSection
		f, ok = asdu.ParseLastSection(b)
		s.name, s.section, s.action, s.sum = f.Name, f.Section, f.Qualifier, f.Checksum
	case asdu.F_SG_NA_1:
		var f asdu.Segment
		f, ok = asdu.ParseSegment(b)
		s.name, s.section, s.content = f.Name, f.Section, f.Content
	}
	return ok
}

func (s *fileStep) parseEntries(a *asdu.ASDU) bool {
	s.entries, s.last = appendEntries(nil, a)
	return true
}

// appendEntries appends the entries of a part of a directory, and reports whether
// it is the last part.
func appendEntries(dst []FileInfo, a *asdu.ASDU) (_ []FileInfo, last bool) {
	for _, o := range a.AppendObjects(nil) {
		e, ok := asdu.ParseDirectoryEntry(o.Data)
		if !ok {
			continue
		}
		last = last || e.Last
		dst = append(dst, FileInfo{
			IOA: o.IOA, Name: e.Name, Size: e.Length, Time: o.Time, Status: e.Status, Directory: e.Directory, Busy: e.Transferred,
		})
	}
	return dst, last
}

// DirectoryEntries returns the entries in an ASDU of type F_DR_TA_1, such as one that
// tells of a new file with cause spontaneous; nil for another type.
func DirectoryEntries(a *asdu.ASDU) []FileInfo {
	if a.Type != asdu.F_DR_TA_1 {
		return nil
	}
	entries, _ := appendEntries(nil, a)
	return entries
}

func (s *fileStep) is(t asdu.TypeID, action uint8) bool {
	return s.header.Type == t && s.action == action
}

func (s *fileStep) id() FileID { return FileID{CA: s.header.CA, IOA: s.ioa, Name: s.name} }

// follows reports whether s is a segment behind t, which is one, in the same section.
func (s *fileStep) follows(t *fileStep) bool {
	h, g := s.header, t.header
	return g.Type == asdu.F_SG_NA_1 && h.CA == g.CA && h.Cause == g.Cause && h.Test == g.Test && h.Negative == g.Negative &&
		s.ioa == t.ioa && s.name == t.name && s.section == t.section
}
