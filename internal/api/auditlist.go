package api

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"busbar/internal/auth"
	"busbar/internal/store"
)

func registerAudit(a *api) {
	register(a, op{
		ID: "listAudit", Method: http.MethodGet, Path: "/audit", Tag: "audit", Role: auth.Admin, Scope: scopeWhole,
		Summary:     "Who changed what, newest first",
		Description: "One entry for each request that changed something or tried to. Each entry is chained to the one before it by a hash.",
	}, a.listAudit)
}

// AuditEntry is one thing that somebody did, or tried to.
type AuditEntry struct {
	ID      int64           `json:"id" doc:"From 1 without gaps"`
	At      time.Time       `json:"at"`
	Actor   string          `json:"actor" doc:"Name of who did it"`
	ActorID string          `json:"actorId"`
	Address string          `json:"address" doc:"Where the request came from"`
	Action  string          `json:"action" doc:"Id of the operation, or such as auth.login"`
	Object  string          `json:"object" doc:"What it was done to"`
	Result  string          `json:"result" enum:"ok,refused,failed"`
	Detail  string          `json:"detail,omitempty"`
	Before  json.RawMessage `json:"before,omitempty" doc:"What was there, without secrets"`
	After   json.RawMessage `json:"after,omitempty" doc:"What is there now, without secrets"`
}

type auditInput struct {
	Page
	Actor  string    `query:"actor" doc:"Name of who did it"`
	Action string    `query:"action" doc:"Id of the operation" example:"putPoint"`
	Object string    `query:"object" doc:"What it was done to" example:"points/ons4711/t1/oil"`
	From   time.Time `query:"from" doc:"Not before"`
	To     time.Time `query:"to" doc:"Before"`
}

type auditOutput struct{ Body list[AuditEntry] }

func (a *api) listAudit(ctx context.Context, in *auditInput) (*auditOutput, error) {
	view := viewOf("audit", in.Actor, in.Action, in.Object, in.From.String(), in.To.String())
	after, err := in.after(view)
	if err != nil {
		return nil, err
	}
	f := store.AuditFilter{Actor: in.Actor, Action: in.Action, Object: in.Object, From: in.From, To: in.To}
	if after != "" {
		if f.Before, err = strconv.ParseInt(after, 10, 64); err != nil {
			return nil, err
		}
	}
	if a.deps.Audit == nil {
		return nil, unavailable("there is no audit log")
	}
	entries, err := a.deps.Audit.Audit(ctx, f, in.Limit+1)
	if err != nil {
		return nil, err
	}
	rows := make([]AuditEntry, len(entries))
	for i, e := range entries {
		rows[i] = AuditEntry{
			ID: e.ID, At: e.At, Actor: e.Actor, ActorID: e.ActorID, Address: e.Address, Action: e.Action, Object: e.Object,
			Result: e.Result, Detail: e.Detail, Before: rawOf(e.Before), After: rawOf(e.After),
		}
	}
	return &auditOutput{newList(in.Page, view, rows, func(e AuditEntry) string { return strconv.FormatInt(e.ID, 10) })}, nil
}

// rawOf returns JSON that is kept as text; nil if there is none.
func rawOf(text string) json.RawMessage {
	if !json.Valid([]byte(text)) {
		return nil
	}
	return json.RawMessage(text)
}
