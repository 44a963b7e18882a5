package app

import (
	"context"
	"errors"

	"busbar/internal/manage"
	"busbar/internal/plant"
	"busbar/internal/store"
)

// errNoPlant: a start with an empty plant would give up every value and event
// that is kept.
var errNoPlant = errors.New("there is no plant: plant is not set and the store is empty, but the data directory holds values of one; " +
	"want the plant file, the database that holds the plant, or another data directory")

// loadFirst puts the plant into force for the first time: that of the file, else that of the store.
func (a *app) loadFirst(ctx context.Context) error {
	if a.config.Plant != "" {
		return a.applyFile(ctx)
	}
	head, err := a.store.Head(ctx)
	if err != nil {
		return err
	}
	if head.Number == 0 && a.img.Seq() > 0 && a.options.Prepare == nil {
		return errNoPlant
	}
	if head.Number == 0 && a.options.Prepare == nil {
		a.log.Warn("the store holds no plant yet, so there are no points and no connectors; make one through the API, or name a file with --plant")
	}
	if a.options.Prepare != nil {
		return a.prepare(ctx)
	}
	warnings, err := a.manage.Load(ctx)
	a.warn(warnings)
	if problems, ok := errors.AsType[plant.Problems](err); ok {
		a.complain(problems)
		a.log.Error("the plant of the store is not in force: correct it through the API", "problems", len(problems))
		return nil
	}
	return err
}

// prepare puts the plant of the store into force as who runs Busbar changes it.
func (a *app) prepare(ctx context.Context) error {
	r, err := a.manage.Change(ctx, manage.Actor{Name: "busbar", Origin: store.OriginCLI}, manage.ChangeOptions{}, a.options.Prepare)
	a.warn(r.Warnings)
	return err
}

// applyFile puts the plant file into force, and has it recorded in the store in the background.
func (a *app) applyFile(ctx context.Context) error {
	defer collectSooner(a.config.Plant)()
	warnings, err := a.manage.ApplyFile(ctx)
	a.warn(warnings)
	if err != nil {
		return err
	}
	select {
	case a.record <- struct{}{}:
	default:
	}
	return nil
}

// recordFile records the plant file in the store whenever it is wanted, until ctx ends.
func (a *app) recordFile(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-a.record:
		}
		if err := a.manage.Record(ctx); err != nil && ctx.Err() == nil {
			a.log.Warn("plant file is in force but not recorded in the store", "error", err)
		}
		a.noteChange()
	}
}

func (a *app) warn(warnings []plant.Problem) {
	for _, w := range warnings {
		a.log.Warn("plant warning", "at", w.String())
	}
}

func (a *app) complain(problems plant.Problems) {
	for _, problem := range problems {
		a.log.Warn("plant problem", "at", problem.String())
	}
}

// reload reads settings, the plant file, certificates and the files of connectors again. What is faulty
// is logged, in full, and changes nothing.
func (a *app) reload(ctx context.Context) {
	if a.options.Load != nil {
		c, err := a.options.Load()
		if err != nil {
			a.log.Warn("settings are faulty and stay as they were", "error", err)
		} else {
			a.log.SetLevel(c.LogLevel)
		}
	}
	if a.cert != nil {
		a.cert.Reload()
	}
	if a.config.Plant != "" {
		a.reloadFile(ctx)
	}
	a.manager.Reload()
}

func (a *app) reloadFile(ctx context.Context) {
	err := a.applyFile(ctx)
	if problems, ok := errors.AsType[plant.Problems](err); ok {
		a.complain(problems)
		a.log.Warn("plant file is faulty, the plant stays as it was", "problems", len(problems))
	} else if err != nil {
		a.log.Warn("plant cannot be applied and stays as it was", "error", err)
	}
}
