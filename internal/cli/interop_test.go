package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// interopRun runs busbar interop and returns its exit code and output.
func interopRun(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	code = Main(t.Context(), append([]string{"interop"}, args...), IO{Out: &o, Err: &e})
	return code, o.String(), e.String()
}

func samplePlant(name string) string {
	if name != "example" {
		return filepath.Join("testdata", name+".yaml")
	}
	return filepath.Join("..", "plant", "testdata", name+".good.yaml")
}

// TestInteropOfSamplePlants compares with statements that were read by eye.
func TestInteropOfSamplePlants(t *testing.T) {
	t.Parallel()
	for name, connector := range map[string]string{"example": "scada", "commands": "scada", "rtu": "rtu"} {
		code, got, errs := interopRun(t, "--plant", samplePlant(name), "--connector", connector)
		if code != exitOK {
			t.Errorf("%s: exit code %d: %s", name, code, errs)
			continue
		}
		want, err := os.ReadFile(filepath.Join("testdata", "interop-"+name+".md"))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestInteropFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, file := range []string{"a.md", "a.xlsx"} {
		path := filepath.Join(dir, file)
		if code, out, errs := interopRun(t, "--plant", samplePlant("example"), "-o", path); code != exitOK || out != "" {
			t.Fatalf("%s: exit code %d: %s%s", file, code, out, errs)
		}
		// It is read back, and is the statement of a station of the same role.
		code, out, errs := interopRun(t, "--plant", samplePlant("example"), "--compare", path)
		if code != exitConflict || !strings.HasPrefix(out, "conflict role: scada (first) and scada (second) have the same role\n") || errs != "1 conflict, 0 remarks\n" {
			t.Errorf("%s: exit code %d: %s%s", file, code, out, errs)
		}
	}
	b, err := os.ReadFile(filepath.Join(dir, "a.xlsx"))
	if err != nil || !bytes.HasPrefix(b, []byte("PK")) {
		t.Errorf("a.xlsx is no workbook: %v", err)
	}
}

func TestInteropComparesWithAControllingStation(t *testing.T) {
	t.Parallel()
	own, err := os.ReadFile(filepath.Join("testdata", "interop-example.md"))
	if err != nil {
		t.Fatal(err)
	}
	master := strings.NewReplacer("| name | name | X | scada |", "| name | name | X | center |",
		"controlling station (master) |  |", "controlling station (master) | X |", "controlled station (slave) | X |", "controlled station (slave) |  |").Replace(string(own))
	for _, c := range []struct {
		name, from, to string
		code           int
		out            string
	}{
		{"fits", "", "", exitOK, ""},
		{"a remark", "| X | 2404 |", "| X | 2410 |", exitOK, "remark   port: scada listens on port 2404, center connects to 2410\n         change: the same port"},
		{"a conflict", "at most two thirds of k | X | 8 |", "at most two thirds of k | X | 15 |", exitConflict, "conflict w: w of center is 15, more than k of scada, which is 12"},
		{"a type that is not known", "| type.36 | M_ME_TF_1 | X | 3 |", "| type.36 | M_ME_TF_1 |  |  |", exitConflict, "conflict type.36: scada uses M_ME_TF_1, center does not have it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if c.from != "" && !strings.Contains(master, c.from) {
				t.Fatalf("there is no %q", c.from)
			}
			path := filepath.Join(t.TempDir(), "center.md")
			if err := os.WriteFile(path, []byte(strings.Replace(master, c.from, c.to, 1)), 0o600); err != nil {
				t.Fatal(err)
			}
			code, out, errs := interopRun(t, "--plant", samplePlant("example"), "--compare", path)
			if code != c.code || !strings.HasPrefix(out, c.out) || c.out == "" && out != "" {
				t.Errorf("exit code %d, want %d:\n%s%s", code, c.code, out, errs)
			}
			_, out, _ = interopRun(t, "--plant", samplePlant("example"), "--compare", path, "--json")
			if c.out != "" && !strings.HasPrefix(out, `{"id":"`) {
				t.Errorf("as JSON it is %s", out)
			}
		})
	}
}

