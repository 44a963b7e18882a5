package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"busbar/internal/cli"
	"busbar/test/rig"
)

// scaled is what a process with a large plant has measured of itself.
type scaled struct {
	Seconds float64 // from the start until the IEC 104 server listens
	CPU     float64 // seconds of all processors until then
	Heap    uint64  // octets in use after a collection, when all is at rest
	Peak    uint64  // most resident memory
	RSS     uint64  // resident memory at rest
}

// scaleEnv names the variable that makes TestScaleProcess the process to be
// measured. It holds the address of the server, that of HTTP, how many
// connectors there are, and the arguments of busbar.
const scaleEnv = "BUSBAR_BENCH_SCALE"

// TestScaleProcess is no test but the process that the benchmarks below measure.
func TestScaleProcess(t *testing.T) {
	setting := os.Getenv(scaleEnv)
	if setting == "" {
		t.Skip("is run by benchmarks")
	}
	args := strings.Split(setting, "\n")
	connectors, err := strconv.Atoi(args[2])
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	start := time.Now()
	go func() {
		ended <- cli.Main(ctx, args[3:], cli.IO{In: strings.NewReader(""), Out: io.Discard, Err: os.Stderr, Env: os.LookupEnv})
	}()
	s := scaled{}
	until(t, ended, func() bool {
		conn, err := net.Dial("tcp", args[0])
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	s.Seconds, s.CPU = time.Since(start).Seconds(), cpu(t)
	if args[1] != "" {
		until(t, ended, func() bool { return up(args[1]) == connectors })
	}
	s.Heap = heapAtRest()
	s.Peak, s.RSS = resident(t, "VmHWM"), resident(t, "VmRSS")
	line, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("\nscale %s\n", line)
	cancel()
	<-ended
}

// until looks every few milliseconds whether done returns true.
func until(t *testing.T, ended chan int, done func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case code := <-ended:
			t.Fatalf("busbar ended with code %d", code)
		case <-tick.C:
		}
	}
}

// heapAtRest returns the octets in use once they are the same for longer than
// Busbar takes to give memory back.
func heapAtRest() uint64 {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var m runtime.MemStats
	for last, same := uint64(0), 0; same < 7; same++ {
		<-tick.C
		runtime.GC()
		runtime.ReadMemStats(&m)
		if m.HeapAlloc>>20 != last {
			last, same = m.HeapAlloc>>20, 0
		}
	}
	return m.HeapAlloc + m.StackInuse
}

// cpu returns the time that this process has had on all processors.
func cpu(t *testing.T) float64 {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}

// up returns how many connectors are up.
func up(addr string) int {
	resp, err := http.Get("http://" + addr + "/metrics")
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	n := 0
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if l := lines.Text(); strings.HasPrefix(l, "busbar_connector_state{") && strings.Contains(l, `state="up"`) && strings.HasSuffix(l, " 1") {
			n++
		}
	}
	return n
}

// resident returns a figure of this process in octets.
func resident(t *testing.T, key string) uint64 {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		var kib uint64
		if _, err := fmt.Sscanf(line, key+": %d kB", &kib); err == nil {
			return kib << 10
		}
	}
	t.Fatalf("%s is not in /proc/self/status", key)
	return 0
}

