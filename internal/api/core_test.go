package api

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"busbar/internal/auth"
	"busbar/internal/plant"
)

func TestFaultsOfARequestAreProblems(t *testing.T) {
	t.Parallel()
	r := newThings(t, func(_ context.Context, in *thingInput) (*struct{}, error) {
		return nil, plant.Problems{{Path: "points.a.to[0].ca", Text: "is 0, want 1 to 65534"}, {Text: "no connector"}}
	})
	for _, c := range []struct {
		name, method, path, body string
		options                  []option
		status                   int
		code, location           string
	}{
		{"unknown path", "GET", "/nothing", "", nil, 404, "not-found", ""},
		{"path outside", "GET", "/../nothing", "", nil, 404, "not-found", ""},
		{"slash at the end", "GET", "/system/", "", nil, 404, "not-found", ""},
		{"other method", "DELETE", "/system", "", nil, 405, "method-not-allowed", ""},
		{"nobody", "GET", "/system", "", nil, 401, "unauthenticated", ""},
		{"no such type", "GET", "/system", "", []option{as("viewer"), header("Accept", "text/html")}, 406, "not-acceptable", ""},
		{"unknown parameter", "GET", "/system?x=1", "", []option{as("viewer")}, 422, "invalid", "query.x"},
		{"unknown member", "PUT", "/things/a", `{"name":"n","nam":1}`, []option{as("engineer")}, 422, "invalid", "nam"},
		{"member in capitals", "PUT", "/things/a", `{"Name":"n"}`, []option{as("engineer")}, 422, "invalid", "Name"},
		{"member too long", "PUT", "/things/a", `{"name":"01234567890"}`, []option{as("engineer")}, 422, "invalid", "name"},
		{"no JSON", "PUT", "/things/a", `{"name":`, []option{as("engineer")}, 400, "malformed", "body"},
		{"no body", "PUT", "/things/a", "", []option{as("engineer")}, 400, "malformed", ""},
		{"no content type", "PUT", "/things/a", `{}`, []option{as("engineer"), header("Content-Type", "")}, 415, "unsupported-media-type", ""},
		{"too large", "PUT", "/things/a", `{"name":"` + strings.Repeat("x", 1<<20) + `"}`, []option{as("engineer")}, 413, "too-large", ""},
		{"too large, of unknown length", "PUT", "/things/a", strings.Repeat(" ", 1<<20), []option{as("engineer"), func(r *http.Request) { r.ContentLength = -1 }}, 413, "too-large", ""},
		{"faulty plant", "PUT", "/things/a", `{"name":"n"}`, []option{as("engineer")}, 422, "invalid-plant", "points.a.to[0].ca"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &rig{t: t, api: r.api}
			var body any
			if c.body != "" {
				body = c.body
			}
			p := r.problem(r.do(c.method, c.path, body, c.options...), c.status, c.code)
			if c.location != "" && !slices.ContainsFunc(p.Errors, func(f Fault) bool { return f.Location == c.location }) {
				t.Errorf("faults %+v, want one at %s", p.Errors, c.location)
			}
		})
	}
}

func TestProblemsDoNotRepeatSecrets(t *testing.T) {
	t.Parallel()
	r := newThings(t, func(context.Context, *thingInput) (*struct{}, error) { return nil, nil })
	for _, body := range []string{`{"name":"n","password":"hush-hush-hush"}`, `{"password":"hush-hush-hush"`} {
		if w := r.do(http.MethodPut, "/things/a", body, as("engineer")); w.Code < 400 || strings.Contains(w.Body.String(), "hush") {
			t.Errorf("answer %d %s repeats the password", w.Code, w.Body)
		}
	}
}

