package iec104server

import (
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"busbar/iec104/asdu"
	"busbar/internal/connector"
	"busbar/internal/linkdoctor"
	"busbar/internal/point"
)

// objectKey is where an object is found: common address and object address.
type objectKey struct {
	ca  CommonAddress
	ioa ObjectAddress
}

func keyOfEnd(r *Requester) objectKey { return objectKey{r.CA, r.IOA} }

// desk takes the commands of all connections of a server: it keeps what is
// selected and what is being operated, and asks the host. Its lock is taken after
// that of a connection and that of the station, and held while none of them nor
// the host is called; but an answer may be used with it.
type desk struct {
	host     connector.Commands // nil: there are no commands
	settings CommandSettings
	zone     *time.Location
	log      *slog.Logger
	now      func() time.Time
	count    deskCounters
	refusals limiter // of what is logged of them
	records  limiter // of those that are recorded

	blocks *connector.Blocks
	serves func(point.Index) bool // whether the server has a target of a point
	doctor *linkdoctor.Doctor

	// awaited tells the feed without a lock whether any return information is.
	awaited atomic.Int32

	mu        sync.Mutex
	objects   map[objectKey]*object
	types     map[asdu.TypeID]bool
	addresses []uint16 // common addresses with commands, ascending
	runs      map[point.Index][]*run
}

func newDesk(settings *Settings, env connector.Env) *desk {
	return &desk{
		host: env.Commands, settings: settings.CommandSettings, zone: settings.Time.Location, log: env.Log, now: env.Now, blocks: env.Blocks,
		objects: map[objectKey]*object{}, types: map[asdu.TypeID]bool{}, runs: map[point.Index][]*run{},
		refusals: limiter{every: logEvery}, records: limiter{every: recordEvery},
	}
}

// setEnds makes these the commands of the server. An object that stays keeps its
// selection, and what is being operated goes on.
func (d *desk) setEnds(ends []connector.CommandEnd) {
	d.mu.Lock()
	old := d.objects
	d.objects = make(map[objectKey]*object, len(ends))
	d.types = map[asdu.TypeID]bool{}
	cas := map[uint16]bool{}
	for _, e := range ends {
		r := e.End.(*Requester)
		d.types[r.As.TypeID] = true
		cas[uint16(r.CA)] = true
		a := keyOfEnd(r)
		o := old[a]
		switch {
		case o == nil:
			o = &object{}
		case !o.stays(&e, r):
			o = &object{revoked: o.selection}
		default:
			delete(old, a)
		}
		o.end, o.keys = e, r
		d.objects[a] = o
	}
	d.addresses = slices.Sorted(maps.Keys(cas))
	var releases []func()
	for _, o := range old {
		releases = o.drop(releases)
	}
	d.mu.Unlock()
	call(releases)
}

// load takes the commands of the host and returns a channel that is closed when
// they change; nil if there is no host.
func (d *desk) load() (changed <-chan struct{}) {
	if d.host == nil {
		return nil
	}
	ends, changed := d.host.Ends()
	d.setEnds(ends)
	return changed
}

// follow keeps to the commands of the host until done is closed.
func (d *desk) follow(done <-chan struct{}) {
	for {
		select {
		case <-d.load():
		case <-done:
			return
		}
	}
}

// has reports whether there are commands of a type.
func (d *desk) has(t asdu.TypeID) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.types[t]
}

// with returns common addresses and those of commands, ascending. The slice is
// not changed.
func (d *desk) with(addresses []uint16) []uint16 {
	d.mu.Lock()
	own := d.addresses
	d.mu.Unlock()
	for _, ca := range own {
		if at, ok := slices.BinarySearch(addresses, ca); !ok {
			addresses = slices.Insert(slices.Clone(addresses), at, ca)
		}
	}
	return addresses
}

// commands reports whether a common address has any.
func (d *desk) commands(ca uint16) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, ok := slices.BinarySearch(d.addresses, ca)
	return ok
}

// forget releases what a connection has selected: it has gone, or its data
// transfer has stopped.
func (d *desk) forget(conn uint64) {
	d.mu.Lock()
	releases := d.dropAll(func(o owner) bool { return o.conn == conn })
	d.mu.Unlock()
	call(releases)
}

// dropAll drops the selections of some owners. The caller holds mu, and calls
// what is returned without it.
func (d *desk) dropAll(of func(owner) bool) (releases []func()) {
	for _, o := range d.objects {
		if o.selection != nil && of(o.selection.owner) {
			releases = o.drop(releases)
		}
	}
	return releases
}

func call(releases []func()) {
	for _, release := range releases {
		release()
	}
}

// serves reports whether a point has a target at the server.
func (st *station) serves(p point.Index) bool {
	st.mu.RLock()
	defer st.mu.RUnlock()
	return st.table.byPoint.get(uint32(p)) != absent
}

// addresses returns the common addresses served. The caller holds mu.
func (st *station) addresses() []uint16 { return st.desk.with(st.table.addresses) }
