package iec104server

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"busbar/iec104/asdu"
	"busbar/internal/connector"
	"busbar/internal/plant"
	"busbar/internal/tlsconf"
)

func decode(t *testing.T, file string) (*plant.Plant, []string) {
	t.Helper()
	kinds, err := connector.NewRegistry(Kind())
	if err != nil {
		t.Fatal(err)
	}
	p, problems := plant.Decode("p.yaml", []byte(file), kinds, plant.Options{})
	var texts []string
	for _, problem := range problems {
		texts = append(texts, problem.Path+": "+problem.Text)
	}
	return p, texts
}

func withSettings(lines string) string {
	return "version: 1\nconnectors:\n  scada:\n    kind: iec104-server\n" + lines
}

func withTarget(typ, target string) string {
	return withSettings("    listen: 127.0.0.1:2404\n") +
		fmt.Sprintf("points:\n  p:\n    type: %s\n    to:\n      - {connector: scada, %s}\n", typ, target)
}

func TestSettingsAreDecoded(t *testing.T) {
	p, problems := decode(t, withSettings(`    listen: 0.0.0.0:2404
    allow: [10.0.0.5, 192.168.7.9/16, "::1"]
    k: 20
    w: 10
    t1: 20s
    t2: 5s
    t3: 1m
    connections: 7
    time: Europe/Berlin
    interrogation: tagged
    buffer: {events: 5000}
    maxObjects: 1
    reset: confirm
    test104: true
    groups: {scada-a: {clients: [10.0.0.5, 10.0.0.6]}, scada-b: {clients: [192.168.0.0/16], active: all}, rest: {clients: any}}
    replay: 15m
    priority: status
`))
	if len(problems) > 0 {
		t.Fatal(strings.Join(problems, "\n"))
	}
	s := p.Connectors[0].Settings.(*Settings)
	if s.K != 20 || s.W != 10 || s.T1 != 20*time.Second || s.T2 != 5*time.Second || s.T3 != time.Minute ||
		s.Connections != 7 || s.Time.String() != "Europe/Berlin" || !s.tagged() || s.Buffer.Events != 5000 ||
		s.MaxObjects != 1 || s.Reset != "confirm" || !s.Test104 {
		t.Errorf("settings %+v", s)
	}
	if !s.byClass() || s.Replay != (Replay{age: 15 * time.Minute}) || len(s.Groups) != 3 {
		t.Errorf("settings %+v", s)
	}
	for addr, want := range map[string]string{
		"10.0.0.6": "scada-a true", "192.168.7.7": "scada-b 192.168.7.7 false", "172.16.0.1": "rest true", "::1": "rest true",
	} {
		key, shared, ok := s.group(netip.MustParseAddr(addr), nil)
		if got := fmt.Sprint(key, " ", shared); got != want || !ok {
			t.Errorf("group of %s is %q %v, want %q", addr, got, ok, want)
		}
	}
	if got := fmt.Sprint(s.Allow.Prefixes); got != "[10.0.0.5/32 192.168.0.0/16 ::1/128]" {
		t.Errorf("allow %s", got)
	}
}

const withTLS = "    tls: {ca: ca.pem, cert: control.pem, key: control.key, allow: [grid.example]}\n"

func TestClientsByCertificate(t *testing.T) {
	p, problems := decode(t, withSettings(`    listen: 0.0.0.0:19998
    allow: [CN=scada1, 10.0.0.0/8, scada2.example]
    groups: {a: {clients: [CN=scada1, 10.0.0.6]}, b: {clients: [10.0.0.5]}, c: {clients: [scada2.example], active: all}, rest: {clients: any}}
`+withTLS))
	if len(problems) > 0 {
		t.Fatal(strings.Join(problems, "\n"))
	}
	s := p.Connectors[0].Settings.(*Settings)
	if got := fmt.Sprint(s.Allow.Prefixes, s.security().Allow); got != "[10.0.0.0/8] [grid.example CN=scada1 scada2.example]" {
		t.Errorf("allowed are %s", got)
	}
	if got := fmt.Sprint(s.TLS.Allow); got != "[grid.example]" {
		t.Errorf("the settings have become %s", got)
	}
	for _, tt := range []struct{ address, cn, name, want string }{
		{"10.0.0.5", "scada1", "", "a true"}, // the certificate goes before the address
		{"10.0.0.6", "other", "", "a true"},
		{"10.0.0.5", "other", "", "b true"},
		{"10.0.0.5", "", "scada2.example", "c 10.0.0.5 false"},
		{"10.0.0.7", "other", "", "rest true"},
	} {
		cert := &tlsconf.Identity{Subject: "CN=" + tt.cn, CommonName: tt.cn, Names: []string{tt.name}}
		key, shared, ok := s.group(netip.MustParseAddr(tt.address), cert)
		if got := fmt.Sprint(key, " ", shared); got != tt.want || !ok {
			t.Errorf("group of %s at %s is %q %v, want %q", tt.cn, tt.address, got, ok, tt.want)
		}
	}
}