func TestUnexpectedErrorsAreInTheLogAlone(t *testing.T) {
	t.Parallel()
	for name, handle := range map[string]func(context.Context, *thingInput) (*struct{}, error){
		"error": func(context.Context, *thingInput) (*struct{}, error) { return nil, errors.New("the inner detail") },
		"panic": func(context.Context, *thingInput) (*struct{}, error) { panic("the inner detail") },
	} {
		var log bytes.Buffer
		r := newThings(t, handle, func(d *Deps) { d.Log = slog.New(slog.NewTextHandler(&log, nil)) })
		w := r.do(http.MethodPut, "/things/a", `{"name":"n"}`, as("engineer"))
		p := r.problem(w, 500, "internal")
		if p.ID == "" || p.ID != w.Header().Get("X-Request-Id") || !strings.Contains(log.String(), p.ID) || !strings.Contains(log.String(), "the inner detail") {
			t.Errorf("%s: id %q, log %s, want both to have the id and the log the detail", name, p.ID, log.String())
		}
		if strings.Contains(w.Body.String(), "inner") {
			t.Errorf("%s: answer %s tells the detail", name, w.Body)
		}
	}
}

func TestEveryAnswerHasHeadersForItsSafety(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	secured := func(r *http.Request) { r.TLS = &tls.ConnectionState{} }
	for _, path := range []string{"/system", "/nothing", "/openapi.json"} {
		h := r.do(http.MethodGet, path, nil, as("viewer"), secured).Header()
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
			"Content-Security-Policy": "frame-ancestors 'none'", "Strict-Transport-Security": "max-age=", "X-Frame-Options": "DENY",
		} {
			if got := h.Get(name); !strings.Contains(got, want) {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
		if got := h.Get("Access-Control-Allow-Origin"); got != "" {
			t.Errorf("%s: foreign pages may read it: %q", path, got)
		}
	}
	if got := r.do(http.MethodGet, "/system", nil, as("viewer")).Header().Get("Strict-Transport-Security"); got != "" {
		t.Errorf("Strict-Transport-Security without TLS: %q", got)
	}
}

func TestAccessLogHasNoSecrets(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	r := newRig(t, func(d *Deps) {
		d.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	r.do(http.MethodGet, "/system?code=planted-secret", nil, as("viewer"), header("Cookie", "busbar_session=planted-secret"))
	if got := log.String(); !strings.Contains(got, "status=422") || strings.Contains(got, "planted-secret") {
		t.Errorf("log %s, want the status and no secret", got)
	}
}

func TestRatesAreLimited(t *testing.T) {
	t.Parallel()
	for name, limits := range map[string]Limits{
		"of an address":  {AddressRate: 0.01, AddressBurst: 3, PrincipalRate: 100, PrincipalBurst: 100},
		"of a principal": {AddressRate: 100, AddressBurst: 100, PrincipalRate: 0.01, PrincipalBurst: 3},
	} {
		r := newRig(t, func(d *Deps) { d.Limits = limits })
		var last int
		for range 4 {
			w := r.do(http.MethodGet, "/system", nil, as("viewer"))
			if last = w.Code; last == http.StatusTooManyRequests && w.Header().Get("Retry-After") != "100" {
				t.Errorf("%s: Retry-After %q, want 100", name, w.Header().Get("Retry-After"))
			}
		}
		if last != http.StatusTooManyRequests {
			t.Errorf("%s: the fourth of three requests is answered %d, want 429", name, last)
		}
		other := r.do(http.MethodGet, "/system", nil, as("admin"), func(r *http.Request) { r.RemoteAddr = "192.0.2.2:1" })
		if other.Code != http.StatusOK {
			t.Errorf("%s: somebody else is answered %d, want 200", name, other.Code)
		}
	}
}

func TestRateOfANetworkIsLimited(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(d *Deps) {
		d.Limits = Limits{AddressRate: 0.01, AddressBurst: 1, PrincipalRate: 100, PrincipalBurst: 100}
	})
	for address, want := range map[string]int{"[2001:db8::2]:1": http.StatusTooManyRequests, "[2001:db8:0:1::1]:1": http.StatusOK} {
		for _, address := range []string{"[2001:db8::1]:1", address} {
			w := r.do(http.MethodGet, "/system", nil, as("viewer"), func(r *http.Request) { r.RemoteAddr = address })
			if address != "[2001:db8::1]:1" && w.Code != want {
				t.Errorf("%s is answered %d, want %d: hosts have a network of /64", address, w.Code, want)
			}
		}
	}
}

func TestLimiterForgetsWhoAskedLeastRecently(t *testing.T) {
	t.Parallel()
	b := newBuckets(0.001, 1)
	for i := range maxBuckets + 10 {
		b.take(strings.Repeat("x", i%7) + time.Duration(i).String())
	}
	if len(b.byKey) != maxBuckets || b.order.Len() != maxBuckets {
		t.Errorf("%d clients are remembered, want %d", len(b.byKey), maxBuckets)
	}
}

func TestRoutesMustSayWhoMay(t *testing.T) {
	t.Parallel()
	nothing := func(context.Context, *struct{}) (*struct{}, error) { return nil, nil }
	for name, o := range map[string]op{
		"nobody":      {ID: "a", Method: "GET", Path: "/a", Tag: "t", Summary: "s"},
		"two ways":    {ID: "a", Method: "GET", Path: "/a", Tag: "t", Summary: "s", Role: auth.Viewer, Public: true},
		"no id":       {Method: "GET", Path: "/a", Tag: "t", Summary: "s", Role: auth.Viewer},
		"no summary":  {ID: "a", Method: "GET", Path: "/a", Tag: "t", Role: auth.Viewer},
		"no path":     {ID: "a", Method: "GET", Tag: "t", Summary: "s", Role: auth.Viewer},
		"id is taken": {ID: "getSystem", Method: "GET", Path: "/a", Tag: "t", Summary: "s", Role: auth.Viewer},
	} {
		a, err := build(Deps{})
		if err != nil {
			t.Fatal(err)
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: the route was registered", name)
				}
			}()
			register(a, o, nothing)
		}()
	}
}

