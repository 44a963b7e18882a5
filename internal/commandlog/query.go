package commandlog

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"

	"busbar/internal/connector"
	"busbar/internal/point"
)

// Query says which orders are wanted.
type Query struct {
	// Before leaves out the order at this place and those before it; zero: none.
	Before Place
	// Limit is how many are returned at most.
	Limit int
	// Keep tells whether an order is wanted; nil: all are.
	Keep func(*connector.CommandRecord) bool
}

// Place is where an order stands among all, the newest first: by the time when it was
// received, and its id.
type Place struct {
	Received point.Instant
	ID       string
}

// PlaceOf returns the place of an order.
func PlaceOf(r *connector.CommandRecord) Place { return Place{r.Received, r.Order.ID} }

// compare orders places, the newest first.
func (p Place) compare(q Place) int {
	return cmp.Or(cmp.Compare(q.Received, p.Received), strings.Compare(q.ID, p.ID))
}

// Orders returns orders, the newest first, and whether there are more. newest are records that
// the process has in memory, which count before those on disk. It reads the files from the
// end as far as is needed, one call at a time; a line that cannot be read is left out, as it is
// when the log is opened.
func (l *Log) Orders(ctx context.Context, q Query, newest []connector.CommandRecord) (list []connector.CommandRecord, more bool, err error) {
	p := page{Query: q, seen: make(map[string]bool)}
	for i := range newest {
		p.take(&newest[i])
	}
	err = l.backward(ctx, func(text []byte) bool {
		r, at, err := decodeAt(text)
		if err == nil {
			p.take(&r)
		}
		return err == nil && r.Ended() && p.full(at) // a line that was carried into a file is older than those before it
	})
	if len(p.list) > q.Limit {
		return p.list[:q.Limit], true, err
	}
	return p.list, false, err
}

// Order returns what the files say of the order with an id; false if that is nothing.
func (l *Log) Order(ctx context.Context, id string) (r connector.CommandRecord, found bool, err error) {
	err = l.backward(ctx, func(text []byte) bool {
		if !bytes.Contains(text, []byte(id)) && strings.Trim(id, plain) == "" {
			return false
		}
		var bad error
		r, _, bad = decodeAt(text)
		found = bad == nil && r.Order.ID == id
		return found
	})
	if !found {
		return connector.CommandRecord{}, false, err
	}
	return r, true, err
}

// plain are characters that JSON never writes in another way.
const plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:"

// page is a list of orders that is being made.
type page struct {
	Query
	seen map[string]bool
	list []connector.CommandRecord // one more than wanted, which tells that there are more
}

// take takes the record of an order, unless a newer one was taken.
func (p *page) take(r *connector.CommandRecord) {
	if p.seen[r.Order.ID] {
		return
	}
	p.seen[r.Order.ID] = true
	place := PlaceOf(r)
	if p.Before != (Place{}) && place.compare(p.Before) <= 0 || p.Keep != nil && !p.Keep(r) {
		return
	}
	at, _ := slices.BinarySearchFunc(p.list, place, func(r connector.CommandRecord, place Place) int { return PlaceOf(&r).compare(place) })
	if at > p.Limit {
		return
	}
	p.list = slices.Insert(p.list, at, *r)
	p.list = p.list[:min(len(p.list), p.Limit+1)]
}

// full reports whether no line before one of a time can change the list: no order of them was
// received later.
func (p *page) full(at point.Instant) bool {
	return len(p.list) > p.Limit && p.list[p.Limit].Received > at+disorder
}

// disorder is how much older a line may be than one before it in a file, as orders record at the
// same time.
const disorder = point.Instant(time.Second)

// backward hands the lines of all files to each, the newest first, until that returns true.
func (l *Log) backward(ctx context.Context, each func(text []byte) bool) error {
	select {
	case l.reading <- struct{}{}:
		defer func() { <-l.reading }()
	case <-ctx.Done():
		return ctx.Err()
	}
	names, err := l.fs.List()
	if err != nil {
		return fmt.Errorf("command log: %w", err)
	}
	var numbers []uint64
	for _, name := range names {
		if number, ok := numberOf(name); ok {
			numbers = append(numbers, number)
		}
	}
	slices.Sort(numbers)
	for _, number := range slices.Backward(numbers) {
		if err := ctx.Err(); err != nil {
			return err
		}
		text, err := l.readAll(nameOf(number))
		if err != nil {
			return fmt.Errorf("command log: %w", err)
		}
		if backwardLines(text, each) {
			return nil
		}
	}
	return nil
}

// backwardLines hands the whole lines of a text to each, the last one first, until that
// returns true, and reports whether it did.
func backwardLines(text []byte, each func(line []byte) bool) bool {
	end := bytes.LastIndexByte(text, '\n')
	for end >= 0 {
		begin := bytes.LastIndexByte(text[:end], '\n')
		if each(text[begin+1 : end]) {
			return true
		}
		end = begin
	}
	return false
}

// readAll returns a file. One that was removed meanwhile is empty.
func (l *Log) readAll(name string) (text []byte, err error) {
	f, err := l.fs.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return io.ReadAll(f)
}