// measure runs busbar in a process of its own.
func measure(b *testing.B, setting ...string) scaled {
	b.Helper()
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.CommandContext(b.Context(), self, "-test.run=^TestScaleProcess$", "-test.timeout=30m")
	cmd.Env = append(os.Environ(), scaleEnv+"="+strings.Join(setting, "\n"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		b.Fatalf("%v:\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if rest, ok := strings.CutPrefix(line, "scale "); ok {
			var s scaled
			if err := json.Unmarshal([]byte(rest), &s); err != nil {
				b.Fatal(err)
			}
			return s
		}
	}
	b.Fatalf("no figures in:\n%s", out)
	return scaled{}
}

func report(b *testing.B, s scaled, points int) {
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(s.Seconds, "s_to_listening")
	b.ReportMetric(s.CPU, "s_of_CPU")
	b.ReportMetric(float64(s.Heap)/float64(points), "B/point")
	b.ReportMetric(float64(s.Peak)/1e6, "MB_peak")
	b.ReportMetric(float64(s.RSS)/1e6, "MB_at_rest")
}

// BenchmarkScaleStation measures a station without sources and journal: each
// point has one target of an iec104-server. Counters have two points more, for what
// was frozen.
func BenchmarkScaleStation(b *testing.B) {
	const points = 1_000_000
	for name, types := range map[string]string{
		"measured_and_status": "M_ME_NC_1,M_SP_TB_1,M_DP_TB_1,M_ME_TF_1", "a_fifth_counters": "M_ME_NC_1,M_SP_TB_1,M_DP_TB_1,M_ME_TF_1,M_IT_TB_1",
	} {
		b.Run(name, func(b *testing.B) {
			for range b.N {
				addr := rig.FreeAddr(b)
				report(b, measure(b, addr, "", "0", "station", "--points", strconv.Itoa(points), "--types", types, "--listen", addr), points)
			}
		})
	}
}

// BenchmarkScale starts plants whose points come from mosquitto, one or ten with
// each topic, and go to one target of an iec104-server. All included is also
// what the subscriptions take. The start is over when the server listens, with
// all values asked for.
func BenchmarkScale(b *testing.B) {
	for _, c := range []struct {
		format           string
		points, perTopic int
	}{
		{"yaml", 100_000, 10}, {"json", 100_000, 10}, {"yaml", 1_000_000, 10}, {"json", 1_000_000, 10},
		{"json", 100_000, 1}, {"json", 1_000_000, 1},
	} {
		b.Run(fmt.Sprintf("%s/points=%d/per_topic=%d", c.format, c.points, c.perTopic), func(b *testing.B) {
			broker := rig.StartBroker(b)
			for range b.N {
				listen, http := rig.FreeAddr(b), rig.FreeAddr(b)
				plant := filepath.Join(b.TempDir(), "plant."+c.format)
				if err := writePlant(plant, c.points, c.perTopic, broker.Addr(), listen); err != nil {
					b.Fatal(err)
				}
				report(b, measure(b, listen, http, "2", "run", "--plant", plant, "--data", b.TempDir(), "--http-listen", http, "--http-metrics", "open"), c.points)
			}
		})
	}
}

// writePlant writes a plant file of devices with some points each, whose values
// come with one topic.
func writePlant(path string, points, perTopic int, broker, listen string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	head := "version: 1\nconnectors:\n  sensors: {kind: mqtt, url: %q}\n  scada: {kind: iec104-server, listen: %q}\npoints:\n"
	point := "  ons%[1]d/t%[2]d/oil-temperature:\n    type: float\n    unit: °C\n" +
		"    from: {connector: sensors, topic: ons/%[1]d/sensors, value: data.t%[2]d, time: timestamp}\n    deadband: 0.5\n" +
		"    to:\n      - {connector: scada, ca: %[3]d, ioa: %[4]d, as: M_ME_TF_1}\n"
	between, tail := "", ""
	if filepath.Ext(path) == ".json" {
		head = `{"version":1,"connectors":{"sensors":{"kind":"mqtt","url":%q},"scada":{"kind":"iec104-server","listen":%q}},"points":{` + "\n"
		point = `"ons%[1]d/t%[2]d/oil-temperature":{"type":"float","unit":"°C",` +
			`"from":{"connector":"sensors","topic":"ons/%[1]d/sensors","value":"data.t%[2]d","time":"timestamp"},` +
			`"deadband":0.5,"to":[{"connector":"scada","ca":%[3]d,"ioa":%[4]d,"as":"M_ME_TF_1"}]}`
		between, tail = ",\n", "}}\n"
	}
	fmt.Fprintf(w, head, "mqtt://"+broker, listen)
	for i := range points {
		if i > 0 {
			w.WriteString(between) // Flush returns the error
		}
		fmt.Fprintf(w, point, i/perTopic, i%perTopic, i/10_000+1, i+1)
	}
	w.WriteString(tail)
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}
