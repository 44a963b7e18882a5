package address

import (
	"fmt"
	"slices"

	"busbar/iec104/asdu"
	"busbar/internal/plantdoc"
)

// Station is what is known of one common address of a server.
type Station struct {
	Server   string
	CA       uint16
	Points   Usage
	Commands Usage
}

// Usage is how the addresses of points, or of commands, of a station are used.
type Usage struct {
	Count      int         // of ends
	Ranges     []Range     // of consecutive addresses that are taken, ascending
	Gaps       []Range     // between them
	Duplicates []Duplicate // addresses that are taken more than once
}

// Range is a range of addresses, both ends included.
type Range struct{ First, Last uint32 }

// Size returns how many addresses are in the range.
func (r Range) Size() int { return int(r.Last-r.First) + 1 }

// Duplicate is an address that several ends have.
type Duplicate struct {
	IOA  uint32
	Uses []Use
}

// Report returns how the addresses of each station are used. uses is what [Uses] has returned.
func Report(uses []Use) []Station {
	var stations []Station
	for len(uses) > 0 {
		first := uses[0]
		n := slices.IndexFunc(uses, func(u Use) bool { return u.Server != first.Server || u.CA != first.CA })
		if n < 0 {
			n = len(uses)
		}
		stations = append(stations, Station{
			Server: first.Server, CA: first.CA, Points: usage(uses[:n], plantdoc.Points), Commands: usage(uses[:n], plantdoc.Commands),
		})
		uses = uses[n:]
	}
	return stations
}

func usage(uses []Use, section plantdoc.Section) Usage {
	var u Usage
	start := 0 // in uses, of those with the last address
	for i := range uses {
		use := &uses[i]
		if use.Section != section {
			continue
		}
		u.Count++
		last := len(u.Ranges) - 1
		switch {
		case last >= 0 && u.Ranges[last].Last == use.IOA:
			u.duplicate(uses[start:i+1], use)
			continue
		case last >= 0 && u.Ranges[last].Last+1 == use.IOA:
			u.Ranges[last].Last = use.IOA
		default:
			if last >= 0 {
				u.Gaps = append(u.Gaps, Range{u.Ranges[last].Last + 1, use.IOA - 1})
			}
			u.Ranges = append(u.Ranges, Range{use.IOA, use.IOA})
		}
		start = i
	}
	return u
}

// duplicate adds the last of uses, whose first has the same address.
func (u *Usage) duplicate(uses []Use, use *Use) {
	if n := len(u.Duplicates) - 1; n >= 0 && u.Duplicates[n].IOA == use.IOA {
		u.Duplicates[n].Uses = append(u.Duplicates[n].Uses, *use)
		return
	}
	u.Duplicates = append(u.Duplicates, Duplicate{use.IOA, []Use{uses[0], *use}})
}

// Wanted says which free addresses are wanted.
type Wanted struct {
	Server string
	CA     uint16
	From   uint32 // the lowest; 0: behind the highest of the class, or 1
	Step   uint32 // between them; 0 is 1
	Count  int    // how many; 0 is 1
	Class  Class  // whose range it is to be; empty: any
}

// Next returns addresses that no point and no command of the station has, ascending from the
// lowest that is wanted. It fails if there are not enough.
func Next(uses []Use, w Wanted) ([]uint32, error) {
	step, count, from := max(w.Step, 1), max(w.Count, 1), w.From
	taken := make(map[uint32]bool)
	highest := uint32(0)
	for i := range uses {
		if u := &uses[i]; u.Server == w.Server && u.CA == w.CA {
			taken[u.IOA] = true
			if w.Class != "" && u.Class == w.Class {
				highest = max(highest, u.IOA)
			}
		}
	}
	if from == 0 {
		from = 1
		if highest > 0 {
			from = highest + step
		}
	}
	free := make([]uint32, 0, count)
	for ioa := uint64(from); ioa <= asdu.MaxIOA && len(free) < count; ioa += uint64(step) {
		if !taken[uint32(ioa)] {
			free = append(free, uint32(ioa))
		}
	}
	if len(free) < count {
		return nil, fmt.Errorf("there are %d free addresses from %d in steps of %d up to %d, want %d", len(free), from, step, asdu.MaxIOA, count)
	}
	return free, nil
}
