package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"busbar/internal/auth"
	"busbar/internal/store"
)

func registerUsers(a *api) {
	const tag = "users"
	route := func(id, method, path, summary string, errors ...int) op {
		return op{ID: id, Method: method, Path: path, Tag: tag, Role: auth.Admin, Summary: summary, Errors: errors}
	}
	const missing, conflicts, unlike = http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed
	register(a, route("listUsers", http.MethodGet, "/users", "The local accounts, by name"), a.listUsers)
	create := route("createUser", http.MethodPost, "/users", "Add a local account, with a one-time password", conflicts)
	create.Status = http.StatusCreated
	register(a, create, a.createUser)
	register(a, route("getUser", http.MethodGet, "/users/{id}", "A local account", missing, http.StatusNotModified, unlike), a.getUser)
	register(a, route("putUser", http.MethodPut, "/users/{id}", "Change what a local account may do", missing, conflicts, unlike), a.putUser)
	remove := route("deleteUser", http.MethodDelete, "/users/{id}", "Remove a local account and end its sessions", missing, conflicts)
	remove.Status = http.StatusNoContent
	register(a, remove, a.deleteUser)
	reset := route("resetPassword", http.MethodPost, "/users/{id}/reset-password", "Give a local account a one-time password, unlock it and end its sessions", missing)
	reset.OptionalBody = true
	register(a, reset, a.resetPassword)
	register(a, route("listUserSessions", http.MethodGet, "/users/{id}/sessions",
		"The sessions of a local account, or of a principal oidc:provider:subject", missing), a.listUserSessions)
	end := route("endUserSessions", http.MethodDelete, "/users/{id}/sessions", "End the sessions of a local account, or of a principal oidc:provider:subject", missing)
	end.Status = http.StatusNoContent
	register(a, end, a.endUserSessions)
}

// User is a local account.
type User struct {
	ID         string     `json:"id"`
	Name       string     `json:"name" example:"alice"`
	Roles      []string   `json:"roles" nullable:"false"`
	Subtrees   []string   `json:"subtrees" nullable:"false" doc:"Ids of points that the account is limited to; empty: there is no limit"`
	Disabled   bool       `json:"disabled"`
	MustChange bool       `json:"mustChangePassword" doc:"Has a one-time password"`
	TOTP       bool       `json:"totp" doc:"Has a second factor"`
	Locked     *time.Time `json:"lockedUntil,omitempty" doc:"Locked after failures to sign in"`
	Created    time.Time  `json:"created"`
	Changed    time.Time  `json:"changed"`
	LastLogin  *time.Time `json:"lastLogin,omitempty"`
}

func userView(u store.User) User {
	locked := u.LockedUntil
	if time.Now().After(locked) {
		locked = time.Time{}
	}
	return User{ID: u.ID, Name: u.Name, Roles: orEmpty(u.Roles), Subtrees: orEmpty(u.Subtrees), Disabled: u.Disabled, MustChange: u.MustChange,
		TOTP: auth.SecondFactor(u), Locked: timeOrNone(locked), Created: u.Created, Changed: u.Changed, LastLogin: timeOrNone(u.LastLogin)}
}

func userTag(u store.User) string { return etagOf(u.Revision, []byte(u.ID)) }

type usersInput struct{ Page }

type usersOutput struct{ Body list[User] }

