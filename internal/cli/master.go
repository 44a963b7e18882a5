package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"busbar/iec104"
	"busbar/iec104/asdu"
)

// Exit codes of `busbar master`.
const (
	exitLocal    = 1 // wrong arguments, no connection, connection lost
	exitNegative = 2
	exitTimeout  = 3
)

// settle is how long a request to all stations waits for one more of them.
const settle = time.Second

// masterOptions are the flags of `busbar master`.
type masterOptions struct {
	addr    string // the first; empty with --listen
	request string
	script  string // of script
	link    masterLink
	ca      uint16
	ioa     uint32
	group   uint8
	freeze  uint8
	qrp     uint8
	oa      uint8
	count   int
	timeout time.Duration
	limited bool // --timeout was given: monitor ends then
	json    bool
	params  iec104.Params
	listen  time.Duration // of doctor

	operation iec104.Operation // of a command
	files     fileFlags
	parameter parameterFlags
	discover  discoverFlags
	vars      scriptVars
	steps     []step // of script
}

// masterRequest is one word after the address.
type masterRequest struct {
	name, does string
	global     bool // common address defaults to all stations
	free       bool // needs no common address
	needsIOA   bool
	wants      func(o *masterOptions, h asdu.Header) bool // what is printed of what comes
	ask        func(ctx context.Context, c *iec104.Client, o *masterOptions) (string, error)
	session    func(ctx context.Context, s *masterSession, o *masterOptions) error // in place of wants and ask
}

func masterRequests() []masterRequest {
	return append([]masterRequest{
		{name: "gi", does: "general interrogation, or of --group 1 … 16", global: true,
			wants: func(o *masterOptions, h asdu.Header) bool {
				return h.Cause == asdu.InterrogatedGeneral+asdu.Cause(o.group) && !h.Type.Command()
			}, ask: askInterrogation},
		{name: "monitor", free: true, does: "print what the station sends, or only of --ca, until interrupted, for --timeout, or --count objects",
			wants: func(o *masterOptions, h asdu.Header) bool { return o.ca == 0 || o.ca == asdu.GlobalCA || o.ca == h.CA }, ask: askNothing},
		{name: "counters", does: "counter interrogation: --group 1 … 4, --freeze read|freeze|freeze-reset|reset", global: true,
			wants: func(o *masterOptions, h asdu.Header) bool {
				return h.Cause == asdu.CounterGeneral+asdu.Cause(o.group) && !h.Type.Command()
			}, ask: askCounters},
		{name: "read", does: "read one object: --ca, --ioa", needsIOA: true,
			wants: func(_ *masterOptions, h asdu.Header) bool { return h.Cause == asdu.Request && !h.Type.Command() }, ask: askRead},
		{name: "clock", does: "clock synchronisation with the time of this computer, in UTC", global: true,
			wants: ofType(asdu.C_CS_NA_1), ask: askClock},
		{name: "test", does: "test command C_TS_TA_1: --ca", wants: ofType(asdu.C_TS_TA_1), ask: askTest},
		{name: "reset", does: "reset process: --ca, --qrp", wants: ofType(asdu.C_RP_NA_1), ask: askReset},
		{name: "command", does: "command: --ca, --ioa, --type, --value, --select, --qu or --ql", needsIOA: true,
			wants: ofOperation, ask: askCommand},
		{name: "doctor", does: "interrogate, listen --for 60s and say what does not fit on the link", global: true},
		{name: "select", does: "select the object of a command, flags as of command", needsIOA: true, wants: ofOperation, ask: askSelect},
		{name: "execute", does: "execute a command, also one that was selected, flags as of command", needsIOA: true, wants: ofOperation, ask: askExecute},
		{name: "cancel", does: "give up a selection (--select) or command, flags as of command, or without --type an interrogation: --group",
			wants: ofCancel, ask: askCancel},
		{name: "parameter", does: "load a parameter: --type, --value, --kpa; or activate what was loaded: --qpa, --deactivate",
			wants: ofParameter, ask: askParameter},
		{name: "startdt", free: true, does: "start data transfer, which all requests do", wants: nothing, ask: askStart},
		{name: "stopdt", free: true, does: "stop data transfer", wants: nothing, ask: askStop},
		{name: "discover", global: true, does: "interrogate values and counters, and list what there is; --plant prints points for a plant file", session: discover},
		{name: "script", free: true, does: "run the requests in a file, - is standard input: --set name=value", session: runScript},
		{name: "interactive", free: true, does: "take requests line by line, and print what comes meanwhile", session: interact},
	}, fileRequests()...)
}

