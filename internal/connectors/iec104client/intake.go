package iec104client

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"busbar/iec104"
	"busbar/iec104/asdu"
	"busbar/internal/connector"
)

// intake hands on to the image what is received. It belongs to the goroutine that
// reads the connection with data transfer.
type intake struct {
	*Client
	ctx      context.Context // of the run
	objects  []asdu.Object
	readings []connector.Reading
	tags     tagClock
	replays  *iec104.Replays
	fresh    bool // events of the station at hand are not those that waited for the connection
	acks     acks
	order    sync.Mutex // held while readings are on their way to the image
	waiting  []held     // guarded by mu; in order of the time
	restarts quota      // of lines in the log

	// unkept is set while the image may show values that it has not kept: then what it
	// has already is news all the same.
	unkept atomic.Bool
}

// perASDU is how many objects with time tag an ASDU has at most, but for the
// shortest types.
const perASDU = 22

func newIntake(c *Client) *intake {
	in := &intake{Client: c, tags: tagClock{loc: c.settings.Time.Location, su: c.settings.SummerTime}}
	in.replays = iec104.NewReplays(min(c.settings.K*perASDU, 1<<14))
	return in
}

// begin starts a run.
func (in *intake) begin(ctx context.Context) {
	in.ctx = ctx
	in.acks.failed()
	in.refresh()
}

// resumed tells that data transfer has started on another connection.
func (in *intake) resumed() {
	if in.acks.failed() {
		in.replays = iec104.NewReplays(min(in.settings.K*perASDU, 1<<14)) // what comes again was not kept
		in.unkept.Store(true)
	}
	in.replays.Started()
	in.mu.Lock()
	defer in.mu.Unlock()
	in.plan.unname()
}

// take takes an ASDU. Its receipt is released when the image has kept its values.
func (in *intake) take(a asdu.ASDU, r iec104.Receipt) {
	k := in.acks.begin(r)
	in.refresh()
	in.order.Lock()
	defer in.order.Unlock()
	switch {
	case a.Type == asdu.M_EI_NA_1 && !a.Test:
		in.restarted(a.CA)
	case a.Type.Command() || a.Type == asdu.M_EI_NA_1:
		// An answer, which belongs to whoever has asked.
	default:
		in.readings = in.readings[:0]
		in.read(&a, in.env.Now())
	}
	if len(in.readings) == 0 {
		k.settle(nil)
		return
	}
	k.taken(in.publish(k))
	in.readings = in.readings[:0]
}

// askEvery is how often the image is asked again to take values.
const askEvery = 100 * time.Millisecond

// publish has the image take the readings. While it does not, for want of room for
// example, publish waits, so that the station keeps what it has.
func (in *intake) publish(k *ack) error {
	err := in.env.Readings.Take(in.ctx, in.readings, k.commit)
	if err == nil {
		return nil
	}
	in.fault("image", "values are not kept, the station is held back: "+err.Error())
	in.figures.held.Add(1)
	defer in.fault("image", "")
	pause := time.NewTicker(askEvery)
	defer pause.Stop()
	for err != nil && !errors.Is(err, connector.ErrStopped) {
		select {
		case <-in.ctx.Done():
			return in.ctx.Err()
		case <-pause.C:
		}
		k.again()
		err = in.env.Readings.Take(in.ctx, in.readings, k.commit)
	}
	return err
}

// refresh takes over the ends of points, if they are others than before, and returns
// what is closed when they change.
func (c *Client) refresh() (changed <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.changed != nil {
		select {
		case <-c.changed:
		default:
			return c.changed
		}
	}
	var ends []any
	var added []uint16
	ends, c.changed = c.env.Sink.Sources()
	c.plan, added = newPlan(ends, c.plan, c.round)
	c.forget(refusedType)
	c.want(c.plan.cas, added)
	return c.changed
}

// read makes readings of the objects of an ASDU.
func (in *intake) read(a *asdu.ASDU, arrival time.Time) {
	f := familyOf[a.Type]
	n := uint64(a.Count())
	in.figures.objects.Add(n)
	switch {
	case a.Test:
		in.figures.test.Add(n)
		return
	case f == noFamily || a.Negative || !monitors(a.Cause):
		in.figures.ignored.Add(n)
		return
	}
	in.objects = a.AppendObjects(in.objects[:0])
	in.mu.Lock()
	defer in.mu.Unlock()
	in.fresh = in.interrogated(a.CA)
	for i := range in.objects {
		in.object(a, f, &in.objects[i], arrival)
	}
}

