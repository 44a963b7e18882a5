package iec104

import (
	"errors"
	"fmt"
	"io"

	"busbar/iec104/asdu"
)

// FileID names a file of a station, or a directory. What it is called there the
// protocol does not tell: files are known by numbers.
type FileID struct {
	CA   uint16
	IOA  uint32
	Name uint16 // NOF, the kind of file: 1 transparent, 2 disturbance data … 128 and more private; files of one kind differ in IOA
}

// String returns the numbers in words.
func (id FileID) String() string {
	return fmt.Sprintf("common address %d, file %d of kind %d", id.CA, id.IOA, id.Name)
}

// FileInfo is an entry of a directory.
type FileInfo struct {
	IOA       uint32
	Name      uint16    // NOF, the kind of file
	Size      uint32    // octets, up to [MaxFile]
	Time      asdu.Time // when the file was made
	Status    uint8     // 0 … 31
	Directory bool      // a directory, to be asked for under its IOA and Name
	Busy      bool      // being transferred
}

// MaxFile is the size of the largest file that the protocol can announce.
const MaxFile = 1<<24 - 1

// Event returns the entry as an event that tells of a new file.
func (f *FileInfo) Event(ca uint16) Event {
	return Event{CA: ca, Type: asdu.F_DR_TA_1, Cause: asdu.Spontaneous, Object: f.object(true)}
}

func (f *FileInfo) object(last bool) asdu.Object {
	e := asdu.DirectoryEntry{Name: f.Name, Length: f.Size, Status: f.Status, Last: last, Directory: f.Directory, Transferred: f.Busy}
	return asdu.Object{IOA: f.IOA, Time: f.Time, Data: e.Append(nil)}
}

// FileSession may be implemented by a [Session] whose station has files. Without,
// the types of file transfer are unknown: cause 44.
type FileSession interface {
	// Files returns the files, nil for none. It is called as the methods of a
	// session are, and always returns the same.
	Files() Files
}

// Files are the files of a station, as one connection sees them. The server calls
// the methods, and those of the files they return, from a goroutine of the
// connection: one at a time, and without locks. They may take time, but nothing
// else of file transfer happens on the connection meanwhile, and the end of the
// connection waits for them: [Session.Closed] comes after the last.
//
// A connection has one transfer at a time; a second one is refused. An error of a
// method refuses what the controlling station has asked for.
type Files interface {
	// Directory returns what is in a directory, in any order. IOA and Name 0 are
	// those of the uppermost.
	Directory(dir FileID) ([]FileInfo, error)
	// Open opens a file for the controlling station to read.
	Open(id FileID) (OutgoingFile, error)
	// Create takes a file that the controlling station writes, of that many octets.
	Create(id FileID, size uint32) (IncomingFile, error)
	// Delete deletes a file.
	Delete(id FileID) error
}

// OutgoingFile is a file that is being read by a controlling station.
type OutgoingFile interface {
	io.Reader
	// Size is how many octets are read.
	Size() int64
	// Close ends the transfer. If the controlling station has acknowledged the file
	// as a whole it has been delivered, and may be deleted.
	Close(delivered bool) error
}

// IncomingFile is a file that is being written by a controlling station. What is
// written must not be visible as the file before it is complete.
type IncomingFile interface {
	// WriterAt takes octets in order, but for those of a section that comes again,
	// which overwrite the first attempt.
	io.WriterAt
	// Close ends the transfer: complete, with the right checksum, or to be forgotten. A
	// complete file is acknowledged after Close has returned nil.
	Close(complete bool) error
}

// Errors of file transfer that callers tell apart with errors.Is, beside those of
// other requests. A refusal is a *[NegativeError].
var (
	// ErrChecksum reports that what was received does not have the checksum that
	// was sent with it, also after repetition.
	ErrChecksum = errors.New("iec104: checksum of the file failed")
	// ErrAborted reports that the peer gave the transfer up.
	ErrAborted = errors.New("iec104: file transfer aborted by the peer")
	// ErrUnexpected reports that the peer sent what has no place in the transfer,
	// such as more than was announced.
	ErrUnexpected = errors.New("iec104: file transfer out of order")
	// ErrTooLarge reports a file larger than permitted.
	ErrTooLarge = errors.New("iec104: file too large")
)

// What F_SC_NA_1 asks for: SCQ.
const (
	scqDirectory uint8 = iota
	scqSelectFile
	scqCallFile
	scqStopFile
	scqDeleteFile
	scqSelectSection
	scqCallSection
	scqStopSection
)

// What F_AF_NA_1 acknowledges: AFQ.
const (
	afqFile uint8 = iota + 1
	afqNoFile
	afqSection
	afqNoSection
)

// What F_LS_NA_1 ends: LSQ. The stopped ones are ends "with deactivation".
const (
	lsqFile uint8 = iota + 1
	lsqStoppedFile
	lsqSection
	lsqStoppedSection
)

// What is wrong, in F_SC_NA_1 and F_AF_NA_1.
const (
	faultNone uint8 = iota
	faultMemory
	faultChecksum
	faultService
	faultName
	faultSection
)

// faultError returns why the peer acknowledged negatively.
func faultError(fault uint8) error {
	switch fault {
	case faultChecksum:
		return fmt.Errorf("%w, the peer reports", ErrChecksum)
	case faultMemory:
		return fmt.Errorf("%w: memory not available", ErrAborted)
	case faultService:
		return fmt.Errorf("%w: unexpected service", ErrAborted)
	case faultName:
		return fmt.Errorf("%w: unexpected name of file", ErrAborted)
	case faultSection:
		return fmt.Errorf("%w: unexpected name of section", ErrAborted)
	case faultNone:
		return ErrAborted
	default:
		return fmt.Errorf("%w: error %d", ErrAborted, fault)
	}
}

// fileType reports whether t belongs to file transfer, but the query log, which is
// not served.
func fileType(t asdu.TypeID) bool { return t >= asdu.F_FR_NA_1 && t <= asdu.F_DR_TA_1 }

// checksum is CHS: the sum of all octets.
func checksum(sum uint8, b []byte) uint8 {
	for _, o := range b {
		sum += o
	}
	return sum
}
