package auth

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/auth/authtest"
)

func TestAccessTokensAreChecked(t *testing.T) {
	t.Parallel()
	f := newFake()
	key := authtest.Key()
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: must(x509.MarshalPKIXPublicKey(key.Public()))})
	stranger := must(rsa.GenerateKey(rand.Reader, 2048))
	soon, past := time.Now().Add(2*time.Minute).Unix(), time.Now().Add(-2*time.Minute).Unix()
	rs := func(changes map[string]any) string {
		return authtest.Sign(t, "RS256", "k1", "at+jwt", key, f.Claims(changes))
	}
	untyped := func(changes map[string]any) string {
		return authtest.Sign(t, "RS256", "k1", "", key, f.Claims(changes))
	}
	type m = map[string]any
	for _, c := range []struct {
		name, token, code string
		status            int
	}{
		{"in order", rs(nil), "", 0},
		{"in order, of type JWT", authtest.Sign(t, "RS256", "k1", "JWT", key, f.Claims(nil)), "", 0},
		{"in order, without type and key id", authtest.Sign(t, "RS256", "", "", key, f.Claims(nil)), "", 0},
		{"another audience of ours, among others", rs(m{"aud": []string{"x", "api://busbar"}}), "", 0},
		{"wrong audience", rs(m{"aud": "somebody"}), CodeAudience, 401},
		{"audience with ours as a word in it", rs(m{"aud": "x busbar"}), CodeAudience, 401},
		{"no audience", rs(m{"aud": nil}), CodeAudience, 401},
		{"wrong issuer", rs(m{"iss": "https://evil.example"}), CodeIssuer, 401},
		{"issuer with a slash more", rs(m{"iss": "https://id.example/"}), CodeIssuer, 401},
		{"expired", rs(m{"exp": past}), CodeExpired, 401},
		{"expired within the skew", rs(m{"exp": time.Now().Add(-30 * time.Second).Unix()}), "", 0},
		{"without an end", rs(m{"exp": nil}), CodeToken, 401},
		{"with an end that is no time", rs(m{"exp": "tomorrow"}), CodeToken, 401},
		{"with an end beyond all time", rs(m{"exp": 1e300}), CodeToken, 401},
		{"not yet valid", rs(m{"nbf": soon}), CodeNotYetValid, 401},
		{"issued in the future", rs(m{"iat": soon}), CodeNotYetValid, 401},
		{"not yet valid within the skew", rs(m{"nbf": time.Now().Add(30 * time.Second).Unix()}), "", 0},
		{"unknown key", authtest.Sign(t, "RS256", "k9", "at+jwt", key, f.Claims(nil)), CodeUnknownKey, 401},
		{"key of somebody else", authtest.Sign(t, "RS256", "k1", "at+jwt", stranger, f.Claims(nil)), CodeSignature, 401},
		{"no signature, algorithm none", unsigned(f.Claims(nil)), CodeAlgorithm, 401},
		{"HS256 with the public key as secret", authtest.Sign(t, "HS256", "k1", "at+jwt", public, f.Claims(nil)), CodeAlgorithm, 401},
		{"an algorithm that is not in the list", authtest.Sign(t, "RS512", "k1", "at+jwt", key, f.Claims(nil)), CodeAlgorithm, 401},
		{"another algorithm in the list with the same key", authtest.Sign(t, "PS256", "k1", "at+jwt", key, f.Claims(nil)), "", 0},
		{"tampered", tamper(rs(nil)), CodeSignature, 401},
		{"missing role", rs(m{"roles": []string{"janitor"}}), CodeNoRole, 403},
		{"no roles at all", rs(m{"roles": nil}), CodeNoRole, 403},
		{"an ID token with a nonce", untyped(m{"nonce": "n"}), CodeTokenType, 401},
		{"an ID token with a hash", untyped(m{"at_hash": "n"}), CodeTokenType, 401},
		{"an ID token without client and scope", untyped(m{"scope": nil}), CodeTokenType, 401},
		{"an ID token that says so", untyped(m{"typ": "ID"}), CodeTokenType, 401},
		{"a token that says it is a bearer token", untyped(m{"typ": "Bearer"}), "", 0},
		{"a logout token", authtest.Sign(t, "RS256", "k1", "logout+jwt", key, f.Claims(nil)), CodeTokenType, 401},
		{"no subject", rs(m{"sub": nil}), CodeToken, 401},
		{"a subject with a line break", rs(m{"sub": "a\nb"}), CodeToken, 401},
		{"not a token", "abc", CodeToken, 401},
		{"three parts of nothing", "..", CodeToken, 401},
		{"too large", rs(m{"x": strings.Repeat("x", largestToken)}), CodeToken, 401},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := newTestOpenID(t, f, plainProvider)
			p, err := o.accessToken(t.Context(), c.token)
			if code, status := codeOf(err); code != c.code || status != c.status {
				t.Fatalf("%v, %v, want %d %q", p, err, c.status, c.code)
			}
			if c.code == "" && (p.ID != "oidc:corp:s1" || p.Name != "alice" || p.Roles != RolesOf(Operator) || p.Expires.IsZero()) {
				t.Errorf("principal %+v", p)
			}
		})
	}
}

