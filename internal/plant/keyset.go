package plant

import "fmt"

// smallMap is how many fields a map has at most that is searched from end to end.
const smallMap = 16

// keySet tells which keys a map under construction has.
type keySet struct {
	index map[string]int // nil as long as the map is small
}

// add notes a key that is about to be appended to fields. If it is there
// already, add returns the line of its field and false.
func (s *keySet) add(fields []Field, key string) (line int32, ok bool) {
	if s.index == nil {
		for i := range fields {
			if fields[i].Key == key {
				return fields[i].Line, false
			}
		}
		if len(fields) >= smallMap {
			s.index = make(map[string]int, 2*len(fields))
			for i := range fields {
				s.index[fields[i].Key] = i
			}
			s.index[key] = len(fields)
		}
		return 0, true
	}
	if i, found := s.index[key]; found {
		return fields[i].Line, false
	}
	s.index[key] = len(fields)
	return 0, true
}

func occursTwice(first int32) string {
	return fmt.Sprintf("occurs twice, first in line %d", first)
}
