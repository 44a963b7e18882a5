package api

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/point"
)

func TestValueOfAPoint(t *testing.T) {
	t.Parallel()
	v := newValues(t)
	v.publishAll()
	for id, want := range map[string]string{
		"a%2Fsingle":  `"type":"single","value":true,"quality":[],"time":"2026-01-15T12:00:01.000Z","received":"2026-01-15T12:00:01.041Z","seq":`,
		"a%2Fdouble":  `"type":"double","value":"intermediate","quality":[],`,
		"a%2Fstep":    `"type":"step","value":-7,"transient":true,"quality":[],`,
		"b%2Fbits":    `"type":"bits","value":2147483648,"quality":[],`,
		"b%2Fint":     `"type":"int","value":9007199254740993,"quality":["not-topical"],`,
		"b%2Ffloat":   `"type":"float","value":23.1,"quality":["overflow"],`,
		"b%2Fcounter": `"type":"counter","value":null,"quality":["invalid","not-topical"],"seq":0}`,
		"c%2Ftext":    `"type":"text","value":"Größe <1>","quality":["invalid"],`,
	} {
		got := v.do(http.MethodGet, "/values/"+id, nil, as("viewer")).Body.String()
		if !strings.Contains(got, want) {
			t.Errorf("value of %s: %s, want %s", id, got, want)
		}
	}
	v.problem(v.do(http.MethodGet, "/values/a%2Fnone", nil, as("viewer")), http.StatusNotFound, "not-found")
	v.problem(v.do(http.MethodGet, "/values/a%2Fstep", nil, as("viewer:b")), http.StatusNotFound, "not-found")
	v.apply("version: 1\npoints: {a/step: {type: step}}")
	v.problem(v.do(http.MethodGet, "/values/b%2Fint", nil, as("viewer")), http.StatusNotFound, "not-found")
	if got := v.get("a%2Fstep"); got.Value != -7.0 {
		t.Errorf("value of a point that stays: %v", got.Value)
	}
}

func TestValuesWithoutAnImage(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, path := range []string{"/values", "/values/x", "/values/stream"} {
		r.problem(r.do(http.MethodGet, path, nil, as("viewer")), http.StatusServiceUnavailable, "unavailable")
	}
}

func TestValuesAreFiltered(t *testing.T) {
	t.Parallel()
	v := newValues(t)
	v.publishAll()
	if s := v.put("a%2Fdouble/substitution", `{"value":"on"}`, "operator"); s.Code != http.StatusOK {
		t.Fatal(s.Body)
	}
	since := url.QueryEscape(valuesNoon.Add(6 * time.Second).Format(time.RFC3339))
	for _, c := range []struct{ query, who, want string }{
		{"", "viewer", "a/double a/single a/step b/bits b/counter b/float b/int c/text sys/journal/fill"},
		{"sort=-id", "viewer", "sys/journal/fill c/text b/int b/float b/counter b/bits a/step a/single a/double"},
		{"sort=time&prefix=b/", "viewer", "b/counter b/bits b/int b/float"},
		{"sort=-time&prefix=b/", "viewer", "b/float b/int b/bits b/counter"},
		{"prefix=a/single", "viewer", "a/single"},
		{"prefix=a&sort=-id", "viewer", "a/step a/single a/double"},
		{"prefix=a/s", "viewer", ""},
		{"prefix=zz", "viewer", ""},
		{"ids=c/text,a/step,none,a/step", "viewer", "a/step c/text"},
		{"ids=c/text,a/step&sort=-id", "viewer", "c/text a/step"},
		{"ids=c/text,a/step&prefix=c", "viewer", "c/text"},
		{"type=step,text", "viewer", "a/step c/text"},
		{"quality=good&prefix=a/", "viewer", "a/single a/step"},
		{"quality=abnormal", "viewer", "a/double b/counter b/float b/int c/text"},
		{"quality=overflow,substituted", "viewer", "a/double b/float"},
		{"quality=invalid", "viewer", "b/counter c/text"},
		{"connector=deaf", "viewer", "a/single b/float sys/journal/fill"},
		{"connector=joint", "viewer", "b/float"},
		{"search=gr%C3%B6%C3%9Fe", "viewer", "c/text"},
		{"search=INT", "viewer", "b/int"},
		{"changedSince=" + since + "&prefix=b", "viewer", "b/float"},
		{"", "viewer:b,c/text", "b/bits b/counter b/float b/int c/text"},
	} {
		for _, limit := range []int{1, 2, 100} {
			got := strings.Join(v.ids(c.query, c.who, limit), " ")
			if c.query != "quality=abnormal" && got != c.want || c.query == "quality=abnormal" && strings.TrimSuffix(got, " sys/journal/fill") != c.want {
				t.Errorf("%s in pages of %d as %s: %q, want %q", c.query, limit, c.who, got, c.want)
			}
		}
	}
	for _, query := range []string{"sort=name", "connector=none", "type=word", "quality=fine", "cursor=x"} {
		v.problem(v.do(http.MethodGet, "/values?"+query, nil, as("viewer")), http.StatusUnprocessableEntity, "invalid")
	}
}

