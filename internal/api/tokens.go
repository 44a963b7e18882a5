package api

import (
	"context"
	"net/http"
	"time"

	"busbar/internal/auth"
	"busbar/internal/store"
)

func registerTokens(a *api) {
	const tag = "tokens"
	register(a, op{ID: "listTokens", Method: http.MethodGet, Path: "/tokens", Tag: tag, Role: auth.Admin, Summary: "The API tokens, by name"}, a.listTokens)
	register(a, op{
		ID: "createToken", Method: http.MethodPost, Path: "/tokens", Tag: tag, Role: auth.Admin, Status: http.StatusCreated,
		Summary: "Make an API token", Description: "Nobody can give more than he may himself. The token is shown this once.", Errors: []int{http.StatusConflict},
	}, a.createToken)
	register(a, op{
		ID: "getToken", Method: http.MethodGet, Path: "/tokens/{id}", Tag: tag, Role: auth.Admin, Summary: "An API token", Errors: []int{http.StatusNotFound},
	}, a.getToken)
	register(a, op{
		ID: "deleteToken", Method: http.MethodDelete, Path: "/tokens/{id}", Tag: tag, Role: auth.Admin, Status: http.StatusNoContent,
		Summary: "Remove an API token: it is refused from then on", Errors: []int{http.StatusNotFound},
	}, a.deleteToken)
}

// Token lets a program in. The token itself is not kept.
type Token struct {
	ID       string     `json:"id"`
	Name     string     `json:"name" example:"provisioning"`
	Prefix   string     `json:"prefix" doc:"How the token begins" example:"bb_3fGh9x"`
	Roles    []string   `json:"roles" nullable:"false"`
	Subtrees []string   `json:"subtrees" nullable:"false" doc:"Ids of points that the token is limited to; empty: there is no limit"`
	Author   string     `json:"author" doc:"Who made it"`
	Created  time.Time  `json:"created"`
	Expires  *time.Time `json:"expires,omitempty"`
	LastUsed *time.Time `json:"lastUsed,omitempty" doc:"To the minute"`
}

func tokenView(t store.Token) Token {
	return Token{ID: t.ID, Name: t.Name, Prefix: t.Prefix, Roles: orEmpty(t.Roles), Subtrees: orEmpty(t.Subtrees), Author: t.Author,
		Created: t.Created, Expires: timeOrNone(t.Expires), LastUsed: timeOrNone(t.LastUsed)}
}

type tokensInput struct{ Page }

type tokensOutput struct{ Body list[Token] }

func (a *api) listTokens(ctx context.Context, in *tokensInput) (*tokensOutput, error) {
	after, err := in.after("tokens")
	if err != nil {
		return nil, err
	}
	all, err := a.deps.Accounts.Tokens(ctx)
	if err != nil {
		return nil, err
	}
	views := []Token{}
	for _, t := range all {
		if t.Name > after && len(views) <= in.Limit {
			views = append(views, tokenView(t))
		}
	}
	return &tokensOutput{newList(in.Page, "tokens", views, func(t Token) string { return t.Name })}, nil
}

type newTokenInput struct {
	Body struct {
		Name     string     `json:"name" minLength:"1" maxLength:"100" doc:"Unique" example:"provisioning"`
		Roles    []string   `json:"roles" nullable:"false" minItems:"1" maxItems:"4" doc:"viewer, operator, engineer, admin" example:"[\"engineer\"]"`
		Subtrees []string   `json:"subtrees,omitempty" nullable:"false" maxItems:"1000" doc:"Ids of points that the token is limited to, with what lies below; absent or empty: there is no limit" example:"[\"ons4711\"]"`
		Expires  *time.Time `json:"expires,omitempty" doc:"Default and latest: a year from now, or what the setting auth.token-longest says"`
	}
}

// NewToken is an API token with its secret.
type NewToken struct {
	Token  Token  `json:"token"`
	Secret string `json:"secret" doc:"What goes into the header Authorization: Bearer …; shown this once" example:"bb_3fGh9x…"`
}

type newTokenOutput struct {
	Location string `header:"Location"`
	Body     NewToken
}

func (a *api) createToken(ctx context.Context, in *newTokenInput) (*newTokenOutput, error) {
	made := auth.NewToken{Name: in.Body.Name, Roles: in.Body.Roles, Subtrees: in.Body.Subtrees}
	if in.Body.Expires != nil {
		made.Expires = *in.Body.Expires
	}
	t, secret, err := a.deps.Accounts.CreateToken(ctx, actor(ctx).Principal, made)
	if err != nil {
		return nil, err
	}
	noteObject(ctx, "tokens/"+t.ID)
	noteChange(ctx, nil, tokenView(t))
	return &newTokenOutput{Location: base + "/tokens/" + t.ID, Body: NewToken{tokenView(t), secret}}, nil
}

type tokenInput struct {
	ID string `path:"id" maxLength:"64" doc:"Of the token"`
}

type tokenOutput struct{ Body Token }

func (a *api) getToken(ctx context.Context, in *tokenInput) (*tokenOutput, error) {
	t, err := a.deps.Accounts.Token(ctx, in.ID)
	return &tokenOutput{tokenView(t)}, err
}

func (a *api) deleteToken(ctx context.Context, in *tokenInput) (*struct{}, error) {
	t, err := a.deps.Accounts.DeleteToken(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	noteChange(ctx, tokenView(t), nil)
	return nil, nil
}
