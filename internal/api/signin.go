package api

import (
	"context"
	"html"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"busbar/internal/auth"
)

// registerIdentity registers signing in, accounts, sessions and tokens.
func registerIdentity(a *api) {
	registerSignIn(a)
	registerMe(a)
	registerUsers(a)
	registerTokens(a)
}

func registerSignIn(a *api) {
	const tag = "sign-in"
	register(a, op{
		ID: "login", Method: http.MethodPost, Path: "/auth/login", Tag: tag, Public: true, Harmless: true, // audited with the name that was tried
		Summary: "Sign in with a local account",
		Description: "Begins a session, whose cookie the answer sets. Problems: invalid-credentials, totp-required (the password is right, " +
			"a code is missing), too-many-attempts, busy.",
		Errors: []int{http.StatusUnauthorized, http.StatusForbidden},
	}, a.login)
	register(a, op{
		ID: "logout", Method: http.MethodPost, Path: "/auth/logout", Tag: tag, SignedIn: true, Status: http.StatusNoContent,
		Summary: "End the own session",
	}, a.logout)
	register(a, op{
		ID: "listProviders", Method: http.MethodGet, Path: "/auth/providers", Tag: tag, Public: true,
		Summary: "The providers of identities that people can sign in with",
	}, a.listProviders)
	register(a, op{
		ID: "beginOIDC", Method: http.MethodGet, Path: "/auth/oidc/{provider}/start", Tag: tag, Public: true, Status: http.StatusSeeOther,
		Summary: "Begin to sign in with a provider: leads the browser there",
		Errors:  []int{http.StatusNotFound},
	}, a.beginOIDC)
	register(a, op{
		ID: "finishOIDC", Method: http.MethodGet, Path: "/auth/oidc/{provider}/callback", Tag: tag, Public: true, AnyQuery: true,
		Summary:  "Where the provider leads the browser back to: begins a session and leads on",
		Produces: []string{"text/html"},
		Errors:   []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound},
	}, a.finishOIDC)
}

type loginInput struct {
	Body struct {
		Name     string `json:"name" maxLength:"200" doc:"Of the account" example:"alice"`
		Password string `json:"password" maxLength:"1024"`
		Code     string `json:"code,omitempty" maxLength:"64" doc:"Of the second factor, or a recovery code"`
	}
}

type loginOutput struct {
	SetCookie string `header:"Set-Cookie" doc:"The session"`
	Body      Me
}

func (a *api) login(ctx context.Context, in *loginInput) (*loginOutput, error) {
	r, accounts := requestOf(ctx).http, a.deps.Accounts
	if err := accounts.CheckOrigin(r); err != nil {
		return nil, err
	}
	opened, err := accounts.SignIn(ctx, auth.Credentials{Name: in.Body.Name, Password: in.Body.Password, Code: in.Body.Code}, auth.ClientOf(r))
	if err != nil {
		return nil, err
	}
	me, err := a.meOf(ctx, opened.Principal)
	if err != nil {
		return nil, err
	}
	return &loginOutput{SetCookie: accounts.Cookie(opened, accounts.Secure(r)).String(), Body: me}, nil
}

type logoutOutput struct {
	SetCookie string `header:"Set-Cookie" doc:"Removes the session"`
}

func (a *api) logout(ctx context.Context, _ *struct{}) (*logoutOutput, error) {
	if err := a.deps.Accounts.SignOut(ctx, actor(ctx).Principal); err != nil {
		return nil, err
	}
	r := requestOf(ctx).http
	return &logoutOutput{SetCookie: a.deps.Accounts.Cookie(auth.Opened{}, a.deps.Accounts.Secure(r)).String()}, nil
}

// Provider is a provider of identities that people can sign in with.
type Provider struct {
	Name  string `json:"name" example:"entra"`
	Title string `json:"title" doc:"What the button says" example:"Company account"`
	Start string `json:"start" doc:"Where to lead the browser" example:"/api/v1/auth/oidc/entra/start"`
}

type providersOutput struct{ Body list[Provider] }

func (a *api) listProviders(context.Context, *struct{}) (*providersOutput, error) {
	out := &providersOutput{list[Provider]{Items: []Provider{}}}
	for _, p := range a.deps.Accounts.SignInProviders() {
		out.Body.Items = append(out.Body.Items, Provider{p.Name, p.Title, base + "/auth/oidc/" + p.Name + "/start"})
	}
	return out, nil
}

type beginInput struct {
	Provider string `path:"provider" maxLength:"63" doc:"Name of the provider, as listProviders has it" example:"entra"`
	Next     string `query:"next" maxLength:"1024" doc:"Path of our own to lead to after the sign-in; anything else leads to /"`
}

type beginOutput struct {
	Location  string `header:"Location"`
	SetCookie string `header:"Set-Cookie" doc:"What the sign-in needs when the browser comes back"`
}

func (a *api) beginOIDC(ctx context.Context, in *beginInput) (*beginOutput, error) {
	callback := base + "/auth/oidc/" + in.Provider + "/callback"
	location, cookie, err := a.deps.Accounts.BeginCode(requestOf(ctx).http, in.Provider, callback, in.Next)
	if err != nil {
		return nil, err
	}
	return &beginOutput{Location: location, SetCookie: cookie.String()}, nil
}

type finishInput struct {
	Provider string `path:"provider" maxLength:"63" doc:"Name of the provider, as listProviders has it" example:"entra"`
	State    string `query:"state" maxLength:"1024" doc:"What beginOIDC has given to the provider"`
	Code     string `query:"code" maxLength:"4096" doc:"What the provider gives for tokens, once"`
	Error    string `query:"error" maxLength:"1024" doc:"Why the provider refuses"`
	Issuer   string `query:"iss" maxLength:"1024" doc:"Issuer of the answer"`
}

// finishOIDC answers with a page that leads on, not with a redirect: a browser
// does not send a Strict cookie with a request that another site has caused.
func (a *api) finishOIDC(ctx context.Context, in *finishInput) (*huma.StreamResponse, error) {
	req := requestOf(ctx)
	opened, next, remove, err := a.deps.Accounts.FinishCode(req.http, in.Provider)
	http.SetCookie(req.answer, remove)
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(huma.Context) {
		http.SetCookie(req.answer, a.deps.Accounts.Cookie(opened, a.deps.Accounts.Secure(req.http)))
		req.answer.Header().Set("Content-Type", "text/html; charset=utf-8")
		to := html.EscapeString(next)
		_, err := req.answer.Write([]byte("<!doctype html><title>Busbar</title><meta http-equiv=\"refresh\" content=\"0;url=" + to +
			"\"><a href=\"" + to + "\">Signed in</a>\n"))
		if err != nil {
			a.log.Debug("http client left before the answer", "request", req.id, "error", err)
		}
	}}, nil
}

// timeOrNone returns nil for no time.
func timeOrNone(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
