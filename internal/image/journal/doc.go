// Package journal is the change log on disk: records of octets under one
// ascending numbering, in one chain of segment files per class, each trimmed on
// its own. It knows nothing of points.
//
// # Writing
//
// Append copies a batch into the group that is being built and returns. One
// goroutine, the committer, writes the group, syncs every chain that it
// touches, and then calls the batches' callbacks: at once when it is idle;
// what is appended during a sync is the next group. So under load many batches share
// a sync, and nothing waits for a timer. Definitions, which records need to be
// understood, are a chain of their own that is synced before the records of
// the group are written.
//
// # Files
//
//	status-…, counter-…, measured-…, definitions-….seg   segments, named by their first sequence number
//	state, state-2    cursors, and how far each chain was durable; written in turn
//	checkpoint-…      states of the caller, by sequence number; two are kept
//	lock              held with flock while the journal is open
//	*.tmp             being written; removed by Open
//	*.seg.bad         segments from which nothing could be read
//
// All numbers are little endian. A segment is a header of 64 octets and frames
// without padding, perhaps followed by zeros (room that was reserved):
//
//	0  "BUSBARJ1"
//	8  chain: 0 status, 1 counter, 2 measured, 3 definitions
//	16 first sequence number
//	24 first sequence number of the segment before it, 0 if there was none
//	32 last sequence number of that segment
//	40 octets of that segment that count
//	48 octets of that segment that were certainly synced
//	56 crc32c of all before
//	60 zero
//
// A frame:
//
//	0  crc32c (Castagnoli, begun with the number of the chain) of all that follows
//	4  length of the payload in the low 24 bits; kind in the high 8: 1 record, 2 mark
//	8  sequence number
//	16 payload
//
// The payload of a definition begins with its id in 4 octets; its sequence
// number counts definitions. A mark begins each group in each chain that the
// group touches. It has the sequence number that was committed, and for each
// chain where its durable end was: first sequence number of the segment,
// offset; and then, likewise, where the chain ends with the group. The
// definitions of a group are a group of their own, before its records.
//
// # Recovery
//
// A segment is written by one process only. After Open a chain goes on in a
// new segment, whose header says how many octets of the one before it count;
// so nothing that an earlier process left unfinished can ever be mistaken for more.
//
// Without a readable state file, of a journal that was used before, Open sets the cursor
// [Lost] before all records that there are.
//
// Marks, headers and the state file prove how far a chain was durable. What is missing
// or bad before that is damage: it is reported, and everything else is read; the
// reader goes on at the next frame whose checksum is right. What lies behind it is the
// newest group, which nobody may have been told of; it alone can be torn, since no
// group is written before the one before it was synced in all chains. It stays if
// there are only good frames, in every chain, up to where its mark says that it ends.
// Otherwise Open drops it in all chains, so that what is there is always a beginning
// of what was appended. What stays is copied and synced by Open before anything relies
// on it, because after a kill it may be in the caches of the system only. What is
// dropped, and a group for which there was no room, is gone for certain before
// anything else is written.
//
// # After a failed sync
//
// A system that could not write a page may drop it and call it clean: a second
// sync of the file then succeeds, and reading gives what is not on the disk.
// The journal therefore never syncs such a file again. It fails everything
// that waits, accepts nothing more, and goes on reading what was committed.
// Close and Open begin again from the files, into new ones; that is left to the caller, because a
// disk that lost a write is a matter for an operator.
package journal
