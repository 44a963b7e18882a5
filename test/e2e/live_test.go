package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"busbar/test/rig"
)

// changes returns how many changes a test makes: BUSBAR_SOAK_KILLS times 20, otherwise 50.
func changes(t *testing.T) int {
	t.Helper()
	n, err := strconv.Atoi(os.Getenv("BUSBAR_SOAK_KILLS"))
	if err != nil {
		return 50
	}
	return 20 * n
}

// untagged are the types of interrogated data by what the plant says.
var untagged = map[string]byte{"M_SP_TB_1": 1, "M_DP_TB_1": 3, "M_ME_TE_1": 11, "M_ME_TF_1": 13}

// live is a Busbar whose plant is changed while a control centre is connected.
type live struct {
	t      *testing.T
	busbar *rig.Busbar
	rnd    *rand.Rand
	master *rig.Master
	first  int64    // revision from which on the untouched part is there
	ingest string   // address of the broker that stays
	listen string   // address of the server that stays
	others []string // addresses of connectors that come and go
}

// startLive sets up what stays: a broker, a server, and two points of the topic flow.
func startLive(t *testing.T, b *rig.Busbar, seed uint64) *live {
	t.Helper()
	l := &live{t: t, busbar: b, rnd: rand.New(rand.NewPCG(seed, 104)), ingest: rig.FreeAddr(t), listen: rig.FreeAddr(t)}
	t.Logf("seed %d", seed)
	for range 3 {
		l.others = append(l.others, rig.FreeAddr(t))
	}

	b.Put("connectors", "broker", `{"kind":"mqtt-broker","listen":%q}`, l.ingest)
	b.Put("connectors", "scada", `{"kind":"iec104-server","listen":%q}`, l.listen)
	for i, id := range []string{"flow/a", "flow/b"} {
		b.Put("points", id, `{"type":"float","from":{"connector":"broker","topic":"flow","value":"@"},"to":[{"connector":"scada","ca":1,"ioa":%d,"as":"M_ME_TF_1"}]}`, 1+i)
	}
	l.first = l.revision()
	b.AwaitMetric(1, "busbar_connector_state", `connector="scada"`, `state="up"`)
	b.AwaitMetric(1, "busbar_connector_state", `connector="broker"`, `state="up"`)
	l.master = rig.StartMaster(t, l.listen)
	return l
}

func (l *live) revision() int64 {
	l.t.Helper()
	_, etag, _ := l.busbar.Call(http.MethodGet, "/plant", "")
	n, err := strconv.ParseInt(strings.Trim(etag, `"`), 10, 64)
	if err != nil {
		l.t.Fatal(err)
	}
	return n
}

// document is the plant as the API shows it.
type document struct {
	Points map[string]struct {
		To []struct {
			Connector, As string
			IOA           uint32
		}
	}
	text string
}

func (l *live) document() (d document) {
	l.t.Helper()
	d.text = l.busbar.Change(http.MethodGet, "/plant", "")
	if err := json.Unmarshal([]byte(d.text), &d); err != nil {
		l.t.Fatal(err)
	}
	return d
}

// wantInterrogated waits until a general interrogation shows the plant, no more and no less.
func (l *live) wantInterrogated(what string) {
	l.t.Helper()
	want := make(map[uint32]byte)
	for _, p := range l.document().Points {
		for _, to := range p.To {
			if to.Connector == "scada" {
				want[to.IOA] = untagged[to.As]
			}
		}
	}
	var got map[uint32]byte
	defer func() {
		if l.t.Failed() {
			l.t.Logf("after %s: interrogated %v, want %v", what, got, want)
		}
	}()
	rig.Until(l.t, "the interrogation to show the plant", func() bool {
		got = make(map[uint32]byte)
		for _, o := range l.master.Interrogate(1) {
			got[o.IOA] = o.Type
		}
		return maps.Equal(got, want)
	})
}

// change makes a random change, good or faulty, and returns what it was and its status.
func (l *live) change() (what string, status int) {
	l.t.Helper()
	method, path, body, headers := http.MethodPut, "", "", []string(nil)
	point := func(k int) string { return "/points/r%2F" + strconv.Itoa(k) }
	other := l.rnd.IntN(len(l.others))
	switch k := l.rnd.IntN(12); l.rnd.IntN(12) {
	case 0, 1, 2, 3: // another type, address or dead band; addresses may collide
		path, body = point(k), l.randomPoint(100+l.rnd.IntN(20))
	case 4, 5:
		method, path = http.MethodDelete, point(k)
	case 6: // also if others use it
		method, path = http.MethodDelete, fmt.Sprintf("/connectors/other-%d", other)
	case 7, 8:
		path, body = fmt.Sprintf("/connectors/other-%d", other), l.randomConnector(other)
	case 9:
		path, body = fmt.Sprintf("/commands/c%d", k), fmt.Sprintf(`{"type":"single","from":[{"connector":"scada","ca":1,"ioa":%d,"as":"C_SC_NA_1"}],`+
			`"to":{"connector":"broker","topic":"order/%d","payload":"{{.Value}}"}}`, 500+l.rnd.IntN(12), k)
		if l.rnd.IntN(3) == 0 {
			method, body = http.MethodDelete, ""
		}
	case 10:
		method, path = http.MethodPost, fmt.Sprintf("/plant/revisions/%d/restore", l.first+l.rnd.Int64N(l.revision()-l.first+1))
	default:
		path, body, headers = "/plant", l.randomDocument(), []string{"If-Match", "*"}
	}
	status, _, answer := l.busbar.Call(method, path, body, headers...)
	if status >= 300 && status != 422 && status != 404 {
		l.t.Fatalf("%s %s %s: %d %s", method, path, body, status, answer)
	}
	return fmt.Sprintf("%s %s %s: %d %s", method, path, body, status, answer), status
}

