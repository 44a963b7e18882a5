package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"busbar/test/rig"
)

// commandLine is what is looked at of a line of the log of commands.
type commandLine struct {
	ID        string
	Stage     string
	Positive  *bool
	Reason    string
	Unknown   bool
	Command   string
	Value     any
	Requester struct{ Connector string }
	Executor  string
	Accepted  string // time of PUBACK, or none
}

func commandLog(t *testing.T, b *rig.Busbar) (lines []commandLine) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(filepath.Dir(b.Plant()), "data", "commands", "00000001.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		var l commandLine
		if err := json.Unmarshal(line, &l); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		lines = append(lines, l)
	}
	return lines
}

// TestKillWhileTheDeviceHasACommand kills the binary between the command and the
// reply of the device.
func TestKillWhileTheDeviceHasACommand(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"mqtt 5", "mqtt 3.1.1", "mqtt-broker"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := newStageOn(t, kind, func(plant string) *rig.Busbar { return rig.Exec(t, builtBinary(t), plant) })
			s.play([]string{order("01", "02"), "d< on"})
			lost := s.id
			s.busbar.Signal(syscall.SIGKILL)
			s.busbar.Exit()
			n := s.busbar.Log.Len()
			s.busbar.Start()
			s.busbar.Log.Await(t, n, "level=WARN", "command outcome unknown after a restart", "order="+lost, "command=replied", "requester=scada", "executor=sensors")
			s.client.Disconnect(0)
			s.connect()
			s.play([]string{"quiet", `d> {"id":"ID","result":"ok"}`, "log reply to no known command", "quiet",
				order("01", "01"), "d< off", `d> {"id":"ID","result":"ok"}`, answer("07", "01", "01"), "quiet"})
			yes, no := true, false
			line := commandLine{ID: lost, Stage: "received", Command: "replied", Value: "on", Executor: "sensors"}
			line.Requester.Connector = "scada"
			ended, next := line, line
			ended.Stage, ended.Positive, ended.Unknown = "confirmed", &no, true
			ended.Reason = "busbar ended before the order did, outcome unknown"
			next.ID, next.Value = s.id, "off"
			done := next
			done.Stage, done.Positive = "confirmed", &yes
			got := commandLog(t, s.busbar)
			if len(got) == 5 { // PUBACK came after the reply: there is a line more of it
				got = append(got[:3], got[4])
			}
			if len(got) == 4 {
				got[3].Accepted = ""
			}
			if diff := cmp.Diff([]commandLine{line, ended, next, done}, got); diff != "" {
				t.Errorf("log of commands (-want +got):\n%s", diff)
			}
		})
	}
}
