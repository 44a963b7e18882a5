package e2e

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"busbar/iec104"
	"busbar/test/rig"
)

// hostilePeers are those that a connector may find where its broker or station should be.
var hostilePeers = map[string]func(net.Conn){
	"silent":  func(net.Conn) {},
	"closing": func(c net.Conn) { _ = c.Close() },
	"dripping": func(c net.Conn) {
		for _, err := c.Write([]byte{0x20}); err == nil; _, err = c.Write([]byte{0x20}) {
			<-time.After(500 * time.Millisecond)
		}
	},
	"flooding": func(c net.Conn) { // PUBLISH packets, which are no frames of IEC 60870-5-104
		for _, err := c.Write([]byte("\x30\x03\x00\x01a")); err == nil; {
			_, err = c.Write([]byte("\x30\x03\x00\x01a"))
		}
	},
	"testing": func(c net.Conn) { // TESTFR act, which is no packet of MQTT
		for _, err := c.Write([]byte("\x68\x04\x43\x00\x00\x00")); err == nil; {
			_, err = c.Write([]byte("\x68\x04\x43\x00\x00\x00"))
		}
	},
	"boasting": func(c net.Conn) { _, _ = c.Write([]byte("\x20\xff\xff\xff\x7f\x00\x00")) },
}

// play lets a hostile peer listen.
func play(t *testing.T, peer func(net.Conn)) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var conns []net.Conn
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		defer mu.Unlock()
		for _, c := range conns {
			_ = c.Close()
		}
	})
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, c)
			mu.Unlock()
			go peer(c)
		}
	}()
	return l.Addr().String()
}

// TestConnectorsAreTriedOutWhateverThereIs tries out connectors with peers of all kinds, all at once, beside a
// connector that is up and has the same client id.
func TestConnectorsAreTriedOutWhateverThereIs(t *testing.T) {
	t.Parallel()
	broker := rig.StartBroker(t)
	b := rig.RunManaged(t)
	settings := fmt.Sprintf(`{"kind":"mqtt","url":"mqtt://%s","clientId":"one"}`, broker.Addr())
	b.Put("connectors", "sensors", "%s", settings)
	b.AwaitMetric(1, "busbar_connector_state", `connector="sensors"`, `state="up"`)
	cases := []string{settings, `{"kind":"mqtt","url":"mqtt://no-such-host.invalid:1"}`, fmt.Sprintf(`{"kind":"mqtt","url":"mqtts://%s"}`, broker.Addr())}
	for _, peer := range hostilePeers {
		addr := play(t, peer)
		for _, version := range []string{"5", "3.1.1"} {
			cases = append(cases, fmt.Sprintf(`{"kind":"mqtt","url":"mqtt://%s","version":%q}`, addr, version))
		}
		cases = append(cases, fmt.Sprintf(`{"kind":"mqtt","url":"mqtts://%s"}`, addr), fmt.Sprintf(`{"kind":"mqtt","url":"ws://%s"}`, addr),
			fmt.Sprintf(`{"kind":"iec104-client","addresses":[%q,%q]}`, addr, broker.Addr()))
	}
	var all sync.WaitGroup
	for i, c := range cases {
		all.Go(func() {
			begun := time.Now()
			id := "other"
			if i == 0 {
				id = "sensors"
			}
			status, _, answer := b.Call("POST", "/connectors/test", fmt.Sprintf(`{"id":%q,"connector":%s,"topics":["a"],"commonAddress":1}`, id, c))
			took := time.Since(begun).Round(time.Millisecond)
			t.Logf("%v %s: %d %.400s", took, c, status, answer)
			if ok := strings.HasPrefix(answer, `{"ok":true`); status != 200 || ok != (i == 0) {
				t.Errorf("test of %s: %d %s", c, status, answer)
			}
			if strings.Contains(c, "addresses") && !strings.Contains(answer, "to "+broker.Addr()) {
				t.Errorf("the second address is not tried out: %s", answer)
			}
			if strings.Contains(answer, "closed network connection") || len(answer) > 4000 {
				t.Errorf("test of %s does not tell what is wrong: %s", c, answer)
			}
			if took > 20*time.Second {
				t.Errorf("test of %s took %v", c, took)
			}
		})
	}
	all.Wait()
	if status := b.Change("GET", "/connectors/sensors/states", ""); strings.Count(status, `"up"`) != 1 {
		t.Errorf("the connector that runs was disturbed: %s", status)
	}
}

// TestTrialLeavesDataTransferAlone: a station whose connector is up is known by another name, too.
func TestTrialLeavesDataTransferAlone(t *testing.T) {
	t.Parallel()
	rtu := rig.StartRTU(t, iec104.Params{})
	b := rig.RunManaged(t)
	b.Put("connectors", "rtu", `{"kind":"iec104-client","addresses":[%q]}`, rtu.Addr())
	b.AwaitMetric(1, "busbar_connector_state", `connector="rtu"`, `state="up"`)
	_, port, err := net.SplitHostPort(rtu.Addr())
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"127.0.0.1", "localhost"} {
		answer := b.Change("POST", "/connectors/test", fmt.Sprintf(`{"id":"other","connector":{"kind":"iec104-client","addresses":["%s:%s"]},"commonAddress":1}`, host, port))
		if !strings.Contains(answer, "connector rtu uses the station") {
			t.Errorf("test of %s: %s", host, answer)
		}
	}
	if states := b.Change("GET", "/connectors/rtu/states", ""); strings.Count(states, `"up"`) != 1 {
		t.Errorf("the connector that runs was disturbed: %s", states)
	}
}
