package api

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"busbar/internal/auth"
)

func registerBackup(a *api) {
	register(a, op{
		ID: "createBackup", Method: http.MethodPost, Path: "/system/backup", Tag: "system", Role: auth.Admin, Scope: scopeWhole,
		Summary: "A backup of the plant with its history, users, tokens and the audit log",
		Description: "As of one moment, while everything goes on; busbar restore reads it. Secrets are in it encrypted; " +
			"the key is not: keep a copy of it elsewhere. If the connection ends before the end of the file, the backup is not whole.",
		Produces: []string{"application/gzip"},
	}, a.createBackup)
}

func (a *api) createBackup(ctx context.Context, _ *struct{}) (*huma.StreamResponse, error) {
	if a.deps.Store == nil {
		return nil, unavailable("there is no store")
	}
	name := "busbar-" + time.Now().UTC().Format("20060102T150405Z") + ".backup.gz"
	return a.download(requestOf(ctx), "application/gzip", name, func(w io.Writer) error {
		_, err := a.deps.Store.Backup(ctx, w)
		return err
	}), nil
}