// TestInteropOfBothEndsOfALink compares the plant of an RTU with that of its controlling
// station.
func TestInteropOfBothEndsOfALink(t *testing.T) {
	t.Parallel()
	const (
		station = `{version: 1, connectors: {mq: {kind: mqtt, url: "mqtt://127.0.0.1:1883"}, out: {kind: iec104-server, listen: "127.0.0.1:2404", k: 12, w: 8}},
  points: {p: {type: double, from: {connector: mq, topic: a, value: "@"}, to: [{connector: out, ca: 1, ioa: 7, as: M_DP_TB_1}]}},
  commands: {c: {type: double, from: [{connector: out, ca: 1, ioa: 9, as: C_DC_NA_1, mode: both}], to: {connector: mq, topic: b, reply: {topic: r, ok: 'result == "ok"'}}, confirm: accepted, terminate: replied}}}`
		center = `{version: 1, connectors: {rtu: {kind: iec104-client, addresses: ["10.0.0.5:2404"], k: 12, w: 8}, scada: {kind: iec104-server, listen: "127.0.0.1:1"}},
  points: {p: {type: double, from: {connector: rtu, ca: 1, ioa: 7, as: M_DP_NA_1}}},
  commands: {c: {type: double, from: [{connector: scada, ca: 1, ioa: 9, as: C_DC_NA_1}], to: {connector: rtu, ca: 1, ioa: 9, as: C_DC_NA_1, select: true}}}}`
	)
	for _, c := range []struct{ name, from, to, want string }{
		{"fits", "", "", ""},
		{"answers with time tag fit", "k: 12, w: 8}}", "interrogation: tagged}}", ""},
		{"w beyond k", "k: 12, w: 8}, scada", "k: 30, w: 20}, scada", "conflict w: w of rtu is 20, more than k of out, which is 12"},
		{"another family of types", "M_DP_NA_1", "M_SP_NA_1", "conflict type.31: out uses M_DP_TB_1, rtu does not have it"},
		{"another common address", "rtu, ca: 1, ioa: 7", "rtu, ca: 2, ioa: 7", "conflict ca: rtu asks for common addresses 2, out serves 1"},
		{"a command with time tag", "as: C_DC_NA_1, select: true", "as: C_DC_TA_1, select: true", "conflict type.59: rtu uses C_DC_TA_1, out does not have it"},
		{"select where it is direct", "mode: both", "mode: direct", "conflict command.select: rtu gives commands with select before operate, out does not take them so"},
		{"no termination", ", terminate: replied", ", terminate: none", "conflict command.actterm: rtu waits for ACTTERM of commands, out does not send it always"},
		{"another zone", `["10.0.0.5:2404"]`, `["10.0.0.5:2404"], time: Europe/Berlin`, "conflict time: time tags of out are in utc, rtu takes them for Europe/Berlin"},
		{"counters that are not there", `["10.0.0.5:2404"]`, `["10.0.0.5:2404"], counters: 1h`, "conflict type.101: rtu uses C_CI_NA_1, out does not have it"},
		{"octets", `["10.0.0.5:2404"]`, `["10.0.0.5:2404"], octets: {ioa: 2}`, "conflict octets.ioa: octets.ioa: 3 at out, 2 at rtu"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write := func(name, text string) string {
				path := filepath.Join(dir, name)
				if err := os.WriteFile(path, []byte(strings.Replace(text, c.from, c.to, 1)), 0o600); err != nil {
					t.Fatal(err)
				}
				return path
			}
			if c.from != "" && !strings.Contains(station, c.from) && !strings.Contains(center, c.from) {
				t.Fatalf("there is no %q", c.from)
			}
			far, near := write("station.yaml", station), write("center.yaml", center)
			for _, args := range [][]string{
				{"--plant", far, "--connector", "out", "--compare", near + ":rtu"}, {"--plant", near, "--connector", "rtu", "--compare", far + ":out"},
			} {
				code, out, errs := interopRun(t, args...)
				if (code == exitOK) != (c.want == "") || code == exitFailure || !strings.Contains(out, c.want) || c.want == "" && out != "" {
					t.Errorf("%q: exit code %d:\n%s%swant %q", args, code, out, errs, c.want)
				}
			}
		})
	}
}

func TestInteropRefuses(t *testing.T) {
	t.Parallel()
	text := filepath.Join(t.TempDir(), "a.md")
	if err := os.WriteFile(text, []byte("# nothing\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	two := filepath.Join(t.TempDir(), "two.yaml")
	if err := os.WriteFile(two, []byte("version: 1\nconnectors:\n  a: {kind: iec104-server, listen: \"127.0.0.1:1\"}\n  b: {kind: iec104-server, listen: \"127.0.0.1:2\"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	example := samplePlant("example")
	for args, want := range map[string]string{
		"":                                  "--plant is missing",
		"--plant no-such.yaml":              "no-such.yaml",
		"--plant " + two:                    "--connector: want one of a, b",
		"--plant " + two + " --connector c": "--connector: want one of a, b",
		"--plant " + example + " --connector sensors":           "--connector: want one of scada",
		"--plant " + example + " --format pdf":                  `--format: "pdf", want md or xlsx`,
		"--plant " + example + " more":                          `unexpected argument "more"`,
		"--plant " + example + " --json":                        "--json has an effect with --compare only",
		"--plant " + example + " --compare x.md -o y.md":        "--format and --o have no effect",
		"--plant " + example + " --compare " + text:             "no interoperability statement",
		"--plant " + example + " --compare no-such.xlsx":        "no-such.xlsx",
		"--plant " + example + " --compare " + two + ":z":       "--connector: want one of a, b",
		"--plant " + example + " -o " + t.TempDir() + "/a/b.md": "b.md",
	} {
		if code, _, errs := interopRun(t, strings.Fields(args)...); code != exitFailure || !strings.Contains(errs, want) {
			t.Errorf("%s: exit code %d, %q, want %q", args, code, errs, want)
		}
	}
	if code, out, errs := interopRun(t, "--plant", example, "--compare", two+":b"); code != exitConflict || !strings.Contains(out, "same role") {
		t.Errorf("compared with a plant: exit code %d: %s%s", code, out, errs)
	}
}
