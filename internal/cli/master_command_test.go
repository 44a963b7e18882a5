package cli

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"strings"
	"testing"

	"busbar/iec104"
	"busbar/iec104/asdu"
)

// commanded is a station that takes commands to the object addresses below 100,
// refuses those below 200, confirms those below 300 without ever terminating
// them, and does not know the others.
type commanded struct {
	*iec104.Queue
	got chan string
}

func (s commanded) Open(c *iec104.ServerConn) (iec104.Session, error) {
	s.OnPut(c.Wake)
	return s, nil
}

func (s commanded) Command(c iec104.Command) iec104.Verdict {
	s.got <- fmt.Sprintf("%v %d/%d value %#x qualifier %d select %v", c.Type, c.CA, c.IOA, c.Value, c.Qualifier, c.Select)
	switch {
	case c.IOA < 100:
		return iec104.Accepted
	case c.IOA < 200:
		return iec104.Refused
	case c.IOA < 300:
		c.Answer.Confirm(true)
		return iec104.Pending
	default:
		return iec104.UnknownObject
	}
}

func (commanded) Started(bool)                                       {}
func (commanded) Background([]iec104.Event) int                      { return 0 }
func (commanded) Addresses() []uint16                                { return []uint16{225} }
func (commanded) Interrogate(uint16, uint8) iec104.Interrogation     { return nil }
func (commanded) Counters(uint16, uint8, uint8) iec104.Interrogation { return nil }
func (commanded) Read(uint16, uint32) (iec104.Item, bool)            { return iec104.Item{}, false }
func (commanded) Clock(uint16, asdu.Time) bool                       { return true }
func (commanded) Reset(uint16, uint8) bool                           { return false }
func (commanded) Closed(error)                                       {}

func TestMasterCommand(t *testing.T) {
	t.Parallel()
	tests := []struct {
		args string
		code int
		got  string // what the station was told, separated by ";"
		out  string // a part of what is printed
	}{
		{"--ioa 1 --type C_SC_NA_1 --value on", exitOK, "C_SC_NA_1 225/1 value 0x1 qualifier 0 select false", "activation-term"},
		{"--ioa 1 --type 45 --value off --qu 3", exitOK, "C_SC_NA_1 225/1 value 0x0 qualifier 3 select false", "C_SC_NA_1"},
		{"--ioa 2 --type C_DC_NA_1 --value on --select", exitOK,
			"C_DC_NA_1 225/2 value 0x2 qualifier 0 select true;C_DC_NA_1 225/2 value 0x2 qualifier 0 select false", "C_DC_NA_1"},
		{"--ioa 3 --type C_RC_NA_1 --value lower", exitOK, "C_RC_NA_1 225/3 value 0x1 qualifier 0 select false", "C_RC_NA_1"},
		{"--ioa 3 --type C_RC_TA_1 --value 3", exitOK, "C_RC_TA_1 225/3 value 0x3 qualifier 0 select false", "C_RC_TA_1"},
		{"--ioa 4 --type C_SE_NA_1 --value -0.25 --ql 64", exitOK, "C_SE_NA_1 225/4 value 0xffffe000 qualifier 64 select false", "-0.25"},
		{"--ioa 4 --type C_SE_NA_1 --value 1", exitOK, "C_SE_NA_1 225/4 value 0x7fff qualifier 0 select false", "C_SE_NA_1"},
		{"--ioa 5 --type C_SE_TB_1 --value -1000 --select", exitOK,
			"C_SE_TB_1 225/5 value 0xfffffc18 qualifier 0 select true;C_SE_TB_1 225/5 value 0xfffffc18 qualifier 0 select false", "-1000"},
		{"--ioa 6 --type C_SE_NC_1 --value 49.98", exitOK, "C_SE_NC_1 225/6 value 0x4247eb85 qualifier 0 select false", "49.98"},
		{"--ioa 7 --type C_BO_NA_1 --value 0xff01", exitOK, "C_BO_NA_1 225/7 value 0xff01 qualifier 0 select false", "C_BO_NA_1"},
		{"--ioa 250 --type C_SC_NA_1 --value on --no-termination", exitOK, "C_SC_NA_1 225/250 value 0x1 qualifier 0 select false", "C_SC_NA_1"},
		{"--ioa 250 --type C_SC_NA_1 --value on --timeout 1s", exitTimeout, "C_SC_NA_1 225/250 value 0x1 qualifier 0 select false", "incomplete"},
		{"--ioa 100 --type C_SC_NA_1 --value on", exitNegative, "C_SC_NA_1 225/100 value 0x1 qualifier 0 select false", "negative answer"},
		{"--ioa 100 --type C_SC_NA_1 --value on --select", exitNegative, "C_SC_NA_1 225/100 value 0x1 qualifier 0 select true", "negative answer: select:"},
		{"--ioa 300 --type C_SC_NA_1 --value on", exitNegative, "C_SC_NA_1 225/300 value 0x1 qualifier 0 select false", "negative answer"},
		{"--ioa 1 --type M_SP_NA_1 --value on", exitLocal, "", "--type"},
		{"--ioa 1 --value on", exitLocal, "", "--type"},
		{"--ioa 1 --type C_SC_NA_1", exitLocal, "", "--value"},
		{"--ioa 1 --type C_SC_NA_1 --value 2", exitLocal, "", "on, off, 1 or 0"},
		{"--ioa 1 --type C_SE_NA_1 --value 1.5", exitLocal, "", "from −1 to 1"},
		{"--ioa 1 --type C_SE_NA_1 --value NaN", exitLocal, "", "from −1 to 1"},
		{"--ioa 1 --type C_SE_NB_1 --value 32768", exitLocal, "", "32767"},
		{"--ioa 1 --type C_SC_NA_1 --value on --ql 1", exitLocal, "", "--ql"},
		{"--ioa 1 --type C_SE_NC_1 --value 1 --qu 1", exitLocal, "", "--qu"},
		{"--ioa 1 --type C_BO_NA_1 --value 1 --select", exitLocal, "", "--select"},
		{"--type C_SC_NA_1 --value on", exitLocal, "", "--ioa"},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			t.Parallel()
			station := commanded{iec104.NewQueue(10), make(chan string, 10)}
			addr := serve(t, station)
			var out bytes.Buffer
			args := append(strings.Fields(tt.args), addr, "command", "--ca", "225")
			if code := masterCommand(t.Context(), args, IO{Out: &out, Err: &out}); code != tt.code {
				t.Errorf("exit code %d, want %d:\n%s", code, tt.code, &out)
			}
			close(station.got)
			var got []string
			for c := range station.got {
				got = append(got, c)
			}
			if joined := strings.Join(got, ";"); joined != tt.got {
				t.Errorf("station was told %q, want %q", joined, tt.got)
			}
			if !strings.Contains(out.String(), tt.out) {
				t.Errorf("printed\n%swant %q in it", &out, tt.out)
			}
		})
	}
}

// serve serves a station until the test ends and returns its address.
func serve(t *testing.T, s iec104.Station) string {
	t.Helper()
	srv, err := iec104.NewServer(s, iec104.ServerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

func TestInterruptedRequestsSaySo(t *testing.T) {
	t.Parallel()
	lost := fmt.Errorf("iec104: connect to station: %w", context.Canceled)
	for _, err := range []error{lost, &stepError{place: "s:3", err: lost}} {
		code, said := outcomeOf(err)
		if code != exitLocal || strings.TrimPrefix(said.Error(), "s:3: ") != "interrupted" {
			t.Errorf("%v: exit code %d, %v", err, code, said)
		}
	}
}
