package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fakeServer speaks the part of the API that the commands need.
type fakeServer struct {
	*httptest.Server
	mu       sync.Mutex
	plant    string
	problems string // of every plant that is to be validated
	requests []string
	bodies   []string
}

const bearer = "Bearer bb_secret"

func newFakeServer(t *testing.T) *fakeServer {
	t.Helper()
	s := &fakeServer{plant: `{"version":1,"connectors":{"a":{"kind":"mqtt","url":"mqtt://h"}},"points":{"p/old":{"type":"int"}}}`, problems: "[]"}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/plant", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"7"`)
		if r.Header.Get("Accept") == "application/yaml" {
			fmt.Fprint(w, "version: 1\n")
			return
		}
		fmt.Fprint(w, s.plant)
	})
	mux.HandleFunc("POST /api/v1/plant/validate", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"valid":true,"problems":%s,"warnings":[{"location":"points.p/new","message":"is odd"}]}`, s.problems)
	})
	mux.HandleFunc("PUT /api/v1/plant", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("If-Match") != `"7"` {
			problemAnswer(w, http.StatusPreconditionFailed, "precondition-failed", "it is 8 now")
			return
		}
		fmt.Fprintf(w, `{"revision":{"number":8},"changed":3,"comment":%q}`, r.URL.Query().Get("comment"))
	})
	mux.HandleFunc("GET /api/v1/points/export", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "table as %s\n", r.URL.Query().Get("format"))
	})
	s.accounts(mux)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		s.mu.Lock()
		s.requests = append(s.requests, r.Method+" "+r.URL.RequestURI())
		s.bodies = append(s.bodies, string(body))
		s.mu.Unlock()
		_, err = r.Cookie("busbar_session")
		if r.Header.Get("Authorization") != bearer && (err != nil || r.Header.Get("X-Busbar-CSRF") == "") && r.URL.Path != "/api/v1/auth/login" {
			problemAnswer(w, http.StatusUnauthorized, "unauthenticated", "sign in, or send an API token")
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// accounts adds what tokens and users need.
func (s *fakeServer) accounts(mux *http.ServeMux) {
	mux.HandleFunc("GET /api/v1/tokens", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("cursor") == "" {
			fmt.Fprint(w, `{"items":[{"id":"1","name":"ci","prefix":"bb_abc","roles":["engineer"],"subtrees":[],"author":"alice","created":"2026-01-01T00:00:00Z","expires":"2027-01-01T00:00:00Z"}],"next":"x"}`)
			return
		}
		fmt.Fprint(w, `{"items":[{"id":"2","name":"scripts","prefix":"bb_def","roles":["viewer"],"subtrees":["ons4711"],"author":"bob","created":"2026-01-01T00:00:00Z","lastUsed":"2026-02-03T04:05:06Z"}]}`)
	})
	mux.HandleFunc("POST /api/v1/tokens", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, `{"token":{"id":"3","name":"ci","roles":["engineer"],"expires":"2027-01-01T00:00:00Z"},"secret":"bb_new"}`)
	})
	mux.HandleFunc("DELETE /api/v1/tokens/{id}", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("GET /api/v1/users", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"items":[{"id":"u1","name":"alice","roles":["admin"],"subtrees":[],"totp":true},{"id":"u2","name":"bob","roles":["viewer"],"subtrees":["ons4711"],"disabled":true,"mustChangePassword":true}]}`)
	})
	mux.HandleFunc("POST /api/v1/users", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"user":{"id":"u3","name":"carol"},"oneTimePassword":"once"}`)
	})
	mux.HandleFunc("PUT /api/v1/users/{id}", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{}`) })
	mux.HandleFunc("DELETE /api/v1/users/{id}", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("POST /api/v1/users/{id}/reset-password", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"oneTimePassword":"again"}`) })
	mux.HandleFunc("POST /api/v1/auth/login", func(w http.ResponseWriter, r *http.Request) {
		var in struct{ Name, Password, Code string }
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.Password != "right" {
			problemAnswer(w, http.StatusUnauthorized, "invalid-credentials", "name or password is wrong")
			return
		}
		if in.Name == "totp" && in.Code != "123456" {
			problemAnswer(w, http.StatusUnauthorized, "totp-required", "a code is missing")
			return
		}
		http.SetCookie(w, &http.Cookie{Name: "busbar_session", Value: "s", Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
		fmt.Fprint(w, `{}`)
	})
	mux.HandleFunc("POST /api/v1/auth/logout", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("POST /api/v1/auth/password", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
}

func problemAnswer(w http.ResponseWriter, status int, code, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"title":%q,"status":%d,"code":%q,"detail":%q,"errors":[{"location":"points.p/new.type","message":"is missing"}]}`, http.StatusText(status), status, code, detail)
}

