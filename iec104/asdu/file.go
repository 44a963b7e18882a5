package asdu

import "encoding/binary"

// The views of the file types read the Data of an [Object], and append it. A
// Parse function is false if the octets are not those of the type. Lengths of
// files and sections are 0 … 16777215.

// segmentHeader are the octets of a segment before its content: name of file,
// name of section, length.
const segmentHeader = 4

// MaxSegment is the most that a segment can carry in an ASDU of [MaxLen] octets
// with the field sizes of IEC 60870-5-104.
const MaxSegment = 236

// FileReady is the content of F_FR_NA_1.
type FileReady struct {
	Name      uint16 // NOF: kind of file
	Length    uint32 // LOF
	Qualifier uint8  // FRQ, 0 … 127
	Negative  bool   // refused
}

// ParseFileReady returns the content of F_FR_NA_1.
func ParseFileReady(b []byte) (FileReady, bool) {
	if len(b) != 6 {
		return FileReady{}, false
	}
	return FileReady{binary.LittleEndian.Uint16(b), length(b[2:]), b[5] & 0x7F, b[5]&0x80 != 0}, true
}

// Append appends the octets of the element.
func (f FileReady) Append(dst []byte) []byte {
	dst = appendLength(binary.LittleEndian.AppendUint16(dst, f.Name), f.Length)
	return append(dst, f.Qualifier&0x7F|bit(f.Negative, 0x80))
}

// SectionReady is the content of F_SR_NA_1.
type SectionReady struct {
	Name      uint16 // NOF: kind of file
	Section   uint8  // NOS
	Length    uint32 // LOF, of the section
	Qualifier uint8  // SRQ, 0 … 127
	NotReady  bool   // the section is not ready to load
}

// ParseSectionReady returns the content of F_SR_NA_1.
func ParseSectionReady(b []byte) (SectionReady, bool) {
	if len(b) != 7 {
		return SectionReady{}, false
	}
	return SectionReady{binary.LittleEndian.Uint16(b), b[2], length(b[3:]), b[6] & 0x7F, b[6]&0x80 != 0}, true
}

// Append appends the octets of the element.
func (f SectionReady) Append(dst []byte) []byte {
	dst = appendLength(append(binary.LittleEndian.AppendUint16(dst, f.Name), f.Section), f.Length)
	return append(dst, f.Qualifier&0x7F|bit(f.NotReady, 0x80))
}

// FileAction is the content of F_SC_NA_1, where Action is SCQ, and of
// F_AF_NA_1, where it is AFQ.
type FileAction struct {
	Name    uint16 // NOF: kind of file
	Section uint8  // NOS
	Action  uint8  // 0 … 15
	Error   uint8  // 0 none, 1 memory, 2 checksum, 3 service, 4 name of file, 5 name of section
}

// ParseFileAction returns the content of F_SC_NA_1 or F_AF_NA_1.
func ParseFileAction(b []byte) (FileAction, bool) {
	if len(b) != 4 {
		return FileAction{}, false
	}
	return FileAction{binary.LittleEndian.Uint16(b), b[2], b[3] & 0x0F, b[3] >> 4}, true
}

// Append appends the octets of the element.
func (f FileAction) Append(dst []byte) []byte {
	return append(binary.LittleEndian.AppendUint16(dst, f.Name), f.Section, f.Action&0x0F|f.Error<<4)
}

// LastSection is the content of F_LS_NA_1.
type LastSection struct {
	Name      uint16 // NOF: kind of file
	Section   uint8  // NOS
	Qualifier uint8  // LSQ: 1 and 2 end of the file, 3 and 4 of the section; even with deactivation
	Checksum  uint8  // sum of all octets of the section or file, modulo 256
}

// ParseLastSection returns the content of F_LS_NA_1.
func ParseLastSection(b []byte) (LastSection, bool) {
	if len(b) != 5 {
		return LastSection{}, false
	}
	return LastSection{binary.LittleEndian.Uint16(b), b[2], b[3], b[4]}, true
}

// Append appends the octets of the element.
func (f LastSection) Append(dst []byte) []byte {
	return append(binary.LittleEndian.AppendUint16(dst, f.Name), f.Section, f.Qualifier, f.Checksum)
}

// Segment is the content of F_SG_NA_1.
type Segment struct {
	Name    uint16 // NOF: kind of file
	Section uint8  // NOS
	Content []byte // at most [MaxSegment] octets
}

// ParseSegment returns the content of F_SG_NA_1; Content is a part of b.
func ParseSegment(b []byte) (Segment, bool) {
	if len(b) < segmentHeader || int(b[3]) != len(b)-segmentHeader {
		return Segment{}, false
	}
	return Segment{binary.LittleEndian.Uint16(b), b[2], b[segmentHeader:]}, true
}

// Append appends the octets of the element. Content longer than 255 octets is
// cut off.
func (f Segment) Append(dst []byte) []byte {
	n := min(len(f.Content), 255)
	dst = append(binary.LittleEndian.AppendUint16(dst, f.Name), f.Section, byte(n))
	return append(dst, f.Content[:n]...)
}

// DirectoryEntry is the content of F_DR_TA_1 but for the time, which is the
// Time of the object.
type DirectoryEntry struct {
	Name        uint16 // NOF: kind of file
	Length      uint32 // LOF
	Status      uint8  // 0 … 31
	Last        bool   // LFD: last entry of the directory
	Directory   bool   // FOR: a sub-directory, not a file
	Transferred bool   // FA: being transferred
}

// ParseDirectoryEntry returns the content of F_DR_TA_1.
func ParseDirectoryEntry(b []byte) (DirectoryEntry, bool) {
	if len(b) != 6 {
		return DirectoryEntry{}, false
	}
	return DirectoryEntry{
		binary.LittleEndian.Uint16(b), length(b[2:]),
		b[5] & 0x1F, b[5]&0x20 != 0, b[5]&0x40 != 0, b[5]&0x80 != 0,
	}, true
}

// Append appends the octets of the element without the time.
func (f DirectoryEntry) Append(dst []byte) []byte {
	dst = appendLength(binary.LittleEndian.AppendUint16(dst, f.Name), f.Length)
	return append(dst, f.Status&0x1F|bit(f.Last, 0x20)|bit(f.Directory, 0x40)|bit(f.Transferred, 0x80))
}

// LogQuery is the content of F_SC_NB_1: the archive file between two times.
type LogQuery struct {
	Name     uint16 // NOF: kind of file
	From, To Time   // CP56Time2a
}

// ParseLogQuery returns the content of F_SC_NB_1.
func ParseLogQuery(b []byte) (LogQuery, bool) {
	if len(b) != 16 {
		return LogQuery{}, false
	}
	return LogQuery{binary.LittleEndian.Uint16(b), takeCP56(b[2:]), takeCP56(b[9:])}, true
}

// Append appends the octets of the element.
func (f LogQuery) Append(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint16(dst, f.Name)
	for _, t := range [...]Time{f.From, f.To} {
		n := len(dst)
		dst = append(dst, 0, 0, 0, 0, 0, 0, 0)
		putCP56(dst[n:], t)
	}
	return dst
}

// length returns a length of three octets.
func length(b []byte) uint32 { return takeAddress(b, 3) }

func appendLength(dst []byte, n uint32) []byte {
	return append(dst, byte(n), byte(n>>8), byte(n>>16))
}
