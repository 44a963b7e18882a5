package auth

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestProvidersAreRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "entra"), []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "providers.yaml")
	content := `
providers:
  - name: entra
    title: Company account
    issuer: https://login.microsoftonline.com/t/v2.0
    extraIssuers: [https://sts.windows.net/t/]
    audiences: [3c8e, api://busbar]
    clientId: 3c8e
    clientSecret: ${file:entra}
    tenant: t
    subject: oid
    skew: 30s
    algorithms: [RS256]
    roles:
      - {value: Busbar.Admin, role: admin}
      - {claim: groups, value: g1, role: viewer}
    subtrees:
      - {claim: groups, value: g1, subtrees: [ons1]}
  - {name: keycloak, issuer: "http://127.0.0.1:8080/realms/r", audiences: [busbar]}
`
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := LoadProviders(name, dir)
	if err != nil {
		t.Fatal(err)
	}
	want := []Provider{{
		Name: "entra", Title: "Company account", Issuer: "https://login.microsoftonline.com/t/v2.0", ExtraIssuers: []string{"https://sts.windows.net/t/"},
		Audiences: []string{"3c8e", "api://busbar"}, ClientID: "3c8e", ClientSecret: "s3cret", Scopes: []string{"openid", "profile"}, Tenant: "t",
		Skew: 30 * time.Second, SkewText: "30s", Algorithms: []string{"RS256"}, SubjectClaim: "oid",
		Roles:    []RoleRule{{"roles", "Busbar.Admin", "admin"}, {"groups", "g1", "viewer"}},
		Subtrees: []SubtreeRule{{"groups", "g1", []string{"ons1"}}},
	}, {
		Name: "keycloak", Title: "keycloak", Issuer: "http://127.0.0.1:8080/realms/r", Audiences: []string{"busbar"}, Scopes: []string{"openid", "profile"},
		Skew: time.Minute, Algorithms: algorithms, SubjectClaim: "sub",
		Roles: []RoleRule{{"roles", "viewer", "viewer"}, {"roles", "operator", "operator"}, {"roles", "engineer", "engineer"}, {"roles", "admin", "admin"}},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if err := os.Chmod(name, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadProviders(name, dir); err == nil || !strings.Contains(err.Error(), "everybody") {
		t.Errorf("a file that everybody can write: %v", err)
	}
}

func TestFaultyProvidersAreRefused(t *testing.T) {
	t.Parallel()
	env := func(name string) (string, bool) { return "x", name == "BUSBAR_SECRET_X" }
	const good = "name: a, issuer: https://a.example, audiences: [b]"
	for _, c := range []struct{ name, text, want string }{
		{"nothing", "", ""},
		{"empty list", "providers: []", ""},
		{"in order", "providers: [{" + good + ", clientId: c, clientSecret: '${env:BUSBAR_SECRET_X}'}]", ""},
		{"unknown key", "providers: [{" + good + ", isuer: x}]", "isuer"},
		{"bad name", "providers: [{name: A, issuer: https://a.example, audiences: [b]}]", `name "A"`},
		{"no issuer", "providers: [{name: a, audiences: [b]}]", `issuer ""`},
		{"http", "providers: [{name: a, issuer: http://a.example, audiences: [b]}]", "want https"},
		{"with a user", "providers: [{name: a, issuer: https://u:p@a.example, audiences: [b]}]", "address of a provider"},
		{"no audience", "providers: [{name: a, issuer: https://a.example}]", "audiences"},
		{"empty audience", "providers: [{name: a, issuer: https://a.example, audiences: ['']}]", "audiences"},
		{"symmetric algorithm", "providers: [{" + good + ", algorithms: [HS256]}]", `"HS256" is not permitted`},
		{"no signature", "providers: [{" + good + ", algorithms: [none]}]", `"none" is not permitted`},
		{"unknown role", "providers: [{" + good + ", roles: [{value: x, role: boss}]}]", `no role "boss"`},
		{"role without value", "providers: [{" + good + ", roles: [{role: admin}]}]", "want a value"},
		{"subtree without end", "providers: [{" + good + ", subtrees: [{value: x, subtrees: [a/]}]}]", "segments"},
		{"subtree rule without subtrees", "providers: [{" + good + ", subtrees: [{value: x}]}]", "one or more subtrees"},
		{"too much skew", "providers: [{" + good + ", skew: 1h}]", "skew"},
		{"without openid", "providers: [{" + good + ", scopes: [profile]}]", "openid"},
		{"secret without client", "providers: [{" + good + ", clientSecret: x}]", "clientId"},
		{"unset secret", "providers: [{" + good + ", clientId: c, clientSecret: '${env:BUSBAR_SECRET_Y}'}]", "BUSBAR_SECRET_Y is not set"},
		{"another variable", "providers: [{" + good + ", clientId: c, clientSecret: '${env:HOME}'}]", "want a secret"},
		{"file without directory", "providers: [{" + good + ", clientId: c, clientSecret: '${file:x}'}]", "secrets.dir"},
		{"twice", "providers: [{" + good + "}, {" + good + "}]", "occurs twice"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := parseProviders([]byte(c.text), secretReader{env: env})
			if c.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

func TestSecretFilesLieBelowTheirDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "in"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "outside"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := secretReader{dir: filepath.Join(dir, "in")}
	for _, name := range []string{"../outside", filepath.Join(dir, "outside"), "absent"} {
		if v, err := s.resolve("${file:" + name + "}"); err == nil {
			t.Errorf("%s: %q", name, v)
		}
	}
}
