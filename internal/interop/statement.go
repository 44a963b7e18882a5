package interop

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"

	"busbar/iec104/asdu"
)

// Row is one item of a statement.
type Row struct {
	Section string
	ID      string // what the item is called in every statement
	Item    string // in words
	Mark    string // X used in standard direction, R in reverse direction, B in both; empty: not used
	Value   string // selected value, causes or a list
}

// Statement is an interoperability statement.
type Statement struct{ Rows []Row }

// Get returns the item with an id; a zero one if there is none.
func (s *Statement) Get(id string) Row {
	for _, r := range s.Rows {
		if r.ID == id {
			return r
		}
	}
	return Row{}
}

// writer adds the items of one section after the other.
type writer struct {
	Statement
	section string
}

func (w *writer) begin(section string) { w.section = section }

func (w *writer) value(id, item string, value any) {
	w.Rows = append(w.Rows, Row{w.section, id, item, "X", fmt.Sprint(value)})
}

func (w *writer) mark(id, item string, used bool) { w.valued(id, item, used, "") }

func (w *writer) valued(id, item string, used bool, value string) {
	r := Row{Section: w.section, ID: id, Item: item, Value: value}
	if used {
		r.Mark = "X"
	}
	w.Rows = append(w.Rows, r)
}

func (w *writer) none(id, item string) {
	w.Rows = append(w.Rows, Row{w.section, id, item, "", "not applicable"})
}

// Of makes the statement of a connector.
func Of(f *Facts) (*Statement, error) {
	p, err := f.Params.Complete()
	if err != nil {
		return nil, fmt.Errorf("parameters of %s: %w", f.Name, err)
	}
	full := *f
	full.Params = p
	w := &writer{}
	full.system(w)
	full.application(w)
	full.types(w)
	full.procedures(w)
	full.commands(w)
	full.counters(w)
	full.rest(w)
	full.link(w)
	full.extras(w)
	return &w.Statement, nil
}

func (f *Facts) system(w *writer) {
	w.begin("System or device")
	w.value("name", "name", f.Name)
	w.valued("role.controlling", "controlling station (master)", f.Role == Controlling, "")
	w.valued("role.controlled", "controlled station (slave)", f.Role == Controlled, "")
	w.begin("Network configuration, physical and link layer of IEC 60870-5-101")
	w.none("network.configuration", "point-to-point, multipoint")
	w.none("layer.physical", "physical layer")
	w.none("layer.link", "link layer")
}

func (f *Facts) application(w *writer) {
	s := f.Params.Sizes
	w.begin("Application layer")
	w.mark("mode.1", "transmission mode 1, least significant octet first", true)
	w.value("octets.ca", "common address of ASDU, octets", s.CA)
	w.value("octets.ioa", "information object address, octets, structured or unstructured", s.IOA)
	w.value("octets.cause", "cause of transmission, octets; with 2 there is an originator address, 0 if not used", s.COT)
	w.value("apdu.send", "largest length of an APDU sent", f.Params.MaxAPDU)
	w.value("apdu.receive", "largest length of an APDU received", 253)
}

// listed are the types that a statement has a line for, whether used or not.
func listed() []asdu.TypeID {
	var list []asdu.TypeID
	for t := range 128 {
		if id := asdu.TypeID(t); id.Known() && (id.In104() || id == asdu.C_TS_NA_1 || id == asdu.C_CD_NA_1) && id != asdu.S_IT_TC_1 {
			list = append(list, id)
		}
	}
	return list
}

func section(t asdu.TypeID) string {
	switch {
	case t < asdu.C_SC_NA_1:
		return "Process information in monitor direction"
	case t < asdu.M_EI_NA_1:
		return "Process information in control direction"
	case t < asdu.P_ME_NA_1:
		return "System information"
	case t < asdu.F_FR_NA_1:
		return "Parameters in control direction"
	default:
		return "File transfer types"
	}
}

func typeItem(id asdu.TypeID) string { return "type." + strconv.Itoa(int(id)) }

func (f *Facts) types(w *writer) {
	all := map[asdu.TypeID]bool{}
	for _, t := range listed() {
		all[t] = true
	}
	for t := range f.Types {
		all[t] = true // also those of 101
	}
	for _, t := range slices.Sorted(maps.Keys(all)) {
		w.begin(section(t))
		causes := slices.Sorted(slices.Values(f.Types[t]))
		w.valued(typeItem(t), t.String(), len(causes) > 0, numbers(causes))
	}
}