// monitors reports whether values come with a cause.
func monitors(c asdu.Cause) bool {
	return c >= asdu.Cyclic && c <= asdu.Request || c == asdu.ReturnRemote || c == asdu.ReturnLocal || c.Interrogated() ||
		c >= asdu.CounterGeneral && c <= asdu.CounterGroup4
}

// object makes the readings of one object. The caller holds mu.
func (in *intake) object(a *asdu.ASDU, f family, o *asdu.Object, arrival time.Time) {
	if in.replays.Seen(&a.Header, o) {
		in.figures.replayed.Add(1)
		return
	}
	e := in.plan.find(addressOf(a.CA, o.IOA))
	if e == nil {
		in.figures.unassigned.Add(1)
		return
	}
	if e.fixed != noFamily && e.fixed != f {
		in.refuse(a, o, e)
		return
	}
	e.family, e.heard = f, in.round
	var r connector.Reading
	waits := false
	tagged := a.Type.Time() != asdu.NoTime
	switch a.Cause {
	case asdu.Spontaneous, asdu.ReturnRemote, asdu.ReturnLocal:
		r.Repeats, waits = in.event(e, o, tagged)
	default:
		r.Repeats = !tagged && a.Cause != asdu.Cyclic && !in.unkept.Load()
	}
	if len(in.waiting) > 0 {
		in.release(e.address)
	}
	if format := a.Type.Time(); format != asdu.NoTime {
		var v verdict
		r.Time, r.TimeQuality, v = in.tags.read(o.Time, format, arrival)
		in.figures.verdict(v)
		if v != noDate && r.TimeQuality == 0 && a.Cause == asdu.Spontaneous && format == asdu.CP56 && in.fresh {
			in.clock.add(r.Time, arrival)
		}
	}
	for p := range parts {
		if e.parts>>p&1 != 0 && f.has(p) {
			r.Key = e.address | uint64(p)<<partShift
			r.Value, r.Quality = p.value(f, o)
			if waits {
				in.hold(e.address, r, arrival)
				continue
			}
			in.readings = append(in.readings, r)
		}
	}
}

// maxNamed is how many objects of another type are named, since data transfer or the
// points are as they are.
const maxNamed = 100

// refusedType begins the names of the faults of such objects.
const refusedType = "type "

// refuse counts an object of another type than its points are for, and names it.
func (in *intake) refuse(a *asdu.ASDU, o *asdu.Object, e *entry) {
	in.figures.refused.Add(1)
	if e.marks&markRefused != 0 || in.plan.named >= maxNamed {
		return
	}
	e.marks |= markRefused
	in.plan.named++
	in.env.Log.Warn("object refused, its points are for another type", "ca", a.CA, "ioa", o.IOA, "type", a.Type.String(), "want", e.fixed.String())
	in.fault(fmt.Sprintf(refusedType+"%d", e.address), fmt.Sprintf("ca %d ioa %d is %s, its points are for %s", a.CA, o.IOA, a.Type, e.fixed))
}

// restarted takes the end of initialisation of a station: what it told before counts
// no more, and it is interrogated at once.
func (in *intake) restarted(ca uint16) {
	in.figures.restarts.Add(1)
	if skipped, ok := in.restarts.due(in.env.Now()); ok {
		in.env.Log.Info("station has restarted", "ca", ca, "skipped", skipped)
	}
	in.mu.Lock()
	in.round++
	keys := in.plan.silent(ca, in.round)
	in.want(nil, []uint16{ca})
	in.mu.Unlock()
	in.env.Readings.Missing(keys)
}

// Ends of initialisation are logged up to so many in each of these times.
const (
	maxRestarts   = 100
	restartPeriod = time.Minute
)

// quota lets so much through that a log stays readable.
type quota struct {
	begun   time.Time
	n       int
	skipped int
}

// due reports whether to log, and how often that was not done before.
func (q *quota) due(now time.Time) (skipped int, ok bool) {
	if age := now.Sub(q.begun); age < 0 || age >= restartPeriod {
		q.begun, q.n = now, 0
	}
	if q.n >= maxRestarts {
		q.skipped++
		return 0, false
	}
	q.n++
	skipped, q.skipped = q.skipped, 0
	return skipped, true
}
