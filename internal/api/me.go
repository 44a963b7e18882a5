package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"busbar/internal/auth"
	"busbar/internal/store"
)

func registerMe(a *api) {
	const tag = "me"
	register(a, op{ID: "getMe", Method: http.MethodGet, Path: "/me", Tag: tag, SignedIn: true, Summary: "Who asks, and what he may do"}, a.getMe)
	register(a, op{
		ID: "listMySessions", Method: http.MethodGet, Path: "/me/sessions", Tag: tag, Role: auth.Viewer, Scope: scopeSelf, Summary: "The own sessions",
	}, a.listMySessions)
	register(a, op{
		ID: "endMySession", Method: http.MethodDelete, Path: "/me/sessions/{id}", Tag: tag, Role: auth.Viewer, Scope: scopeSelf,
		Status: http.StatusNoContent, Summary: "End one of the own sessions", Errors: []int{http.StatusNotFound},
	}, a.endMySession)
	register(a, op{
		ID: "changePassword", Method: http.MethodPost, Path: "/auth/password", Tag: tag, SignedIn: true, Status: http.StatusNoContent,
		Summary: "Change the own password", Description: "Ends all other sessions of the account.",
	}, a.changePassword)
	register(a, op{
		ID: "beginTOTP", Method: http.MethodPost, Path: "/auth/totp", Tag: tag, Role: auth.Viewer, Scope: scopeSelf,
		Summary:     "Begin to set up a second factor for the own account",
		Description: "Wants the password again. Nothing changes before confirmTOTP gets the first code.", Errors: []int{http.StatusConflict},
	}, a.beginTOTP)
	register(a, op{
		ID: "confirmTOTP", Method: http.MethodPost, Path: "/auth/totp/verify", Tag: tag, Role: auth.Viewer, Scope: scopeSelf,
		Summary:     "Turn the second factor on, with its first code",
		Description: "Answers recovery codes, which are shown this once.", Errors: []int{http.StatusConflict},
	}, a.confirmTOTP)
	register(a, op{
		ID: "removeTOTP", Method: http.MethodPost, Path: "/auth/totp/remove", Tag: tag, Role: auth.Viewer, Scope: scopeSelf, Status: http.StatusNoContent,
		Summary: "Turn the second factor of the own account off", Description: "Wants the password again.",
	}, a.removeTOTP)
	register(a, op{
		ID: "listRoles", Method: http.MethodGet, Path: "/roles", Tag: tag, Role: auth.Viewer, Scope: scopeSelf, Summary: "The roles there are",
	}, a.listRoles)
}

// Me is who asks.
type Me struct {
	ID         string     `json:"id" doc:"user:…, token:… or oidc:provider:subject" example:"user:0190"`
	Name       string     `json:"name" example:"alice"`
	Roles      []string   `json:"roles" nullable:"false" example:"[\"operator\"]"`
	Subtrees   []string   `json:"subtrees" nullable:"false" doc:"Ids of points that the principal is limited to; empty: there is no limit"`
	MustChange bool       `json:"mustChangePassword" doc:"Nothing is possible before the password is changed"`
	TOTP       bool       `json:"totp" doc:"Signs in with a second factor"`
	Session    string     `json:"session,omitempty" doc:"Id of the session"`
	Expires    *time.Time `json:"expires,omitempty" doc:"When the session or token ends at the latest"`
}

func (a *api) meOf(ctx context.Context, p auth.Principal) (Me, error) {
	totp, err := a.deps.Accounts.HasSecondFactor(ctx, p)
	return Me{ID: p.ID, Name: p.Name, Roles: p.Roles.Names(), Subtrees: orEmpty(p.Subtrees), MustChange: p.MustChange, TOTP: totp,
		Session: p.Session, Expires: timeOrNone(p.Expires)}, err
}

