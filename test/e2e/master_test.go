package e2e

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"busbar/test/capture"
	"busbar/test/rig"
)

// station starts `busbar station` and waits until every point has a value.
func station(t *testing.T, args ...string) (addr string) {
	t.Helper()
	addr = rig.FreeAddr(t)
	rig.Start(t, append([]string{"station", "--listen", addr}, args...)...)
	rig.Until(t, "the station to have values", func() bool {
		code, out, _ := command(t, "master", addr, "gi", "--ca", "1", "--json")
		return code == 0 && !strings.Contains(out, "invalid\"]") && !strings.Contains(out, "not-topical")
	})
	return addr
}

const stationTypes = "M_SP_NA_1,M_DP_TB_1,M_ST_NA_1,M_BO_NA_1,M_ME_TD_1,M_ME_TE_1,M_ME_NC_1,M_IT_TB_1"

// golden compares with a file in testdata. Times of reception are masked.
func golden(t *testing.T, name, got string) {
	t.Helper()
	got = regexp.MustCompile(`received \d\d:\d\d:\d\d\.\d\d\d`).ReplaceAllString(got, "received hh:mm:ss.mmm")
	want, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s: want -, got +:\n%s", name, diff)
	}
}

func TestMasterPrintsWhatAStationAnswers(t *testing.T) {
	t.Parallel()
	addr := station(t, "--points", "16", "--types", stationTypes)
	golden(t, "gi.txt", master(t, 0, addr, "gi", "--ca", "1"))
	golden(t, "gi.json", master(t, 0, addr, "gi", "--ca", "1", "--json"))
	golden(t, "counters.json", master(t, 0, addr, "counters", "--ca", "1", "--json"))
	golden(t, "read.json", master(t, 0, "--json", addr, "--ioa", "5", "read", "--ca", "1"))
	if all := master(t, 0, addr, "gi", "--json"); all != master(t, 0, addr, "gi", "--ca", "1", "--json") {
		t.Errorf("the interrogation of all stations differs from that of the only one:\n%s", all)
	}
}

func TestMasterPrintsTheReferenceExample(t *testing.T) {
	t.Parallel()
	broker, listen := rig.StartBroker(t), rig.FreeAddr(t)
	rig.Run(t, referencePlant(fmt.Sprintf("{kind: mqtt, url: mqtt://%s}", broker.Addr()), listen))
	broker.AwaitSubscription(0, referenceTopic)
	golden(t, "reference-before.json", master(t, 0, listen, "--json", "--ca", "225", "gi"))
	proxy := capture.Start(t, listen)
	printed := monitor(t, proxy, 1, func() {
		rig.NewPublisher(t, broker.Addr()).Publish(referenceTopic, referencePayload)
	})
	golden(t, "reference-event.json", printed)
	golden(t, "reference.json", master(t, 0, listen, "--json", "--ca", "225", "gi"))
}

func TestMonitorEndsAfterCount(t *testing.T) {
	t.Parallel()
	addr := station(t, "--points", "10", "--types", "M_ME_TF_1", "--rate", "1000", "--pack")
	out := master(t, 0, addr, "monitor", "--json", "--count", "500")
	if n := strings.Count(out, "\n"); n != 500 {
		t.Errorf("%d objects, want 500", n)
	}
	events := jsonReadings(t, out)
	for i, e := range events {
		if e.Type != 36 || e.Cause != 3 || e.Quality != "" || e.TimeInvalid {
			t.Fatalf("event %d is %+v, want M_ME_TF_1, spontaneous, good", i, e)
		}
		if i > 0 && e.IOA != events[i-1].IOA%10+1 {
			t.Fatalf("event %d has IOA %d after %d, want the order of changes", i, e.IOA, events[i-1].IOA)
		}
	}
}

func TestMasterExitCodes(t *testing.T) {
	t.Parallel()
	addr := station(t, "--points", "8", "--types", stationTypes)
	const (
		con    = "\x68\x04\x0b\x00\x00\x00"
		actCon = "\x68\x0e\x00\x00\x02\x00\x64\x01\x07\x00\x01\x00\x00\x00\x00\x14"
		value  = "\x68\x0e\x02\x00\x02\x00\x01\x01\x14\x00\x01\x00\x64\x00\x00\x01"
	)
	for _, tt := range []struct {
		name string
		code int
		args []string
		says string
	}{
		{"done", 0, []string{addr, "test", "--ca", "1"}, ""},
		{"clock", 0, []string{addr, "clock"}, ""},
		{"nothing listens", 1, []string{rig.FreeAddr(t), "gi"}, "connection refused"},
		{"no such request", 1, []string{addr, "giant"}, `"giant"`},
		{"no request", 1, []string{addr}, "request"},
		{"common address missing", 1, []string{addr, "read", "--ioa", "1"}, "--ca"},
		{"address missing", 1, []string{addr, "read", "--ca", "1"}, "--ioa"},
		{"unknown flag", 1, []string{addr, "gi", "--nonsense"}, "nonsense"},
		{"station closes", 1, []string{scripted(t, con, true), "gi", "--ca", "1"}, "closed"},
		{"unknown common address", 2, []string{addr, "gi", "--ca", "9"}, "negative"},
		{"unknown object", 2, []string{addr, "read", "--ca", "1", "--ioa", "999"}, "negative"},
		{"group without objects", 2, []string{addr, "gi", "--ca", "1", "--group", "7"}, "negative"},
		{"reset refused", 2, []string{addr, "reset", "--ca", "1"}, "negative"},
		{"silent station", 3, []string{scripted(t, "", false), "gi", "--timeout", "300ms"}, ""},
		{"no confirmation", 3, []string{scripted(t, con, false), "gi", "--ca", "1", "--timeout", "300ms"}, ""},
		{"no termination", 3, []string{scripted(t, con+actCon+value, false), "gi", "--ca", "1", "--timeout", "300ms"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			code, _, stderr := command(t, append([]string{"master"}, tt.args...)...)
			if code != tt.code || !strings.Contains(stderr, tt.says) {
				t.Errorf("exit code %d, want %d with %q in:\n%s", code, tt.code, tt.says, stderr)
			}
			if tt.code != 0 && strings.Count(stderr, "\n") != 1 {
				t.Errorf("%d lines, want one:\n%s", strings.Count(stderr, "\n"), stderr)
			}
		})
	}
}

// scripted is a station that answers STARTDT act with the first six octets and
// the request with the others. Then it reads until the peer closes, or closes
// itself.
func scripted(t *testing.T, octets string, closes bool) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		for len(octets) > 0 { // STARTDT con after STARTDT act, the rest after the request
			if _, err := c.Read(make([]byte, 300)); err != nil {
				return
			}
			n := 6
			if octets[0] != 0x68 || octets[1] != 4 {
				n = len(octets)
			}
			if _, err := io.WriteString(c, octets[:n]); err != nil {
				return
			}
			octets = octets[n:]
		}
		if !closes {
			io.Copy(io.Discard, c)
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-ended
	})
	return l.Addr().String()
}

func TestStationNamesABusyPort(t *testing.T) {
	t.Parallel()
	addr := rig.FreeAddr(t)
	busy(t, addr)
	code, _, stderr := command(t, "station", "--listen", addr)
	if code != 1 || !strings.Contains(stderr, "--listen") || !strings.Contains(stderr, addr) {
		t.Errorf("exit code %d, want 1 and --listen with %s in:\n%s", code, addr, stderr)
	}
}
