package interop

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar/iec104"
	"busbar/iec104/asdu"
)

// station and master are sides that fit.
func station() *Facts {
	f := &Facts{
		Name: "scada", Role: Controlled, Profile: "standard", Address: "0.0.0.0:2404", Connections: 100,
		CAs: []uint16{1, 2, 3, 225}, Groups: map[int]int{1: 10, 2: 20}, CounterGroups: map[int]int{1: 3}, Answers: Untagged, MaxObjects: 127,
		Time: "utc", SummerTime: true, Weekday: true, Qualifiers: []uint8{0, 1, 9}, CommandAge: 10 * time.Second, Late: "discard",
		CounterModes: "AD", Queue: 1000000, Originator: "mirror", Unknown: "cause",
	}
	f.Use(asdu.C_SC_NA_1, true, true, true)
	f.Use(asdu.C_SE_NC_1, true, false, false)
	f.Cause(asdu.M_SP_TB_1, asdu.Spontaneous, asdu.ReturnRemote)
	f.Cause(asdu.M_SP_NA_1, asdu.InterrogatedGeneral, asdu.InterrogatedGroup1, asdu.InterrogatedGroup1+1, asdu.Request)
	f.Cause(asdu.M_ME_NC_1, asdu.Cyclic, asdu.Background, asdu.InterrogatedGeneral)
	for _, t := range []asdu.TypeID{asdu.C_IC_NA_1, asdu.C_CI_NA_1, asdu.C_CS_NA_1} {
		f.Cause(t, asdu.Activation, asdu.ActivationCon)
	}
	return f
}

func master() *Facts {
	f := station()
	f.Name, f.Role, f.Address, f.Connections, f.Queue, f.Answers = "center", Controlling, "10.0.0.1:2404", 2, 0, Either
	f.Groups, f.CounterGroups = map[int]int{1: 1}, map[int]int{}
	return f
}

func statement(t *testing.T, f *Facts) *Statement {
	t.Helper()
	s, err := Of(f)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStatementIsReadBackAsItWasWritten(t *testing.T) {
	t.Parallel()
	for _, f := range []*Facts{station(), master(), {Name: "a|b \\ c", Role: Controlling, Profile: "<x> *y*"}} {
		want := statement(t, f)
		for name, way := range map[string]func(*bytes.Buffer) (*Statement, error){
			"markdown": func(b *bytes.Buffer) (*Statement, error) {
				if err := want.WriteMarkdown(b); err != nil {
					return nil, err
				}
				return ReadMarkdown(b)
			},
			"xlsx": func(b *bytes.Buffer) (*Statement, error) {
				if err := want.WriteXLSX(b); err != nil {
					return nil, err
				}
				return ReadXLSX(b)
			},
		} {
			got, err := way(&bytes.Buffer{})
			if err != nil {
				t.Errorf("%s of %s: %v", name, f.Name, err)
				continue
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s of %s: %s", name, f.Name, diff)
			}
		}
	}
}

func TestEveryItemHasItsOwnName(t *testing.T) {
	t.Parallel()
	s := statement(t, station())
	if err := s.check(); err != nil {
		t.Error(err)
	}
	for id, want := range map[string]Row{
		"k":                {Mark: "X", Value: "12"},
		"t1":               {Mark: "X", Value: "15s"},
		"type.1":           {Mark: "X", Value: "5 20-22"},
		"type.30":          {Mark: "X", Value: "3 11"},
		"type.36":          {Mark: "", Value: ""},
		"type.45":          {Mark: "X", Value: "6-10 44-47"},
		"ca":               {Mark: "X", Value: "1-3 225"},
		"gi.group.2":       {Mark: "X", Value: "20"},
		"gi.group.3":       {},
		"counter.mode.A":   {Mark: "X"},
		"counter.mode.B":   {},
		"command.actterm":  {Mark: "X", Value: "always"},
		"setpoint.actterm": {},
		"qu.9":             {Mark: "X"},
		"command.delay":    {Mark: "X", Value: "10s"},
		"port":             {Mark: "X", Value: "2404"},
		"tls":              {Mark: "X", Value: "none"},
		"clock.su":         {}, // in UTC there is none
		"role.controlled":  {Mark: "X"},
		"file":             {},
	} {
		got := s.Get(id)
		if got.ID != id || got.Mark != want.Mark || got.Value != want.Value || got.Item == "" || got.Section == "" {
			t.Errorf("%s is %+v, want %q %q", id, got, want.Mark, want.Value)
		}
	}
}

func TestMatrixOfTypesAndCauses(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := statement(t, station()).WriteMarkdown(&b); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"| type | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 11 | 12 | 13 | 20-36 | 37-41 | 44-47 |",
		"| 1 M_SP_NA_1 |  |  |  |  | X |  |  |  |  |  |  |  |  | 20-22 |  |  |",
		"| 30 M_SP_TB_1 |  |  | X |  |  |  |  |  |  |  | X |  |  |  |  |  |",
		"| 45 C_SC_NA_1 |  |  |  |  |  | X | X | X | X | X |  |  |  |  |  | X |",
	} {
		if !strings.Contains(b.String(), line+"\n") {
			t.Errorf("there is no line %s", line)
		}
	}
	if strings.Contains(b.String(), "| 36 M_ME_TF_1 |") {
		t.Error("the matrix has a type that is not used")
	}
}

