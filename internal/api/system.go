package api

import (
	"context"
	"net/http"
	"os"
	"runtime"
	"time"

	"busbar/internal/auth"
)

func registerSystem(a *api) {
	register(a, op{
		ID: "getSystem", Method: http.MethodGet, Path: "/system", Tag: "system", Role: auth.Viewer, Scope: scopeWhole,
		Summary: "The process: version, start, memory, disk, database and journal",
	}, a.getSystem)
}

// System is the state of the process.
type System struct {
	Version  string    `json:"version" doc:"Of Busbar"`
	Go       string    `json:"go" doc:"Version of Go that it was built with"`
	Platform string    `json:"platform" doc:"Operating system and processor" example:"linux/amd64"`
	Host     string    `json:"host" doc:"Name of the machine"`
	Started  time.Time `json:"started"`
	Uptime   float64   `json:"uptimeSeconds"`
	Now      time.Time `json:"now" doc:"The clock of the machine"`
	Memory   Memory    `json:"memory"`
	Disk     *Disk     `json:"disk,omitempty" doc:"Of the data directory; absent where the system does not tell"`
	Database *Database `json:"database,omitempty"`
	Journal  *Journal  `json:"journal,omitempty"`
	Revision int64     `json:"revision" doc:"Of the plant; 0: none was ever stored"`
}

// Memory is what the process takes, in octets.
type Memory struct {
	Heap       uint64 `json:"heap" doc:"In use for data"`
	System     uint64 `json:"system" doc:"Taken from the operating system"`
	Goroutines int    `json:"goroutines"`
}

// Disk is the file system that the data directory is on, in octets.
type Disk struct {
	Size uint64 `json:"size"`
	Free uint64 `json:"free" doc:"That the process may still use"`
}

// Database is the store of the plant, users and audit log.
type Database struct {
	Kind string `json:"kind" enum:"sqlite,postgres"`
	Size int64  `json:"size" doc:"Octets"`
}

// Journal is the change log of the process image on disk.
type Journal struct {
	Accepting bool   `json:"accepting" doc:"Values are taken from sources"`
	Failed    bool   `json:"failed" doc:"It does not accept again before the process is started again"`
	Reason    string `json:"reason,omitempty" doc:"Why it does not accept"`
	Pending   uint64 `json:"pending" doc:"Changes that are not on disk yet"`
	LagMs     int64  `json:"lagMs" doc:"Age of the oldest of them"`
	Used      int64  `json:"used" doc:"Octets"`
	Limit     int64  `json:"limit" doc:"Most octets; 0: there is none"`
	Damaged   uint64 `json:"damaged" doc:"Places where kept changes were found lost since the start"`
}

type systemOutput struct{ Body System }

func (a *api) getSystem(ctx context.Context, _ *struct{}) (*systemOutput, error) {
	s, err := a.system(ctx)
	if err != nil {
		return nil, err
	}
	return &systemOutput{s}, nil
}

func (a *api) system(ctx context.Context) (System, error) {
	host, err := os.Hostname()
	if err != nil {
		return System{}, err
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	now := time.Now()
	s := System{
		Version: a.deps.Version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH, Host: host,
		Started: a.deps.Started.UTC(), Uptime: now.Sub(a.deps.Started).Seconds(), Now: now.UTC(),
		Memory: Memory{Heap: m.HeapAlloc, System: m.Sys, Goroutines: runtime.NumGoroutine()},
		Disk:   diskOf(a.deps.Process.Data),
	}
	if a.deps.Image != nil {
		j := a.deps.Image.Status()
		s.Journal = &Journal{
			Accepting: j.Accepting, Failed: j.Failed, Reason: j.Reason, Pending: j.Pending, LagMs: j.Lag.Milliseconds(),
			Used: j.Used, Limit: j.Limit, Damaged: j.Damaged,
		}
	}
	if a.deps.Store == nil {
		return s, nil
	}
	info, err := a.deps.Store.Info(ctx)
	if err != nil {
		return System{}, err
	}
	head, err := a.deps.Store.Head(ctx)
	if err != nil {
		return System{}, err
	}
	s.Database, s.Revision = &Database{info.Kind, info.Size}, head.Number
	return s, nil
}
