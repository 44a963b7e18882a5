package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// designPlant is the example of the documentation. The commands are at its end.
const designPlant = `version: 1
connectors:
  sensors:
    kind: mqtt
    url: mqtt://127.0.0.1:1883        # mqtt, mqtts, ws, wss
    username: station
    password: ${env:BUSBAR_SECRET_MQTT}   # secrets by reference
  scada:
    kind: iec104-server
    listen: 127.0.0.1:2404
    allow: [127.0.0.0/8]              # required when listen is not loopback
    k: 12
    w: 8
    t1: 15s
    t2: 10s
    t3: 20s
    time: utc                         # or an IANA zone, then SU is set in summer
    buffer: {events: 1000000}         # per redundancy group
points:
  ons4711/t1/oil-temperature:
    type: float                       # single double step bits int float counter text
    unit: °C
    from: {connector: sensors, topic: ons/4711/sensors, value: data.temperature, time: timestamp}
    deadband: 0.5
    to:
      - {connector: scada, ca: 225, ioa: 100, as: M_ME_TF_1}
  ons4711/q0/position:
    type: double
    from: {connector: sensors, topic: ons/4711/q0, value: state, map: {open: off, closed: on, moving: intermediate}}
    to:
      - {connector: scada, ca: 225, ioa: 200, as: M_DP_TB_1}
`

const designCommands = `commands:
  ons4711/q0/switch:
    type: double
    from:
      - {connector: scada, ca: 225, ioa: 5000, as: C_DC_NA_1, mode: select}      # direct | select
    to: {connector: sensors, topic: ons/4711/q0/set, payload: '{"to":"{{.Value}}","id":"{{.ID}}"}',
         reply: {topic: ons/4711/q0/set/reply, id: id, ok: 'result == "ok"', timeout: 5s}}
    confirm: replied
    terminate: feedback
    feedback: ons4711/q0/position
`

func plantFile(t *testing.T, plant string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "plant.yaml")
	if err := os.WriteFile(name, []byte(plant), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestCheckAcceptsTheExample(t *testing.T) {
	t.Parallel()
	for _, plant := range []string{designPlant, designPlant + designCommands} {
		code, stdout, stderr := command(t, "check", plantFile(t, plant))
		if code != 0 {
			t.Errorf("check: exit code %d, want 0\n%s%s", code, stdout, stderr)
		}
	}
}

func TestCheckNamesEveryProblemWithItsPosition(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, plant string
		problems    []string // parts of one line each
	}{
		{
			"several at once",
			strings.NewReplacer("ca: 225, ioa: 100", "ca: 0, ioa: 100", "k: 12", "k: 0", "unit:", "unti:", "type: double", "type: duoble").Replace(designPlant),
			[]string{":12:8: connectors.scada.k: ", ":22:5: points.ons4711/t1/oil-temperature.unti: ", ":26:32: ", ":28:11: "},
		},
		{"not YAML", "version: 1\n  connectors: [", []string{":2:"}},
		{"payload without bounds (K9)", strings.Replace(designPlant+designCommands, "{{.ID}}", `{{printf "%70000s" .ID}}`, 1),
			[]string{":37:63: commands.ons4711/q0/switch.to.payload: line 1:"}},
		{"address twice", strings.Replace(designPlant, "ioa: 200", "ioa: 100", 1), []string{":31:42: points.ons4711/q0/position.to[0].ioa: "}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			file := plantFile(t, tt.plant)
			code, stdout, stderr := command(t, "check", file)
			if code != 1 {
				t.Errorf("exit code %d, want 1", code)
			}
			for _, p := range tt.problems {
				if !anyLine(stdout+stderr, file, p) {
					t.Errorf("no line with %q after the name of the file in:\n%s%s", p, stdout, stderr)
				}
			}
		})
	}
}

// anyLine reports whether a line begins with prefix and has part behind it.
func anyLine(text, prefix, part string) bool {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, prefix); ok && strings.Contains(rest, part) {
			return true
		}
	}
	return false
}

// TestExamplesInTheDocumentationAreRight checks every plant file that is shown
// as a whole.
func TestExamplesInTheDocumentationAreRight(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	var pages []string
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, found...)
	}
	examples := 0
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range yamlBlocks(string(text)) {
			if !strings.HasPrefix(block, "version:") {
				continue
			}
			examples++
			if code, stdout, stderr := command(t, "check", plantFile(t, block)); code != 0 {
				t.Errorf("%s: example %d: exit code %d\n%s%s", page, examples, code, stdout, stderr)
			}
		}
	}
	if examples == 0 {
		t.Error("no page has a whole plant file, want the one in README.md at least")
	}
}

// yamlBlocks returns the contents of fenced blocks of YAML.
func yamlBlocks(text string) []string {
	var blocks []string
	for {
		_, rest, found := strings.Cut(text, "```yaml\n")
		if !found {
			return blocks
		}
		block, after, _ := strings.Cut(rest, "```")
		blocks, text = append(blocks, block), after
	}
}
