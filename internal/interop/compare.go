package interop

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Difference is something in which two statements do not fit.
type Difference struct {
	ID       string `json:"id"`       // of the item
	Conflict bool   `json:"conflict"` // otherwise a remark
	Text     string `json:"text"`
	Change   string `json:"change,omitempty"` // what to change, at which side
}

// side is one of the statements that are compared.
type side struct {
	*Statement
	name string
}

func sideOf(s *Statement, other string) side {
	name := s.Get("name").Value
	if name == "" {
		name = other
	}
	return side{s, name}
}

// number returns the value of an item as a number; false: it has none.
func (s side) number(id string) (int, bool) {
	n, err := strconv.Atoi(strings.TrimSpace(s.Get(id).Value))
	return n, err == nil
}

// duration returns the value of an item as a time; a bare number is seconds.
func (s side) duration(id string) (time.Duration, bool) {
	text := strings.ReplaceAll(s.Get(id).Value, " ", "")
	if n, err := strconv.ParseFloat(text, 64); err == nil {
		return time.Duration(n * float64(time.Second)), true
	}
	d, err := time.ParseDuration(text)
	return d, err == nil
}

func (s side) used(id string) bool { return s.Get(id).Mark != "" }

// comparison collects differences.
type comparison struct {
	station, master side
	found           []Difference
}

func (c *comparison) conflict(id, change, format string, args ...any) {
	c.found = append(c.found, Difference{id, true, fmt.Sprintf(format, args...), change})
}

func (c *comparison) remark(id, change, format string, args ...any) {
	c.found = append(c.found, Difference{id, false, fmt.Sprintf(format, args...), change})
}

// Compare returns in what two statements do not fit: conflicts, which have to be
// resolved before the first connection, and remarks. One has to be that of a controlled
// station and the other that of a controlling one, in either order. An item that one of them
// does not state is not compared.
func Compare(a, b *Statement) []Difference {
	c := &comparison{station: sideOf(a, "the first"), master: sideOf(b, "the second")}
	if c.station.name == c.master.name { // as where one side has filled in the statement of the other
		c.station.name, c.master.name = c.station.name+" (first)", c.master.name+" (second)"
	}
	if c.station.used("role.controlled") == c.master.used("role.controlled") {
		c.conflict("role", "a controlled station at one side and a controlling one at the other",
			"%s and %s have the same role", c.station.name, c.master.name)
		return c.found
	}
	if c.master.used("role.controlled") && !c.master.used("role.controlling") {
		c.station, c.master = c.master, c.station
	}
	c.link()
	c.application()
	c.types()
	c.addresses()
	c.commands()
	c.times()
	c.security()
	slices.SortStableFunc(c.found, func(x, y Difference) int {
		if x.Conflict == y.Conflict {
			return 0
		}
		if x.Conflict {
			return -1
		}
		return 1
	})
	return c.found
}

// link compares windows and times.
func (c *comparison) link() {
	for _, pair := range [][2]side{{c.station, c.master}, {c.master, c.station}} {
		from, to := pair[0], pair[1]
		k, knowsK := from.number("k")
		w, knowsW := to.number("w")
		if knowsK && knowsW && w > k {
			c.conflict("w", fmt.Sprintf("w of %s at most %d (two thirds of k), or k of %s at least %d", to.name, max(1, k*2/3), from.name, w),
				"w of %s is %d, more than k of %s, which is %d: every window waits for t2", to.name, w, from.name, k)
		}
		t1, knowsT1 := from.duration("t1")
		t2, knowsT2 := to.duration("t2")
		if knowsT1 && knowsT2 && t2 >= t1 {
			c.conflict("t2", fmt.Sprintf("t2 of %s well below %v, or t1 of %s above %v", to.name, t1, from.name, t2),
				"t2 of %s is %v, not less than t1 of %s, which is %v: the connection breaks when it has nothing else to send", to.name, t2, from.name, t1)
		}
		sends, knowsSends := from.number("apdu.send")
		takes, knowsTakes := to.number("apdu.receive")
		if knowsSends && knowsTakes && sends > takes {
			c.conflict("apdu.send", fmt.Sprintf("maxAPDU of %s at most %d", from.name, takes),
				"%s sends APDUs up to %d, %s takes %d", from.name, sends, to.name, takes)
		}
	}
	has, knows := c.station.number("connections")
	if wants, also := c.master.number("connections"); knows && also && wants > has {
		c.conflict("connections", fmt.Sprintf("connections of %s at least %d", c.station.name, wants), "%s makes %d connections, %s takes %d", c.master.name, wants, c.station.name, has)
	}
}

