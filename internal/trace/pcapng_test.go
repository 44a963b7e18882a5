package trace

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"busbar/internal/tape"
)

// vectors returns the APDUs of the test vectors of the codec.
func vectors(t *testing.T) (all [][]byte) {
	t.Helper()
	raw, err := os.ReadFile("../../iec104/asdu/testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var list []struct{ Hex string }
	if err := json.Unmarshal(raw, &list); err != nil {
		t.Fatal(err)
	}
	for _, v := range list {
		all = append(all, octets(t, v.Hex))
	}
	if len(all) < 100 {
		t.Fatalf("%d vectors", len(all))
	}
	return all
}

// tshark returns what it shows of a field, one line per packet.
func tshark(t *testing.T, file string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath("tshark"); err != nil {
		t.Fatal("tshark is not installed, want: make tools")
	}
	cmd := exec.CommandContext(t.Context(), "tshark", append([]string{"-r", file}, args...)...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("tshark: %v: %s", err, &errs)
	}
	return string(out)
}

// capture writes the capture file of a tracer.
func capture(t *testing.T, tracer *Tracer, f Filter) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "trace.pcapng")
	var b bytes.Buffer
	c, err := tracer.Capture(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Write(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestTsharkShowsTheSameFrames has tshark dissect frames of every kind, over IPv4 and IPv6, on
// a port that is not that of the protocol.
func TestTsharkShowsTheSameFrames(t *testing.T) {
	t.Parallel()
	for _, ip := range []string{"10.0.0.1", "2001:db8::1"} {
		t.Run(ip, func(t *testing.T) {
			t.Parallel()
			d := tape.NewDeck(tape.Limits{})
			tp := d.Open(tape.Link{
				ID: "scada.1", Connector: "scada", Conn: 1, Octets: [3]int{2, 2, 3}, Certificate: "CN=scada1,O=Plant",
				Local: &net.TCPAddr{IP: net.ParseIP(ip), Port: 12404}, Peer: &net.TCPAddr{IP: net.ParseIP("192.168.7.9"), Port: 40123},
			})
			var want []string
			for i, v := range vectors(t) {
				tp.Record(i%3 > 0, v)
				want = append(want, hex.EncodeToString(v))
			}
			tracer := newTracer(d.Tapes, names)
			file := capture(t, tracer, Filter{})
			if diff := cmp.Diff(shown(tracer.Snapshot(Filter{}, MaxEntries)), want); diff != "" {
				t.Errorf("the trace shows other frames (-got +want):\n%s", diff)
			}
			as104 := []string{"-d", "tcp.port==12404,iec60870_104"}
			got := strings.Fields(tshark(t, file, append(as104, "-T", "fields", "-e", "tcp.payload")...))
			if diff := cmp.Diff(got, want); diff != "" {
				t.Errorf("tshark shows other octets (-got +want):\n%s", diff)
			}
			dissected := tshark(t, file, append(as104, "-Y", "iec60870_104", "-T", "fields", "-e", "frame.number")...)
			if n := len(strings.Fields(dissected)); n != len(want) {
				t.Errorf("tshark takes %d of %d packets for IEC 60870-5-104", n, len(want))
			}
			if out := tshark(t, file, "-Y", "tcp.analysis.flags || tcp.checksum.status == 0", "-o", "tcp.check_checksum:TRUE", "-T", "fields", "-e", "frame.number"); out != "" {
				t.Errorf("tshark finds faults of TCP in packets %s", out)
			}
			if out := tshark(t, file, "-c", "1", "-T", "fields", "-e", "frame.interface_name", "-e", "frame.comment"); !strings.Contains(out, "scada\t") || !strings.Contains(out, "CN=scada1,O=Plant") {
				t.Errorf("first packet has interface and comment %q", out)
			}
		})
	}
}

func TestPcapngHasTimesPortsAndInterfaces(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.session(t)
	other := r.open("other", 3)
	other.Record(true, octets(t, float))
	raw, err := os.Open(capture(t, r.tracer, Filter{}))
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	entries := r.tracer.Snapshot(Filter{}, MaxEntries)
	file, err := pcapgo.NewNgReader(raw, pcapgo.DefaultNgReaderOptions)
	if err != nil {
		t.Fatal(err)
	}
	var connectors []string
	for n := range entries {
		data, info, err := file.ReadPacketData()
		if err != nil {
			t.Fatal(err)
		}
		if !info.Timestamp.Equal(entries[n].Time) {
			t.Errorf("packet %d is of %v, want %v", n, info.Timestamp, entries[n].Time)
		}
		i, err := file.Interface(info.InterfaceIndex)
		if err != nil {
			t.Fatal(err)
		}
		connectors = append(connectors, i.Name)
		if i.Name != entries[n].Connector {
			t.Errorf("packet %d is of interface %s, want %s", n, i.Name, entries[n].Connector)
		}
		tcp := gopacket.NewPacket(data, layers.LayerTypeEthernet, gopacket.Default).Layer(layers.LayerTypeTCP).(*layers.TCP)
		want := [2]layers.TCPPort{51000, 12404}
		if entries[n].Direction == "sent" {
			slices.Reverse(want[:])
		}
		if got := [2]layers.TCPPort{tcp.SrcPort, tcp.DstPort}; got != want || hex.EncodeToString(tcp.Payload) != entries[n].Octets {
			t.Errorf("packet %d from port %d to %d, want %d to %d", n, tcp.SrcPort, tcp.DstPort, want[0], want[1])
		}
	}
	if slices.Sort(connectors); len(slices.Compact(connectors)) != 2 {
		t.Errorf("interfaces %v", connectors)
	}
}

func TestPcapngWithoutFramesIsAFile(t *testing.T) {
	t.Parallel()
	if out := tshark(t, capture(t, newRig(t).tracer, Filter{})); out != "" {
		t.Errorf("tshark shows %q", out)
	}
}

func TestCaptureFilesAreMadeForFewAtATime(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for range maxDumps {
		c, err := r.tracer.Capture(t.Context(), Filter{})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	if _, err := r.tracer.Capture(t.Context(), Filter{}); !errors.Is(err, ErrBusy) {
		t.Errorf("Capture = %v, want ErrBusy", err)
	}
}
