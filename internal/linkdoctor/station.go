package linkdoctor

import (
	"errors"
	"fmt"
	"time"

	"busbar/iec104"
	"busbar/iec104/asdu"
)

// stationView is what a controlling station knows of the station on one
// connection.
type stationView struct {
	skip, left int       // of the great number one in skip+1 is looked at
	since      time.Time // of the last looked
	looked     int

	gis   map[giKey]*gi
	known map[objectKey]bool // sent other than in an interrogation
	objs  []asdu.Object

	cp24, tagged uint64 // objects not told of yet
	example      string
}

type giKey struct {
	ca  uint16
	qoi uint8
}

type objectKey struct {
	ca  uint16
	ioa uint32
}

// gi is an interrogation under way.
type gi struct {
	confirmed                bool
	last                     time.Time // anything of it
	objects, invalid, absent int
	had                      map[objectKey]bool
}

// sample is how many ASDUs are looked at in a second before fewer of them are.
const sample = 1000

// due reports whether the next ASDU of the great number is looked at.
func (v *stationView) due(all bool) bool {
	if all {
		return true
	}
	if v.left > 0 {
		v.left--
		return false
	}
	v.left = v.skip
	if v.looked++; v.looked < sample {
		return true
	}
	now := time.Now()
	switch spent := now.Sub(v.since); {
	case spent < time.Second && v.skip < 63:
		v.skip = 2*v.skip + 1
	case spent > 4*time.Second:
		v.skip /= 2
	}
	v.looked, v.since = 0, now
	return true
}

// begin begins data transfer.
func (l *link) begin() {
	if l.doctor.role != Controlling || !l.doctor.thorough {
		return
	}
	if l.peer.replays == nil {
		l.peer.replays = iec104.NewReplays(maxReplays)
	}
	l.peer.replays.Started()
}

const (
	// maxReplays is how many events are known that may come again.
	maxReplays = 1024
	// maxKnown is how many objects are told apart.
	maxKnown = 100_000
	// giLimit is how long an interrogation may give no sign.
	giLimit = 30 * time.Second
	// fewObjects is from how many objects on their share counts.
	fewObjects = 10
)

// asked looks at what this side asks of the station.
func (l *link) asked(a *asdu.ASDU, now time.Time) {
	if a.Type != asdu.C_IC_NA_1 || a.Cause != asdu.Activation || a.Count() != 1 {
		return
	}
	v := &l.station
	l.control.interrogations++
	k := giKey{a.CA, a.AppendObjects(v.objs[:0])[0].Qualifier}
	if old := v.gis[k]; old != nil && old.confirmed && k.ca != asdu.GlobalCA {
		l.incomplete(k, "a new one was asked for", now)
	}
	if v.gis == nil {
		v.gis = map[giKey]*gi{}
	}
	v.gis[k] = &gi{last: now, had: map[objectKey]bool{}}
}

// fromStation looks at an ASDU of the station that is no refusal.
func (l *link) fromStation(a *asdu.ASDU, now time.Time) {
	switch {
	case a.Type == asdu.C_IC_NA_1 && a.Count() == 1:
		l.answered(a, l.takeObjects(a)[0].Qualifier, now)
	case a.Type < asdu.C_SC_NA_1:
		l.values(a, now)
	}
}

func (l *link) takeObjects(a *asdu.ASDU) []asdu.Object {
	l.station.objs = a.AppendObjects(l.station.objs[:0])
	return l.station.objs
}

// answered looks at a confirmation or termination of an interrogation.
func (l *link) answered(a *asdu.ASDU, qoi uint8, now time.Time) {
	v := &l.station
	k := giKey{a.CA, qoi}
	g := v.gis[k]
	if all := v.gis[giKey{asdu.GlobalCA, qoi}]; g == nil && all != nil {
		g = &gi{had: map[objectKey]bool{}} // each station answers under its own address
		v.gis[k] = g
		all.confirmed, all.last = true, now
	}
	if g == nil {
		return
	}
	g.last = now
	switch a.Cause {
	case asdu.ActivationCon:
		g.confirmed = true
	case asdu.ActivationTerm, asdu.DeactivationCon:
		delete(v.gis, k)
		if a.Cause == asdu.ActivationTerm && qoi == uint8(asdu.InterrogatedGeneral) {
			l.complete(k.ca, g, now)
		}
	}
}

// complete looks at what came in a general interrogation.
func (l *link) complete(ca uint16, g *gi, now time.Time) {
	share := func(id ID, bad int, word string, wanted string) {
		if g.objects < fewObjects || bad*5 < g.objects {
			return
		}
		l.note(id, 1, now, func(uint64) words {
			return words{
				seen: fmt.Sprintf("%d of %d values in the interrogation of common address %d are %s", bad, g.objects, ca, word), wanted: wanted,
			}
		})
	}
	share(Invalid, g.invalid, "invalid (IV)", "a look at the acquisition of the station")
	share(NotTopical, g.absent, "not topical (NT)", "a look at the devices behind the station")
	if !l.doctor.thorough {
		return
	}
	missing, example := 0, uint32(0)
	for k := range l.station.known {
		if k.ca == ca && !g.had[k] {
			if missing == 0 || k.ioa < example {
				example = k.ioa
			}
			missing++
		}
	}
	if missing > 0 {
		l.note(GIMissing, 1, now, func(uint64) words {
			return words{
				seen:    fmt.Sprintf("%d points of common address %d were sent and are not in the general interrogation", missing, ca),
				wanted:  "every point in the general interrogation of the station: otherwise nobody knows its value after a connect",
				example: fmt.Sprintf("object address %d", example),
			}
		})
	}
}

