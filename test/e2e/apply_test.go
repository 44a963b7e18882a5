package e2e

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"busbar/internal/auth"
	"busbar/internal/cli"
	"busbar/test/rig"
)

// managed is a Busbar whose plant is in its store.
type managed struct {
	t     *testing.T
	dir   string
	http  string
	token string
	stop  func() // ends it in order
}

func newManaged(t *testing.T, settings ...string) *managed {
	t.Helper()
	m := runManaged(t, t.TempDir(), settings...)
	first, err := os.ReadFile(filepath.Join(m.dir, "data", auth.FirstPasswordFile))
	if err != nil {
		t.Fatal(err)
	}
	const password = "correct horse battery staple"
	m.want(0, "the password is changed\n", "", strings.TrimSpace(string(first))+"\n"+password+"\n", "user", "password", "--user", "admin")
	_, m.token, _ = m.call(password+"\n", "token", "create", "ci", "--roles", "admin", "--expires", "30d", "--user", "admin")
	m.token = strings.TrimSpace(m.token)
	return m
}

// runManaged runs a Busbar whose data directory is below dir until the test ends.
func runManaged(t *testing.T, dir string, settings ...string) *managed {
	t.Helper()
	m := &managed{t: t, dir: dir, http: rig.FreeAddr(t)}
	args := append([]string{"run", "--data", filepath.Join(m.dir, "data"), "--http-listen", m.http}, settings...)
	ctx, cancel := context.WithCancel(context.Background())
	var log rig.Log
	ended := make(chan int, 1)
	go func() {
		ended <- cli.Main(ctx, args, cli.IO{In: strings.NewReader(""), Out: &log, Err: &log, Env: func(string) (string, bool) { return "", false }})
	}()
	m.stop = sync.OnceFunc(func() {
		cancel()
		if code := <-ended; code != 0 {
			t.Errorf("busbar run: exit code %d\n%s", code, log.String())
		}
	})
	t.Cleanup(m.stop)
	rig.Until(t, "Busbar to be ready", func() bool {
		answer, err := http.Get("http://" + m.http + "/readyz")
		if err != nil {
			return false
		}
		defer answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
	return m
}

// call runs a command of the binary, with the token if there is one.
func (m *managed) call(stdin string, args ...string) (code int, out, errs string) {
	m.t.Helper()
	var o, e bytes.Buffer
	code = cli.Main(m.t.Context(), args, cli.IO{In: strings.NewReader(stdin), Out: &o, Err: &e, Env: func(name string) (string, bool) {
		value := map[string]string{"BUSBAR_SERVER": "http://" + m.http, "BUSBAR_TOKEN": m.token}[name]
		return value, value != ""
	}})
	return code, strings.ReplaceAll(o.String(), m.dir+"/", ""), strings.ReplaceAll(e.String(), m.dir+"/", "")
}

func (m *managed) want(code int, out, errs, stdin string, args ...string) {
	m.t.Helper()
	gotCode, gotOut, gotErrs := m.call(stdin, args...)
	if gotCode != code || gotOut != out || gotErrs != errs {
		m.t.Errorf("busbar %s: exit code %d, output\n%serrors\n%swant %d,\n%s%s", strings.Join(args, " "), gotCode, gotOut, gotErrs, code, out, errs)
	}
}

// file writes a plant file and returns its path.
func (m *managed) file(text string) string {
	m.t.Helper()
	name := filepath.Join(m.dir, "plant.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		m.t.Fatal(err)
	}
	return name
}

func TestPlantsAreAppliedFromTheCommandLine(t *testing.T) {
	t.Parallel()
	m := newManaged(t)
	const first = `version: 1
connectors:
  scada: {kind: iec104-server, listen: "LISTEN"}
  sensors: {kind: mqtt-broker, listen: "BROKER"}
points:
  p/a: {type: int, from: {connector: sensors, topic: a, value: v}, to: [{connector: scada, ca: 1, ioa: 1, as: M_ME_NB_1}]}
  p/b: {type: int, from: {connector: sensors, topic: b, value: v}, to: [{connector: scada, ca: 1, ioa: 9, as: M_ME_NB_1}]}
`
	listen := rig.FreeAddr(t)
	plant := strings.NewReplacer("LISTEN", listen, "BROKER", rig.FreeAddr(t)).Replace(first)
	file := m.file(plant)
	m.want(3, "plant.yaml compared with revision 0:\n+ connectors.scada\n+ connectors.sensors\n+ points.p/a\n+ points.p/b\n4 new, 0 changed, 0 removed\n",
		"busbar apply: not confirmed, nothing was changed (--yes does not ask)\n", "", "apply", file)
	m.want(0, "plant.yaml compared with revision 0:\n+ connectors.scada\n+ connectors.sensors\n+ points.p/a\n+ points.p/b\n4 new, 0 changed, 0 removed\napplied as revision 1, 4 changes\n",
		"", "", "apply", file, "--yes", "--comment", "from git")
	m.want(0, "nothing to do: the plant is that of revision 1\n", "", "", "apply", file, "--yes")
	station := rig.StartMaster(t, listen)
	m.file(strings.Replace(strings.Replace(plant, "ioa: 1", "ioa: 2", 1), "  p/b: {type: int, from: {connector: sensors, topic: b, value: v}, to: [{connector: scada, ca: 1, ioa: 9, as: M_ME_NB_1}]}\n", "", 1))
	m.want(3, "plant.yaml compared with revision 1:\n~ points.p/a: to[0].ioa\n- points.p/b\n0 new, 1 changed, 1 removed\n", "", "", "apply", file, "--dry-run", "--exit-code")
	m.want(0, "plant.yaml compared with revision 1:\n~ points.p/a: to[0].ioa\n- points.p/b\n0 new, 1 changed, 1 removed\napplied as revision 2, 2 changes\n", "", "", "apply", file, "--yes")
	only(t, station.Interrogate(1), 1, 2) // the link is the one from before
	code, out, errs := m.call("", "apply", m.file(strings.Replace(plant, "ca: 1", "ca: 0", 1)), "--yes")
	if code != 1 || !strings.HasPrefix(errs, "plant.yaml: points.p/a.to[0].ca: is 0, want") || !strings.HasSuffix(errs, "busbar apply: the server finds 1 problem; nothing was changed\n") {
		t.Errorf("a faulty plant: exit code %d\n%s\n%s", code, out, errs)
	}
	_, exported, _ := m.call("", "export")
	m.want(0, "nothing to do: the plant is that of revision 2\n", "", "", "apply", m.file(exported))
}
