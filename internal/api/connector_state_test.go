package api

import (
	"net"
	"net/http"
	"strings"
	"testing"
)

func TestConnectorStateIsShown(t *testing.T) {
	t.Parallel()
	l := newLinks(t)
	var s ConnectorStatus
	l.await(func() bool {
		s = decoded[ConnectorStatus](t, l.do(http.MethodGet, "/connectors/talker/status", nil, as("viewer")), http.StatusOK)
		return s.Messages == 3
	})
	if s.State != "up" || s.Kind != "talker" || s.Values == 0 || len(s.Faults) == 0 {
		t.Errorf("status %+v", s)
	}
	states := decoded[items[StateChange]](t, l.do(http.MethodGet, "/connectors/talker/states", nil, as("viewer")), http.StatusOK).Items
	if len(states) < 2 || states[0].State != "up" {
		t.Errorf("states %+v, want the newest first", states)
	}
	for _, what := range []string{"status", "states", "messages"} {
		l.problem(l.do(http.MethodGet, "/connectors/nobody/"+what, nil, as("viewer")), http.StatusNotFound, "not-found")
	}
}

func TestMessagesAreShown(t *testing.T) {
	t.Parallel()
	l := newLinks(t)
	var list []Message
	l.await(func() bool {
		list = decoded[items[Message]](t, l.do(http.MethodGet, "/connectors/talker/messages", nil, as("viewer")), http.StatusOK).Items
		return len(list) == 4
	})
	sent, binary, good, bad := list[0], list[1], list[2], list[3]
	if sent.Direction != "sent" || !sent.Cut || sent.Octets != 2000 || len(sent.Payload) != 1024 || sent.Result != "command" {
		t.Errorf("sent %+v", sent)
	}
	if string(binary.Base64) != "\xff\xfe" || binary.Payload != "" {
		t.Errorf("binary %+v", binary)
	}
	if good.Payload != "21.5" || good.Points != 1 || good.Result != "" || good.Topic != "temperature" || good.Direction != "received" {
		t.Errorf("good %+v", good)
	}
	if bad.Payload != "not a number" || bad.Result == "" {
		t.Errorf("bad %+v", bad)
	}
	if got := decoded[items[Message]](t, l.do(http.MethodGet, "/connectors/scada/messages", nil, as("viewer")), http.StatusOK).Items; len(got) != 0 {
		t.Errorf("a server has messages %+v", got)
	}
}

func TestConnectorsAreRestarted(t *testing.T) {
	t.Parallel()
	l := newLinks(t)
	if w := l.do(http.MethodPost, "/connectors/talker/restart", nil, as("engineer")); w.Code != http.StatusAccepted {
		t.Fatalf("answer %d %s", w.Code, w.Body)
	}
	l.await(func() bool {
		s := decoded[ConnectorStatus](t, l.do(http.MethodGet, "/connectors/talker/status", nil, as("viewer")), http.StatusOK)
		return s.Restarts == 1 && s.State == "up" && s.Failures == 0
	})
	l.problem(l.do(http.MethodPost, "/connectors/unused/restart", nil, as("engineer")), http.StatusConflict, "conflict")
	l.problem(l.do(http.MethodPost, "/connectors/nobody/restart", nil, as("engineer")), http.StatusNotFound, "not-found")
}

func TestSettingsAreTried(t *testing.T) {
	t.Parallel()
	l := newLinks(t)
	used, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer used.Close()
	ask := func(listen string) map[string]any {
		return map[string]any{"id": "other", "connector": map[string]any{"kind": "iec104-server", "listen": listen, "enabled": false}}
	}
	if got := decoded[ConnectorTest](t, l.do(http.MethodPost, "/connectors/test", ask("127.0.0.1:0"), as("engineer")), http.StatusOK); !got.OK || len(got.Steps) != 1 {
		t.Errorf("test %+v", got)
	}
	got := decoded[ConnectorTest](t, l.do(http.MethodPost, "/connectors/test", ask(used.Addr().String()), as("engineer")), http.StatusOK)
	if got.OK || !strings.Contains(got.Steps[0].Detail, "port already in use") {
		t.Errorf("test of a port that is in use: %+v", got)
	}
	l.problem(l.do(http.MethodPost, "/connectors/test", ask("nonsense"), as("engineer")), http.StatusUnprocessableEntity, "invalid-plant")
	l.problem(l.do(http.MethodPost, "/connectors/test", map[string]any{"id": "t", "connector": map[string]any{"kind": "talker"}}, as("engineer")), http.StatusConflict, "conflict")
}

func TestConnectorsAreEnabledAndDisabled(t *testing.T) {
	t.Parallel()
	r := newPlantRig(t, "")
	if w := r.do(http.MethodPut, "/connectors/dev", map[string]any{"kind": "device", "host": "h"}, as("engineer")); w.Code >= 300 {
		t.Fatalf("answer %d %s", w.Code, w.Body)
	}
	for _, step := range []struct {
		what     string
		disabled bool
	}{{"disable", true}, {"enable", false}, {"enable", false}} {
		decoded[Revision](t, r.do(http.MethodPost, "/connectors/dev/"+step.what, nil, as("engineer")), http.StatusOK)
		if got := r.inForce.Connectors[0].Disabled; got != step.disabled {
			t.Errorf("after %s: disabled %v", step.what, got)
		}
	}
	file := newPlantRig(t, "/etc/busbar/plant.yaml")
	for _, what := range []string{"enable", "disable"} {
		r.problem(r.do(http.MethodPost, "/connectors/nobody/"+what, nil, as("engineer")), http.StatusNotFound, "not-found")
		file.problem(file.do(http.MethodPost, "/connectors/dev/"+what, nil, as("engineer")), http.StatusConflict, "file-managed")
	}
}