// incomplete gives an interrogation up.
func (l *link) incomplete(k giKey, why string, now time.Time) {
	g := l.station.gis[k]
	delete(l.station.gis, k)
	if k.ca == asdu.GlobalCA && g.confirmed && g.objects == 0 {
		return // each station has begun its own answer
	}
	if !g.confirmed {
		l.note(GIUnanswered, 1, now, func(n uint64) words {
			return words{seen: fmt.Sprintf("the interrogation of common address %d was not confirmed %s, %s", k.ca, times(n), why),
				wanted: "the station to confirm or refuse it; where it closes the connection instead, the same octets of cause and addresses at both sides"}
		})
		return
	}
	l.note(GIIncomplete, 1, now, func(n uint64) words {
		return words{
			seen:   fmt.Sprintf("the answer to the interrogation of common address %d did not end %s: after %d objects %s", k.ca, times(n), g.objects, why),
			wanted: "the station to send ACTTERM (cause 10) at the end of the answer",
		}
	})
}

// values looks at process information.
func (l *link) values(a *asdu.ASDU, now time.Time) {
	v, objs := &l.station, l.takeObjects(a)
	if a.Type.Time() == asdu.CP24 {
		v.cp24 += uint64(len(objs))
		v.example = a.Type.String()
	}
	if a.Cause.Interrogated() {
		l.interrogated(a, objs, now)
	} else if l.doctor.thorough && inGI(a.Type) && len(v.known) < maxKnown {
		if v.known == nil {
			v.known = map[objectKey]bool{}
		}
		for i := range objs {
			v.known[objectKey{a.CA, objs[i].IOA}] = true
		}
	}
	if a.Type.Time() == asdu.CP56 && a.Cause == asdu.Spontaneous {
		l.tags(a, objs, now)
	}
	for i := range objs {
		if r := l.peer.replays; r != nil && r.Seen(&a.Header, &objs[i]) {
			o := &objs[i]
			l.note(Duplicates, 1, now, func(n uint64) words {
				return words{
					seen:    "events came again after a reconnect " + times(n),
					wanted:  "nothing, as long as it is around a break: the station did not know that they had arrived",
					example: fmt.Sprintf("%s of common address %d, object address %d", a.Type, a.CA, o.IOA),
				}
			})
		}
	}
}

// inGI reports whether objects of a type belong into a general interrogation.
func inGI(t asdu.TypeID) bool {
	switch u := t.Untagged(); u {
	case 0, asdu.M_IT_NA_1:
		return false
	default:
		return u < asdu.C_SC_NA_1
	}
}

func (l *link) interrogated(a *asdu.ASDU, objs []asdu.Object, now time.Time) {
	v := &l.station
	if a.Type.Time() != asdu.NoTime {
		v.tagged += uint64(len(objs))
		v.example = a.Type.String()
	}
	g := v.gis[giKey{a.CA, uint8(a.Cause)}]
	if g == nil {
		g = v.gis[giKey{asdu.GlobalCA, uint8(a.Cause)}] // it answers under the address of all
	}
	if g == nil {
		return
	}
	g.last = now
	g.objects += len(objs)
	for i := range objs {
		if objs[i].Quality&asdu.IV != 0 {
			g.invalid++
		}
		if objs[i].Quality&asdu.NT != 0 {
			g.absent++
		}
		if l.doctor.thorough && len(g.had) < maxKnown {
			g.had[objectKey{a.CA, objs[i].IOA}] = true
		}
	}
}

// reviewStation tells of what was counted, and of interrogations that give no
// sign.
func (l *link) reviewStation(now time.Time) {
	v := &l.station
	for k, g := range v.gis {
		if now.Sub(g.last) >= giLimit {
			l.incomplete(k, "nothing more came for "+giLimit.String(), now)
		}
	}
	tell := func(id ID, n *uint64, seen, wanted string) {
		if *n == 0 {
			return
		}
		l.note(id, *n, now, func(total uint64) words {
			return words{seen: fmt.Sprintf("%d objects %s", total, seen), wanted: wanted, example: v.example}
		})
		*n = 0
	}
	tell(CP24, &v.cp24, "came with a time tag of three octets, which has neither hour nor date", "types 30 to 40 in place of 2 to 19 in the station")
	tell(GITagged, &v.tagged, "of interrogations came with time tag; the standard has them without", "nothing, if the time tag does no harm")
}

// errOpen is why interrogations end with their connection.
var errOpen = errors.New("the connection ended")

// abandon gives up the interrogations of a connection that has ended.
func (l *link) abandon(now time.Time) {
	for k := range l.station.gis {
		l.incomplete(k, errOpen.Error(), now)
	}
}
