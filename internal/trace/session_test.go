package trace_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar/iec104"
	"busbar/iec104/asdu"
	"busbar/internal/connector"
	"busbar/internal/connectors/iec104server"
	"busbar/internal/image"
	"busbar/internal/plant"
	"busbar/internal/trace"
)

// TestASessionOpensInTshark has a controlling station and a server exchange frames of
// all formats, and compares each frame of the trace with what tshark shows of the file.
func TestASessionOpensInTshark(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("tshark"); err != nil {
		t.Fatal("tshark is not installed, want: make tools")
	}
	m := newServer(t)
	address := ""
	await(t, func() bool {
		if all := m.Links(); len(all) > 0 && all[0].State == connector.LinkListening {
			address = all[0].Local
		}
		return address != ""
	})
	talk(t, address)
	await(t, func() bool { l, err := m.Link("scada.1"); return err == nil && l.State == connector.LinkClosed })

	tracer := trace.New(m)
	entries := tracer.Snapshot(trace.Filter{Link: "scada.1"}, trace.MaxEntries)
	var want []string
	formats := map[string]bool{}
	for _, e := range entries {
		want = append(want, e.Octets)
		formats[e.APCI.Format+e.APCI.Function] = true
	}
	for _, f := range []string{"I", "S", "USTARTDT act", "USTARTDT con", "USTOPDT act", "USTOPDT con", "UTESTFR act", "UTESTFR con"} {
		if !formats[f] {
			t.Errorf("the session has no frame %s", f)
		}
	}
	_, port, _ := strings.Cut(address, ":")
	file := filepath.Join(t.TempDir(), "session.pcapng")
	save(t, tracer, file)
	as104 := "tcp.port==" + port + ",iec60870_104"
	out, err := exec.CommandContext(t.Context(), "tshark", "-r", file, "-d", as104, "-Y", "iec60870_104", "-T", "fields", "-e", "tcp.payload").Output()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Fields(string(out)), want); diff != "" {
		t.Errorf("tshark shows other frames (-got +want):\n%s", diff)
	}
	out, err = exec.CommandContext(t.Context(), "tshark", "-r", file, "-d", as104, "-Y", "_ws.malformed || tcp.analysis.flags", "-T", "fields", "-e", "frame.number").Output()
	if err != nil || len(out) > 0 {
		t.Errorf("tshark finds fault with packets %s: %v", out, err)
	}
}

func newServer(t *testing.T) *connector.Manager {
	t.Helper()
	registry, err := connector.NewRegistry(iec104server.Kind())
	if err != nil {
		t.Fatal(err)
	}
	img := image.New(image.Options{Log: 1024})
	m := connector.NewManager(slog.New(slog.DiscardHandler), img, registry, time.Now)
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- m.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-stopped; err != nil {
			t.Error(err)
		}
		img.Close()
	})
	var text strings.Builder
	text.WriteString("version: 1\nconnectors:\n  scada: {kind: iec104-server, listen: \"127.0.0.1:0\", t1: 3s, t2: 1s, t3: 1s}\npoints:\n")
	for _, as := range []string{"M_SP_NA_1", "M_DP_NA_1", "M_ST_NA_1", "M_BO_NA_1", "M_ME_NA_1", "M_ME_NB_1", "M_ME_NC_1", "M_IT_NA_1", "M_SP_TB_1", "M_ME_TF_1"} {
		kind := map[string]string{"SP": "single", "DP": "double", "ST": "step", "BO": "bits", "ME": "float", "IT": "counter"}[as[2:4]]
		text.WriteString("  p/" + as + ": {type: " + kind + ", to: [{connector: scada, ca: 1, ioa: " + address(as) + ", as: " + as + "}]}\n")
	}
	p, problems := plant.Decode("plant.yaml", []byte(text.String()), registry, plant.Options{})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if err := m.Apply(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	return m
}

func address(as string) string {
	id, _ := asdu.ParseTypeID(as)
	return "10" + string(rune('0'+id/10)) + string(rune('0'+id%10))
}

// talk is the session of the controlling station.
func talk(t *testing.T, address string) {
	t.Helper()
	c, err := iec104.Dial(t.Context(), address, iec104.Params{})
	if err != nil {
		t.Fatal(err)
	}
	var refused *iec104.NegativeError
	for name, err := range map[string]error{"STARTDT": c.StartDT(t.Context())} {
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	if _, err := c.Interrogate(t.Context(), 1, 20); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Interrogate(t.Context(), 77, 20); !errors.As(err, &refused) {
		t.Errorf("interrogation of an unknown common address: %v", err)
	}
	if _, err := c.ClockSync(t.Context(), 1, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Counters(t.Context(), 1, 5, 0); err != nil {
		t.Fatal(err)
	}
	if err := c.Test(t.Context(), 1, 7); err != nil {
		t.Fatal(err)
	}
	if err := c.Command(t.Context(), iec104.Operation{CA: 1, IOA: 9, Type: asdu.C_DC_NA_1, Value: 2}); !errors.As(err, &refused) {
		t.Errorf("command to nothing: %v", err)
	}
	before := c.Info().SentU
	await(t, func() bool { return c.Info().SentU > before }) // TESTFR con, after t3 of the server
	if err := c.StopDT(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

func save(t *testing.T, tracer *trace.Tracer, file string) {
	t.Helper()
	c, err := tracer.Capture(t.Context(), trace.Filter{Link: "scada.1"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var b bytes.Buffer
	if err := c.Write(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// await waits until something is so.
func await(t *testing.T, so func() bool) {
	t.Helper()
	ticker, end := time.NewTicker(2*time.Millisecond), time.NewTimer(20*time.Second)
	defer ticker.Stop()
	defer end.Stop()
	for !so() {
		select {
		case <-ticker.C:
		case <-end.C:
			t.Fatal("it did not become so")
		}
	}
}
