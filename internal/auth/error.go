package auth

import (
	"fmt"
	"net/http"
)

// Error is why somebody was refused. Detail may be shown to whoever asked: it
// names what was wrong with what was presented and nothing of what is stored.
type Error struct {
	Status int    // of HTTP: 401, 403, 404, 409, 422, 429 or 503
	Code   string // stable, for programs: one of the constants of this package
	Detail string // one sentence, for people
	// RetryAfter are the seconds after which trying again makes sense; 0: not known.
	RetryAfter int
	// Field names the member of the request that is wrong, "password"; empty: none.
	Field string
}

func (e *Error) Error() string { return e.Code + ": " + e.Detail }

// The codes of the refusals.
const (
	CodeUnauthenticated = "unauthenticated"      // 401: nothing was presented
	CodeCredentials     = "invalid-credentials"  // 401: name, password or code is wrong, or the account is locked or disabled
	CodeSecondFactor    = "totp-required"        // 401: the password is right, and a code is wanted too
	CodeSession         = "invalid-session"      // 401: the session has ended
	CodeToken           = "invalid-token"        // 401: not a token at all, tampered with, or withdrawn
	CodeExpired         = "token-expired"        // 401
	CodeNotYetValid     = "token-not-yet-valid"  // 401
	CodeAlgorithm       = "token-algorithm"      // 401: alg is not in the list of those permitted
	CodeUnknownKey      = "token-unknown-key"    // 401: the provider has no such key
	CodeSignature       = "token-signature"      // 401: tampered with, or signed by somebody else
	CodeIssuer          = "token-issuer"         // 401: no provider is set up that issues this
	CodeAudience        = "token-audience"       // 401: meant for somebody else
	CodeTokenType       = "token-type"           // 401: an ID token or refresh token, not an access token
	CodeTenant          = "token-tenant"         // 403: of another tenant
	CodeNoRole          = "no-role"              // 403: nothing in the token maps to a role
	CodeNoSubtree       = "no-subtree"           // 403: nothing in the token maps to a subtree, and some are set up
	CodeForbidden       = "forbidden"            // 403: more than the principal may
	CodeCSRF            = "csrf"                 // 403: a change with a cookie that does not come from our own pages
	CodePassword        = "password-rules"       // 422: the new password breaks a rule
	CodeInvalid         = "invalid"              // 422: something else in the request is wrong
	CodeNotFound        = "not-found"            // 404
	CodeConflict        = "conflict"             // 409: the name is taken, or it was changed by somebody else
	CodeLastAdmin       = "last-admin"           // 409: nobody could manage users any more
	CodeSelf            = "own-account"          // 409: nobody removes himself
	CodeTooMany         = "too-many-attempts"    // 429
	CodeProvider        = "provider-unavailable" // 503: the provider of identities does not answer
	CodeBusy            = "busy"                 // 503: too many sign-ins at once
)

func refuse(status int, code, format string, args ...any) *Error {
	return &Error{Status: status, Code: code, Detail: fmt.Sprintf(format, args...)}
}

// unauthorized is refuse with status 401.
func unauthorized(code, format string, args ...any) *Error {
	return refuse(http.StatusUnauthorized, code, format, args...)
}

// forbidden is refuse with status 403.
func forbidden(code, format string, args ...any) *Error {
	return refuse(http.StatusForbidden, code, format, args...)
}

// invalid is refuse with status 422 and the member of the request that is wrong.
func invalid(field, code, format string, args ...any) *Error {
	e := refuse(http.StatusUnprocessableEntity, code, format, args...)
	e.Field = field
	return e
}
