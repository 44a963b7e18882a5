package iec104client

import (
	"strings"
	"testing"
	"time"

	"busbar/iec104/asdu"
	"busbar/internal/connector"
	"busbar/internal/iec104keys"
	"busbar/internal/plant"
)

// decode decodes a plant with the keys of a connector and ends of points and commands.
func decode(t *testing.T, keys, ends string) (*Settings, string) {
	t.Helper()
	kinds, err := connector.NewRegistry(Kind())
	if err != nil {
		t.Fatal(err)
	}
	p, problems := plant.Decode("p", []byte("version: 1\nconnectors:\n  rtu: {kind: iec104-client, "+keys+"}\n"+ends), kinds, plant.Options{})
	if err := problems.Err(); err != nil {
		return nil, err.Error()
	}
	return p.Connectors[0].Settings.(*Settings), ""
}

func TestKeysWinOverTheProfile(t *testing.T) {
	t.Parallel()
	standard, problem := decode(t, `addresses: ["a:1"]`, "")
	if problem != "" {
		t.Fatal(problem)
	}
	if p, err := standard.params().Complete(); err != nil || p.K != 12 || p.W != 8 || p.T0 != 30*time.Second || p.Sizes.IOA != 3 || !standard.SummerTime || !standard.Weekday {
		t.Errorf("without a profile %+v, %v", standard, err)
	}
	for _, c := range []struct {
		keys       string
		k, w       int
		t0         time.Duration
		originator int
		weekday    bool
	}{
		{"profile: lib60870", 12, 8, 10 * time.Second, 0, true},
		{"t0: 20s, profile: lib60870", 12, 8, 20 * time.Second, 0, true},
		{"profile: cautious, originator: 3", 8, 4, 30 * time.Second, 3, false},
		{"profile: cautious, k: 20, weekday: true", 20, 4, 30 * time.Second, 0, true},
	} {
		s, problem := decode(t, `addresses: ["a:1"], `+c.keys, "")
		if problem != "" {
			t.Errorf("%s: %s", c.keys, problem)
			continue
		}
		if s.K != c.k || s.W != c.w || s.T0 != c.t0 || s.Originator != c.originator || s.Weekday != c.weekday {
			t.Errorf("%s: %+v", c.keys, s)
		}
	}
}

func TestAddressesThatTheOctetsCannotHold(t *testing.T) {
	t.Parallel()
	const few = `addresses: ["a:1"], octets: {ca: 1, ioa: 2}`
	for _, c := range []struct{ ends, want string }{
		{"points: {p: {type: int, from: {connector: rtu, ca: 254, ioa: 65535}}}", ""},
		{"points: {p: {type: int, from: {connector: rtu, ca: 255, ioa: 1}}}", "points.p.from.ca: is 255, want 1 to 254, because octets.ca is 1"},
		{"points: {p: {type: int, from: {connector: rtu, ca: 1, ioa: 65536}}}", "points.p.from.ioa: is 65536"},
		{"commands: {c: {type: single, to: {connector: rtu, ca: 1, ioa: 65536, as: C_SC_NA_1}}}", "commands.c.to.ioa: is 65536"},
	} {
		if _, problem := decode(t, few, c.ends); (problem == "") != (c.want == "") || !strings.Contains(problem, c.want) {
			t.Errorf("%s: %q, want %q", c.ends, problem, c.want)
		}
	}
}

func TestTimeTagsSentAreThoseOfTheSettings(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	noon := time.Date(2026, 7, 15, 10, 0, 0, 0, time.UTC) // a Wednesday
	for _, c := range []struct {
		name            string
		summer, weekday bool
		want            uint64 // octets of hour and day of the week
	}{
		{"both", true, true, 0x6f8c},
		{"no summer time", false, true, 0x6f0c},
		{"no day of the week", true, false, 0x0f8c},
	} {
		client := &Client{env: connector.Env{Now: func() time.Time { return noon }}, settings: defaults()}
		client.settings.Time, client.settings.SummerTime, client.settings.Weekday = iec104keys.Zone{Location: berlin}, c.summer, c.weekday
		if got := uint64(client.stamp()) >> 24 & 0xffff; got != c.want {
			t.Errorf("%s: %#x, want %#x", c.name, got, c.want)
		}
		tags := tagClock{loc: berlin, su: c.summer}
		if at, _, v := tags.read(client.stamp(), asdu.CP56, noon); v != fine || !at.Time().Equal(noon) {
			t.Errorf("%s: read as %v, verdict %d", c.name, at.Time(), v)
		}
	}
}
