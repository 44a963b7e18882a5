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
		ID: "getSystem", Method: http.MethodGet, Path: "/system", Tag: "system", Role: auth.Viewer,
		Summary: "The process: version, start, memory",
	}, a.getSystem)
}

// System is the state of the process.
type System struct {
	Version string    `json:"version" doc:"Of Busbar"`
	Go      string    `json:"go" doc:"Version of Go that it was built with"`
	Host    string    `json:"host" doc:"Name of the machine"`
	Started time.Time `json:"started"`
	Uptime  float64   `json:"uptimeSeconds"`
	Now     time.Time `json:"now" doc:"The clock of the machine"`
	Memory  Memory    `json:"memory"`
}

// Memory is what the process takes, in octets.
type Memory struct {
	Heap       uint64 `json:"heap" doc:"In use for data"`
	System     uint64 `json:"system" doc:"Taken from the operating system"`
	Goroutines int    `json:"goroutines"`
}

type systemOutput struct{ Body System }

func (a *api) getSystem(context.Context, *struct{}) (*systemOutput, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	now := time.Now()
	return &systemOutput{System{
		Version: a.deps.Version, Go: runtime.Version(), Host: host, Started: a.deps.Started.UTC(),
		Uptime: now.Sub(a.deps.Started).Seconds(), Now: now.UTC(),
		Memory: Memory{Heap: m.HeapAlloc, System: m.Sys, Goroutines: runtime.NumGoroutine()},
	}}, nil
}
