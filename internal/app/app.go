// Package app puts the parts of Busbar together: it starts them in order,
// applies the plant and changes of it, and stops them in reverse.
package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"busbar/internal/commandlog"
	"busbar/internal/config"
	"busbar/internal/connector"
	"busbar/internal/image"
)

// Options say how Run is embedded into its process.
type Options struct {
	// Kinds are the kinds of connectors that the plant may use.
	Kinds []connector.Kind
	// Reload makes Run read the settings, for the log level, and the plant file
	// again. What is faulty is logged and changes nothing. nil: never.
	Reload <-chan os.Signal
	// Load reads the settings again; nil: they stay.
	Load func() (config.Config, error)
	// Env looks up the secrets of a plant; nil is the environment of the process.
	Env func(name string) (value string, found bool)
	// Started is called once everything is started and the plant is applied.
	// httpAddr is the address that HTTP is served on, empty if it is off. nil:
	// nothing is called.
	Started func(httpAddr string)
}

// Run runs Busbar until ctx ends, then stops everything in order within 5 s
// and returns nil. It fails if something cannot be started, and if another
// process runs in the same data directory; faults of the plant file are returned
// as plant.Problems. It leaves log open.
func Run(ctx context.Context, log *Log, c config.Config, o Options) (err error) {
	lock, err := lockData(c.Data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	registry, err := connector.NewRegistry(o.Kinds...)
	if err != nil {
		return fmt.Errorf("kinds of connectors: %w", err)
	}
	img, closeImage, err := openImage(log, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeImage()) }()
	a := &app{
		log: log, config: c, options: o, registry: registry, img: img,
		manager: connector.NewManager(log.Logger, img, registry, time.Now),
	}
	if a.commands, err = openCommands(c.Data, log, a.manager); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.commands.Close()) }()
	return a.run(ctx)
}

// app is one call of Run.
type app struct {
	log      *Log
	config   config.Config
	options  Options
	registry *connector.Registry
	img      image.Image
	manager  *connector.Manager
	commands *commandlog.Log
}

// run starts the parts, each after what it needs, and stops them in reverse.
func (a *app) run(ctx context.Context) (err error) {
	s := stages{}
	defer func() { err = errors.Join(err, s.stop()) }()
	s.start(a.manager.Run)

	server, err := newServer(a.log, a.config.HTTPListen, a.manager, a.img, commandMetrics(a.commands)...)
	if err != nil {
		return err
	}
	failed := make(chan struct{})
	s.start(func(ctx context.Context) error {
		defer close(failed)
		return server.run(ctx)
	})

	if err := a.loadFirst(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	server.setReady(true)
	a.log.Info("busbar started", "http", server.addr(), "data", a.config.Data)
	if a.options.Started != nil {
		a.options.Started(server.addr())
	}
	defer a.log.Info("busbar stops")
	defer server.setReady(false)
	tidy := time.NewTimer(tidyAfter)
	defer tidy.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-failed:
			return nil // stop returns the error
		case <-a.options.Reload:
			a.reload(ctx)
			tidy.Reset(tidyAfter)
		case <-tidy.C:
			debug.FreeOSMemory()
		}
	}
}

// stages are parts that run, in the order in which they were started.
type stages struct {
	list []stage
}

type stage struct {
	cancel context.CancelFunc
	done   func() error
}

// start starts a part that runs until its context ends.
func (s *stages) start(run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	var wait sync.WaitGroup
	var err error
	wait.Go(func() { err = run(ctx) })
	s.list = append(s.list, stage{cancel: cancel, done: func() error {
		wait.Wait()
		return err
	}})
}

// stop stops the parts in reverse, each before the next.
func (s *stages) stop() error {
	var errs []error
	for i := len(s.list) - 1; i >= 0; i-- {
		s.list[i].cancel()
		errs = append(errs, s.list[i].done())
	}
	return errors.Join(errs...)
}
