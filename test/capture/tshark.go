package capture

import (
	"bytes"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// APDU is one APDU as tshark read it.
type APDU struct {
	Frame    int // number in the capture file
	Time     time.Time
	ToClient bool
	Format   string // "I", "S" or "U"
	NS, NR   int
	Function string // of a U frame, such as "STARTDT act"
	ASDU     *ASDU  // of an I frame
}

// ASDU is an ASDU as tshark read it.
type ASDU struct {
	Type, N, Cause     int
	SQ, Negative, Test bool
	OA, CA             int
	Objects            []Object
}

// Object is one information object as tshark read it. The names of its fields
// are those of tshark without "iec60870_asdu.", such as "siq.spi".
type Object struct {
	IOA    int
	Fields map[string]Field
}

// Field is a field as shown and as on the wire.
type Field struct {
	Show   string
	Octets []byte
}

// Mark is a complaint of tshark: an expert item of severity warning or error,
// or something that it calls malformed.
type Mark struct {
	Frame int
	Text  string
}

// Decoded is a capture as tshark read it.
type Decoded struct {
	APDUs []APDU
	Marks []Mark
}

// Tool returns the path of a program that the tests need. It looks in the
// directories for daemons too, and fails the test with what to do about it.
func Tool(tb testing.TB, name string) string {
	tb.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	for _, dir := range []string{"/usr/sbin", "/usr/local/sbin", "/sbin"} {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path
		}
	}
	tb.Fatalf("%s is not installed: run `make tools`", name)
	return ""
}

// Decode has tshark decode what has passed until now.
func (p *Proxy) Decode(tb testing.TB) Decoded {
	tb.Helper()
	return DecodeFile(tb, p.WriteFile(tb))
}

// DecodeFile has tshark decode a capture file. Checksums are verified.
func DecodeFile(tb testing.TB, name string) Decoded {
	tb.Helper()
	cmd := exec.CommandContext(tb.Context(), Tool(tb, "tshark"), "-n", "-r", name,
		"-d", "tcp.port==2404,iec60870_104", "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE",
		"-Y", "iec60870_104 or iec60870_asdu or _ws.expert or _ws.malformed", "-T", "pdml")
	cmd.Env = append(os.Environ(), "TZ=UTC", "LC_ALL=C")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		tb.Fatalf("tshark: %v\n%s", err, stderr.Bytes())
	}
	d, err := parsePDML(out)
	if err != nil {
		tb.Fatalf("output of tshark: %v", err)
	}
	return d
}

// NoMarks fails the test for each complaint of tshark, except those about
// connections that a test breaks itself.
func (d Decoded) NoMarks(tb testing.TB) {
	tb.Helper()
	for _, m := range d.Marks {
		if !strings.Contains(m.Text, "Connection reset (RST)") {
			tb.Errorf("tshark complains about frame %d: %s", m.Frame, m.Text)
		}
	}
}

// Sent returns the ASDUs in one direction, in order.
func (d Decoded) Sent(toClient bool) []*ASDU {
	var out []*ASDU
	for _, a := range d.APDUs {
		if a.ASDU != nil && a.ToClient == toClient {
			out = append(out, a.ASDU)
		}
	}
	return out
}

// element is a packet, proto or field of PDML.
type element struct {
	XMLName  xml.Name
	Name     string    `xml:"name,attr"`
	Show     string    `xml:"show,attr"`
	ShowName string    `xml:"showname,attr"`
	Value    string    `xml:"value,attr"`
	Children []element `xml:",any"`
}

// find returns the first element with the name, in depth-first order.
func (e *element) find(name string) *element {
	for i := range e.Children {
		c := &e.Children[i]
		if c.Name == name {
			return c
		}
		if f := c.find(name); f != nil {
			return f
		}
	}
	return nil
}

// number returns the number that the named field shows, −1 if it is absent.
func (e *element) number(name string) int {
	f := e.find(name)
	if f == nil {
		return -1
	}
	n, err := strconv.ParseInt(f.Show, 0, 64)
	if err != nil {
		return -1
	}
	return int(n)
}

func parsePDML(b []byte) (Decoded, error) {
	var root element
	if err := xml.Unmarshal(b, &root); err != nil {
		return Decoded{}, err
	}
	var d Decoded
	for i := range root.Children {
		p := &root.Children[i]
		if p.XMLName.Local != "packet" {
			continue
		}
		if err := d.addPacket(p); err != nil {
			return d, err
		}
	}
	return d, nil
}

