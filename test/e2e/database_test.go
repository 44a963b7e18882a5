package e2e

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"busbar/internal/store"
	"busbar/internal/store/storetest"
	"busbar/test/rig"
)

// The plant is in PostgreSQL, a backup is made while Busbar runs, and another Busbar goes on with it on SQLite.
func TestPlantMovesFromPostgresToSQLite(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	keyFile := filepath.Join(t.TempDir(), "secrets.key")
	if err := os.WriteFile(keyFile, []byte(base64.StdEncoding.EncodeToString(make([]byte, store.KeySize))), 0o600); err != nil {
		t.Fatal(err)
	}
	key := []string{"--secrets-key", keyFile}
	m := newManaged(t, append(key, "--database", url)...)
	file := m.file(strings.NewReplacer("LISTEN", rig.FreeAddr(t), "BROKER", rig.FreeAddr(t)).Replace(`version: 1
connectors:
  scada: {kind: iec104-server, listen: "LISTEN"}
  sensors: {kind: mqtt-broker, listen: "BROKER", users: {rtu: open sesame}}
points:
  p/a: {type: int, from: {connector: sensors, topic: a, value: v}, to: [{connector: scada, ca: 1, ioa: 1, as: M_ME_NB_1}]}
`))
	if code, out, errs := m.call("", "apply", file, "--yes"); code != 0 {
		t.Fatalf("apply: exit code %d\n%s%s", code, out, errs)
	}
	_, exported, _ := m.call("", "export")
	if !strings.Contains(exported, "p/a:") || strings.Contains(exported, "open sesame") {
		t.Fatalf("exported:\n%s", exported)
	}
	backup := filepath.Join(m.dir, "busbar.backup")
	if code, _, errs := m.call("", "backup", "--data", filepath.Join(m.dir, "data"), "--database", url, "--out", backup); code != 0 {
		t.Fatalf("backup while it runs: exit code %d\n%s", code, errs)
	}
	dir := t.TempDir()
	if code, _, errs := m.call("", "restore", "--data", filepath.Join(dir, "data"), backup); code != 0 {
		t.Fatalf("restore: exit code %d\n%s", code, errs)
	}
	m.stop()
	other := runManaged(t, dir, key...)
	other.token = m.token
	if _, again, errs := other.call("", "export"); again != exported {
		t.Errorf("after the move:\n%s%s\nwant\n%s", again, errs, exported)
	}
}
