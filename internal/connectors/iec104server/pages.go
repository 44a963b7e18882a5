package iec104server

// pageSize is how many numbers share a page.
const pageSize = 256

// pages maps dense numbers, such as those of points and targets, to rows of the
// table. It takes memory only where numbers are in use, so that a small server
// in a large plant stays small.
type pages []*[pageSize]uint32

// absent is the row of a number that has none.
const absent = 1<<32 - 1

func (p pages) get(number uint32) uint32 {
	page := number / pageSize
	if page >= uint32(len(p)) || p[page] == nil {
		return absent
	}
	return p[page][number%pageSize]
}

func (p *pages) set(number, row uint32) {
	page := int(number / pageSize)
	if page >= len(*p) {
		*p = append(*p, make(pages, page+1-len(*p))...)
	}
	if (*p)[page] == nil {
		fresh := new([pageSize]uint32)
		for i := range fresh {
			fresh[i] = absent
		}
		(*p)[page] = fresh
	}
	(*p)[page][number%pageSize] = row
}
