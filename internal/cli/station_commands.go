package cli

import (
	"fmt"
	"strings"
	"time"

	"busbar/iec104/asdu"
)

// Where the commands of a simulated station are: command n, from 0, has the first
// address plus n, and so has its feedback point.
const (
	firstCommand  = 1_000_001
	firstFeedback = 2_000_001
	firstCounter  = 3_000_001
	maxScenario   = 100_000 // of each of them
)

// orderType is a type of command and what shows its result.
type orderType struct {
	command, feedback asdu.TypeID
	point             string // its type in the plant
	limits            string // further keys of the command and the point
	qualifiers        int    // so many, from 0
}

// orderTypes are the types of commands in turn.
func orderTypes() []orderType {
	const fraction = ", range: {low: -1, high: 1}"
	return []orderType{
		{asdu.C_SC_NA_1, asdu.M_SP_TB_1, "single", "", 32},
		{asdu.C_DC_NA_1, asdu.M_DP_TB_1, "double", "", 32},
		{asdu.C_RC_NA_1, asdu.M_ST_TB_1, "step", "", 32},
		{asdu.C_SE_NA_1, asdu.M_ME_TD_1, "float", fraction, 128},
		{asdu.C_SE_NB_1, asdu.M_ME_TE_1, "int", "", 128},
		{asdu.C_SE_NC_1, asdu.M_ME_TF_1, "float", "", 128},
		{asdu.C_BO_NA_1, asdu.M_BO_TB_1, "bits", "", 1},
	}
}

// scenario is what a simulated station has beside its points.
type scenario struct {
	commands  int
	counters  int
	groups    int
	quality   string
	failEvery int
	termDelay time.Duration
}

// check reports flags out of range.
func (c *scenario) check() error {
	switch {
	case c.commands < 0 || c.commands > maxScenario:
		return fmt.Errorf("--commands: %d, want 0 to %d", c.commands, maxScenario)
	case c.counters < 0 || c.counters > maxScenario:
		return fmt.Errorf("--counters: %d, want 0 to %d", c.counters, maxScenario)
	case c.groups < 0 || c.groups > 16:
		return fmt.Errorf("--groups: %d, want 0 to 16", c.groups)
	case c.failEvery < 0:
		return fmt.Errorf("--fail-commands: %d, want 1 for every command, 2 for every second one …, or 0 for none", c.failEvery)
	case c.termDelay < 0 || c.termDelay > 5*time.Minute:
		return fmt.Errorf("--term-delay: %v, want 0s to 5m", c.termDelay)
	case c.commands == 0 && (c.failEvery > 0 || c.termDelay > 0):
		return fmt.Errorf("--fail-commands, --term-delay: want --commands with it")
	}
	_, err := parseQualityWords(c.quality)
	return err
}

// keys are the feedback points and the commands as keys of a plant.
func (c *scenario) keys(ca uint) string {
	if c.commands == 0 {
		return ""
	}
	var points, commands strings.Builder
	types := orderTypes()
	for n := range c.commands {
		t := types[n%len(types)]
		mode := "both"
		if t.command == asdu.C_BO_NA_1 {
			mode = "direct"
		}
		fmt.Fprintf(&points, "  f%d: {type: %s%s, to: [{connector: station, ca: %d, ioa: %d, as: %s}]}\n",
			firstFeedback+n, t.point, t.limits, ca, firstFeedback+n, t.feedback)
		fmt.Fprintf(&commands, "  c%d: {type: %s%s, qualifiers: [%s], confirm: accepted, terminate: replied, timeout: %v, feedback: f%d, "+
			"from: [{connector: station, ca: %d, ioa: %d, as: %s, mode: %s}], to: {connector: process, number: %d}}\n",
			firstCommand+n, t.point, t.limits, numbers(t.qualifiers), c.termDelay+10*time.Second, firstFeedback+n,
			ca, firstCommand+n, t.command, mode, n)
	}
	return "points:\n" + points.String() + "commands:\n" + commands.String()
}

// numbers lists the numbers from 0.
func numbers(n int) string {
	words := make([]string, n)
	for i := range words {
		words[i] = fmt.Sprint(i)
	}
	return strings.Join(words, ",")
}