func TestSidesOfOneNameAreToldApart(t *testing.T) {
	t.Parallel()
	s := statement(t, station())
	found := Compare(s, s)
	name := s.Get("name").Value
	if want := name + " (first) and " + name + " (second) have the same role"; len(found) != 1 || found[0].Text != want {
		t.Errorf("found %+v, want %s", found, want)
	}
}

func TestSidesThatFit(t *testing.T) {
	t.Parallel()
	a, b := statement(t, station()), statement(t, master())
	for _, found := range [][]Difference{Compare(a, b), Compare(b, a)} {
		if len(found) > 0 {
			t.Errorf("found %+v", found)
		}
	}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(station, master *Facts)
		want   string // items, conflicts with !
		text   string
		advice string
	}{
		{"w of the master above k of the station", func(_, m *Facts) { m.Params = iec104.Params{K: 30, W: 15} }, "!w",
			"w of center is 15, more than k of scada, which is 12", "w of center at most 8 (two thirds of k), or k of scada at least 15"},
		{"w of the station above k of the master", func(s, m *Facts) { m.Params = iec104.Params{K: 6, W: 4} }, "!w", "w of scada is 8, more than k of center, which is 6", "w of scada at most 4"},
		{"t2 not less than t1 of the other", func(_, m *Facts) { m.Params = iec104.Params{T1: 10 * time.Second, T2: 5 * time.Second} }, "!t2", "t2 of scada is 10s, not less than t1 of center", ""},
		{"octets of the common address", func(_, m *Facts) { m.Params.Sizes.CA = 1 }, "!octets.ca", "2 at scada, 1 at center", "2, 2 and 3"},
		{"octets of the object address", func(s, _ *Facts) { s.Params.Sizes.IOA = 2 }, "!octets.ioa", "2 at scada, 3 at center", ""},
		{"octets of the cause", func(s, _ *Facts) { s.Params.Sizes.COT = 1 }, "!octets.cause", "1 at scada, 2 at center", ""},
		{"a type that the master does not know", func(s, _ *Facts) { s.Cause(asdu.M_ME_TF_1, asdu.Spontaneous) }, "!type.36", "scada uses M_ME_TF_1, center does not have it", "M_ME_TF_1 in the list of center"},
		{"a cause that the master does not take", func(s, _ *Facts) { s.Cause(asdu.M_ME_NC_1, asdu.Spontaneous) }, "!type.13", "scada sends M_ME_NC_1 with causes 3", ""},
		{"a type that only the master knows", func(_, m *Facts) { m.Cause(asdu.M_ME_TF_1, asdu.Spontaneous) }, "", "", ""},
		{"a command that the station does not have", func(_, m *Facts) { m.Use(asdu.C_DC_NA_1, true, false, true) }, "!type.46", "center uses C_DC_NA_1, scada does not have it", ""},
		{"a command that the master does not use", func(s, _ *Facts) { s.Use(asdu.C_DC_NA_1, true, false, true) }, "", "", ""},
		{"a common address that is not served", func(_, m *Facts) { m.CAs = []uint16{1, 2, 3, 225, 300} }, "!ca", "center asks for common addresses 300, scada serves 1-3 225", ""},
		{"a common address that nobody asks for", func(s, _ *Facts) { s.CAs = []uint16{1, 2, 3, 7, 225} }, "!ca", "scada serves common addresses 7", ""},
		{"a group that is empty", func(_, m *Facts) { m.Groups[5] = 1 }, "!gi.group.5", "center asks for group 5", ""},
		{"a group of counters that is empty", func(_, m *Facts) { m.CounterGroups[2] = 1 }, "!counter.group.2", "center asks for group 2", ""},
		{"answers with time tag", func(s, m *Facts) { s.Answers, m.Answers = Tagged, Untagged }, "!gi.tags", "are tagged, center takes untagged ones", "interrogation of scada: untagged"},
		{"select before operate that the station does not have", func(_, m *Facts) { m.SetPoints.Select = true }, "!setpoint.select", "center gives set points with select before operate", ""},
		{"direct commands that the station does not take", func(s, _ *Facts) { s.Commands.Direct = false }, "!command.direct", "center gives commands directly", ""},
		{"ACTTERM that does not come", func(s, _ *Facts) { s.Commands.Terminated = false }, "!command.actterm", "center waits for ACTTERM of commands", "termination: immediate"},
		{"ACTTERM of some commands", func(s, _ *Facts) { s.Commands.Unterminated = true }, "!command.actterm", "does not send it always", ""},
		{"ACTTERM that nobody waits for", func(_, m *Facts) { m.Commands.Terminated = false }, "command.actterm", "scada sends ACTTERM", "termination: none"},
		{"a qualifier that is not accepted", func(_, m *Facts) { m.Qualifiers = append(m.Qualifiers, 3) }, "!qu.3", "center uses qualifier 3", ""},
		{"another age of commands", func(_, m *Facts) { m.CommandAge = 60 * time.Second }, "command.delay", "up to 10s old, center counts with 1m0s", ""},
		{"other zones", func(_, m *Facts) { m.Time = "Europe/Berlin"; m.SummerTime = false }, "!time", "in utc, center takes them for Europe/Berlin", ""},
		{"SU at one side", func(s, m *Facts) { s.Time, m.Time, m.SummerTime = "Europe/Berlin", "Europe/Berlin", false }, "!clock.su", "one side only: scada", ""},
		{"the day of the week at one side", func(s, _ *Facts) { s.Weekday = false }, "clock.dow", "one side only: center", ""},
		{"TLS at one side", func(s, _ *Facts) { s.Security = "TLS, certificates of both sides" }, "!tls", "center: TLS none", ""},
		{"other ports", func(_, m *Facts) { m.Address = "10.0.0.1:2405" }, "port", "listens on port 2404, center connects to 2405", ""},
		{"too many connections", func(_, m *Facts) { m.Connections = 200 }, "!connections", "center makes 200 connections, scada takes 100", ""},
		{"two masters", func(s, _ *Facts) { s.Role = Controlling }, "!role", "same role", ""},
		{"two stations", func(_, m *Facts) { m.Role = Controlled }, "!role", "same role", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, m := station(), master()
			c.change(s, m)
			found := Compare(statement(t, m), statement(t, s))
			var ids []string
			for _, d := range found {
				if d.Conflict {
					d.ID = "!" + d.ID
				}
				ids = append(ids, d.ID)
			}
			if got := strings.Join(ids, " "); got != c.want {
				t.Fatalf("found %q, want %q: %+v", got, c.want, found)
			}
			if len(found) > 0 && (!strings.Contains(found[0].Text, c.text) || !strings.Contains(found[0].Change, c.advice) || found[0].Change == "") {
				t.Errorf("it says %q and advises %q", found[0].Text, found[0].Change)
			}
		})
	}
}