func (d *Decoded) addPacket(p *element) error {
	frame := p.number("num")
	epoch := p.find("timestamp")
	if frame < 0 || epoch == nil {
		return fmt.Errorf("packet without number or time")
	}
	at, err := parseEpoch(epoch.Value)
	if err != nil {
		return fmt.Errorf("frame %d: %w", frame, err)
	}
	d.addMarks(frame, p)
	base := APDU{Frame: frame, Time: at, ToClient: p.number("tcp.srcport") == serverPort}
	for i := range p.Children {
		proto := &p.Children[i]
		switch proto.Name {
		case "iec60870_104":
			a := base
			a.setAPCI(proto)
			d.APDUs = append(d.APDUs, a)
		case "iec60870_asdu":
			if len(d.APDUs) == 0 {
				return fmt.Errorf("frame %d: ASDU without APCI", frame)
			}
			d.APDUs[len(d.APDUs)-1].ASDU = parseASDU(proto)
		}
	}
	return nil
}

func parseEpoch(s string) (time.Time, error) {
	sec, frac, _ := strings.Cut(s, ".")
	n, err := strconv.ParseInt(sec, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("time %q: %w", s, err)
	}
	ns, err := strconv.ParseInt((frac + "000000000")[:9], 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("time %q: %w", s, err)
	}
	return time.Unix(n, ns).UTC(), nil
}

// severityWarning is the severity of warnings in expert items; errors are above.
const severityWarning = 0x00600000

func (d *Decoded) addMarks(frame int, e *element) {
	for i := range e.Children {
		c := &e.Children[i]
		switch c.Name {
		case "_ws.malformed":
			d.Marks = append(d.Marks, Mark{frame, "malformed: " + c.ShowName})
		case "_ws.expert":
			if c.number("_ws.expert.severity") >= severityWarning {
				text := c.ShowName
				if m := c.find("_ws.expert.message"); m != nil {
					text = m.Show
				}
				d.Marks = append(d.Marks, Mark{frame, text})
			}
		default:
			d.addMarks(frame, c)
		}
	}
}

func (a *APDU) setAPCI(proto *element) {
	switch t := proto.number("iec60870_104.type"); t {
	case 0, 2: // the second bit belongs to N(S)
		a.Format = "I"
		a.NS, a.NR = proto.number("iec60870_104.tx"), proto.number("iec60870_104.rx")
	case 1:
		a.Format = "S"
		a.NR = proto.number("iec60870_104.rx")
	case 3:
		a.Format = "U"
		if f := proto.find("iec60870_104.utype"); f != nil {
			_, name, _ := strings.Cut(f.ShowName, "UType: ")
			a.Function, _, _ = strings.Cut(name, " (0x")
		}
	}
}

const asduPrefix = "iec60870_asdu."

func parseASDU(proto *element) *ASDU {
	number := func(name string) int { return proto.number(asduPrefix + name) }
	a := &ASDU{
		Type: number("typeid"), N: number("numix"), Cause: number("causetx"),
		SQ: number("sq") == 1, Negative: number("nega") == 1, Test: number("test") == 1,
		OA: number("oa"), CA: number("addr"),
	}
	for i := range proto.Children {
		c := &proto.Children[i]
		switch {
		case c.Name == "": // one object with its fields
			o := Object{IOA: c.number(asduPrefix + "ioa"), Fields: map[string]Field{}}
			o.add(c)
			a.Objects = append(a.Objects, o)
		case c.Name == asduPrefix+"ioa": // a type whose elements tshark does not know
			n, _ := strconv.Atoi(c.Show)
			a.Objects = append(a.Objects, Object{IOA: n, Fields: map[string]Field{}})
		case len(a.Objects) > 0:
			a.Objects[len(a.Objects)-1].add(&element{Children: []element{*c}})
		}
	}
	return a
}

// add takes the fields below e.
func (o *Object) add(e *element) {
	for i := range e.Children {
		c := &e.Children[i]
		if name, ok := strings.CutPrefix(c.Name, asduPrefix); ok {
			octets, _ := hex.DecodeString(c.Value) // bit fields have no octets of their own
			o.Fields[name] = Field{Show: c.Show, Octets: octets}
		}
		o.add(c)
	}
}

// Int returns the number in a field. It fails the test if there is none.
func (o Object) Int(tb testing.TB, name string) int {
	tb.Helper()
	n, err := strconv.ParseInt(o.Fields[name].Show, 0, 64)
	if err != nil {
		tb.Fatalf("IOA %d: tshark shows %q for %s, want a number", o.IOA, o.Fields[name].Show, name)
	}
	return int(n)
}
