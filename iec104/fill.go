package iec104

import "busbar/iec104/asdu"

const (
	// turnFrames is how many frames of events are sent before frames of an
	// answer are, and the other way round, while both wait.
	turnFrames = 8
	// shortTake is how many events are taken at once while answers wait, so
	// that a turn stays short, and of background data always.
	shortTake = 16
)

// work is the memory that a connection needs while it has something to send:
// objects that were taken from the application and are not yet in a frame.
// They are sent in the order in which they were taken, so that no value
// overtakes an older one of the same point.
type work struct {
	events     [64]Event
	from, to   int // of the events not yet in a frame
	background bool
	items      items
	header     asdu.Header // of the last ASDU begun, without number
	octets     []byte      // that header, behind the place for one of a frame
}

// items are objects of an answer, all of one request.
type items struct {
	buf      [128]Item // more than the longest ASDU with consecutive addresses
	from, to int
	header   asdu.Header // of the answer, without type and number
}

func (i *items) clear()         { i.from, i.to = 0, 0 }
func (i *items) staged() []Item { return i.buf[i.from:i.to] }

// fill implements user: events and answers in turns, then background data, then
// files.
func (c *ServerConn) fill(out []byte) []byte {
	if c.work == nil {
		c.work = c.srv.works.Get().(*work)
	}
	for moved := true; moved && c.link.room(out); {
		var events, answers bool
		out, events = c.sendEvents(out)
		out, answers = c.sendAnswers(out)
		moved = events || answers || c.takeBackground()
	}
	if w := c.work; w.from == w.to && w.items.from == w.items.to {
		c.giveBack()
	}
	// Files come last, and are not made ahead: what comes meanwhile goes first.
	if c.files != nil && !c.link.ahead.working {
		out = c.files.box.fill(out)
	}
	return out
}

// giveBack returns the memory for staged objects.
func (c *ServerConn) giveBack() {
	if w := c.work; w != nil {
		w.from, w.to = 0, 0
		w.items.clear()
		c.srv.works.Put(w)
		c.work = nil
	}
}

// sendEvents appends frames with events until there are none, or the turn is
// over because an interrogation waits too. It reports whether it got anywhere.
func (c *ServerConn) sendEvents(out []byte) (_ []byte, moved bool) {
	w := c.work
	if len(c.requests.list) == 0 {
		c.turn = 0
	}
	for c.link.room(out) {
		over := c.turn >= turnFrames && len(c.requests.list) > 0
		if w.from == w.to && (over || !c.takeEvents()) {
			break
		}
		// Items read before these events were taken go before them.
		if w.items.from < w.items.to {
			n, sq := c.plan(true)
			out = c.sendItems(out, n, sq)
			continue
		}
		n, full := c.eventRun(!over)
		if !full && !over && c.link.ahead.working {
			break // there is time for more to come
		}
		out = c.packEvents(out, n)
		c.turn++
		moved = true
	}
	return out, moved
}

// takeEvents takes the next events from the application; false: there are none.
func (c *ServerConn) takeEvents() bool {
	w := c.work
	if c.dry.Load() || w.to-w.from == len(w.events) {
		return false
	}
	w.to = copy(w.events[:], w.events[w.from:w.to])
	w.from = 0
	room := w.events[w.to:]
	if c.requests.waiting() > 0 {
		room = room[:min(len(room), shortTake)]
	}
	c.dry.Store(true)
	c.backDry = false
	n := c.session.Next(room)
	if n == len(room) {
		c.dry.Store(false)
	}
	if n > 0 {
		w.background = false
	}
	w.to += n
	return n > 0
}

// takeBackground takes background data when nothing else waits.
func (c *ServerConn) takeBackground() bool {
	w := c.work
	if c.backDry || w.from < w.to || c.requests.waiting() > 0 || !c.dry.Load() || c.link.ahead.working {
		return false
	}
	n := c.session.Background(w.events[:shortTake])
	c.backDry = n < shortTake
	w.from, w.to = 0, n
	w.background = n > 0
	return n > 0
}