func (a *api) listUsers(ctx context.Context, in *usersInput) (*usersOutput, error) {
	after, err := in.after("users")
	if err != nil {
		return nil, err
	}
	rows, err := a.deps.Accounts.Users(ctx, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	views := make([]User, len(rows))
	for i, u := range rows {
		views[i] = userView(u)
	}
	return &usersOutput{newList(in.Page, "users", views, func(u User) string { return u.Name })}, nil
}

type newUserInput struct {
	Body struct {
		Name     string   `json:"name" maxLength:"64" doc:"1 to 64 of a-z, 0-9 and . _ @ -" example:"alice"`
		Roles    []string `json:"roles" nullable:"false" minItems:"1" maxItems:"4" doc:"viewer, operator, engineer, admin" example:"[\"operator\"]"`
		Subtrees []string `json:"subtrees,omitempty" nullable:"false" maxItems:"1000" doc:"Ids of points that the account is limited to, with what lies below; absent or empty: there is no limit" example:"[\"ons4711\"]"`
	}
}

// NewUser is a local account with its one-time password.
type NewUser struct {
	User     User   `json:"user"`
	Password string `json:"oneTimePassword" doc:"To be changed at the first sign-in; shown this once"`
}

type newUserOutput struct {
	Location string `header:"Location"`
	ETag     string `header:"ETag"`
	Body     NewUser
}

func (a *api) createUser(ctx context.Context, in *newUserInput) (*newUserOutput, error) {
	u, password, err := a.deps.Accounts.CreateUser(ctx, actor(ctx).Principal, auth.NewUser{Name: in.Body.Name, Roles: in.Body.Roles, Subtrees: in.Body.Subtrees})
	if err != nil {
		return nil, err
	}
	noteObject(ctx, "users/"+u.ID)
	noteChange(ctx, nil, userView(u))
	return &newUserOutput{Location: base + "/users/" + u.ID, ETag: userTag(u), Body: NewUser{userView(u), password}}, nil
}

// UserInput names an account.
type UserInput struct {
	ID string `path:"id" maxLength:"400" doc:"Of the account"`
}

type userReadInput struct {
	UserInput
	Conditions
}

type userOutput struct {
	ETag string `header:"ETag"`
	Body User
}

func (a *api) getUser(ctx context.Context, in *userReadInput) (*userOutput, error) {
	u, err := a.deps.Accounts.User(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if err := in.readable(userTag(u)); err != nil {
		return nil, err
	}
	return &userOutput{userTag(u), userView(u)}, nil
}

type userWriteInput struct {
	UserInput
	Conditions
	Body struct {
		Roles    []string `json:"roles" nullable:"false" minItems:"1" maxItems:"4" doc:"viewer, operator, engineer, admin" example:"[\"operator\"]"`
		Subtrees []string `json:"subtrees" nullable:"false" maxItems:"1000" doc:"Ids of points that the account is limited to, with what lies below; empty: there is no limit" example:"[\"ons4711\"]"`
		Disabled bool     `json:"disabled,omitempty" doc:"Ends the sessions of the account"`
	}
}

func (a *api) putUser(ctx context.Context, in *userWriteInput) (*userOutput, error) {
	u, err := a.deps.Accounts.User(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if err := in.writable(userTag(u)); err != nil {
		return nil, err
	}
	before, after, err := a.deps.Accounts.UpdateUser(ctx, actor(ctx).Principal, in.ID,
		auth.UserChange{Roles: in.Body.Roles, Subtrees: in.Body.Subtrees, Disabled: in.Body.Disabled, Revision: u.Revision})
	if err != nil {
		return nil, err
	}
	noteChange(ctx, userView(before), userView(after))
	return &userOutput{userTag(after), userView(after)}, nil
}

func (a *api) deleteUser(ctx context.Context, in *UserInput) (*struct{}, error) {
	u, err := a.deps.Accounts.DeleteUser(ctx, actor(ctx).Principal, in.ID)
	if err != nil {
		return nil, err
	}
	noteChange(ctx, userView(u), nil)
	return nil, nil
}

type resetInput struct {
	UserInput
	Body struct {
		TOTP bool `json:"removeTotp,omitempty" doc:"Remove the second factor too"`
	}
}

// OneTimePassword is the new password of an account.
type OneTimePassword struct {
	Password string `json:"oneTimePassword" doc:"To be changed at the next sign-in; shown this once"`
}

type resetOutput struct{ Body OneTimePassword }

func (a *api) resetPassword(ctx context.Context, in *resetInput) (*resetOutput, error) {
	u, password, err := a.deps.Accounts.ResetPassword(ctx, in.ID, in.Body.TOTP)
	if err != nil {
		return nil, err
	}
	noteObject(ctx, "users/"+u.ID)
	return &resetOutput{OneTimePassword{password}}, nil
}

// sessionOwner returns the id of the principal whose sessions are meant.
func (a *api) sessionOwner(ctx context.Context, id string) (string, error) {
	if strings.HasPrefix(id, "oidc:") {
		return id, nil
	}
	u, err := a.deps.Accounts.User(ctx, id)
	return "user:" + u.ID, err
}

func (a *api) listUserSessions(ctx context.Context, in *UserInput) (*sessionsOutput, error) {
	owner, err := a.sessionOwner(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return a.sessionsOf(ctx, owner)
}

func (a *api) endUserSessions(ctx context.Context, in *UserInput) (*struct{}, error) {
	owner, err := a.sessionOwner(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	_, err = a.deps.Accounts.EndSessions(ctx, owner, "")
	return nil, err
}