func (f *Facts) uses(t asdu.TypeID) bool { return len(f.Types[t]) > 0 }

func (f *Facts) with(c asdu.Cause) bool {
	for t, causes := range f.Types {
		if t < asdu.C_SC_NA_1 && has(causes, c) {
			return true
		}
	}
	return false
}

func has[T comparable](list []T, v T) bool { return slices.Contains(list, v) }

func (f *Facts) procedures(w *writer) {
	w.begin("Station initialisation")
	w.mark("init.end", "end of initialisation (M_EI_NA_1)", f.uses(asdu.M_EI_NA_1))
	w.mark("init.remote", "remote initialisation (C_RP_NA_1)", f.uses(asdu.C_RP_NA_1))
	w.begin("Cyclic, read and spontaneous transmission")
	w.mark("cyclic", "cyclic transmission", f.with(asdu.Cyclic))
	w.mark("read", "read procedure", f.uses(asdu.C_RD_NA_1))
	w.mark("spontaneous", "spontaneous transmission", f.with(asdu.Spontaneous))
	w.mark("double", "double transmission, with and without time tag", f.Double)
	w.begin("Station interrogation")
	w.mark("gi.global", "general interrogation", f.uses(asdu.C_IC_NA_1))
	for g := 1; g <= 16; g++ {
		n := f.Groups[g]
		w.valued("gi.group."+strconv.Itoa(g), fmt.Sprintf("interrogation of group %d; value: objects", g), n > 0, count(n))
	}
	w.begin("Clock synchronisation")
	w.mark("clock.sync", "clock synchronisation (C_CS_NA_1)", f.uses(asdu.C_CS_NA_1))
	w.mark("clock.dow", "day of week used", f.Weekday)
	w.mark("clock.gen", "RES1, GEN (time tag substituted) used", true)
	w.mark("clock.su", "SU (summer time) used", f.SummerTime && f.Time != "utc")
}

