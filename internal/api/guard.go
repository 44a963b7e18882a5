package api

import (
	"errors"
	"net/http"
	"strconv"

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
		if o.AnyQuery {
			r.URL = withQuery(r.URL, o.query)
		}
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

// refusedProblem tells why package auth refused somebody.
func refusedProblem(e *auth.Error) *Problem {
	p := problem(e.Status, e.Code, e.Detail)
	if e.Field != "" {
		p.Errors = []Fault{{Location: e.Field, Message: e.Detail}}
	}
	p.headers = http.Header{}
	if e.Status == http.StatusUnauthorized {
		p.headers.Set("WWW-Authenticate", `Bearer realm="busbar"`)
	}
	if e.RetryAfter > 0 {
		p.headers.Set("Retry-After", strconv.Itoa(e.RetryAfter))
	}
	return p
}

// refusal is the problem of a request whose sender is not known.
func (a *api) refusal(req *request, err error) *Problem {
	var refused *auth.Error
	if errors.As(err, &refused) {
		return refusedProblem(refused)
	}
	if !errors.Is(err, errNobody) {
		a.log.Error("sign-in cannot be checked", "request", req.id, "error", err)
		return unavailable("the sign-in cannot be checked")
	}
	return refusedProblem(&auth.Error{Status: http.StatusUnauthorized, Code: auth.CodeUnauthenticated, Detail: "sign in, or send an API token"})
}
