package api

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"busbar/internal/auth"
)

// AuditEntry is a line of the audit log.
type AuditEntry struct {
	ID             int64
	At             time.Time
	Actor, ActorID string
	Address        string
	Action         string // operation id
	Object         string
	Result         string
	Detail         string
	Before, After  string // JSON
}

// Audit keeps the audit log.
type Audit interface {
	// AddAudit keeps a new entry and returns its id.
	AddAudit(ctx context.Context, e AuditEntry) (int64, error)
	// FinishAudit completes the entry with the id of e.
	FinishAudit(ctx context.Context, e AuditEntry) error
}

// Results of audited requests.
const (
	resultBegun   = "begun" // the process ended before the result was known
	resultOK      = "ok"
	resultRefused = "refused"
	resultFailed  = "failed"
)

// auditTimeout is how long an entry may take to be kept.
const auditTimeout = 5 * time.Second

// note is what a request says about itself to the audit log.
type note struct {
	id            int64 // of the entry, once it has begun
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

// begin keeps the entry of a request before it changes anything. Where that
// fails the request is refused: nothing changes without an entry.
func (a *api) begin(ctx context.Context, req *request) error {
	if !req.op.changes() || a.deps.Audit == nil {
		return nil
	}
	id, err := a.deps.Audit.AddAudit(ctx, a.entry(req, resultBegun))
	if err != nil {
		a.log.Error("audit log cannot be written, request refused", "request", req.id, "operation", req.op.ID, "error", err)
		return unavailable("the audit log cannot be written; nothing was changed")
	}
	req.audit.id = id
	return nil
}

// endAudit completes the entry of a request, or adds the one of a request that
// was refused before it began. Who has not signed in is not audited here, nor who asks too often.
func (a *api) endAudit(req *request) {
	if req.op == nil || !req.op.changes() || a.deps.Audit == nil {
		return
	}
	status := req.answer.status
	if req.audit.id == 0 && (status == http.StatusUnauthorized || status == http.StatusTooManyRequests) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(req.http.Context()), auditTimeout)
	defer cancel()
	e := a.entry(req, resultOf(status))
	var err error
	if e.ID == 0 {
		_, err = a.deps.Audit.AddAudit(ctx, e)
	} else {
		err = a.deps.Audit.FinishAudit(ctx, e)
	}
	if err != nil {
		a.log.Error("audit log cannot be written", "request", req.id, "operation", req.op.ID, "result", e.Result, "error", err)
	}
}

func (a *api) entry(req *request, result string) AuditEntry {
	n := req.audit
	if n.object == "" {
		n.object = objectOf(req.http)
	}
	return AuditEntry{
		ID: n.id, At: time.Now().UTC(), Actor: req.who.Name, ActorID: req.who.ID, Address: req.address, Action: req.op.ID,
		Object: n.object, Result: result, Detail: n.detail, Before: n.before, After: n.after,
	}
}

// objectOf returns the path of a request below the base.
func objectOf(r *http.Request) string {
	path, err := url.PathUnescape(r.URL.EscapedPath()[len(base)+1:])
	if err != nil {
		return r.URL.Path
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
