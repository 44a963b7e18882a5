// Package app puts the parts of Busbar together: it starts them in order,
// applies the plant and changes of it, and stops them in reverse.
package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"busbar/internal/auth"
	"busbar/internal/commandlog"
	"busbar/internal/config"
	"busbar/internal/connector"
	"busbar/internal/image"
	"busbar/internal/manage"
	"busbar/internal/plant"
	"busbar/internal/store"
	"busbar/internal/tape"
)

// Options say how Run is embedded into its process.
type Options struct {
	// Kinds are the kinds of connectors that the plant may use.
	Kinds []connector.Kind
	// Reload makes Run read the settings, for the log level, the plant file, if there is
	// one, and certificates again. What is faulty is logged and changes nothing. nil: never.
	Reload <-chan os.Signal
	// Load reads the settings again; nil: they stay.
	Load func() (config.Config, error)
	// Env looks up the secrets of a plant; nil is the environment of the process.
	Env func(name string) (value string, found bool)
	// Prepare changes the plant of the store before it is put into force; nil: nothing does. It is
	// not called if the plant comes from a file.
	Prepare func(*manage.Edit) error
	// Started is called once everything is started and the plant is applied.
	// httpAddr is the address that HTTP is served on, empty if it is off. nil:
	// nothing is called.
	Started func(httpAddr string)
	// Terminal is where the first start shows the one-time password of the first administrator;
	// nil: it goes into a file in the data directory.
	Terminal io.Writer
	// Version is that of Busbar, shown by the API.
	Version string
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
	st, err := openStore(ctx, log, c, o.Env, o.Version)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	img, closeImage, err := openImage(log, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeImage()) }()
	a := &app{
		log: log, config: c, options: o, registry: registry, store: st, img: img, begun: time.Now(),
		manager: connector.NewManager(log.Logger, img, registry, time.Now),
		changed: make(chan struct{}, 1), record: make(chan struct{}, 1),
	}
	a.manager.Tapes().Limit(tape.Limits{Total: int(c.TraceLimit)})
	if a.commands, err = openCommands(c.Data, log, a.manager); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.commands.Close()) }()
	files, err := filesDirs(c)
	if err != nil {
		return err
	}
	a.manage = manage.New(manage.Options{
		Store: st, Kinds: registry, Apply: a.manager.Apply, File: c.Plant, Files: files, Log: log.Logger,
		Secrets: plant.Secrets{Dir: c.SecretsDir, Env: o.Env}, Changed: a.noteChange,
	})
	if a.auth, err = a.openAuth(); err != nil {
		return err
	}
	return a.run(ctx)
}

// filesDirs returns the absolute directories of the files that a plant may name.
func filesDirs(c config.Config) ([]string, error) {
	dirs := strings.Split(cmp.Or(c.FilesDirs, filepath.Join(c.Data, "files")), ",")
	for i, dir := range dirs {
		abs, err := filepath.Abs(strings.TrimSpace(dir))
		if err != nil {
			return nil, fmt.Errorf("files.dirs: %w", err)
		}
		dirs[i] = abs
	}
	return dirs, nil
}

// app is one call of Run.
type app struct {
	log      *Log
	config   config.Config
	options  Options
	registry *connector.Registry
	store    *store.Store
	img      image.Image
	manager  *connector.Manager
	commands *commandlog.Log
	manage   *manage.Service
	auth     *auth.Service
	cert     *certificate // nil: HTTP
	begun    time.Time
	changed  chan struct{} // holds a token after the plant was changed
	record   chan struct{} // holds a token when the plant file is to be recorded
}

func (a *app) noteChange() {
	select {
	case a.changed <- struct{}{}:
	default:
	}
}

// run starts the parts, each after what it needs, and stops them in reverse.
func (a *app) run(ctx context.Context) (err error) {
	s := stages{}
	defer func() { err = errors.Join(err, s.stop()) }()
	s.start(a.manager.Run)
	s.start(a.auth.Run)
	s.start(a.manage.Run)
	if a.config.Plant != "" {
		s.start(a.recordFile)
	}
	server, err := a.serve()
	if err != nil {
		return err
	}
	failed := make(chan struct{})
	s.start(func(ctx context.Context) error {
		defer close(failed)
		return server.run(ctx)
	})

	signIn := a.firstAdmin(ctx)
	if err := errors.Join(a.loadFirst(ctx), signIn()); err != nil {
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
		case <-a.changed:
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