func nothing(*masterOptions, asdu.Header) bool { return false }

func ofType(t asdu.TypeID) func(*masterOptions, asdu.Header) bool {
	return func(_ *masterOptions, h asdu.Header) bool { return h.Type == t }
}

// ofOperation wants the answers to a command, and return information.
func ofOperation(o *masterOptions, h asdu.Header) bool {
	return h.Type == o.operation.Type || h.Cause == asdu.ReturnRemote || h.Cause == asdu.ReturnLocal
}

func masterCommand(ctx context.Context, args []string, io IO) int {
	o, r, err := masterFlags(args, io)
	if err != nil {
		return fail(io, "master", err, exitLocal)
	}
	if r.name == "doctor" {
		return runDoctor(ctx, o, io)
	}
	if err = runMaster(ctx, o, r, io); err == nil {
		return exitOK
	}
	code, err := outcomeOf(err)
	return fail(io, "master", err, code)
}

// errInterrupted is what is said of a request that was given up.
var errInterrupted = errors.New("interrupted")

// outcomeOf returns the exit code of a failure, and what is said of it.
func outcomeOf(err error) (code int, said error) {
	if step, ok := errors.AsType[*stepError](err); ok {
		code, inner := outcomeOf(step.err)
		return code, fmt.Errorf("%s: %w", step.place, inner)
	}
	_, refused := errors.AsType[*iec104.NegativeError](err)
	switch {
	case refused:
		return exitNegative, fmt.Errorf("negative answer: %w", err)
	case errors.Is(err, iec104.ErrTimeout), errors.Is(err, context.DeadlineExceeded), errors.Is(err, errExpected):
		return exitTimeout, err
	case errors.Is(err, context.Canceled):
		return exitLocal, errInterrupted
	default:
		return exitLocal, err
	}
}

func masterFlags(args []string, io IO) (*masterOptions, *masterRequest, error) {
	return readRequest(args, io, false)
}

// readRequest reads a request: arguments of the command, or the words of a line, in
// which there are no addresses.
func readRequest(args []string, io IO, line bool) (*masterOptions, *masterRequest, error) {
	o := &masterOptions{}
	usage := "ADDR[,ADDR…] REQUEST [flags]\n       busbar master --listen ADDR REQUEST [flags]\n\n" +
		"A controlling station. ADDR is host:port, port 2404 by default. REQUEST is one of\n"
	for _, r := range masterRequests() {
		usage += fmt.Sprintf("  %-11s %s\n", r.name, r.does)
	}
	usage += "\nExit code 0: done, 1: local error or no connection, 2: negative answer, 3: no answer in time."
	fs := newFlags("master", usage, io.Out)
	ca := fs.Uint("ca", 0, "common address; 65535 is all stations, the default of gi, counters and clock; of monitor: only this one")
	ioa := fs.Uint("ioa", 0, "information object address")
	group := fs.Uint("group", 0, "group; 0 is all")
	freeze := fs.String("freeze", "read", "of counters: read, freeze, freeze-reset or reset")
	qrp := fs.Uint("qrp", 1, "qualifier of reset: 1 process, 2 time-tagged events that wait")
	oa := fs.Uint("oa", 0, "originator address")
	var order commandFlags
	order.define(fs)
	o.files.define(fs)
	o.parameter.define(fs)
	o.discover.define(fs)
	fs.Var(&o.vars, "set", "of script: `name=value` of a variable, may be repeated")
	o.link.define(fs)
	fs.IntVar(&o.count, "count", 0, "of monitor: end after so many objects")
	fs.DurationVar(&o.timeout, "timeout", 10*time.Second, "longest wait for the connection, an answer, or a part of it")
	fs.BoolVar(&o.json, "json", false, "print information objects as JSON, one per line")
	fs.DurationVar(&o.listen, "for", time.Minute, "of doctor: how long to listen")
	profile := fs.String("profile", "standard", "link profile: `name` of one that busbar profiles lists; the flags for single parameters win")
	fs.IntVar(&o.params.K, "k", 12, "most I frames sent and not acknowledged")
	fs.IntVar(&o.params.W, "w", 8, "I frames received after which an acknowledgement is sent at the latest")
	fs.DurationVar(&o.params.T1, "t1", 15*time.Second, "longest wait for an acknowledgement or confirmation")
	fs.DurationVar(&o.params.T2, "t2", 10*time.Second, "longest delay of an acknowledgement")
	fs.DurationVar(&o.params.T3, "t3", 20*time.Second, "silence after which the link is tested")
	rest, err := parse(fs, args)
	if err != nil {
		return nil, nil, err
	}
	o.limited = given(fs, "timeout")
	r, err := o.place(rest, line)
	if err != nil {
		return nil, nil, err
	}
	if err := checkLine(fs, r, line); err != nil {
		return nil, nil, err
	}
	if err := checkRequestFlags(fs, r.name); err != nil {
		return nil, nil, err
	}
	if err := o.follow(fs, *profile); err != nil {
		return nil, nil, err
	}
	err = o.set(r, given(fs, "ca"), *ca, *ioa, *group, *freeze, *qrp, *oa)
	if err == nil {
		err = o.complete(r, &order)
	}
	if err == nil {
		err = o.checkFile(r.name, func(name string) bool { return given(fs, name) })
	}
	return o, r, err
}

