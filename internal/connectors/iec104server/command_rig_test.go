package iec104server

import (
	"encoding/hex"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"context"

	"busbar/iec104/apci"
	"busbar/iec104/asdu"
	"busbar/internal/connector"
	"busbar/internal/point"
)

// fakeHost is a host that does as the test says and notes what it is told.
type fakeHost struct {
	mu      sync.Mutex
	ends    []connector.CommandEnd
	changed chan struct{}
	manner  string // what becomes of orders: see Issue
	refuses bool   // selects are refused
	told    []string
	reports []func(point.Result) // of orders that are held
	held    map[string]int       // selections that are in force, by command
	refused []string             // what the server has refused itself
}

func newFakeHost(ends ...connector.CommandEnd) *fakeHost {
	return &fakeHost{ends: ends, changed: make(chan struct{}), manner: "done", held: map[string]int{}}
}

func (h *fakeHost) Ends() ([]connector.CommandEnd, <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ends, h.changed
}

func (h *fakeHost) set(ends ...connector.CommandEnd) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ends = ends
	close(h.changed)
	h.changed = make(chan struct{})
}

func (h *fakeHost) note(verb string, o point.Order) {
	h.told = append(h.told, fmt.Sprintf("%s %s %v q%d oa%d", verb, o.Command, o.Value, o.Qualifier, o.Requester.Originator))
}

func (h *fakeHost) Check(point.Order) point.Result { return point.Result{Positive: true} }

func (h *fakeHost) Select(o point.Order) (point.Result, func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.note("select", o)
	if h.refuses {
		return point.Result{Stage: point.Confirmed, Reason: "interlock"}, func() {}
	}
	h.held[o.Command]++
	return point.Result{Stage: point.Confirmed, Positive: true}, sync.OnceFunc(func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.held[o.Command]--
	})
}

// Issue implements connector.Commands in the manner set: done confirms and
// terminates, fail terminates negatively, confirm does not terminate, refuse
// confirms negatively, hold leaves the reports to the test.
func (h *fakeHost) Issue(o point.Order, report func(point.Result)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.note("issue", o)
	manner := h.manner
	if manner == "hold" {
		h.reports = append(h.reports, report)
		return
	}
	go func() {
		report(point.Result{Stage: point.Confirmed, Positive: manner != "refuse", Reason: "refused"})
		if manner == "done" || manner == "fail" {
			report(point.Result{Stage: point.Terminated, Positive: manner == "done", Reason: "no feedback"})
		}
	}()
}

func (h *fakeHost) Refused(o point.Order, r connector.Refusal) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.refused = append(h.refused, fmt.Sprintf("%s %v q%d from %s oa%d select %v answered %v skipped %d: %s", o.Command, o.Value, o.Qualifier,
		o.Requester.Peer, o.Requester.Originator, r.Select, r.Answered, r.Skipped, r.Reason))
}

// line is a controlling station that speaks octet by octet.
type line struct {
	conn   net.Conn
	vs, vr uint16

	mu     sync.Mutex
	got    []byte
	closed bool
}

