package api

import (
	"context"
	"net/http"

	"busbar/internal/auth"
)

func registerLogLevel(a *api) {
	register(a, op{
		ID: "getLogLevel", Method: http.MethodGet, Path: "/system/log-level", Tag: "system", Role: auth.Viewer, Scope: scopeWhole,
		Summary: "How much is logged",
	}, a.getLogLevel)
	register(a, op{
		ID: "putLogLevel", Method: http.MethodPut, Path: "/system/log-level", Tag: "system", Role: auth.Admin, Scope: scopeWhole,
		Summary:     "Log more or less",
		Description: "Until the process ends or reads its settings again (SIGHUP).",
	}, a.putLogLevel)
}

// LogLevel is how much is logged.
type LogLevel struct {
	Level string `json:"level" enum:"trace,debug,info,warn,error"`
}

type logLevelBody struct{ Body LogLevel }

func (a *api) getLogLevel(context.Context, *struct{}) (*logLevelBody, error) {
	if a.deps.Process.Log == nil {
		return nil, unavailable("the log of this process cannot be changed")
	}
	return &logLevelBody{LogLevel{a.deps.Process.Log.Level()}}, nil
}

func (a *api) putLogLevel(ctx context.Context, in *logLevelBody) (*logLevelBody, error) {
	before, err := a.getLogLevel(ctx, nil)
	if err != nil {
		return nil, err
	}
	noteChange(ctx, before.Body, in.Body)
	a.deps.Process.Log.SetLevel(in.Body.Level)
	return in, nil
}
