package api

import "busbar/internal/auth"

// problemCode is a kind of problem as the documentation tells it.
type problemCode struct{ Code, Meaning string }

// problemCodes are all kinds of problems. The types of problems point at their entries.
func problemCodes() []problemCode {
	return []problemCode{
		{"malformed", "The body is no JSON, or there is none."},
		{auth.CodeUnauthenticated, "Nobody has signed in: send a token or the cookie of a session."},
		{auth.CodeCredentials, "Name, password or code is wrong, or the account is locked or disabled."},
		{auth.CodeSecondFactor, "The password is right, and a code of the second factor is wanted too."},
		{auth.CodeSession, "The session has ended."},
		{auth.CodeToken, "The token is none, was tampered with, or was withdrawn."},
		{auth.CodeExpired, "The token has expired."},
		{auth.CodeNotYetValid, "The token is not valid yet."},
		{auth.CodeAlgorithm, "The token is signed with an algorithm that is not permitted."},
		{auth.CodeUnknownKey, "The provider has no such key."},
		{auth.CodeSignature, "The token was tampered with, or signed by somebody else."},
		{auth.CodeIssuer, "No provider is set up that issues this token."},
		{auth.CodeAudience, "The token is meant for somebody else."},
		{auth.CodeTokenType, "An ID token or refresh token, not an access token."},
		{auth.CodeTenant, "The token is of another tenant."},
		{auth.CodeNoRole, "Nothing in the token maps to a role."},
		{auth.CodeNoSubtree, "Nothing in the token maps to a part of the points, and parts are set up."},
		{auth.CodeForbidden, "This needs a role that you do not have."},
		{"limited", "You are limited to a part of the points, and this concerns more than that."},
		{auth.CodeCSRF, "A change with the cookie of a session that does not come from Busbar's own pages: send X-Busbar-CSRF: 1."},
		{"password-change-required", "The password must be changed first."},
		{auth.CodePassword, "The new password breaks a rule."},
		{auth.CodeNotFound, "There is no such thing, or nothing at this path."},
		{"method-not-allowed", "This is not possible here; the header Allow says what is."},
		{"not-acceptable", "None of the content types in Accept is answered."},
		{"timeout", "The request came too slowly."},
		{"gone", "The client left before the answer."},
		{auth.CodeConflict, "It is there already, or somebody else has changed it meanwhile."},
		{"given-before", "An order with this id was given before; errors tells what became of it. Nothing was carried out."},
		{auth.CodeLastAdmin, "Nobody could manage users any more."},
		{auth.CodeSelf, "Nobody removes himself."},
		{"file-managed", "The plant comes from a file, which is the only writer."},
		{"in-use", "Something else refers to it."},
		{"not-applied", "The change could not be put into force; the previous plant is."},
		{"precondition-failed", "It is not, or no longer, as If-Match or If-None-Match demand."},
		{"precondition-required", "This needs If-Match."},
		{"not-modified", "It is still as you have it."},
		{"too-large", "The body is too large."},
		{"unsupported-media-type", "The body has a content type that this does not take."},
		{auth.CodeInvalid, "A parameter, a member of the body or the cursor is wrong; errors tells every fault."},
		{"invalid-plant", "The plant would be faulty; errors tells every fault with its path. Nothing was changed."},
		{"too-many-requests", "Too many requests, or too many streams; Retry-After says when to come again."},
		{auth.CodeTooMany, "Too many attempts to sign in; Retry-After says when to come again."},
		{"internal", "Something went wrong in Busbar; the log tells more under the id."},
		{"unavailable", "What this needs is not there at the moment."},
		{"no-key", "There is no key for secrets, or another one."},
		{auth.CodeProvider, "The provider of identities does not answer."},
		{auth.CodeBusy, "Too many sign-ins at once."},
	}
}
