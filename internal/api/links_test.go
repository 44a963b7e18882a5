package api

import (
	"bufio"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"busbar/iec104"
	"busbar/iec104/asdu"
	"busbar/internal/connector"
	"busbar/internal/trace"
)

type items[T any] struct{ Items []T }

func TestLinksAreShown(t *testing.T) {
	t.Parallel()
	l := newLinks(t)
	l.connect()
	if _, err := l.client.Interrogate(t.Context(), 1, 20); err != nil {
		t.Fatal(err)
	}
	all := decoded[items[connector.Link]](t, l.do(http.MethodGet, "/links", nil, as("viewer")), http.StatusOK).Items
	if dialled := all[len(all)-1]; dialled.ID != "zdial.dial-1" || dialled.State != connector.LinkConnecting || dialled.Peer != "127.0.0.1:1" {
		t.Errorf("link that is dialled: %+v", dialled)
	}
	all = all[:len(all)-1]
	if len(all) != 2 || all[0].ID != "scada" || all[0].State != connector.LinkListening || all[1].ID != "scada.1" {
		t.Fatalf("links %+v, want the listener and one connection", all)
	}
	k := all[1]
	if k.State != connector.LinkStarted || k.Role != "controlled" || k.Local != l.address || k.K != 12 || k.W != 8 || k.Group != "127.0.0.1" || k.Member != "active" ||
		k.ReceiveNumber != 1 || k.Received.U != 1 || k.Queue == nil || !slices.Equal(k.CommonAddresses, []uint16{1}) || k.T3Ms == 0 {
		t.Errorf("link %+v", k)
	}
	if g := k.Interrogation; g == nil || g.Result != "completed" || g.Objects != 1 || g.Qualifier != 20 {
		t.Errorf("interrogation %+v", g)
	}
	if got := decoded[items[connector.Link]](t, l.do(http.MethodGet, "/links?connector=scada&state=started", nil, as("viewer")), http.StatusOK).Items; len(got) != 1 {
		t.Errorf("%d links are started, want 1", len(got))
	}
	if got := decoded[connector.Link](t, l.do(http.MethodGet, "/links/scada.1", nil, as("viewer")), http.StatusOK); got.ID != "scada.1" {
		t.Errorf("link %s", got.ID)
	}
	l.problem(l.do(http.MethodGet, "/links/scada.2", nil, as("viewer")), http.StatusNotFound, "not-found")
}

func TestLinksAreDisconnected(t *testing.T) {
	t.Parallel()
	l := newLinks(t)
	l.connect()
	reason := map[string]string{"reason": "maintenance"}
	if w := l.do(http.MethodPost, "/links/scada.1/disconnect", reason, as("engineer")); w.Code != http.StatusNoContent {
		t.Fatalf("answer %d %s", w.Code, w.Body)
	}
	<-l.client.Done()
	l.await(func() bool {
		k, err := l.manager.Link("scada.1")
		return err == nil && k.State == connector.LinkClosed
	})
	k := decoded[connector.Link](t, l.do(http.MethodGet, "/links/scada.1", nil, as("viewer")), http.StatusOK)
	if !strings.Contains(k.Reason, "disconnected by engineer: maintenance") || k.Sent.U == 0 {
		t.Errorf("the link that has ended is %+v", k)
	}
	l.problem(l.do(http.MethodPost, "/links/scada.1/disconnect", reason, as("engineer")), http.StatusConflict, "conflict")
	l.problem(l.do(http.MethodPost, "/links/nowhere.1/disconnect", reason, as("engineer")), http.StatusNotFound, "not-found")
}