func count(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func (f *Facts) commands(w *writer) {
	w.begin("Command transmission")
	w.mark("command.direct", "direct command transmission", f.Commands.Direct)
	w.mark("command.select", "select and execute command", f.Commands.Select)
	w.mark("setpoint.direct", "direct set point command transmission", f.SetPoints.Direct)
	w.mark("setpoint.select", "select and execute set point command", f.SetPoints.Select)
	w.valued("command.actterm", "ACTTERM of commands used; value: always or of some", f.Commands.Terminated, always(f.Commands))
	w.valued("setpoint.actterm", "C_SE ACTTERM used; value: always or of some", f.SetPoints.Terminated, always(f.SetPoints))
	for q, words := range []string{"no additional definition", "short pulse", "long pulse", "persistent output"} {
		w.mark("qu."+strconv.Itoa(q), words, has(f.Qualifiers, uint8(q)))
	}
	for _, q := range slices.Sorted(slices.Values(f.Qualifiers)) {
		if q > 3 {
			w.mark("qu."+strconv.Itoa(int(q)), "qualifier "+strconv.Itoa(int(q)), true)
		}
	}
	delay := ""
	if f.CommandAge > 0 {
		delay = f.CommandAge.String()
	}
	w.valued("command.delay", "supervision of maximum delay in command direction of commands and set points; value: maximum delay", delay != "", delay)
}

// always says of which commands there is a termination.
func always(m Modes) string {
	switch {
	case m.Terminated && m.Unterminated:
		return "of some"
	case m.Terminated:
		return "always"
	default:
		return ""
	}
}

func (f *Facts) counters(w *writer) {
	w.begin("Transmission of integrated totals")
	for _, m := range []struct{ mode, words string }{
		{"A", "local freeze with spontaneous transmission"}, {"B", "local freeze with counter interrogation"},
		{"C", "freeze and transmit by counter interrogation commands"}, {"D", "freeze by counter interrogation command, frozen values spontaneously"},
	} {
		w.mark("counter.mode."+m.mode, "mode "+m.mode+": "+m.words, strings.Contains(f.CounterModes, m.mode))
	}
	used := f.uses(asdu.C_CI_NA_1)
	for frz, c := range []struct{ id, words string }{
		{"read", "counter read"}, {"freeze", "counter freeze without reset"}, {"freeze-reset", "counter freeze with reset"}, {"reset", "counter reset"},
	} {
		w.mark("counter."+c.id, c.words, used && (f.Freezes == nil || has(f.Freezes, uint8(frz))))
	}
	w.mark("counter.general", "general request counter", used && (f.Role == Controlled || len(f.CounterGroups) == 0))
	for g := 1; g <= 4; g++ {
		n := f.CounterGroups[g]
		w.valued("counter.group."+strconv.Itoa(g), fmt.Sprintf("request counter group %d; value: counters", g), n > 0, count(n))
	}
}

func (f *Facts) rest(w *writer) {
	w.begin("Parameters, test, files, background scan, delay")
	loaded := f.uses(asdu.P_ME_NA_1) || f.uses(asdu.P_ME_NB_1) || f.uses(asdu.P_ME_NC_1)
	w.mark("parameter.load", "parameter loading: threshold, smoothing, limits", loaded)
	w.mark("parameter.activate", "activation of persistent cyclic transmission", f.uses(asdu.P_AC_NA_1))
	w.mark("test", "test procedure", f.uses(asdu.C_TS_TA_1))
	w.mark("file", "file transfer", f.uses(asdu.F_SG_NA_1))
	w.mark("background", "background scan", f.with(asdu.Background))
	w.none("delay", "acquisition of transmission delay")
}

func (f *Facts) link(w *writer) {
	p := &f.Params
	w.begin("Time-outs; default 30 s, 15 s, 10 s, 20 s")
	w.value("t0", "t0, establishment of a connection", p.T0)
	w.value("t1", "t1, send or test APDUs", p.T1)
	w.value("t2", "t2, acknowledgement where there are no data; t2 < t1", p.T2)
	w.value("t3", "t3, test frames on an idle link", p.T3)
	w.begin("Outstanding I frames; default k 12, w 8")
	w.value("k", "k, most I frames sent and not acknowledged, 1 to 32767", p.K)
	w.value("w", "w, acknowledgement at the latest after so many I frames, at most two thirds of k", p.W)
	w.begin("Port, redundant connections, suite")
	_, port, _ := net.SplitHostPort(f.Address) // an address without port has none to state
	w.value("port", "port number; 2404, with TLS 19998", port)
	w.value("connections", "redundant connections, number N", f.Connections)
	w.mark("suite.ethernet", "RFC 2200 suite: Ethernet 802.3", true)
	w.mark("suite.x21", "RFC 2200 suite: serial X.21", false)
}

func (f *Facts) extras(w *writer) {
	w.begin("Agreements of the project")
	w.value("ca", "common addresses", numbers(f.CAs))
	w.value("time", "clock of time tags", f.Time)
	w.value("gi.tags", "time tags in answers to interrogations", f.Answers)
	w.value("objects", "most information objects in an ASDU", f.MaxObjects)
	security := f.Security
	if security == "" {
		security = "none"
	}
	w.value("tls", "TLS (IEC 62351-3)", security)
	w.valued("queue", "event queue of each redundancy group; value: events", f.Queue > 0, count(f.Queue))
	w.valued("late", "reaction to a command whose time tag is too old", f.Late != "", f.Late)
	w.valued("unknown", "answer to an unknown type, cause or address", f.Unknown != "", f.Unknown)
	w.valued("originator", "originator address in answers", f.Originator != "", f.Originator)
	w.value("notation", "notation of addresses", "decimal; also structured, the high octet first")
	w.value("profile", "link profile", f.Profile)
}

// numbers writes numbers, and runs of them as ranges.
func numbers[N ~uint8 | ~uint16](list []N) string {
	var parts []string
	for i := 0; i < len(list); {
		last := i
		for last+1 < len(list) && list[last+1] == list[last]+1 {
			last++
		}
		if last > i+1 {
			parts = append(parts, fmt.Sprintf("%d-%d", uint(list[i]), uint(list[last])))
		} else {
			for _, n := range list[i : last+1] {
				parts = append(parts, strconv.FormatUint(uint64(n), 10))
			}
		}
		i = last + 1
	}
	return strings.Join(parts, " ")
}

// parseNumbers reads what numbers writes; other separators are as good.
func parseNumbers(s string) ([]int, error) {
	var list []int
	for _, part := range strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == ',' || r == ';' }) {
		low, high, ranged := strings.Cut(part, "-")
		from, err := strconv.ParseUint(low, 10, 16)
		to := from
		if err == nil && ranged {
			to, err = strconv.ParseUint(high, 10, 16)
		}
		if err != nil || to < from {
			return nil, fmt.Errorf("%q: want numbers and ranges such as 1 3 20-36", part)
		}
		for n := from; n <= to; n++ {
			list = append(list, int(n))
		}
	}
	return list, nil
}