// eventRun returns how many of the events go into the next ASDU: those that
// follow each other with the same type, cause and common address. With more it
// takes further ones if that is not a full ASDU yet. It reports whether it is,
// or ends because another kind of event follows.
func (c *ServerConn) eventRun(more bool) (n int, full bool) {
	w := c.work
	for n = 1; ; {
		events := w.events[w.from:w.to]
		first, most := &events[0], int(c.srv.packing[events[0].Type].single)
		for n < most && n < len(events) && events[n].follows(first) {
			n++
		}
		if n < len(events) || n == most {
			return n, true
		}
		if !more || w.background || !c.takeEvents() {
			return n, false
		}
	}
}

// follows reports whether e may be in the same ASDU as f.
func (e *Event) follows(f *Event) bool {
	return e.Type == f.Type && e.Cause == f.Cause && e.CA == f.CA && e.Test == f.Test
}

// sendAnswers appends the value of a read, or frames of the interrogation that
// is in work until it ends, has to wait for events, or its turn is over because
// events wait too. It reports whether it got anywhere.
func (c *ServerConn) sendAnswers(out []byte) (_ []byte, moved bool) {
	if c.work.from < c.work.to || !c.link.room(out) {
		return out, false
	}
	working := c.link.ahead.working
	if len(c.endings) > 0 && c.dry.Load() && !working {
		return c.sendRaw(out, c.nextEnding()), true
	}
	if len(c.requests.reads) > 0 && c.dry.Load() && !working {
		return c.sendReading(out), true
	}
	if len(c.requests.list) == 0 {
		return out, false
	}
	r := &c.requests.list[0]
	if working && (!c.link.quick() || r.answer == nil) {
		return out, false // events that come meanwhile go first
	}
	if r.answer == nil {
		c.turn = 0
		return c.beginCycle(out, r), true
	}
	st, frames, stuck := &c.work.items, 0, false
	for c.link.room(out) {
		over := r.done || stuck || frames >= turnFrames && !c.dry.Load()
		if n, sq := c.plan(over); n > 0 {
			out = c.sendItems(out, n, sq)
			frames++
			moved = true
			continue
		}
		if over {
			break
		}
		stuck = !c.takeItems(r)
	}
	if moved || stuck {
		c.turn = 0
	}
	if r.done && st.from == st.to && c.link.room(out) && !working {
		return c.finish(out, r), true
	}
	return out, moved || stuck && !c.dry.Load()
}

// takeItems takes the next objects of an answer; false: it has to wait for
// events.
func (c *ServerConn) takeItems(r *request) bool {
	st := &c.work.items
	st.to = copy(st.buf[:], st.buf[st.from:st.to])
	st.from = 0
	st.header = r.header()
	n, done := r.answer.Next(st.buf[st.to:])
	st.to += n
	r.objects += n
	r.done = done
	return n > 0 || done
}

// sendReading appends the answer to the first read. Events that wait may be
// older than the value, so that they go first and it is read again after them.
func (c *ServerConn) sendReading(out []byte) []byte {
	st, r := &c.work.items, &c.requests.reads[0]
	if st.from < st.to { // of an interrogation, older as well
		n, sq := c.plan(true)
		return c.sendItems(out, n, sq)
	}
	item, ok := c.session.Read(r.ca, r.ioa)
	c.dry.Store(false)
	if c.takeEvents() {
		return out
	}
	if ok {
		item.IOA = r.ioa
		st.header = r.header()
		st.buf[0], st.from, st.to = item, 0, 1
		out = c.sendItems(out, 1, false)
	} else { // the point has gone since it was asked for
		c.link.count.Mirrored++
		asdu.SetCause(r.asdu, asdu.UnknownIOA, true)
		out = c.sendRaw(out, r.asdu)
	}
	c.requests.reads = without(c.requests.reads, 0)
	return out
}

// beginCycle begins the answer of one common address to a request to all.
func (c *ServerConn) beginCycle(out []byte, r *request) []byte {
	begun := c.begin(r)
	asdu.SetCause(r.asdu, asdu.ActivationCon, !begun)
	out = c.sendRaw(out, r.asdu)
	if !begun {
		c.requests.list = without(c.requests.list, 0)
	}
	return out
}

// finish ends an interrogation after its last object.
func (c *ServerConn) finish(out []byte, r *request) []byte {
	c.ended(r, resultCompleted)
	asdu.SetCause(r.asdu, asdu.ActivationTerm, false)
	out = c.sendRaw(out, r.asdu)
	c.requests.list = without(c.requests.list, 0)
	return out
}