func (l *line) drain() {
	buf := make([]byte, 4096)
	for {
		n, err := l.conn.Read(buf)
		l.mu.Lock()
		l.got = append(l.got, buf[:n]...)
		l.closed = l.closed || err != nil
		l.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// next returns the ASDU of the next I frame, or the digits of another frame.
func (l *line) next(t *testing.T) string {
	t.Helper()
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.got) > 0 {
		f, n, err := apci.Parse(l.got)
		if err != nil || n == 0 {
			t.Fatalf("received no frame: % x (%v)", l.got, err)
		}
		b := l.got[:n:n]
		l.got = l.got[n:]
		switch f.Format {
		case apci.FormatI:
			l.vr++
			return hex.EncodeToString(f.ASDU)
		case apci.FormatU:
			return hex.EncodeToString(b)
		}
	}
	return ""
}

func (l *line) write(t *testing.T, b []byte) {
	t.Helper()
	if _, err := l.conn.Write(b); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
}

func digits(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// commandRig is a server with commands, its host, and controlling stations a, b, …
type commandRig struct {
	*running
	t     *testing.T
	host  *fakeHost
	lines map[string]*line
}

func newCommandRig(t *testing.T, h *fakeHost, change ...func(*Settings)) *commandRig {
	t.Helper()
	return newCommandRigWith(t, h, h, change...)
}

// newCommandRigWith has a host of its own kind around the fake one.
func newCommandRigWith(t *testing.T, host connector.Commands, h *fakeHost, change ...func(*Settings)) *commandRig {
	t.Helper()
	s := defaults()
	s.Listen, s.T3 = "127.0.0.1:0", 48*time.Hour // scripts do not answer TESTFR
	for _, f := range change {
		f(&s)
	}
	r := &commandRig{t: t, host: h, lines: map[string]*line{}}
	r.running = &running{feed: newTestFeed(), done: make(chan error, 1), up: make(chan struct{}, 10), pipe: newPipeListener()}
	srv, err := newServer(s, connector.Env{
		ID: "scada", Log: slog.New(slog.DiscardHandler), Feed: r.feed, Commands: host, Report: r.report, Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	srv.listen = func(context.Context, string) (net.Listener, error) { return r.pipe, nil }
	r.server = srv
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	go func() { r.done <- srv.Run(ctx) }()
	r.feed.targets(
		at(1, 1, 200, asdu.M_DP_NA_1, point.Double),
		at(2, 1, 300, asdu.M_ME_NC_1, point.Float),
	)
	<-r.up
	synctest.Wait()
	return r
}

// open connects a station and starts data transfer.
func (r *commandRig) open(name string) {
	r.t.Helper()
	conn, err := r.pipe.dial(r.t.Context(), "", "")
	if err != nil {
		r.t.Fatal(err)
	}
	l := &line{conn: conn}
	r.lines[name] = l
	go l.drain()
	r.start(name)
	for l.next(r.t) != "" { // end of initialisation
	}
	l.write(r.t, apci.AppendS(nil, apci.Seq(l.vr)))
}

func (r *commandRig) start(name string) {
	r.t.Helper()
	l := r.lines[name]
	l.write(r.t, digits(r.t, "680407000000"))
	if got := l.next(r.t); got != "68040b000000" {
		r.t.Fatalf("received %s, want STARTDT con", got)
	}
}

func (r *commandRig) end() {
	for _, l := range r.lines {
		l.conn.Close()
	}
	r.stop(r.t)
	synctest.Wait()
}

// step does one line of a script:
//
//	a> ASDU          station a sends
//	a< ASDU          it receives this; "." stands for any digit
//	a<               it has received nothing more, and is connected
//	open b, close a, stop a, start a
//	wait 5s
//	host MANNER      see fakeHost.Issue; "host interlock" refuses selects
//	told A; B        all that the host was told since the last time; told: nothing
//	held NAME 1      so many selections of a command are in force at the host
//	confirm +, confirm −, terminate +, terminate −
//	                 the host reports on the first order it holds
//	feedback 2       the feedback point takes this state
//	remove           all commands are taken out of the plant
func (r *commandRig) step(s string) {
	r.t.Helper()
	verb, rest, _ := strings.Cut(s, " ")
	switch {
	case strings.HasSuffix(verb, ">"):
		l := r.lines[verb[:1]]
		b := apci.AppendI(nil, apci.Seq(l.vs), apci.Seq(l.vr), digits(r.t, rest))
		l.vs++
		l.write(r.t, b)
	case strings.HasSuffix(verb, "<"):
		r.receives(s, verb[:1], strings.ReplaceAll(rest, " ", ""))
	default:
		r.act(s, verb, rest)
	}
	synctest.Wait()
}

func (r *commandRig) receives(step, name, want string) {
	r.t.Helper()
	l := r.lines[name]
	got := l.next(r.t)
	same := len(got) == len(want)
	for i := 0; same && i < len(want); i++ {
		same = want[i] == '.' || want[i] == got[i]
	}
	l.mu.Lock()
	closed := l.closed
	l.mu.Unlock()
	if !same || closed {
		r.t.Fatalf("%q: received %q, closed %v", step, got, closed)
	}
	if want != "" {
		l.write(r.t, apci.AppendS(nil, apci.Seq(l.vr)))
	}
}

func (r *commandRig) act(step, verb, rest string) {
	r.t.Helper()
	h := r.host
	switch verb {
	case "open":
		r.open(rest)
	case "close":
		r.lines[rest].conn.Close()
		delete(r.lines, rest)
	case "stop":
		l := r.lines[rest]
		l.write(r.t, digits(r.t, "680413000000"))
		if got := l.next(r.t); got != "680423000000" {
			r.t.Fatalf("%q: received %s, want STOPDT con", step, got)
		}
	case "start":
		r.start(rest)
	case "wait":
		d, err := time.ParseDuration(rest)
		if err != nil {
			r.t.Fatal(err)
		}
		time.Sleep(d) // virtual
	case "host":
		h.mu.Lock()
		h.refuses = rest == "interlock"
		h.manner = rest
		h.mu.Unlock()
	case "told":
		h.mu.Lock()
		told := strings.Join(h.told, "; ")
		h.told = nil
		h.mu.Unlock()
		if told != rest {
			r.t.Fatalf("host was told %q, want %q", told, rest)
		}
	case "held":
		h.mu.Lock()
		got := fmt.Sprint(rest[:len(rest)-2], " ", h.held[rest[:len(rest)-2]])
		h.mu.Unlock()
		if got != rest {
			r.t.Fatalf("host holds %q, want %q", got, rest)
		}
	case "confirm", "terminate":
		r.reports(verb, rest)
	case "feedback":
		r.feed.publish(news(1, point.DoubleValue(point.DoubleState(rest[0]-'0'))))
	case "remove":
		h.set()
	default:
		r.t.Fatalf("no such step: %q", step)
	}
}

func (r *commandRig) reports(verb, sign string) {
	r.t.Helper()
	h := r.host
	h.mu.Lock()
	if len(h.reports) == 0 {
		r.t.Fatal("the host holds no order")
	}
	report, result := h.reports[0], point.Result{Stage: point.Confirmed, Positive: sign == "+", Reason: "refused"}
	if verb == "terminate" {
		result.Stage = point.Terminated
	}
	if verb == "terminate" || sign != "+" {
		h.reports = h.reports[1:]
	}
	h.mu.Unlock()
	go report(result)
}
