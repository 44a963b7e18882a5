package app

import (
	"context"
	"errors"

	"busbar/internal/plant"
)

// errNoPlant: a start with an empty plant would give up every value and event
// that is kept.
var errNoPlant = errors.New("plant is not set, but the data directory holds values of one; want its file, or another data directory")

// loadFirst reads and applies the plant file for the first time.
func (a *app) loadFirst(ctx context.Context) error {
	if a.config.Plant == "" && a.img.Seq() > 0 {
		return errNoPlant
	}
	if a.config.Plant == "" {
		a.log.Warn("there is no plant file, so there are no points and no connectors; name one with --plant")
	}
	return a.applyPlant(ctx)
}

// applyPlant reads the plant file and applies it.
func (a *app) applyPlant(ctx context.Context) error {
	defer collectSooner(a.config.Plant)()
	p, err := a.readPlant()
	if err != nil {
		return err
	}
	return a.manager.Apply(ctx, p)
}

// readPlant reads the plant file, if there is one, and logs its warnings.
func (a *app) readPlant() (*plant.Plant, error) {
	if a.config.Plant == "" {
		return &plant.Plant{}, nil
	}
	secrets := plant.Secrets{Dir: a.config.SecretsDir, Env: a.options.Env}
	p, problems := plant.Load(a.config.Plant, a.registry, plant.Options{Secrets: secrets})
	if len(problems) > 0 {
		return nil, problems
	}
	for _, w := range p.Warnings {
		a.log.Warn("plant warning", "at", w.String())
	}
	return p, nil
}

// reload reads settings, plant and the files of connectors again. What is faulty is logged, in full, and
// changes nothing.
func (a *app) reload(ctx context.Context) {
	if a.options.Load != nil {
		c, err := a.options.Load()
		if err != nil {
			a.log.Warn("settings are faulty and stay as they were", "error", err)
		} else {
			a.log.SetLevel(c.LogLevel)
		}
	}
	err := a.applyPlant(ctx)
	if problems, ok := errors.AsType[plant.Problems](err); ok {
		for _, problem := range problems {
			a.log.Warn("plant problem", "at", problem.String())
		}
		a.log.Warn("plant file is faulty, the plant stays as it was", "problems", len(problems))
	} else if err != nil {
		a.log.Warn("plant cannot be applied and stays as it was", "error", err)
	}
	a.manager.Reload()
}