func TestCommandsAreBlocked(t *testing.T) {
	t.Parallel()
	l := newLinks(t)
	l.connect()
	order := func() error {
		return l.client.Command(t.Context(), iec104.Operation{CA: 1, IOA: 5000, Type: asdu.C_SC_NA_1, Value: 1, Unterminated: true})
	}
	refused := func() bool {
		var negative *iec104.NegativeError
		return errors.As(order(), &negative) && negative.Cause == asdu.ActivationCon
	}
	l.await(func() bool { return order() == nil }) // the executor is up
	for _, id := range []string{"scada.1", "scada"} {
		b := decoded[connector.CommandBlock](t, l.do(http.MethodPut, "/links/"+id+"/command-block", map[string]string{"reason": "work on bay"}, as("operator")), http.StatusOK)
		if b.By != "operator" || b.Reason != "work on bay" || b.All != (id == "scada") {
			t.Errorf("block %+v", b)
		}
		if !refused() {
			t.Errorf("%s: the order was not refused with COT 7 and P/N", id)
		}
		if k, err := l.manager.Link("scada.1"); err != nil || k.Block == nil {
			t.Errorf("the link does not show the block: %v", err)
		}
		if err := l.client.Close(); err != nil {
			t.Fatal(err)
		}
		l.connect()
		if !refused() {
			t.Errorf("%s: after a reconnect the order was not refused", id)
		}
		record := l.manager.CommandRecords()
		if !slices.ContainsFunc(record, func(r connector.CommandRecord) bool {
			return strings.Contains(r.Confirmation.Reason, "blocked by operator: work on bay")
		}) {
			t.Errorf("%s: no record tells of the block: %+v", id, record)
		}
		target := id
		if id != "scada" {
			target = l.open()[0]
		}
		if w := l.do(http.MethodDelete, "/links/"+target+"/command-block", nil, as("operator")); w.Code != http.StatusNoContent {
			t.Fatalf("answer %d %s", w.Code, w.Body)
		}
		if err := order(); err != nil {
			t.Errorf("%s: after the release: %v", id, err)
		}
		if err := l.client.Close(); err != nil {
			t.Fatal(err)
		}
		l.connect()
	}
	for _, method := range []string{http.MethodPut, http.MethodDelete} {
		var body any
		if method == http.MethodPut {
			body = map[string]string{}
		}
		l.problem(l.do(method, "/links/scada.99/command-block", body, as("operator")), http.StatusNotFound, "not-found")
		l.problem(l.do(method, "/links/zdial.dial-1/command-block", body, as("operator")), http.StatusConflict, "conflict")
		l.problem(l.do(method, "/links/talker/command-block", body, as("operator")), http.StatusNotFound, "not-found")
	}
}

func TestTraceIsShown(t *testing.T) {
	t.Parallel()
	l := newLinks(t)
	l.connect()
	if _, err := l.client.Interrogate(t.Context(), 1, 20); err != nil {
		t.Fatal(err)
	}
	got := decoded[items[map[string]any]](t, l.do(http.MethodGet, "/trace?link=scada.1&type=M_ME_NC_1,100&cot=20,7&format=I&ca=1", nil, as("viewer")), http.StatusOK).Items
	if len(got) != 2 || got[1]["names"].(map[string]any)["100"] != "t1/oil" || got[1]["direction"] != "sent" {
		t.Errorf("trace %v", got)
	}
	if got := decoded[items[trace.Entry]](t, l.do(http.MethodGet, "/trace?point=t1/oil", nil, as("viewer")), http.StatusOK).Items; len(got) == 0 {
		t.Error("no frame of the point")
	}
	if p := l.problem(l.do(http.MethodGet, "/trace?type=M_XX_NA_1", nil, as("viewer")), http.StatusUnprocessableEntity, "invalid"); p.Errors[0].Location != "query.type[0]" {
		t.Errorf("faults %+v", p.Errors)
	}
	l.problem(l.do(http.MethodGet, "/trace/stream?type=0x", nil, as("viewer")), http.StatusUnprocessableEntity, "invalid")
	l.problem(l.do(http.MethodGet, "/trace/pcapng?type=0x", nil, as("viewer")), http.StatusUnprocessableEntity, "invalid")
	w := l.do(http.MethodGet, "/trace/pcapng?link=scada.1", nil, as("viewer"))
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != pcapngType || !strings.HasPrefix(w.Body.String(), "\x0a\x0d\x0d\x0a") {
		t.Errorf("answer %d %s with %d octets", w.Code, w.Header().Get("Content-Type"), w.Body.Len())
	}
}

func TestCaptureFilesAreLimited(t *testing.T) {
	t.Parallel()
	l := newLinks(t)
	for range 2 {
		c, err := l.api.deps.Trace.Capture(t.Context(), trace.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	l.problem(l.do(http.MethodGet, "/trace/pcapng", nil, as("viewer")), http.StatusTooManyRequests, "too-many-requests")
}

func TestTraceIsStreamed(t *testing.T) {
	t.Parallel()
	l := newLinks(t)
	server := httptest.NewServer(l.api)
	defer server.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+base+"/trace/stream?format=U", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer viewer")
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	l.connect()
	lines := bufio.NewScanner(answer.Body)
	for lines.Scan() {
		text, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		var e trace.Entry
		if err := json.Unmarshal([]byte(text), &e); err != nil {
			t.Fatal(err)
		}
		if e.APCI.Function == "STARTDT con" {
			return
		}
	}
	t.Errorf("the stream ended: %v", lines.Err())
}