func TestSubstitutionAndBlocking(t *testing.T) {
	t.Parallel()
	v := newValues(t)
	v.publishAll()
	const path = "b%2Ffloat"
	before := v.get(path)
	body := `{"value":7.5,"quality":["not-topical"],"time":"2026-01-15T12:30:00.5Z","comment":"sensor is being changed"}`
	got := decoded[PointValue](t, v.put(path+"/substitution", body, "operator"), http.StatusOK)
	if got.Value != 7.5 || strings.Join(got.Quality, " ") != "not-topical substituted" || got.Time != "2026-01-15T12:30:00.500Z" {
		t.Errorf("substituted: %+v", got)
	}
	if o := got.Overlay; o == nil || o.Blocked != nil || o.Substituted.Author != "operator" || o.Substituted.Comment != "sensor is being changed" ||
		!cmp.Equal(o.Beneath, before.PointState) {
		t.Errorf("overlay: %+v, beneath want %+v", o, before.PointState)
	}
	v.publish("b/float", point.FloatValue(8), time.Minute)
	got = decoded[PointValue](t, v.put(path+"/blocking", `{"comment":"feeder is out of service"}`, "admin"), http.StatusOK)
	if strings.Join(got.Quality, " ") != "not-topical substituted blocked" || got.Overlay.Blocked.Author != "admin" || got.Overlay.Beneath.Value != 8.0 {
		t.Errorf("blocked: %+v", got)
	}
	if list := v.do(http.MethodGet, "/values?ids=b/float", nil, as("viewer")).Body.String(); !strings.Contains(list, `"overlay":{"substituted":{"author":"operator"`) {
		t.Errorf("list %s", list)
	}
	v.publish("b/float", point.FloatValue(9), 2*time.Minute)
	for _, c := range []struct {
		what, quality string
		value         float64
	}{{"substitution", "blocked", 8}, {"substitution", "blocked", 8}, {"blocking", "", 9}} {
		if w := v.do(http.MethodDelete, "/values/"+path+"/"+c.what, nil, as("operator")); w.Code != http.StatusNoContent {
			t.Fatalf("release: %d %s", w.Code, w.Body)
		}
		if got := v.get(path); got.Value != c.value || strings.Join(got.Quality, " ") != c.quality {
			t.Errorf("after the release of the %s: %+v, want %v %s", c.what, got, c.value, c.quality)
		}
	}
	entries := v.audit.all()
	if e := entries[0]; e.Action != "substituteValue" || e.Object != "values/b/float/substitution" || e.Result != resultOK ||
		!strings.Contains(e.Before, "23.1") || !strings.Contains(e.After, "7.5") || len(entries) != 5 {
		t.Errorf("%d entries, first %+v", len(entries), e)
	}
}

