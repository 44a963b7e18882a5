package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"busbar/internal/point"
)

// There are two state files, which are written in turn, so that one is there if the
// other one is lost; the younger one holds. A new name is written into both at once, and
// records are kept as long as a cursor in either needs them. A state file holds the cursors and
// what proves which records were durable:
//
//	0   magic
//	8   committed sequence number
//	16  for each chain: first sequence number of the newest segment, offset
//	..  number of cursors, 4 octets
//	..  per cursor: length of the name, 1 octet; name; position
//	..  generation, 8 octets: the younger file has the higher one
const (
	stateFile  = "state"
	otherState = "state-2"
	stateMagic = "BUSBARS1"
	stateHead  = 16 + endsSize + 4
)

// state is what a state file holds.
type state struct {
	committed  uint64
	proven     ends
	cursors    map[string]Position
	content    []byte // all but the generation; nil: there is no such file
	generation uint64
}

// stateName returns the name of one of the two files.
func stateName(i int) string { return [...]string{stateFile, otherState}[i] }

// encodeState returns the contents of a state file, without the generation; mu is held. ahead says
// that a cursor was not saved in full.
func (j *Journal) encodeState() (b []byte, ahead bool) {
	committed := j.committed.Load()
	b = make([]byte, stateHead, stateHead+64*len(j.cursors))
	copy(b, stateMagic)
	binary.LittleEndian.PutUint64(b[8:], committed)
	proven := j.proven()
	proven.put(b[16:])
	binary.LittleEndian.PutUint32(b[stateHead-4:], uint32(len(j.cursors)))
	for _, name := range slices.Sorted(maps.Keys(j.cursors)) {
		b = append(b, byte(len(name)))
		b = append(b, name...)
		for _, seq := range j.cursors[name] {
			ahead = ahead || seq > committed
			b = binary.LittleEndian.AppendUint64(b, min(seq, committed))
		}
	}
	return b, ahead
}

// proven returns how far each chain is durable; mu is held.
func (j *Journal) proven() (e ends) {
	for i := range j.chains {
		if s := j.chains[i].newest(); s != nil {
			e[i] = end{s.first, s.proven}
		}
	}
	return e
}

// parseState reads what encodeState wrote, with the generation.
func parseState(b []byte) (s state, err error) {
	whole := b
	s.cursors = make(map[string]Position)
	if len(b) < stateHead || string(b[:8]) != stateMagic {
		return s, fmt.Errorf("%w: state file", ErrInvalid)
	}
	s.committed = binary.LittleEndian.Uint64(b[8:])
	s.proven = getEnds(b[16:])
	n := binary.LittleEndian.Uint32(b[stateHead-4:])
	for b = b[stateHead:]; n > 0; n-- {
		if len(b) < 1 || len(b) < 1+int(b[0])+8*point.Classes {
			return s, fmt.Errorf("%w: state file: %w", ErrInvalid, io.ErrUnexpectedEOF)
		}
		name := string(b[1 : 1+int(b[0])])
		b = b[1+int(b[0]):]
		var pos Position
		for i := range pos {
			pos[i] = binary.LittleEndian.Uint64(b[8*i:])
		}
		s.cursors[name] = pos
		b = b[8*point.Classes:]
	}
	s.content = whole[:len(whole)-len(b)]
	if len(b) == 8 { // once there was only one file, and none
		s.generation = binary.LittleEndian.Uint64(b)
	}
	return s, nil
}

// loadState reads the younger state file. used tells that the journal was used before; lost, that
// there should be a state and none can be read.
func (j *Journal) loadState(used bool) (s state, lost bool, err error) {
	var faults [2]error
	for i := range j.copies {
		if j.copies[i], faults[i], err = j.readState(stateName(i)); err != nil {
			return s, false, err
		}
	}
	younger := j.younger()
	if faults[younger] != nil {
		younger = 1 - younger
	}
	other := 1 - younger
	s = j.copies[younger]
	switch {
	case faults[younger] == nil && faults[other] != nil && s.generation > 1:
		j.damaged(Damage{File: stateName(other), Reason: "useless, " + stateName(younger) + " is used: " + faults[other].Error()})
	case faults[younger] != nil:
		s.cursors = make(map[string]Position)
		missing := errors.Is(faults[0], os.ErrNotExist) && errors.Is(faults[1], os.ErrNotExist)
		if lost = used || !missing; lost {
			j.damaged(Damage{File: stateFile, Reason: "cursors lost, consumers begin at the oldest records: " + errors.Join(faults[:]...).Error()})
		}
	}
	j.cursors, j.durable = maps.Clone(s.cursors), j.inEither()
	return s, lost, nil
}

// readState reads a state file. fault is why it is of no use.
func (j *Journal) readState(name string) (s state, fault, err error) {
	b, err := j.readSummed(name)
	switch {
	case errors.Is(err, errSum), errors.Is(err, os.ErrNotExist):
		return state{}, err, nil
	case err != nil:
		return state{}, nil, err
	}
	if s, fault = parseState(b); fault != nil {
		return state{}, fault, nil
	}
	return s, nil, nil
}

// younger returns which copy is the younger one.
func (j *Journal) younger() int {
	if j.copies[0].generation > j.copies[1].generation {
		return 0
	}
	return 1
}

// inEither returns the cursors that are in a copy, where they are hindmost.
func (j *Journal) inEither() map[string]Position {
	all := make(map[string]Position)
	for i := range j.copies {
		for name, pos := range j.copies[i].cursors {
			if other, ok := all[name]; ok {
				for c := range pos {
					pos[c] = min(pos[c], other[c])
				}
			}
			all[name] = pos
		}
	}
	return all
}

// saveCopies writes a state into the older copy, unless the younger one has it; with
// new names, into both. Copies whose cursors differ are made alike.
func (j *Journal) saveCopies(s state, named bool) error {
	younger := &j.copies[j.younger()]
	older := &j.copies[1-j.younger()]
	switch {
	case !bytes.Equal(s.content, younger.content):
		if err := j.saveCopy(s); err != nil || !named {
			return err
		}
	case named && !bytes.Equal(s.content, older.content), !maps.Equal(younger.cursors, older.cursors):
	default:
		return nil
	}
	return j.saveCopy(s)
}

// saveCopy writes a state into the older copy.
func (j *Journal) saveCopy(s state) error {
	s.generation = j.copies[j.younger()].generation + 1
	older := 1 - j.younger()
	err := j.replace(stateName(older), func(w io.Writer) error {
		_, err := w.Write(binary.LittleEndian.AppendUint64(s.content[:len(s.content):len(s.content)], s.generation))
		return err
	})
	if err == nil {
		j.copies[older] = s
	}
	return err
}

// oldestRecords returns the place before the oldest record of each class; mu is held.
func (j *Journal) oldestRecords() (pos Position) {
	for class := range pos {
		pos[class] = j.committed.Load()
		if segs := j.chains[class].segs; len(segs) > 0 {
			pos[class] = min(pos[class], segs[0].before)
		}
	}
	return pos
}
