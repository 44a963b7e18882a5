package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"busbar/test/capture"
	"busbar/test/rig"
)

// octets returns n octets that are the same nowhere.
func octets(n int) []byte {
	b := make([]byte, n)
	x := uint32(n) + 1
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return b
}

func writeFile(t *testing.T, name string, b []byte) string {
	t.Helper()
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func sameFile(t *testing.T, name string, want []byte) {
	t.Helper()
	got, err := os.ReadFile(name)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%s: %d octets, %v; want %d others", name, len(got), err, len(want))
	}
}

func TestFilesAreTransferredBothWays(t *testing.T) {
	t.Parallel()
	there, here := t.TempDir(), t.TempDir()
	sizes := []int{0, 1, 236, 65535, 1_000_000}
	for i, size := range sizes {
		writeFile(t, filepath.Join(there, fmt.Sprintf("%d-2.%d", 100+i, size)), octets(size))
	}
	addr := station(t, "--points", "8", "--types", stationTypes, "--files", there, "--rate", "1000")
	for i, size := range sizes {
		name := filepath.Join(here, "read")
		out := master(t, 0, addr, "get", "--ca", "1", "--ioa", fmt.Sprint(100+i), "--nof", "2", "--file", name, "--json")
		sameFile(t, name, octets(size))
		var got struct{ CA, IOA, NOF, Octets int }
		if err := json.Unmarshal([]byte(out), &got); err != nil || got.Octets != size || got.NOF != 2 || got.IOA != 100+i {
			t.Errorf("printed %s (%v)", out, err)
		}
		master(t, 0, addr, "put", "--ca", "1", "--ioa", fmt.Sprint(200+i), "--file", name)
		sameFile(t, filepath.Join(there, fmt.Sprintf("%d-1.bin", 200+i)), octets(size))
	}
	if n := strings.Count(master(t, 0, addr, "files", "--ca", "1", "--json"), `"F_DR_TA_1"`); n != 2*len(sizes) {
		t.Errorf("%d files listed, want %d", n, 2*len(sizes))
	}
	master(t, 0, addr, "delete", "--ca", "1", "--ioa", "200")
	table := master(t, 0, addr, "files", "--ca", "1")
	if strings.Contains(table, "     200 ") || !strings.Contains(table, "     204     1   1000000      0            ") {
		t.Errorf("printed\n%s", table)
	}
	for _, args := range [][]string{{"get", "--ioa", "999"}, {"delete", "--ioa", "100", "--nof", "2"}, {"put", "--ioa", "100", "--nof", "2", "--file", filepath.Join(here, "read")}} {
		master(t, 2, append([]string{addr, "--ca", "1"}, args...)...)
	}
	if _, err := os.Stat("999-1.bin"); err == nil {
		t.Error("a file that was refused is there")
	}
	for _, args := range [][]string{
		{"get", "--ca", "1"}, {"put", "--ca", "1", "--ioa", "7"}, {"get", "--ioa", "7"}, {"files", "--ca", "65535"},
		{"get", "--ca", "1", "--ioa", "7", "--nof", "65536"}, {"put", "--ca", "1", "--ioa", "7", "--file", here}, {"gi", "--file", "x"},
		{"get", "--ca", "1", "--ioa", "100", "--nof", "2", "--file", filepath.Join(here, "no", "where")},
	} {
		master(t, 1, append([]string{addr}, args...)...)
	}
	script := writeFile(t, filepath.Join(t.TempDir(), "script"), []byte("files --ca 1\nget --ca 1 --ioa 204 --file "+filepath.Join(here, "read")+"\ndelete --ca 1 --ioa 204\n"))
	if out := master(t, 0, addr, "script", script, "--json"); strings.Count(out, `"F_DR_TA_1"`) != 2*len(sizes)-1 || !strings.Contains(out, `"octets":1000000`) {
		t.Errorf("printed\n%s", out)
	}
	if out := master(t, 0, addr, "script", writeFile(t, script, []byte("files --ca 1\n"))); strings.Count(out, "\n") != 2*len(sizes)-1 {
		t.Errorf("printed\n%s", out)
	}
	entries, err := os.ReadDir(here)
	if err != nil || len(entries) != 1 {
		t.Errorf("left are %v, %v", entries, err)
	}
}

// TestTsharkReadsFileTransfer has tshark judge a transfer in each direction.
func TestTsharkReadsFileTransfer(t *testing.T) {
	t.Parallel()
	there := t.TempDir()
	content := octets(1000)
	writeFile(t, filepath.Join(there, "100-1.bin"), content)
	addr := rig.FreeAddr(t)
	rig.Start(t, "station", "--listen", addr, "--points", "5", "--files", there)
	rig.Until(t, "the station to listen", func() bool {
		code, _, _ := command(t, "master", addr, "files", "--ca", "1")
		return code == 0
	})
	name := filepath.Join(t.TempDir(), "read")
	// Without --pack an entry of the directory has an ASDU of its own.
	for _, step := range []struct{ args, station, master string }{
		{"get --ca 1 --ioa 100 --file " + name, "[120 121 125 125 125 125 125 123 123]", "[122 122 122 124 124]"},
		{"put --ca 1 --ioa 101 --file " + name, "[122 122 124 124]", "[120 121 125 125 125 125 125 123 123]"},
		{"files --ca 1", "[126 126]", "[122]"},
	} {
		proxy := capture.Start(t, addr)
		master(t, 0, append([]string{proxy.Addr()}, strings.Fields(step.args)...)...)
		rig.Until(t, "the acknowledgement to pass", func() bool {
			var octets []byte
			for _, s := range proxy.Segments() {
				octets = append(octets, s.Octets...)
			}
			return !strings.HasPrefix(step.args, "get") || bytes.Contains(octets, []byte{0x7c, 1, 13, 0, 1, 0, 100, 0, 0, 1, 0, 0, 1})
		})
		decoded := proxy.Decode(t)
		decoded.NoMarks(t)
		for toClient, want := range map[bool]string{true: step.station, false: step.master} {
			var types []int
			for _, a := range decoded.Sent(toClient) {
				if a.Type >= 120 {
					types = append(types, a.Type)
				}
			}
			if got := fmt.Sprint(types); got != want {
				t.Errorf("%s: to the master %t: %s, want %s", step.args, toClient, got, want)
			}
		}
	}
	sameFile(t, filepath.Join(there, "101-1.bin"), content)
}