func TestOverlaysThatAreRefused(t *testing.T) {
	t.Parallel()
	v := newValues(t)
	const put, del, post = http.MethodPut, http.MethodDelete, http.MethodPost
	for _, c := range []struct {
		name, method, path, body, who string
		status                        int
		code, location                string
	}{
		{"no point", put, "a%2Fnone/substitution", `{"value":1}`, "operator", 404, "not-found", ""},
		{"out of sight", put, "b%2Fint/substitution", `{"value":1}`, "operator:a", 404, "not-found", ""},
		{"no point to release", del, "a%2Fnone/substitution", "", "operator", 404, "not-found", ""},
		{"no point to block", put, "a%2Fnone/blocking", `{}`, "operator", 404, "not-found", ""},
		{"no point to block, without a body", put, "a%2Fnone/blocking", "", "operator", 404, "not-found", ""},
		{"no point to unblock", del, "a%2Fnone/blocking", "", "operator", 404, "not-found", ""},
		{"no point to test", post, "a%2Fnone/test", `{"value":1}`, "operator", 404, "not-found", ""},
		{"no value", put, "b%2Fint/substitution", `{}`, "operator", 422, "invalid", ""},
		{"another type", put, "b%2Fint/substitution", `{"value":"on"}`, "operator", 422, "invalid", "value"},
		{"null", put, "b%2Ffloat/substitution", `{"value":null}`, "operator", 422, "invalid", ""},
		{"too large", put, "b%2Fbits/substitution", `{"value":4294967296}`, "operator", 422, "invalid", "value"},
		{"in transit", put, "b%2Fint/substitution", `{"value":1,"transient":true}`, "operator", 422, "invalid", "value"},
		{"no such state", put, "a%2Fdouble/substitution", `{"value":"open"}`, "operator", 422, "invalid", "value"},
		{"number of a single point", put, "a%2Fsingle/substitution", `{"value":1}`, "operator", 422, "invalid", "value"},
		{"number of a text", put, "c%2Ftext/substitution", `{"value":1}`, "operator", 422, "invalid", "value"},
		{"long text", put, "c%2Ftext/substitution", `{"value":"` + strings.Repeat("x", 5000) + `"}`, "operator", 422, "invalid", ""},
		{"quality", put, "b%2Fint/substitution", `{"value":1,"quality":["blocked"]}`, "operator", 422, "invalid", "quality"},
		{"time", put, "b%2Fint/substitution", `{"value":1,"time":"1970-01-01T00:00:00Z"}`, "operator", 422, "invalid", "time"},
		{"system point", put, "sys%2Fjournal%2Ffill/blocking", `{}`, "operator", 422, "invalid", ""},
		{"test of another type", post, "b%2Fint/test", `{"value":1.5,"quality":["carry"]}`, "operator", 422, "invalid", "value"},
	} {
		var body any
		if c.body != "" {
			body = c.body
		}
		w := v.do(c.method, "/values/"+c.path, body, as(c.who))
		if c.code == "invalid" && c.location == "" && w.Code == 422 {
			continue
		}
		p := v.problem(w, c.status, c.code)
		if c.location != "" && p.Errors[0].Location != c.location {
			t.Errorf("%s: faults %+v, want one at %s", c.name, p.Errors, c.location)
		}
	}
	if o := v.image.Overlaid(); o.Substituted+o.Blocked > 0 {
		t.Errorf("%+v", o)
	}
	v.image.Close()
	v.problem(v.put("b%2Fint/blocking", `{}`, "operator"), http.StatusServiceUnavailable, "unavailable")
}

func TestSendTestValue(t *testing.T) {
	t.Parallel()
	v := newValues(t)
	w := v.do(http.MethodPost, "/values/b%2Ffloat/test", `{"value":3,"quality":["blocked"]}`, as("operator"))
	got := decoded[TestSent](t, w, http.StatusOK)
	want := TestSent{2, []TestTarget{{Connector: "deaf", Reason: "the connector has no test values"}, {Connector: "joint", Target: "1/2", Stations: 2}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
	if u := v.joint.sent; len(u) != 1 || u[0].Value.Float() != 3 || u[0].Quality != point.Blocked || u[0].Time == 0 {
		t.Errorf("sent %+v", u)
	}
	v.joint.stations = 0
	got = decoded[TestSent](t, v.do(http.MethodPost, "/values/b%2Ffloat/test", `{"value":3}`, as("operator")), http.StatusOK)
	if got.Stations != 0 || got.Targets[1].Reason != "nobody is there" {
		t.Errorf("sent %+v", got)
	}
	if s, _ := json.Marshal(v.get("b%2Ffloat").Value); string(s) != "null" {
		t.Errorf("value %s after a test, want none", s)
	}
}
