package api

import (
	"errors"
	"net/http"

	"busbar/internal/auth"
)

// guard lets a request pass to the handler of a route if who asks may, and if
// its content types are those of the route.
func (a *api) guard(o *op, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		req := requestOf(r.Context())
		req.op = o
		if p := a.admit(req); p != nil {
			a.fail(req, p)
			return
		}
		if p := negotiate(o, r); p != nil {
			a.fail(req, p)
			return
		}
		if r.ContentLength > o.MaxBody {
			a.fail(req, tooLarge(o.MaxBody))
			return
		}
		r = r.WithContext(auth.With(r.Context(), req.who))
		if r.Body != nil {
			r.Body = http.MaxBytesReader(w, r.Body, o.MaxBody)
		}
		req.http = r
		next(w, r)
	}
}

// admit finds out who asks and returns why he may not; nil if he may.
func (a *api) admit(req *request) *Problem {
	o := req.op
	if o.Public {
		return nil
	}
	who, err := a.deps.Auth.Authenticate(req.http)
	if err != nil {
		return a.refusal(req, err)
	}
	req.who = who
	if wait := a.limits.principal(who.ID); wait > 0 {
		return tooMany(wait, "too many requests of "+who.Name)
	}
	return permit(o, who)
}

// permit returns why a principal may not use a route; nil if he may.
func permit(o *op, who auth.Principal) *Problem {
	switch {
	case o.SignedIn:
		return nil
	case who.MustChange:
		return problem(http.StatusForbidden, "password-change-required", "the password must be changed first, with POST "+base+"/auth/password")
	case !who.May(o.Role):
		return problem(http.StatusForbidden, "forbidden", "this needs the role "+o.Role.String())
	case who.Limited() && o.Scope == scopeWhole:
		return problem(http.StatusForbidden, "limited", "this is not possible for who is limited to a part of the points")
	}
	return nil
}

// refusal is the problem of a request whose sender is not known.
func (a *api) refusal(req *request, err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	p = problem(http.StatusUnauthorized, "unauthenticated", "sign in, or send an API token")
	p.headers = http.Header{"Www-Authenticate": {`Bearer realm="busbar"`}}
	return p
}