// application compares the sizes of the fields.
func (c *comparison) application() {
	for _, id := range []string{"octets.cause", "octets.ca", "octets.ioa"} {
		a, knowsA := c.station.number(id)
		b, knowsB := c.master.number(id)
		if knowsA && knowsB && a != b {
			c.conflict(id, "the same at both sides: the standard has 2, 2 and 3 octets", "%s: %d at %s, %d at %s: nothing will be understood",
				id, a, c.station.name, b, c.master.name)
		}
	}
	answers, takes := c.station.Get("gi.tags").Value, c.master.Get("gi.tags").Value
	if answers != "" && takes != "" && takes != string(Either) && answers != takes {
		c.conflict("gi.tags", "interrogation of "+c.station.name+": "+takes, "answers to interrogations of %s are %s, %s takes %s ones", c.station.name, answers, c.master.name, takes)
	}
}

// types compares what is sent with what is known: in monitor direction the
// station sends, and all else the master asks for.
func (c *comparison) types() {
	for _, pair := range [][2]side{{c.station, c.master}, {c.master, c.station}} {
		from, to := pair[0], pair[1]
		for _, r := range from.Rows {
			number, ok := strings.CutPrefix(r.ID, "type.")
			n, err := strconv.Atoi(number)
			if monitor := n < 45 || n == 70; ok && err == nil && r.Mark != "" && monitor == (from == c.station) {
				c.knows(from, to, r, monitor)
			}
		}
	}
}

// knows compares a type that one side uses. The causes of requests are not compared:
// what is not permitted is refused.
func (c *comparison) knows(from, to side, r Row, monitor bool) {
	other := to.Get(r.ID)
	if other.Mark == "" {
		c.conflict(r.ID, fmt.Sprintf("%s in the list of %s, or another type at %s", r.Item, to.name, from.name), "%s uses %s, %s does not have it", from.name, r.Item, to.name)
		return
	}
	if missing := missing(r.Value, other.Value); monitor && missing != "" {
		c.conflict(r.ID, "these causes in the list of "+to.name, "%s sends %s with causes %s, %s does not take them", from.name, r.Item, missing, to.name)
	}
}

// missing returns the numbers of the first list that are not in the second; a list that is
// empty or none is not compared.
func missing(of, in string) string {
	a, errA := parseNumbers(of)
	b, errB := parseNumbers(in)
	if errA != nil || errB != nil || len(b) == 0 {
		return ""
	}
	var left []uint16
	for _, n := range a {
		if !slices.Contains(b, n) {
			left = append(left, uint16(n))
		}
	}
	return numbers(left)
}

// addresses compares common addresses and groups.
func (c *comparison) addresses() {
	served, asked := c.station.Get("ca").Value, c.master.Get("ca").Value
	if served != "" && asked != "" {
		if list := missing(asked, served); list != "" {
			c.conflict("ca", "the same common addresses at both sides", "%s asks for common addresses %s, %s serves %s", c.master.name, list, c.station.name, served)
		}
		if list := missing(served, asked); list != "" {
			c.conflict("ca", "the same common addresses at both sides", "%s serves common addresses %s, %s knows %s", c.station.name, list, c.master.name, asked)
		}
	}
	for _, id := range []string{"gi.group.", "counter.group."} {
		for g := 1; g <= 16; g++ {
			item := id + strconv.Itoa(g)
			if c.master.used(item) && !c.station.used(item) {
				c.conflict(item, fmt.Sprintf("points in that group at %s, or %s not to ask for it", c.station.name, c.master.name),
					"%s asks for group %d, %s has nothing in it", c.master.name, g, c.station.name)
			}
		}
	}
}

