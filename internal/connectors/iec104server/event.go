package iec104server

import "unsafe"

// event is a sample on its way to controlling stations, with the sequence number
// of the change that brought it. Its class is in its kind.
type event struct {
	sample
	seq uint64
}

// eventSize is the memory of an event in octets.
const eventSize = int(unsafe.Sizeof(event{}))

// initialisation is the class of the marks that stand for the end of
// initialisation among the events that wait for their confirmation.
const initialisation = classes

func (e *event) class() class { return class(e.kind & classMask >> classShift) }

// fifo is a queue of events in a slice whose length is a power of two.
type fifo struct {
	buf        []event
	head, tail uint64 // positions, modulo the length
}

func (f *fifo) len() int           { return int(f.tail - f.head) }
func (f *fifo) at(i uint64) *event { return &f.buf[i&uint64(len(f.buf)-1)] }

// push appends an event.
func (f *fifo) push(e *event) {
	f.reserve(1)
	f.put(e)
}

// put appends an event where there is room for it.
func (f *fifo) put(e *event) {
	*f.at(f.tail) = *e
	f.tail++
}

// pop takes the first event out; it is valid until the next push.
func (f *fifo) pop() *event {
	f.head++
	return f.at(f.head - 1)
}

// unpop puts an event in front of the first.
func (f *fifo) unpop(e *event) {
	f.reserve(1)
	f.head--
	*f.at(f.head) = *e
}

// reserve makes room for n further events.
func (f *fifo) reserve(n int) {
	if f.len()+n <= len(f.buf) {
		return
	}
	size := max(16, len(f.buf))
	for size < f.len()+n {
		size *= 2
	}
	old := *f
	f.buf = make([]event, size)
	for i := old.head; i != old.tail; i++ {
		*f.at(i) = *old.at(i)
	}
}

// keptRoom is how many events an empty fifo keeps memory for.
const keptRoom = 512

// drop takes the first n events out.
func (f *fifo) drop(n int) {
	f.head += uint64(n)
	f.tidy()
}

// tidy gives up the memory of an empty fifo that has held many events.
func (f *fifo) tidy() {
	if f.head == f.tail && len(f.buf) > keptRoom {
		*f = fifo{}
	}
}
