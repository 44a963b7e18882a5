package auth

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// largestToken is the largest token that is looked at, in octets.
const largestToken = 16 << 10

// jwtHead is what is read of a token before its signature is checked: it only
// says with what to check.
type jwtHead struct {
	Algorithm string `json:"alg"`
	KeyID     string `json:"kid"`
	Type      string `json:"typ"`
	issuer    string
}

var errNotJWT = unauthorized(CodeToken, "the bearer token is neither an API token nor a JSON Web Token")

// parseHead parses the head and the issuer of a token.
func parseHead(raw string) (jwtHead, error) {
	parts := strings.Split(raw, ".")
	if len(raw) > largestToken || len(parts) != 3 {
		return jwtHead{}, errNotJWT
	}
	var h jwtHead
	var body struct {
		Issuer string `json:"iss"`
	}
	if decodePart(parts[0], &h) != nil || decodePart(parts[1], &body) != nil {
		return jwtHead{}, errNotJWT
	}
	h.issuer = body.Issuer
	return h, nil
}

func decodePart(part string, into any) error {
	data, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, into)
}

// accessToken returns whom an access token stands for and until when. The
// order of the checks is: issuer, algorithm, key, signature, and only then what
// the token says.
func (o *openID) accessToken(ctx context.Context, raw string) (Principal, error) {
	h, err := parseHead(raw)
	if err != nil {
		return Principal{}, err
	}
	p := o.owner[h.issuer]
	if p == nil {
		return Principal{}, unauthorized(CodeIssuer, "no provider is set up whose issuer is %q", clip(h.issuer))
	}
	c, err := o.verify(ctx, p, h, raw)
	if err != nil {
		return Principal{}, err
	}
	if err := p.checkAccess(h, c, time.Now()); err != nil {
		return Principal{}, err
	}
	out, err := p.principal(c)
	if err != nil {
		return Principal{}, err
	}
	expires, _ := c.at("exp")
	out.Expires = expires.Add(p.Skew)
	return out, nil
}

func clip(s string) string {
	if s = printable(s); len(s) > 100 {
		return strings.ToValidUTF8(s[:100], "") + "…"
	}
	return s
}

// verify checks the signature of a token and returns what it says.
func (o *openID) verify(ctx context.Context, p *Provider, h jwtHead, raw string) (claims, error) {
	if !slices.Contains(p.Algorithms, h.Algorithm) {
		return nil, unauthorized(CodeAlgorithm, "the token is signed with algorithm %q, want %s", clip(h.Algorithm), strings.Join(p.Algorithms, ", "))
	}
	keys, err := o.issuers[h.issuer].candidates(ctx, h.KeyID, h.Algorithm)
	switch {
	case errors.Is(err, errUnknownKey):
		return nil, unauthorized(CodeUnknownKey, "the token is signed with key %q, which provider %s does not have", clip(h.KeyID), p.Name)
	case err != nil:
		return nil, away(p)
	}
	sig, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(h.Algorithm)})
	if err != nil {
		return nil, errNotJWT
	}
	for _, k := range keys {
		payload, err := sig.Verify(k.Key)
		if err != nil {
			continue
		}
		c, err := parseClaims(payload)
		if err != nil || c.text("iss") != h.issuer {
			return nil, errNotJWT
		}
		return c, nil
	}
	return nil, unauthorized(CodeSignature, "the signature of the token is wrong")
}

// away is the refusal while a provider does not answer.
func away(p *Provider) error {
	e := refuse(http.StatusServiceUnavailable, CodeProvider, "provider %s does not answer, its tokens cannot be checked", p.Name)
	e.RetryAfter = 5
	return e
}

// checkAccess checks what an access token says about itself.
func (p *Provider) checkAccess(h jwtHead, c claims, now time.Time) error {
	if err := checkType(h, c); err != nil {
		return err
	}
	if err := p.checkTimes(c, now); err != nil {
		return err
	}
	aud := c.audience()
	if !slices.ContainsFunc(aud, func(a string) bool { return slices.Contains(p.Audiences, a) }) {
		return unauthorized(CodeAudience, "the token is meant for %q, not for Busbar", clip(strings.Join(aud, " ")))
	}
	return p.checkTenant(c)
}

func (p *Provider) checkTenant(c claims) error {
	if p.Tenant != "" && c.text("tid") != p.Tenant {
		return forbidden(CodeTenant, "the token is of tenant %q, which is not the one that is set up", clip(c.text("tid")))
	}
	return nil
}

// checkType refuses what is signed by the same provider and is not an access
// token. Access tokens by RFC 9068 have their own type. Others tell them apart
// by a claim typ, as Keycloak does, or only by what they hold: an ID token has a
// nonce or the hash of another token, and no client or scope that it was issued to.
func checkType(h jwtHead, c claims) error {
	switch typ := strings.TrimPrefix(strings.ToLower(h.Type), "application/"); {
	case typ == "at+jwt":
		return nil
	case typ != "" && typ != "jwt":
		return unauthorized(CodeTokenType, "the token is of type %q, want an access token", clip(h.Type))
	case c.has("typ") && !strings.EqualFold(c.text("typ"), "Bearer"):
		return unauthorized(CodeTokenType, "the token is of type %q, want an access token", clip(c.text("typ")))
	case c.has("nonce", "at_hash", "c_hash", "s_hash", "events"), !c.has("azp", "appid", "client_id", "cid", "scp", "scope"):
		return unauthorized(CodeTokenType, "the token is an ID token, want an access token")
	}
	return nil
}

func (p *Provider) checkTimes(c claims, now time.Time) error {
	exp, ok := c.at("exp")
	if !ok {
		return unauthorized(CodeToken, "the token does not say when it expires")
	}
	if !now.Before(exp.Add(p.Skew)) {
		return unauthorized(CodeExpired, "the token expired at %s", exp.UTC().Format(time.RFC3339))
	}
	for _, name := range []string{"nbf", "iat"} {
		if !c.has(name) {
			continue
		}
		from, ok := c.at(name)
		if !ok {
			return unauthorized(CodeToken, "the claim %s of the token is not a time", name)
		}
		if now.Add(p.Skew).Before(from) {
			return unauthorized(CodeNotYetValid, "the token is not valid before %s", from.UTC().Format(time.RFC3339))
		}
	}
	return nil
}