// call runs a command with the token in the environment, and returns what it prints.
func (s *fakeServer) call(t *testing.T, stdin string, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	code = Main(t.Context(), args, IO{In: strings.NewReader(stdin), Out: &o, Err: &e, Env: func(name string) (string, bool) {
		value, ok := map[string]string{"BUSBAR_SERVER": s.URL, "BUSBAR_TOKEN": "bb_secret"}[name]
		return value, ok
	}})
	return code, o.String(), e.String()
}

func plantFile(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "plant.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

const newPlant = "version: 1\nconnectors:\n  a: {kind: mqtt, url: 'mqtt://other'}\npoints:\n  p/new: {type: int}\n"

func TestApply(t *testing.T) {
	t.Parallel()
	const plan = "FILE compared with revision 7:\n~ connectors.a: url\n+ points.p/new\n- points.p/old\n1 new, 1 changed, 1 removed\n"
	const warning = "FILE: points.p/new: warning: is odd\n"
	for _, tt := range []struct {
		name, plant string
		args        []string
		server      func(*fakeServer)
		code        int
		out, errs   string
		puts        bool
	}{
		{"yes", newPlant, []string{"--yes", "--comment", "a b"}, nil, 0, plan + "applied as revision 8, 3 changes\n", warning, true},
		{"not confirmed", newPlant, nil, nil, 3, plan, warning + "busbar apply: not confirmed, nothing was changed (--yes does not ask)\n", false},
		{"dry run", newPlant, []string{"--dry-run"}, nil, 0, plan, warning, false},
		{"dry run that tells differences", newPlant, []string{"--dry-run", "--exit-code"}, nil, 3, plan, warning, false},
		{"nothing to do", "version: 1\nconnectors: {a: {kind: mqtt, url: 'mqtt://h'}}\npoints: {p/old: {type: int}}\n", []string{"--dry-run", "--exit-code"}, nil,
			0, "nothing to do: the plant is that of revision 7\n", "", false},
		{"faulty", newPlant, []string{"--yes"}, func(s *fakeServer) {
			s.problems = `[{"location":"points.p/new.from","message":"is missing"},{"message":"is empty"}]`
		}, 1, plan,
			"FILE: points.p/new.from: is missing\nFILE: is empty\n" + warning + "busbar apply: the server finds 2 problems; nothing was changed\n", false},
		{"no syntax", "version: 1\npoints: [\n", []string{"--yes"}, nil, 1, "…", "busbar apply: 1 problem in FILE\n", false},
		{"plant of the server is none", newPlant, []string{"--yes"}, func(s *fakeServer) { s.plant = "x" }, 1, "", "…", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newFakeServer(t)
			if tt.server != nil {
				tt.server(s)
			}
			file := plantFile(t, tt.plant)
			code, out, errs := s.call(t, "", append([]string{"apply", file}, tt.args...)...)
			if code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
			for _, c := range []struct{ got, want string }{{out, tt.out}, {errs, tt.errs}} {
				if diff := cmp.Diff(c.want, strings.ReplaceAll(c.got, file, "FILE")); diff != "" && c.want != "…" {
					t.Errorf("printed (-want +got):\n%s", diff)
				}
			}
			if puts := strings.Contains(strings.Join(s.requests, "\n"), "PUT "); puts != tt.puts {
				t.Errorf("requests %q, put %t, want %t", s.requests, puts, tt.puts)
			}
			if tt.puts && s.requests[2] != "PUT /api/v1/plant?comment=a+b" {
				t.Errorf("requests %q, want the comment", s.requests)
			}
		})
	}
}

func TestApplyTellsTheFaultsOfTheServer(t *testing.T) {
	t.Parallel()
	s := newFakeServer(t)
	code, out, errs := s.call(t, "", "apply", plantFile(t, newPlant), "--yes", "--token", "bb_wrong")
	want := "busbar apply: the server answers 401 Unauthorized: sign in, or send an API token\n  points.p/new.type: is missing\n"
	if code != 1 || out != "" || errs != want {
		t.Errorf("exit code %d, %q, %q, want 1 and %q", code, out, errs, want)
	}
}