func TestSettingsHaveDefaults(t *testing.T) {
	p, problems := decode(t, withSettings("    listen: localhost:2404\n"))
	if len(problems) > 0 {
		t.Fatal(strings.Join(problems, "\n"))
	}
	want := defaults()
	want.Listen = "localhost:2404"
	if got := p.Connectors[0].Settings.(*Settings); fmt.Sprint(*got) != fmt.Sprint(want) {
		t.Errorf("settings %+v, want %+v", *got, want)
	}
}

func TestFaultsOfSettings(t *testing.T) {
	tests := []struct{ name, lines, path, text string }{
		{"listen is missing", "    k: 12\n", "listen", "missing"},
		{"listen is missing, and nothing to dial", "    allow: any\n", "listen", "want the address to listen on, host:port, or dial"},
		{"dial nobody", "    dial: []\n", "dial", "1"},
		{"dial without port", "    dial: [control.example]\n", "dial", `has "control.example", want host:port`},
		{"dial without host", "    dial: [\":2404\"]\n", "dial", `has ":2404", want host:port`},
		{"dial twice", "    dial: [\"a:1\", \"a:1\"]\n", "dial", `has "a:1" twice`},
		{"dial with addresses that may connect", "    dial: [\"a:1\"]\n    allow: [10.0.0.5]\n", "allow", "has 10.0.0.5/32, but only names of certificates have an effect without listen"},
		{"listen without port", "    listen: 127.0.0.1\n", "listen", "host:port"},
		{"listen beyond the ports", "    listen: 127.0.0.1:65536\n", "listen", "host:port"},
		{"listen on the name of a port", "    listen: 127.0.0.1:http\n", "listen", "host:port"},
		{"any address without allow", "    listen: :2404\n", "allow", "is missing"},
		{"other address without allow", "    listen: 192.168.1.5:2404\n", "allow", "is missing"},
		{"allow is empty", "    listen: :2404\n    allow: []\n", "allow", "names nobody"},
		{"allow a name", "    listen: :2404\n    allow: [scada.example]\n", "allow", "scada.example"},
		{"allow a name beside addresses", "    listen: :2404\n    allow: [10.0.0.5, CN=scada1]\n", "allow", "CN=scada1, which is no address"},
		{"allow an address that is none", "    listen: :2404\n    allow: [10.0.0.256]\n" + withTLS, "allow", "has 10.0.0.256, want an address"},
		{"allow a range that is none", "    listen: :2404\n    allow: [10.0.0.0/33]\n" + withTLS, "allow", "has 10.0.0.0/33, want an address"},
		{"tls without authority", "    listen: 127.0.0.1:1\n    tls: {cert: a, key: b}\n", "tls", "want ca, because peers must show certificates"},
		{"groups of one certificate", "    listen: 127.0.0.1:1\n    groups: {b: {clients: [\"CN=a,O=Plant\"]}, a: {clients: [10.1.0.5, CN=a]}}\n" + withTLS, "groups.b.clients",
			"CN=a,O=Plant is in group a too"},
		{"allow everybody by a word that is none", "    listen: :2404\n    allow: all\n", "allow", "or any"},
		{"k too large", "    listen: 127.0.0.1:1\n    k: 32768\n", "k", "from 1 to 32767"},
		{"w above k", "    listen: 127.0.0.1:1\n    k: 4\n", "w", "at most k"},
		{"t2 not less than t1", "    listen: 127.0.0.1:1\n    t1: 10s\n", "t2", "less than t1"},
		{"zone unknown", "    listen: 127.0.0.1:1\n    time: Europe/Nowhere\n", "time", "IANA"},
		{"interrogation", "    listen: 127.0.0.1:1\n    interrogation: none\n", "interrogation", "untagged"},
		{"reset", "    listen: 127.0.0.1:1\n    reset: always\n", "reset", "refuse"},
		{"group without clients", "    listen: 127.0.0.1:1\n    groups: {a: {active: one}}\n", "groups.a.clients", "is missing"},
		{"group with no clients", "    listen: 127.0.0.1:1\n    groups: {a: {clients: []}}\n", "groups.a.clients", "names nobody"},
		{"group of a name", "    listen: 127.0.0.1:1\n    groups: {a: {clients: [scada]}}\n", "groups.a.clients", "names need tls"},
		{"group with two active", "    listen: 127.0.0.1:1\n    groups: {a: {clients: any, active: two}}\n", "groups.a.active", "one, all"},
		{"groups that overlap", "    listen: 127.0.0.1:1\n    groups: {b: {clients: [10.0.0.0/8]}, a: {clients: [10.1.0.5]}}\n", "groups.b.clients",
			"10.0.0.0/8 is in group a too"},
		{"groups that overlap, one written as IPv6", "    listen: 127.0.0.1:1\n    groups: {b: {clients: [\"::ffff:10.1.0.0/112\"]}, a: {clients: [10.1.0.5]}}\n", "groups.b.clients",
			"10.1.0.0/16 is in group a too"},
		{"two groups for all others", "    listen: 127.0.0.1:1\n    groups: {b: {clients: any}, a: {clients: any}}\n", "groups.b.clients", "any is in group a too"},
		{"replay", "    listen: 127.0.0.1:1\n    replay: some\n", "replay", "want all, latest, none or the age"},
		{"replay of an instant", "    listen: 127.0.0.1:1\n    replay: 10ms\n", "replay", "age"},
		{"priority", "    listen: 127.0.0.1:1\n    priority: commands\n", "priority", "occurrence, status"},
		{"unknown key", "    listen: 127.0.0.1:1\n    ports: 1\n", "ports", "unknown key"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, problems := decode(t, withSettings(tt.lines))
			if len(problems) != 1 || !strings.HasPrefix(problems[0], "connectors.scada."+tt.path+": ") || !strings.Contains(problems[0], tt.text) {
				t.Errorf("problems %q, want one of %s with %q", problems, tt.path, tt.text)
			}
		})
	}
	if _, problems := decode(t, withSettings("    listen: :2404\n    allow: any\n")); len(problems) != 0 {
		t.Errorf("allow: any is refused: %q", problems)
	}
}