func orEmpty(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

type meOutput struct{ Body Me }

func (a *api) getMe(ctx context.Context, _ *struct{}) (*meOutput, error) {
	me, err := a.meOf(ctx, actor(ctx).Principal)
	return &meOutput{me}, err
}

// Session is a sign-in with a browser that lasts.
type Session struct {
	ID       string    `json:"id"`
	Current  bool      `json:"current" doc:"The one that asks"`
	Address  string    `json:"address" doc:"Of the browser, at the sign-in" example:"192.0.2.7"`
	Agent    string    `json:"agent" doc:"What the browser calls itself"`
	Created  time.Time `json:"created"`
	LastSeen time.Time `json:"lastSeen" doc:"To the minute"`
	Expires  time.Time `json:"expires" doc:"If it is not used until then"`
}

type sessionsOutput struct{ Body list[Session] }

func (a *api) sessionsOf(ctx context.Context, principal string) (*sessionsOutput, error) {
	all, err := a.deps.Accounts.Sessions(ctx, principal)
	if err != nil {
		return nil, err
	}
	out := &sessionsOutput{list[Session]{Items: []Session{}}}
	for _, s := range all {
		out.Body.Items = append(out.Body.Items, sessionView(s, actor(ctx).Session))
	}
	return out, nil
}

func sessionView(s store.Session, current string) Session {
	return Session{ID: s.ID, Current: s.ID == current, Address: s.Address, Agent: s.Agent, Created: s.Created, LastSeen: s.LastSeen, Expires: s.Expires}
}

func (a *api) listMySessions(ctx context.Context, _ *struct{}) (*sessionsOutput, error) {
	return a.sessionsOf(ctx, actor(ctx).ID)
}

type sessionInput struct {
	ID string `path:"id" maxLength:"64" doc:"Of the session"`
}

func (a *api) endMySession(ctx context.Context, in *sessionInput) (*struct{}, error) {
	return nil, a.deps.Accounts.EndSession(ctx, actor(ctx).ID, in.ID)
}

type passwordInput struct {
	Body struct {
		Current  string `json:"currentPassword" maxLength:"1024" doc:"The present one"`
		Password string `json:"newPassword" maxLength:"1024" doc:"12 characters or more, 5 different ones or more, without the name of the account, not a common one"`
	}
}

func (a *api) changePassword(ctx context.Context, in *passwordInput) (*struct{}, error) {
	noteObject(ctx, "users/"+strings.TrimPrefix(actor(ctx).ID, "user:"))
	return nil, a.deps.Accounts.ChangePassword(ctx, actor(ctx).Principal, in.Body.Current, in.Body.Password)
}

type proofInput struct {
	Body struct {
		Password string `json:"password" maxLength:"1024" doc:"Of the account"`
	}
}

// TOTPSecret is a new second factor that waits for its first code.
type TOTPSecret struct {
	Secret string `json:"secret" doc:"To be typed into an authenticator app (base32; SHA-1, 6 digits, 30 s)"`
	URL    string `json:"url" doc:"The same as address, to be shown as a QR code"`
}

type totpOutput struct{ Body TOTPSecret }

func (a *api) beginTOTP(ctx context.Context, in *proofInput) (*totpOutput, error) {
	secret, address, err := a.deps.Accounts.BeginTOTP(ctx, actor(ctx).Principal, in.Body.Password)
	return &totpOutput{TOTPSecret{secret, address}}, err
}

type codeInput struct {
	Body struct {
		Code string `json:"code" maxLength:"64" doc:"That the app shows" example:"123456"`
	}
}

// RecoveryCodes stand in for codes of the app, each once.
type RecoveryCodes struct {
	Codes []string `json:"recoveryCodes" nullable:"false" doc:"Shown this once"`
}

type recoveryOutput struct{ Body RecoveryCodes }

func (a *api) confirmTOTP(ctx context.Context, in *codeInput) (*recoveryOutput, error) {
	codes, err := a.deps.Accounts.ConfirmTOTP(ctx, actor(ctx).Principal, in.Body.Code)
	return &recoveryOutput{RecoveryCodes{codes}}, err
}

func (a *api) removeTOTP(ctx context.Context, in *proofInput) (*struct{}, error) {
	return nil, a.deps.Accounts.RemoveTOTP(ctx, actor(ctx).Principal, in.Body.Password)
}

// RoleInfo is a role.
type RoleInfo struct {
	Name        string `json:"name" example:"operator"`
	Description string `json:"description"`
}

type rolesOutput struct{ Body list[RoleInfo] }

func (a *api) listRoles(context.Context, *struct{}) (*rolesOutput, error) {
	return &rolesOutput{list[RoleInfo]{Items: []RoleInfo{
		{auth.Viewer.String(), "Sees points, links, the plant and logs. Every role may do that."},
		{auth.Operator.String(), "Issues commands, substitutes and blocks values."},
		{auth.Engineer.String(), "Changes the plant."},
		{auth.Admin.String(), "Manages users, tokens and the system, and may do everything else."},
	}}}, nil
}