// findRequest returns the request of that name; line tells that it is in a line of
// a script, where there are others.
func findRequest(name string, line bool) (*masterRequest, error) {
	var names []string
	for _, r := range masterRequests() {
		if r.name == name {
			return &r, nil
		}
		if !line || r.name != "script" && r.name != "interactive" {
			names = append(names, r.name)
		}
	}
	if line {
		names = append(names, "expect", "sleep")
	}
	return nil, fmt.Errorf("request %q, want one of %s", name, strings.Join(names, ", "))
}

// withPort adds the port of IEC 60870-5-104 to an address that has none.
func withPort(addr string) string {
	if _, _, err := net.SplitHostPort(addr); err == nil {
		return addr
	}
	return net.JoinHostPort(strings.Trim(addr, "[]"), "2404")
}

// set checks the flags that are numbers of the protocol and takes them over.
func (o *masterOptions) set(r *masterRequest, caGiven bool, ca, ioa, group uint, freeze string, qrp, oa uint) error {
	if !caGiven && r.global {
		ca = asdu.GlobalCA
	}
	freezes := map[string]uint8{"read": 0, "freeze": 1, "freeze-reset": 2, "reset": 3}
	frz, known := freezes[freeze]
	groups := map[string]uint{"gi": 16, "counters": 4, "cancel": 16}[r.name]
	switch {
	case !caGiven && !r.global && !r.free:
		return fmt.Errorf("--ca is missing: %s wants the common address of one station", r.name)
	case ca > 65535 || ca == 0 && !r.free:
		return fmt.Errorf("--ca: %d, want 1 to 65535", ca)
	case ioa > asdu.MaxIOA || r.needsIOA && ioa < 1:
		return fmt.Errorf("--ioa: %d, want 1 to %d", ioa, asdu.MaxIOA)
	case group > groups:
		return fmt.Errorf("--group: %d, want 0 to %d for %s", group, groups, r.name)
	case !known:
		return fmt.Errorf("--freeze: %q, want read, freeze, freeze-reset or reset", freeze)
	case qrp > 255:
		return fmt.Errorf("--qrp: %d, want 0 to 255", qrp)
	case oa > 255:
		return fmt.Errorf("--oa: %d, want 0 to 255", oa)
	case o.count < 0:
		return fmt.Errorf("--count: %d, want 1 or more, or 0 for no limit", o.count)
	case o.listen <= 0:
		return fmt.Errorf("--for: %v, want more than 0", o.listen)
	case o.timeout <= 0:
		return fmt.Errorf("--timeout: %v, want more than 0", o.timeout)
	case o.params.T1 <= 0 || o.params.T2 <= 0 || o.params.T3 <= 0: // how long they may be is said by the library
		return fmt.Errorf("--t1, --t2, --t3: %v, %v, %v, want more than 0", o.params.T1, o.params.T2, o.params.T3)
	}
	if err := windows(o.params.K, o.params.W); err != nil {
		return err
	}
	o.ca, o.ioa, o.group, o.freeze, o.qrp, o.oa = uint16(ca), uint32(ioa), uint8(group), frz, uint8(qrp), uint8(oa)
	return nil
}