// commands compares how commands are given.
func (c *comparison) commands() {
	for _, kind := range []struct{ id, words string }{{"command", "commands"}, {"setpoint", "set points"}} {
		anyOf := func(s side) bool { return s.used(kind.id+".direct") || s.used(kind.id+".select") }
		if !anyOf(c.master) || !anyOf(c.station) {
			continue // types without the other's are told of already
		}
		for _, mode := range []struct{ id, words string }{{".direct", "directly"}, {".select", "with select before operate"}} {
			if item := kind.id + mode.id; c.master.used(item) && !c.station.used(item) {
				c.conflict(item, fmt.Sprintf("that mode at %s, or the other at %s", c.station.name, c.master.name), "%s gives %s %s, %s does not take them so", c.master.name, kind.words, mode.words, c.station.name)
			}
		}
		c.terminations(kind.id+".actterm", kind.words)
	}
	for q := range 32 {
		item := "qu." + strconv.Itoa(q)
		if c.master.used(item) && !c.station.used(item) {
			c.conflict(item, fmt.Sprintf("qualifiers of the commands at %s", c.station.name), "%s uses qualifier %d, %s does not accept it", c.master.name, q, c.station.name)
		}
	}
	a, knowsA := c.station.duration("command.delay")
	b, knowsB := c.master.duration("command.delay")
	if knowsA && knowsB && a != b {
		c.remark("command.delay", "one figure for both sides", "%s takes commands up to %v old, %s counts with %v", c.station.name, a, c.master.name, b)
	}
}

// terminations compares ACTTERM.
func (c *comparison) terminations(item, words string) {
	sends, wants := c.station.Get(item), c.master.Get(item)
	switch {
	case wants.Mark != "" && wants.Value != "of some" && (sends.Mark == "" || sends.Value == "of some"):
		c.conflict(item, fmt.Sprintf("termination: immediate, or terminate of the commands, at %s; or %s not to wait for it", c.station.name, c.master.name),
			"%s waits for ACTTERM of %s, %s does not send it always", c.master.name, words, c.station.name)
	case wants.Mark == "" && sends.Mark != "":
		c.remark(item, "termination: none at "+c.station.name+", if it does harm", "%s sends ACTTERM of %s, %s does not use it", c.station.name, words, c.master.name)
	}
}

// times compares the clocks.
func (c *comparison) times() {
	a, b := c.station.Get("time").Value, c.master.Get("time").Value
	if a != "" && b != "" && !strings.EqualFold(a, b) {
		c.conflict("time", "time: the same zone at both sides, best utc", "time tags of %s are in %s, %s takes them for %s", c.station.name, a, c.master.name, b)
	}
	if a, b := c.station.used("clock.su"), c.master.used("clock.su"); a != b && !strings.EqualFold(c.station.Get("time").Value, "utc") {
		c.conflict("clock.su", "SU at both sides or at none", "SU is used by one side only: %s", c.which(a))
	}
	if a, b := c.station.used("clock.dow"), c.master.used("clock.dow"); a != b {
		c.remark("clock.dow", "weekday: false at the side that can, if the other compares it", "the day of the week is used by one side only: %s", c.which(a))
	}
}

// which returns the name of the station, or else of the master.
func (c *comparison) which(station bool) string {
	if station {
		return c.station.name
	}
	return c.master.name
}

// security compares TLS and port.
func (c *comparison) security() {
	a, b := c.station.Get("tls").Value, c.master.Get("tls").Value
	if a != "" && b != "" && (a == "none") != (b == "none") {
		c.conflict("tls", "TLS at both sides or at none", "%s: TLS %s, %s: TLS %s", c.station.name, a, c.master.name, b)
	}
	if a, b := c.station.Get("port").Value, c.master.Get("port").Value; a != "" && b != "" && a != b {
		c.remark("port", "the same port, unless a router between them translates", "%s listens on port %s, %s connects to %s", c.station.name, a, c.master.name, b)
	}
}