func TestLongAPDUs(t *testing.T) {
	t.Parallel()
	s, m := statement(t, station()), statement(t, master())
	i := slices.IndexFunc(m.Rows, func(r Row) bool { return r.ID == "apdu.receive" })
	m.Rows[i].Value = "128"
	found := Compare(s, m)
	if len(found) != 1 || found[0].ID != "apdu.send" || found[0].Change != "maxAPDU of scada at most 128" {
		t.Errorf("found %+v", found)
	}
}

func TestWhatOneSideDoesNotStateIsNotCompared(t *testing.T) {
	t.Parallel()
	m := &Statement{Rows: []Row{
		{ID: "role.controlling", Mark: "X"}, {ID: "role.controlled"}, {ID: "k", Mark: "X"}, {ID: "w", Mark: "X"},
		{ID: "type.1", Mark: "X"}, {ID: "type.13", Mark: "X"}, {ID: "type.30", Mark: "X"},
	}}
	if found := Compare(statement(t, station()), m); slices.ContainsFunc(found, func(d Difference) bool { return d.Conflict }) {
		t.Errorf("found %+v", found)
	}
}

func TestStatementsByHand(t *testing.T) {
	t.Parallel()
	const rows = "|role.controlling||X||\n|role.controlled||||\n|k|k|X|20 |\n| w | w | X | 10 |\n"
	s, err := ReadMarkdown(strings.NewReader("# Anything\n\nremarks\n\n## One\n\n|id|item|mark|value|\n|---|---|---|---|\n" + rows +
		"\nremarks\n\n| other | table |\n|---|---|\n| a | b |\n"))
	if err != nil || len(s.Rows) != 4 || s.Get("k").Value != "20" || s.Get("w").Section != "One" {
		t.Errorf("read %+v, %v", s, err)
	}
	for name, text := range map[string]string{
		"nothing":       "",
		"other text":    "# Readme\n\n| a | b |\n|---|---|\n",
		"three cells":   "|id|item|mark|value|\n|---|---|---|---|\n|k|k|X|\n",
		"no mark":       "|id|item|mark|value|\n|---|---|---|---|\n|k|k|yes|1|\n",
		"an item twice": "|id|item|mark|value|\n|---|---|---|---|\n" + rows + "|k|k|X|1|\n",
	} {
		if _, err := ReadMarkdown(strings.NewReader(text)); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ReadXLSX(strings.NewReader("PK")); !errors.Is(err, ErrFormat) {
		t.Errorf("no workbook: %v", err)
	}
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	for list, want := range map[string][]int{"": nil, "1": {1}, "1 3,5;7-9": {1, 3, 5, 7, 8, 9}} {
		got, err := parseNumbers(list)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q is %v, %v", list, got, err)
		}
	}
	for _, bad := range []string{"a", "3-1", "1-", "70000", "-1", "1--2"} {
		if got, err := parseNumbers(bad); err == nil {
			t.Errorf("%q is %v", bad, got)
		}
	}
	if got := numbers([]uint16{1, 2, 4, 5, 6, 9}); got != "1 2 4-6 9" {
		t.Errorf("written as %q", got)
	}
}

func FuzzReadMarkdown(f *testing.F) {
	f.Add("## One\n|id|item|mark|value|\n|---|---|---|---|\n|role.controlling||X||\n|role.controlled||||\n|k|k|X|20|\n|w|w|X|10|\n")
	f.Add("|id|item|mark|value|\n|")
	f.Add("|id|item|mark|value|\n|\\|")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ReadMarkdown(strings.NewReader(text))
		if err != nil {
			return
		}
		Compare(s, s)
		var b bytes.Buffer
		if err := s.WriteMarkdown(&b); err != nil {
			t.Fatal(err)
		}
		again, err := ReadMarkdown(&b)
		if err != nil || len(again.Rows) != len(s.Rows) {
			t.Fatalf("written it is read as %+v, %v, was %+v", again, err, s)
		}
	})
}
