package api

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"busbar/internal/auth"
	"busbar/internal/store"
)

// Results of audited requests.
const (
	resultOK      = "ok"
	resultRefused = "refused"
	resultFailed  = "failed"
)

// note is what a request says about itself to the audit log.
type note struct {
	begun         bool // the handler was reached
	object        string
	detail        string
	before, after string
}

// noteObject names what a request is about, where its path does not.
func noteObject(ctx context.Context, object string) { requestOf(ctx).audit.object = object }

// noteDetail adds a remark to the audit log.
func noteDetail(ctx context.Context, detail string) { requestOf(ctx).audit.detail = detail }

// noteChange adds what was before and what is now, as JSON; nil: nothing.
// Secrets are cut out.
func noteChange(ctx context.Context, before, after any) {
	n := &requestOf(ctx).audit
	n.before, n.after = redacted(before), redacted(after)
}

// begin makes sure that the audit log can be written before a request changes anything.
func (a *api) begin(ctx context.Context, req *request) error {
	if !req.op.changes() {
		return nil
	}
	if err := a.audit.ready(ctx); err != nil {
		a.log.Error("audit log cannot be written, request refused", "request", req.id, "operation", req.op.ID, "error", err)
		return unavailable("the audit log cannot be written; nothing was changed")
	}
	req.audit.begun = true
	return nil
}

// endAudit adds the entry of a request; broken says that the answer was cut off. Requests without a sign-in that were
// refused are not audited here, nor those that came too often.
func (a *api) endAudit(req *request, broken bool) {
	if req.op == nil || !req.op.changes() {
		return
	}
	status := req.answer.status
	if !req.audit.begun && (status == http.StatusUnauthorized || status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable) {
		return
	}
	if !req.audit.begun && status < http.StatusInternalServerError && a.limits.refusal(req.who.ID) > 0 {
		return // one who may nothing must not fill the disk
	}
	n := req.audit
	if n.object == "" {
		n.object = objectOf(req.http)
	}
	result := resultOf(status)
	if broken {
		result = resultFailed
	}
	a.audit.add(context.WithoutCancel(req.http.Context()), store.AuditEntry{
		At: time.Now().UTC(), Actor: req.who.Name, ActorID: req.who.ID, Address: req.address, Action: req.op.ID,
		Object: n.object, Result: result, Detail: n.detail, Before: n.before, After: n.after,
	})
}

// maxObject is the most octets of a path that the audit log has.
const maxObject = 512

// objectOf returns the path of a request below the base.
func objectOf(r *http.Request) string {
	path := strings.TrimPrefix(r.URL.Path, base+"/")
	if len(path) > maxObject {
		return strings.ToValidUTF8(path[:maxObject], "") + "…"
	}
	return path
}

func resultOf(status int) string {
	switch {
	case status < 400:
		return resultOK
	case status < 500:
		return resultRefused
	default:
		return resultFailed
	}
}

// maxAudited is the most octets of what was before or is now.
const maxAudited = 64 << 10

// redacted returns a value as JSON without secrets, empty for nil.
func redacted(v any) string {
	if v == nil {
		return ""
	}
	raw, ok := v.(json.RawMessage)
	if !ok {
		var err error
		if raw, err = json.Marshal(v); err != nil {
			return `"not shown: no JSON"`
		}
	}
	if len(raw) > maxAudited {
		return `"not shown: ` + size(int64(len(raw))) + `"`
	}
	var tree any
	if err := json.Unmarshal(raw, &tree); err != nil {
		return `"not shown: no JSON"`
	}
	text, err := json.Marshal(withoutSecrets(tree))
	if err != nil || string(text) == "null" {
		return ""
	}
	return string(text)
}

// Actor is who makes a request.
type Actor struct {
	auth.Principal
	Address string // of the client
}

// actor returns who makes a request.
func actor(ctx context.Context) Actor {
	req := requestOf(ctx)
	return Actor{req.who, req.address}
}