func TestStreamedBodyHasItsOwnLimit(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(d *Deps) { d.observe = nil })
	register(r.api, op{
		ID: "putLarge", Method: http.MethodPut, Path: "/large", Tag: "t", Role: auth.Engineer, Summary: "s",
		Consumes: []string{"application/x-ndjson"}, MaxBody: 100,
	}, func(ctx context.Context, _ *struct{}) (*struct{}, error) {
		body, kind := bodyOf(ctx)
		if kind != "application/x-ndjson" {
			t.Errorf("content type %q", kind)
		}
		_, err := io.Copy(io.Discard, body)
		return nil, err
	})
	lines := header("Content-Type", "application/x-ndjson")
	unknown := func(r *http.Request) { r.ContentLength = -1 }
	if w := r.do(http.MethodPut, "/large", strings.Repeat("x", 100), as("engineer"), lines, unknown); w.Code != http.StatusNoContent {
		t.Errorf("body of the greatest length: %d %s, want 204", w.Code, w.Body)
	}
	r.problem(r.do(http.MethodPut, "/large", strings.Repeat("x", 101), as("engineer"), lines, unknown), 413, "too-large")
	r.problem(r.do(http.MethodPut, "/large", "{}", as("engineer")), 415, "unsupported-media-type")
}

func TestLargeRequestsWaitForEachOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, unobserved)
		var at, most atomic.Int32
		register(r.api, op{
			ID: "postLarge", Method: http.MethodPost, Path: "/large", Tag: "things", Role: auth.Engineer, Summary: "x",
			Consumes: []string{jsonType}, MaxBody: 2 * defaultMaxBody,
		}, func(context.Context, *struct{}) (*struct{}, error) {
			most.Store(max(most.Load(), at.Add(1)))
			time.Sleep(15 * time.Second)
			at.Add(-1)
			return nil, nil
		})
		var ok, refused atomic.Int32
		for range 3 * parallelLarge {
			go func() {
				switch w := r.do(http.MethodPost, "/large", `{}`, as("engineer")); w.Code {
				case http.StatusNoContent:
					ok.Add(1)
				case http.StatusTooManyRequests:
					refused.Add(1)
				}
			}()
		}
		time.Sleep(time.Minute)
		if most.Load() != parallelLarge || ok.Load() != 2*parallelLarge || refused.Load() != parallelLarge {
			t.Errorf("%d at once, %d done, %d refused; want %d, %d, %d", most.Load(), ok.Load(), refused.Load(), parallelLarge, 2*parallelLarge, parallelLarge)
		}
	})
}