func TestExport(t *testing.T) {
	t.Parallel()
	s := newFakeServer(t)
	for args, want := range map[string]string{
		"":               "version: 1\n",
		"--format yaml":  "version: 1\n",
		"--format json":  s.plant,
		"--format csv":   "table as csv\n",
		"--out F/p.xlsx": "table as xlsx\n",
		"--out F/p.json": s.plant,
		"--out F/p.yml":  "version: 1\n",
	} {
		dir := t.TempDir()
		code, out, errs := s.call(t, "", append([]string{"export"}, strings.Fields(strings.ReplaceAll(args, "F/", dir+"/"))...)...)
		if strings.Contains(args, "--out") {
			files, err := filepath.Glob(filepath.Join(dir, "*"))
			if err != nil || len(files) != 1 || out != "" {
				t.Fatalf("export %s: files %v, %q, %v, want one file", args, files, out, err)
			}
			text, err := os.ReadFile(files[0])
			if err != nil {
				t.Fatal(err)
			}
			out = string(text)
		}
		if code != 0 || out != want || errs != "" {
			t.Errorf("export %s: exit code %d, %q, %q, want %q", args, code, out, errs, want)
		}
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	s := newFakeServer(t)
	for _, tt := range []struct {
		args      string
		code      int
		out, errs string
		last      string // request
		body      string
	}{
		{"token list", 0, "NAME     BEGINS  ROLES     LIMITED TO  EXPIRES     LAST USED   MADE BY\n" +
			"ci       bb_abc  engineer  -           2027-01-01  -           alice\nscripts  bb_def  viewer    ons4711     -           2026-02-03  bob\n", "",
			"GET /api/v1/tokens?cursor=x&limit=1000", ""},
		{"token create ci --roles engineer,viewer --subtrees ons4711 --expires 2027-01-01", 0, "bb_new\n",
			"token ci of engineer, expires 2027-01-01; it is not shown again:\n", "POST /api/v1/tokens",
			`{"name":"ci","roles":["engineer","viewer"],"subtrees":["ons4711"],"expires":"2027-01-01T00:00:00Z"}`},
		{"token revoke scripts", 0, "token scripts is refused from now on\n", "", "DELETE /api/v1/tokens/2", ""},
		{"token revoke nothing", 1, "", "busbar token: there is no token \"nothing\"; busbar token list shows them\n", "GET /api/v1/tokens?cursor=x&limit=1000", ""},
		{"user list", 0, "NAME   ROLES   LIMITED TO  LAST SIGN-IN  STATE\nalice  admin   -           -             second factor\nbob    viewer  ons4711     -             disabled, one-time password\n", "",
			"GET /api/v1/users?limit=1000", ""},
		{"user add carol --roles viewer", 0, "once\n", "one-time password of carol, to be changed at the first sign-in; it is not shown again:\n", "POST /api/v1/users", `{"name":"carol","roles":["viewer"]}`},
		{"user remove bob", 0, "account bob is removed\n", "", "DELETE /api/v1/users/u2", ""},
		{"user reset-password bob", 0, "again\n", "one-time password of bob, to be changed at the first sign-in; it is not shown again:\n", "POST /api/v1/users/u2/reset-password", ""},
		{"user set-roles bob --roles operator", 0, "account bob: operator\n", "", "PUT /api/v1/users/u2", `{"roles":["operator"],"subtrees":["ons4711"],"disabled":true}`},
		{"user set-roles bob --roles operator --subtrees=", 0, "account bob: operator\n", "", "PUT /api/v1/users/u2", `{"roles":["operator"],"subtrees":[],"disabled":true}`},
	} {
		code, out, errs := s.call(t, "", strings.Fields(tt.args)...)
		if code != tt.code || out != tt.out || errs != tt.errs {
			t.Errorf("%s: exit code %d, output\n%s\nerrors %q, want %d,\n%s\n%q", tt.args, code, out, errs, tt.code, tt.out, tt.errs)
		}
		if n := len(s.requests) - 1; s.requests[n] != tt.last || s.bodies[n] != tt.body {
			t.Errorf("%s: request %s %s, want %s %s", tt.args, s.requests[n], s.bodies[n], tt.last, tt.body)
		}
	}
}

func TestSignInForOneCall(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		stdin, args string
		code        int
		errs        string
		requests    string
	}{
		{"right\n", "token revoke ci --user alice", 0, "", "POST auth/login, GET tokens?limit=1000, GET tokens?cursor=x&limit=1000, DELETE tokens/1, POST auth/logout"},
		{"right\n123456\n", "user remove bob --user totp", 0, "", "POST auth/login, POST auth/login, GET users?limit=1000, DELETE users/u2, POST auth/logout"},
		{"wrong\n", "user list --user alice", 1, "busbar user: the server answers 401 Unauthorized: name or password is wrong\n  points.p/new.type: is missing\n", "POST auth/login"},
		{"", "user list --user alice", 1, "busbar user: standard input has ended, want an answer\n", ""},
		{"right\nnew password", "user password --user alice", 0, "", "POST auth/login, POST auth/password, POST auth/logout"},
	} {
		s := newFakeServer(t)
		code, _, errs := s.call(t, tt.stdin, strings.Fields(tt.args)...)
		if got := strings.ReplaceAll(strings.Join(s.requests, ", "), "/api/v1/", ""); code != tt.code || errs != tt.errs || got != tt.requests {
			t.Errorf("%s: exit code %d, %q, requests %s, want %d, %q, %s", tt.args, code, errs, got, tt.code, tt.errs, tt.requests)
		}
		if strings.HasPrefix(tt.args, "user password") && s.bodies[1] != `{"currentPassword":"right","newPassword":"new password"}` {
			t.Errorf("%s: body %s", tt.args, s.bodies[1])
		}
	}
}
