package rig

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"busbar/internal/app"
	"busbar/internal/auth"
	"busbar/internal/store"
)

// template is a store with an administrator and a token of his, made once: to hash a password takes a moment.
var template = sync.OnceValues(makeTemplate)

type storeTemplate struct {
	text  []byte // of the file
	token string
}

func makeTemplate() (t storeTemplate, err error) {
	dir, err := os.MkdirTemp("", "busbar-store-")
	if err != nil {
		return t, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, app.StoreFile)
	if t.token, err = fillStore(file); err != nil {
		return t, err
	}
	t.text, err = os.ReadFile(file)
	return t, err
}

func fillStore(file string) (token string, err error) {
	ctx := context.Background()
	st, err := store.Open(ctx, store.Options{Path: file})
	if err != nil {
		return "", err
	}
	defer func() {
		if failed := st.Close(); err == nil {
			err = failed
		}
	}()
	service, err := auth.New(st, auth.Options{Dir: filepath.Dir(file), Cost: auth.Cost{Memory: 8 << 10, Passes: 1}})
	if err != nil {
		return "", err
	}
	admin := auth.Principal{ID: "user:test", Name: "test", Roles: auth.RolesOf(auth.Admin)}
	if _, _, err := service.CreateUser(ctx, admin, auth.NewUser{Name: "admin", Roles: []string{"admin"}}); err != nil {
		return "", err
	}
	_, token, err = service.CreateToken(ctx, admin, auth.NewToken{Name: "test", Roles: []string{"admin"}, Expires: time.Now().Add(time.Hour)})
	return token, err
}

// seedStore puts the template into the data directory, unless there is a store.
func (b *Busbar) seedStore() {
	b.tb.Helper()
	t, err := template()
	if err != nil {
		b.tb.Fatal(err)
	}
	b.token = t.token
	file := filepath.Join(b.data, app.StoreFile)
	if err := os.MkdirAll(b.data, 0o700); err != nil {
		b.tb.Fatal(err)
	}
	if err := os.WriteFile(file, t.text, 0o600); err != nil {
		b.tb.Fatal(err)
	}
}

// writeKey writes a key for secrets into dir and returns its file.
func writeKey(tb testing.TB, dir string) string {
	tb.Helper()
	name := filepath.Join(dir, "secrets.key")
	if err := os.WriteFile(name, []byte(base64.StdEncoding.EncodeToString(make([]byte, store.KeySize))), 0o600); err != nil {
		tb.Fatal(err)
	}
	return name
}

// RunManaged runs Busbar in the process of the test without a plant file: its plant is
// changed through the API.
func RunManaged(tb testing.TB, args ...string) *Busbar {
	tb.Helper()
	return Run(tb, "", args...)
}

// ExecManaged is RunManaged with the binary as a process of its own.
func ExecManaged(tb testing.TB, binary string, args ...string) *Busbar {
	tb.Helper()
	return Exec(tb, binary, "", args...)
}

// Call sends a request to the API as an administrator, with a body in JSON unless it is empty, again while it
// comes too often. It returns status, entity tag and body of the answer.
func (b *Busbar) Call(method, path, body string, headers ...string) (status int, etag, answer string) {
	b.tb.Helper()
	Until(b.tb, "the API to take another request", func() bool {
		status, etag, answer = b.callOnce(method, path, body, headers)
		return status != http.StatusTooManyRequests
	})
	return status, etag, answer
}

func (b *Busbar) callOnce(method, path, body string, headers []string) (status int, etag, answer string) {
	b.tb.Helper()
	req, err := http.NewRequestWithContext(b.tb.Context(), method, "http://"+b.HTTP+"/api/v1"+path, strings.NewReader(body))
	if err != nil {
		b.tb.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+b.token)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		b.tb.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.tb.Fatal(err)
	}
	return resp.StatusCode, resp.Header.Get("ETag"), string(text)
}

// Change is Call that must succeed; it returns the answer.
func (b *Busbar) Change(method, path, body string, headers ...string) string {
	b.tb.Helper()
	status, _, answer := b.Call(method, path, body, headers...)
	if status >= 300 {
		b.tb.Fatalf("%s %s %s: %d %s", method, path, body, status, answer)
	}
	return answer
}

// Escape writes an id as one segment of a path.
func Escape(id string) string { return strings.ReplaceAll(id, "/", "%2F") }

// Put adds or replaces an object of the plant, such as "points", "ons4711/oil".
func (b *Busbar) Put(section, id, body string, args ...any) {
	b.tb.Helper()
	b.Change(http.MethodPut, "/"+section+"/"+Escape(id), fmt.Sprintf(body, args...))
}
