package api

import (
	"bytes"
	"context"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"busbar/internal/connector"
	"busbar/internal/manage"
	"busbar/internal/plant"
	"busbar/internal/store"
)

type deviceSettings struct {
	Password connector.Secret `json:"password"`
	Host     string           `json:"host"`
}

type deviceTopic struct {
	Topic string `json:"topic" required:"true"`
}

type devicePlace struct {
	CA  int    `json:"ca" min:"1" max:"65534"`
	IOA int    `json:"ioa" min:"1" max:"65535"`
	As  string `json:"as"`
}

// deviceOrder is the end of a command at a device.
type deviceOrder struct {
	Number int `json:"number" min:"1" max:"65535"`
}

// plantRig is an API on a store of its own, with connectors that do not run.
type plantRig struct {
	*rig
	store   *store.Store
	inForce *plant.Plant
	fail    error // of the next Apply
}

func newPlantRig(t *testing.T, file string) *plantRig {
	t.Helper()
	kinds, err := connector.NewRegistry(connector.Define("device", connector.Spec[deviceSettings, deviceTopic, devicePlace]{
		New:       func(deviceSettings, connector.Env) (connector.Connector, error) { return nil, nil },
		Selector:  func(t deviceTopic) string { return t.Topic },
		Requester: connector.RequesterOf(deviceOrder{}, nil),
		Executor:  connector.ExecutorOf(deviceOrder{}, nil, func(deviceOrder) bool { return true }),
	}))
	if err != nil {
		t.Fatal(err)
	}
	st, err := store.Open(t.Context(), store.Options{Path: filepath.Join(t.TempDir(), "store.db"), Key: bytes.Repeat([]byte{7}, 32)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	r := &plantRig{store: st}
	m := manage.New(manage.Options{
		Store: st, Kinds: kinds, File: file, Log: slog.New(slog.DiscardHandler),
		Apply: func(_ context.Context, p *plant.Plant) error {
			if err := r.fail; err != nil {
				r.fail = nil
				return err
			}
			r.inForce = p
			return nil
		},
	})
	r.rig = newRig(t, func(d *Deps) { d.Manage, d.Store, d.Kinds = m, st, kinds })
	return r
}

// want sends a request as an engineer and checks its status.
func (r *plantRig) want(status int, method, path string, body any, options ...option) *httptest.ResponseRecorder {
	r.t.Helper()
	w := r.do(method, path, body, append([]option{as("engineer")}, options...)...)
	if w.Code != status {
		r.t.Fatalf("%s %s = %d %s, want %d", method, path, w.Code, w.Body, status)
	}
	return w
}

// ids sends a request for a list and returns the ids on it.
func (r *plantRig) ids(path string, options ...option) (ids []string, next string) {
	r.t.Helper()
	l := decoded[struct {
		Items []struct{ ID string }
		Next  string
	}](r.t, r.want(200, "GET", path, nil, options...), 200)
	for _, item := range l.Items {
		ids = append(ids, item.ID)
	}
	return ids, l.Next
}

func (r *plantRig) wantIDs(path, want string, options ...option) {
	r.t.Helper()
	if ids, _ := r.ids(path, options...); strings.Join(ids, " ") != want {
		r.t.Errorf("%s: %q, want %q", path, ids, want)
	}
}

const (
	deviceA = `{"kind":"device"}`
	pointA  = `{"type":"float","from":{"connector":"a","topic":"t","value":"v"},"to":[{"connector":"a","ioa":1}]}`
)

// seed adds the connector a and points below x and y.
func (r *plantRig) seed() {
	r.t.Helper()
	r.want(201, "PUT", "/connectors/a", deviceA)
	for id, body := range map[string]string{
		"x": pointA, "x%2Fa": `{"type":"single","name":"Zulu"}`, "x%2Fb": `{"type":"float","name":"alpha"}`, "y%2Fa": `{"type":"int","name":"Alpha"}`,
	} {
		r.want(201, "PUT", "/points/"+id, body)
	}
}