func (l *live) randomPoint(ioa int) string {
	kind := [][2]string{{"float", "M_ME_TF_1"}, {"single", "M_SP_TB_1"}, {"double", "M_DP_TB_1"}, {"int", "M_ME_TE_1"}}[l.rnd.IntN(4)]
	band := ""
	if kind[0] == "float" || kind[0] == "int" {
		band = fmt.Sprintf(`,"deadband":%d`, l.rnd.IntN(5))
	}
	to := fmt.Sprintf(`{"connector":"scada","ca":1,"ioa":%d,"as":%q}`, ioa, kind[1])
	switch l.rnd.IntN(6) {
	case 0:
		to = ""
	case 1:
		to += fmt.Sprintf(`,{"connector":"other-%d","ca":1,"ioa":%d,"as":%q}`, l.rnd.IntN(len(l.others)), ioa, kind[1])
	case 2: // a fault
		to += `,{"connector":"nobody"}`
	}
	return fmt.Sprintf(`{"type":%q%s,"from":{"connector":"broker","topic":"random","value":"@"},"to":[%s]}`, kind[0], band, to)
}

// randomConnector is a server, or a broker whose secret goes with it.
func (l *live) randomConnector(n int) string {
	if l.rnd.IntN(3) == 0 {
		return fmt.Sprintf(`{"kind":"mqtt-broker","listen":%q,"users":{"eve":"secret-%d"},"enabled":%v}`, l.others[n], l.rnd.IntN(3), l.rnd.IntN(2) == 0)
	}
	return fmt.Sprintf(`{"kind":"iec104-server","listen":%q,"k":%d,"enabled":%v}`, l.others[n], 12+l.rnd.IntN(3), l.rnd.IntN(2) == 0)
}

// randomDocument is the plant with other random points.
func (l *live) randomDocument() string {
	var d map[string]any
	if err := json.Unmarshal([]byte(l.document().text), &d); err != nil {
		l.t.Fatal(err)
	}
	points := d["points"].(map[string]any)
	for _, id := range slices.Sorted(maps.Keys(points)) {
		if strings.HasPrefix(id, "r/") && l.rnd.IntN(2) == 0 {
			delete(points, id)
		}
	}
	for k := range 5 {
		points[fmt.Sprintf("r/%d", 20+k)] = json.RawMessage(l.randomPoint(130 + k))
	}
	text, err := json.Marshal(d)
	if err != nil {
		l.t.Fatal(err)
	}
	return string(text)
}

func TestRandomChangesThroughTheAPIDisturbNothingElse(t *testing.T) {
	t.Parallel()
	l := startLive(t, rig.RunManaged(t), rand.Uint64())
	stream := rig.StartStream(t, l.ingest, func(n int) (string, string) { return "flow", strconv.Itoa(n) })
	stream.Pace(500)
	last, refused := 0, 0
	for range changes(t) {
		before := l.document().text
		last = stream.Extend(20)
		what, status := l.change()
		if after := l.document().text; status >= 300 && after != before {
			t.Fatalf("a change that was refused has changed the plant: %s\nbefore %s\nafter  %s", what, before, after)
		} else if status >= 300 {
			refused++
		}
		l.wantInterrogated(what)
	}
	stream.AwaitAcknowledged(last)
	for ioa := range uint32(2) {
		l.master.Await("the last event", func(o rig.Object) bool { return spontaneous(1, 1+ioa)(o) && o.Float() == float32(last) })
		next := 1
		for _, o := range l.master.Objects(0) {
			if !spontaneous(1, 1+ioa)(o) {
				continue
			}
			if o.Float() != float32(next) || o.Quality() != 0 {
				t.Fatalf("event of point %d: %v quality %#x, want %d, good: it was not touched", 1+ioa, o.Float(), o.Quality(), next)
			}
			next++
		}
		if next != last+1 {
			t.Errorf("%d events of point %d, want %d", next-1, 1+ioa, last)
		}
	}
	l.master.Test()
	if stream.Breaks() != 0 {
		t.Errorf("the source was disconnected %d times, want never", stream.Breaks())
	}
	if refused == 0 || refused == changes(t) {
		t.Errorf("%d of %d changes were refused, want some", refused, changes(t))
	}
	t.Logf("soak: %d changes through the API, %d of them refused, %d events of untouched points, none lost, link up", changes(t), refused, 2*last)
}

func TestAfterAKillThePlantIsTheOneOfTheStore(t *testing.T) {
	t.Parallel()
	busbar := rig.ExecManaged(t, builtBinary(t))
	l := startLive(t, busbar, rand.Uint64())
	for range max(rounds(t), 3) {
		for range 1 + l.rnd.IntN(4) {
			l.change()
		}
		before, revision := l.document().text, l.revision()
		l.master.Close()
		busbar.Kill()
		busbar.Start()
		if after := l.document().text; after != before || l.revision() != revision {
			t.Fatalf("revision %d after the kill, want %d\nbefore %s\nafter  %s", l.revision(), revision, before, after)
		}
		l.master = rig.StartMaster(t, l.listen)
		l.wantInterrogated("a kill")
	}
}