func unsigned(c map[string]any) string {
	enc := base64.RawURLEncoding
	return enc.EncodeToString([]byte(`{"alg":"none","kid":"k1"}`)) + "." + enc.EncodeToString(mustJSON(c)) + "."
}

// tamper makes an admin of the operator, with the signature as it was.
func tamper(token string) string {
	parts := strings.Split(token, ".")
	body := must(base64.RawURLEncoding.DecodeString(parts[1]))
	parts[1] = base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(body), "operator", "admin", 1)))
	return strings.Join(parts, ".")
}

func TestAlgorithmsOfKeys(t *testing.T) {
	t.Parallel()
	ec, ed := ecKey(), edKey()
	f := newFake()
	f.Publish("ec", ec)
	f.Publish("ed", ed)
	o := newTestOpenID(t, f, plainProvider)
	for _, token := range []string{authtest.Sign(t, "ES256", "ec", "at+jwt", ec, f.Claims(nil)), authtest.Sign(t, "EdDSA", "ed", "at+jwt", ed, f.Claims(nil))} {
		if _, err := o.accessToken(t.Context(), token); err != nil {
			t.Error(err)
		}
	}
	only := plainProvider
	only.Algorithms = []string{"RS256"}
	_, err := newTestOpenID(t, f, only).accessToken(t.Context(), authtest.Sign(t, "ES256", "ec", "at+jwt", ec, f.Claims(nil)))
	if code, _ := codeOf(err); code != CodeAlgorithm {
		t.Errorf("ES256 where only RS256 is permitted: %v", err)
	}
}

