package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"busbar/test/rig"
)

// TestMasterListensForAStation has the station dial out: the controlling station
// asks it all the same.
func TestMasterListensForAStation(t *testing.T) {
	t.Parallel()
	c := newCertificates(t)
	c.issue("rtu2", time.Now())
	for _, tt := range []struct {
		name            string
		master, station []string
		says            string // of the controlling station, where the station is refused
	}{
		{name: "plain"},
		{name: "TLS", master: append(c.flags("scada", c), "--tls-name", "CN=rtu"), station: append(c.flags("rtu", c), "--tls-name", "CN=scada")},
		{name: "another certificate", master: append(c.flags("scada", c), "--tls-name", "CN=rtu"), station: c.flags("rtu2", c),
			says: "refused: iec104: handshake failed: tls: not allowed: the certificate is not on the allow-list, want CN=rtu"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			addr := rig.FreeAddr(t)
			rig.Start(t, append([]string{"station", "--dial", addr, "--points", "3", "--types", "M_SP_NA_1", "--commands", "1"}, tt.station...)...)
			script := filepath.Join(t.TempDir(), "script")
			must(t, os.WriteFile(script, []byte("gi --ca 1\ncommand --ca 1 --ioa 1000001 --type C_SC_NA_1 --value on --select\n"), 0o600))
			args := append([]string{"master", "--listen", addr, "script", script}, tt.master...)
			if tt.says != "" {
				log := rig.Start(t, args...)
				log.Await(t, 0, tt.says)
				return
			}
			code, stdout, stderr := command(t, args...)
			if code != 0 || strings.Count(stdout, "interrogated-general") != 4 || !strings.Contains(stdout, "activation-term") {
				t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
			}
		})
	}
}

func TestMasterOfAStationWithTwoAddresses(t *testing.T) {
	t.Parallel()
	away := rig.FreeAddr(t)
	addr, _ := startStation(t)
	code, stdout, stderr := command(t, "master", away+","+addr, "gi", "--ca", "1")
	if code != 0 || strings.Count(stdout, "interrogated-general") != 3 || !strings.Contains(stderr, "data transfer with "+addr) {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
	code, _, stderr = command(t, "master", away+","+rig.FreeAddr(t), "gi", "--timeout", "300ms")
	if code != 1 || !strings.Contains(stderr, "connection refused") {
		t.Errorf("exit code %d where nobody listens\n%s", code, stderr)
	}
}

// TestDiscoveredPointsMakeAPlant puts what a station has into a plant file.
func TestDiscoveredPointsMakeAPlant(t *testing.T) {
	t.Parallel()
	addr, _ := startStation(t, "--points", "16", "--types", stationTypes, "--counters", "2")
	text := master(t, 0, addr, "discover", "--plant", "--connector", "bay7", "--prefix", "plant/bay7/")
	if n := strings.Count(text, "{type: "); n != 18 || !strings.Contains(text, "\n  plant/bay7/1/3000002: {type: counter, from: {connector: bay7, ca: 1, ioa: 3000002, as: M_IT_NA_1}}\n") {
		t.Errorf("%d points:\n%s", n, text)
	}
	file := filepath.Join(t.TempDir(), "plant.yaml")
	must(t, os.WriteFile(file, []byte("version: 1\nconnectors:\n  bay7: {kind: iec104-client, addresses: ["+addr+"]}\n"+text), 0o600))
	if code, stdout, stderr := command(t, "check", file); code != 0 {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
	listed := master(t, 0, addr, "discover", "--json")
	if n := strings.Count(listed, "\n"); n != 18 {
		t.Errorf("%d objects are listed, want 18:\n%s", n, listed)
	}
}

// TestStationOfAScenario is what the options of a station are for.
func TestStationOfAScenario(t *testing.T) {
	t.Parallel()
	addr, _ := startStation(t, "--points", "8", "--types", "M_SP_NA_1,M_ME_TF_1", "--commands", "14", "--fail-commands", "9", "--term-delay", "100ms",
		"--counters", "5", "--groups", "4", "--quality", "invalid,blocked")
	script := filepath.Join(t.TempDir(), "script")
	const text = `
gi --ca 1 --group 2
expect --ca 1 --ioa 2 --value off --quality blocked,invalid --cause interrogated-group-2
expect --ca 1 --ioa 6 --type M_ME_NC_1
gi --ca 1
expect --ca 1 --ioa 2000002 --value off --quality good

command --ca 1 --ioa 1000001 --type C_SC_NA_1 --value on
expect --ca 1 --ioa 2000001 --value on --quality good --cause return-remote
command --ca 1 --ioa 1000002 --type C_DC_NA_1 --value on --select --qu 1
expect --ca 1 --ioa 2000002 --value on --type M_DP_TB_1
command --ca 1 --ioa 1000003 --type C_RC_NA_1 --value higher
expect --ca 1 --ioa 2000003 --value 1
command --ca 1 --ioa 1000003 --type C_RC_NA_1 --value lower --select
expect --ca 1 --ioa 2000003 --value 0
command --ca 1 --ioa 1000004 --type C_SE_NA_1 --value 0.5
expect --ca 1 --ioa 2000004 --value 0.5
command --ca 1 --ioa 1000005 --type C_SE_NB_1 --value -7 --ql 64
expect --ca 1 --ioa 2000005 --value -7
command --ca 1 --ioa 1000006 --type C_SE_NC_1 --value 49.98 --select
expect --ca 1 --ioa 2000006 --value 49.98
command --ca 1 --ioa 1000007 --type C_BO_NA_1 --value 0xff01
expect --ca 1 --ioa 2000007 --value 65281
counters --ca 1 --group 1
expect --ca 1 --ioa 3000005 --quality invalid

command --ca 1 --ioa 1000008 --type C_SC_NA_1 --value on # the ninth
`
	must(t, os.WriteFile(script, []byte(text), 0o600))
	code, stdout, stderr := command(t, "master", addr, "script", script)
	if code != 2 || !strings.Contains(stderr, "script:27: negative answer: iec104: C_SC_NA_1 refused by common address 1, object 1000008: negative activation-con") {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
}

func TestMasterSaysThatNoStationHasCome(t *testing.T) {
	t.Parallel()
	addr := rig.FreeAddr(t)
	code, _, stderr := command(t, "master", "--listen", addr, "gi", "--timeout", "100ms")
	if want := "busbar master: no station that is known has connected in 100ms: "; code != 3 || !strings.HasPrefix(stderr, want) {
		t.Errorf("exit code %d, %s, want 3, %s", code, stderr, want)
	}
	busy(t, addr)
	if code, _, stderr := command(t, "master", "--listen", addr, "gi"); code != 1 || !strings.Contains(stderr, "--listen: ") {
		t.Errorf("exit code %d for a busy port, %s", code, stderr)
	}
}