func TestTargetIsDecoded(t *testing.T) {
	tests := []struct {
		name, typ, target string
		want              Target
	}{
		{"numbers", "float", "ca: 225, ioa: 100, as: M_ME_TF_1", Target{CA: 225, IOA: 100, As: MonitorType{asdu.M_ME_TF_1}}},
		{"structured addresses", "float", `ca: "1.2", ioa: "1.2.3", as: 13`, Target{CA: 258, IOA: 0x010203, As: MonitorType{asdu.M_ME_NC_1}}},
		{"largest addresses", "float", `ca: 65534, ioa: 16777215, as: 36`, Target{CA: 65534, IOA: 16777215, As: MonitorType{asdu.M_ME_TF_1}}},
		{"structured without quotes", "single", `ca: 0.225, ioa: 1, as: M_SP_TB_1, groups: [1, 16]`,
			Target{CA: 225, IOA: 1, As: MonitorType{asdu.M_SP_TB_1}, Groups: 1 | 1<<15}},
		{"periods", "float", `ca: 1, ioa: 1, as: 36, cyclic: 10s, background: 1h`,
			Target{CA: 1, IOA: 1, As: MonitorType{asdu.M_ME_TF_1}, Cyclic: 10 * time.Second, Background: time.Hour}},
		{"counter", "counter", `ca: 1, ioa: 1, as: 37, counter: {freeze: 15m, group: 2, spontaneous: false}`,
			Target{CA: 1, IOA: 1, As: MonitorType{asdu.M_IT_TB_1}, Counter: Counter{Freeze: 15 * time.Minute, Group: 2}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, problems := decode(t, withTarget(tt.typ, tt.target))
			if len(problems) > 0 {
				t.Fatal(strings.Join(problems, "\n"))
			}
			got := *p.Points[0].To[0].End.(*Target)
			if tt.want.Counter == (Counter{}) {
				tt.want.Counter.Spontaneous = true
			}
			if got != tt.want {
				t.Errorf("target %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestFaultsOfTargets(t *testing.T) {
	tests := []struct{ name, typ, target, path, text string }{
		{"ca 0", "float", "ca: 0, ioa: 1, as: 36", ".ca", "1 to 65534"},
		{"ca of all stations", "float", "ca: 65535, ioa: 1, as: 36", ".ca", "1 to 65534"},
		{"ca with three parts", "float", `ca: "0.0.1", ioa: 1, as: 36`, ".ca", "structured"},
		{"ca octet too large", "float", `ca: "0.256", ioa: 1, as: 36`, ".ca", "structured"},
		{"ioa 0", "float", "ca: 1, ioa: 0, as: 36", ".ioa", "1 to 16777215"},
		{"ioa too large", "float", "ca: 1, ioa: 16777216, as: 36", ".ioa", "1 to 16777215"},
		{"type unknown", "float", "ca: 1, ioa: 1, as: M_ME_TG_1", ".as", "M_ME_TF_1"},
		{"type of a command", "single", "ca: 1, ioa: 1, as: C_SC_NA_1", ".as", "monitor direction"},
		{"type with CP24Time2a", "single", "ca: 1, ioa: 1, as: M_SP_TA_1", ".as", "M_SP_TB_1"},
		{"text", "text", "ca: 1, ioa: 1, as: M_SP_TB_1", "", "text cannot be sent"},
		{"float as single", "float", "ca: 1, ioa: 1, as: M_SP_TB_1", ".as", "cannot carry a point of type float, want a point of type single"},
		{"float as counter", "float", "ca: 1, ioa: 1, as: M_IT_TB_1", ".as", "want a point of type counter"},
		{"int as 16 single points", "int", "ca: 1, ioa: 1, as: M_PS_NA_1", ".as", "want a point of type bits"},
		{"bits as float", "bits", "ca: 1, ioa: 1, as: M_ME_TF_1", ".as", "M_BO_TB_1"},
		{"group 17", "single", "ca: 1, ioa: 1, as: 30, groups: [17]", ".groups", "1 to 16"},
		{"no group", "single", "ca: 1, ioa: 1, as: 30, groups: []", ".groups", "1 to 16"},
		{"group of a counter", "counter", "ca: 1, ioa: 1, as: 37, groups: [1]", ".groups", "not in answers"},
		{"cyclic single", "single", "ca: 1, ioa: 1, as: 30, cyclic: 10s", ".cyclic", "measured value"},
		{"background counter", "counter", "ca: 1, ioa: 1, as: 37, background: 10s", ".background", "background scan"},
		{"counter of a float", "float", "ca: 1, ioa: 1, as: 36, counter: {group: 1}", ".counter", "M_IT_NA_1"},
		{"counter group 5", "counter", "ca: 1, ioa: 1, as: 37, counter: {group: 5}", ".counter.group", "from 1 to 4"},
		{"freeze that is no part of a day", "counter", "ca: 1, ioa: 1, as: 37, counter: {freeze: 7m}", ".counter.freeze", "part of a day"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, problems := decode(t, withTarget(tt.typ, tt.target))
			if len(problems) != 1 || !strings.HasPrefix(problems[0], "points.p.to[0]"+tt.path+": ") || !strings.Contains(problems[0], tt.text) {
				t.Errorf("problems %q, want one of %q with %q", problems, tt.path, tt.text)
			}
		})
	}
}

func TestAddressOccursOncePerServer(t *testing.T) {
	_, problems := decode(t, withSettings(`    listen: 127.0.0.1:2404
  other:
    kind: iec104-server
    listen: 127.0.0.1:2405
points:
  a:
    type: float
    to:
      - {connector: scada, ca: 1, ioa: 7, as: 36}
      - {connector: other, ca: 1, ioa: 7, as: 36}
  b:
    type: single
    to: [{connector: scada, ca: 1, ioa: "0.0.7", as: 30}, {connector: scada, ca: 2, ioa: 7, as: 30}]
`))
	if len(problems) != 1 || !strings.Contains(problems[0], "ca 1 ioa 7 is the address of a already, in line 13") {
		t.Errorf("problems %q, want the address that is used twice", problems)
	}
}