// The shapes of the tokens of Microsoft Entra ID, versions 2.0 and 1.0.
func TestEntraTokens(t *testing.T) {
	t.Parallel()
	const tenant = "8a1d7f0e-0000-4000-8000-000000000001"
	v2, v1 := "https://login.example/"+tenant+"/v2.0", "https://sts.example/"+tenant+"/"
	provider := Provider{Name: "entra", Issuer: v2, ExtraIssuers: []string{v1}, Audiences: []string{"3c8e", "api://busbar"}, Tenant: tenant, SubjectClaim: "oid",
		Roles: []RoleRule{{Value: "Busbar.Operator", Role: "operator"}, {Claim: "scp", Value: "plant.write", Role: "engineer"}, {Claim: "groups", Value: "g-admins", Role: "admin"}}}
	now := time.Now()
	token := func(changes map[string]any) string {
		c := map[string]any{"aud": "3c8e", "iss": v2, "iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(time.Hour).Unix(), "azp": "77aa", "azpacr": "1",
			"name": "Alice Example", "oid": "0b3c", "preferred_username": "alice@example.com", "rh": "0.A", "roles": []string{"Busbar.Operator"},
			"sub": "pairwise", "tid": tenant, "uti": "x", "ver": "2.0"}
		for k, v := range changes {
			if c[k] = v; v == nil {
				delete(c, k)
			}
		}
		return authtest.Sign(t, "RS256", "k1", "JWT", authtest.Key(), c)
	}
	type m = map[string]any
	alice := func(roles ...Role) Principal {
		return Principal{ID: "oidc:entra:0b3c", Name: "alice@example.com", Roles: RolesOf(roles...)}
	}
	v1Token := m{"iss": v1, "aud": "api://busbar", "ver": "1.0", "appid": "77aa", "azp": nil, "azpacr": nil, "preferred_username": nil, "upn": "alice@example.com"}
	for _, c := range []struct {
		name, token, code string
		want              Principal
	}{
		{"version 2.0", token(nil), "", alice(Operator)},
		{"version 1.0 where it is set up", token(v1Token), "", alice(Operator)},
		{"delegated permission", token(m{"roles": nil, "scp": "profile plant.write"}), "", alice(Engineer)},
		{"group", token(m{"groups": []string{"g-admins"}}), "", alice(Operator, Admin)},
		{"application without a user", token(m{"preferred_username": nil, "name": nil}), "",
			Principal{ID: "oidc:entra:0b3c", Name: "77aa", Roles: RolesOf(Operator)}},
		{"wrong tenant", token(m{"tid": "other"}), CodeTenant, Principal{}},
		{"no tenant", token(m{"tid": nil}), CodeTenant, Principal{}},
		{"too many groups", token(m{"roles": nil, "_claim_names": m{"groups": "src1"}}), CodeNoRole, Principal{}},
		{"ID token of the same application", token(m{"azp": nil, "azpacr": nil}), CodeTokenType, Principal{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := authtest.New("https://login.example")
			p, err := newTestOpenID(t, f, provider).accessToken(t.Context(), c.token)
			if code, _ := codeOf(err); code != c.code {
				t.Fatalf("%v, want %q", err, c.code)
			}
			p.Expires = time.Time{}
			if diff := cmp.Diff(c.want, p); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSubtreesOfTokens(t *testing.T) {
	t.Parallel()
	provider := plainProvider
	provider.Subtrees = []SubtreeRule{{Claim: "realm.groups", Value: "north", Subtrees: []string{"ons2", "ons1"}},
		{Claim: "realm.groups", Value: "west", Subtrees: []string{"ons1", "ons3/t1"}}, {Value: "operator-of-all", Subtrees: []string{"*"}}}
	groups := func(g ...string) map[string]any { return map[string]any{"realm": map[string]any{"groups": g}} }
	for _, c := range []struct {
		name   string
		claims map[string]any
		want   []string
		code   string
	}{
		{"one group", groups("north", "x"), []string{"ons1", "ons2"}, ""},
		{"two groups", groups("west", "north"), []string{"ons1", "ons2", "ons3/t1"}, ""},
		{"no limit", map[string]any{"roles": []string{"operator", "operator-of-all"}}, nil, ""},
		{"none of them is not without limit", groups("x"), nil, CodeNoSubtree},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake()
			p, err := newTestOpenID(t, f, provider).accessToken(t.Context(), authtest.Sign(t, "RS256", "k1", "at+jwt", authtest.Key(), f.Claims(c.claims)))
			if code, _ := codeOf(err); code != c.code || !cmp.Equal(p.Subtrees, c.want) {
				t.Errorf("%v, %v, want %v, %q", p.Subtrees, err, c.want, c.code)
			}
		})
	}
}

func TestKeysAreRotated(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, second := newFake(), ecKey()
		o := newTestOpenID(t, f, plainProvider)
		old := authtest.Sign(t, "RS256", "k1", "at+jwt", authtest.Key(), f.Claims(nil))
		rotated := func() string { return authtest.Sign(t, "ES256", "k2", "at+jwt", second, f.Claims(nil)) }
		if _, err := o.accessToken(t.Context(), old); err != nil {
			t.Fatal(err)
		}
		_, err := o.accessToken(t.Context(), rotated())
		if code, _ := codeOf(err); code != CodeUnknownKey {
			t.Fatalf("a key that is not published yet: %v", err)
		}
		f.Publish("k2", second)
		if _, err := o.accessToken(t.Context(), rotated()); err != nil {
			t.Fatalf("after the rotation: %v", err)
		}
		f.Fetches()
		for range 1000 { // a flood of tokens with keys that do not exist
			_, err := o.accessToken(t.Context(), authtest.Sign(t, "ES256", "k3", "at+jwt", second, f.Claims(nil)))
			if code, _ := codeOf(err); code != CodeUnknownKey {
				t.Fatal(err)
			}
		}
		if n := f.Fetches(); n > unknownKeyBurst {
			t.Errorf("1000 tokens with unknown keys asked the provider %d times, want %d at most", n, unknownKeyBurst)
		}
		time.Sleep(unknownKeyEvery)
		f.Publish("k3", second)
		if _, err := o.accessToken(t.Context(), authtest.Sign(t, "ES256", "k3", "at+jwt", second, f.Claims(nil))); err != nil {
			t.Errorf("rotated after a flood: %v", err)
		}
	})
}

func TestProviderIsAwayAndComesBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.SetAway(true)
		o := newTestOpenID(t, f, plainProvider)
		token := authtest.Sign(t, "RS256", "k1", "at+jwt", authtest.Key(), f.Claims(map[string]any{"exp": time.Now().Add(24 * time.Hour).Unix()}))
		for range 3 {
			_, err := o.accessToken(t.Context(), token)
			if code, status := codeOf(err); code != CodeProvider || status != 503 {
				t.Fatalf("%v, want %s", err, CodeProvider)
			}
		}
		f.SetAway(false)
		_, err := o.accessToken(t.Context(), token)
		if code, _ := codeOf(err); code != CodeProvider {
			t.Fatalf("within the back-off: %v", err)
		}
		time.Sleep(shortestBackOff)
		if _, err := o.accessToken(t.Context(), token); err != nil {
			t.Fatalf("when it is back: %v", err)
		}
		f.SetAway(true)
		time.Sleep(time.Hour)
		if _, err := o.accessToken(t.Context(), token); err != nil {
			t.Errorf("away again, with keys that are known: %v", err)
		}
	})
}

func TestWithdrawnKeyIsForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		o := newTestOpenID(t, f, plainProvider)
		go o.issuers[plainProvider.Issuer].keepFresh(t.Context())
		synctest.Wait()
		token := authtest.Sign(t, "RS256", "k1", "at+jwt", authtest.Key(), f.Claims(map[string]any{"exp": time.Now().Add(24 * time.Hour).Unix()}))
		if _, err := o.accessToken(t.Context(), token); err != nil {
			t.Fatal(err)
		}
		f.Withdraw()
		f.Publish("k2", ecKey())
		time.Sleep(refreshKeys + time.Second)
		_, err := o.accessToken(t.Context(), token)
		if code, _ := codeOf(err); code != CodeUnknownKey {
			t.Errorf("with a key that was withdrawn an hour ago: %v", err)
		}
	})
}

func FuzzTokenHead(f *testing.F) {
	f.Add("eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUifQ.c2ln")
	f.Add("..")
	f.Add("e30.e30.e30")
	f.Fuzz(func(t *testing.T, raw string) {
		h, err := parseHead(raw)
		if err != nil && h != (jwtHead{}) {
			t.Errorf("%q: %+v with %v", raw, h, err)
		}
	})
}

func FuzzClaims(f *testing.F) {
	f.Add([]byte(`{"aud":["a"],"exp":1e9,"roles":{"operator":{}},"scp":"a b","realm":{"roles":["x"]}}`))
	f.Add([]byte(`{"aud":1,"exp":-1e400}`))
	p := plainProvider
	if err := p.prepare(); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		c, err := parseClaims(payload)
		if err != nil {
			return
		}
		if out, err := p.principal(c); err == nil && (out.Roles == 0 || out.ID == "oidc:corp:" || out.Name == "") {
			t.Errorf("%s: accepted as %+v", payload, out)
		}
		if p.checkAccess(jwtHead{}, c, time.Unix(1e9, 0)) == nil && !c.has("exp") {
			t.Errorf("%s: accepted without an end", payload)
		}
	})
}
