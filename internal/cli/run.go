package cli

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	stdio "io"
	"os"

	"busbar/internal/app"
	"busbar/internal/config"
	"busbar/internal/connector"
	"busbar/internal/connectors"
	"busbar/internal/plant"
)

func runCommand(ctx context.Context, args []string, io IO) int {
	fs := newFlags("run", "[flags]\n\nRuns until SIGINT or SIGTERM. SIGHUP reads the log level, the files of TLS and the plant file, if there is one, again.", io.Out)
	config.AddFlags(fs)
	c, err := settings(fs, args, io)
	if err != nil {
		return fail(io, "run", err, exitUsage)
	}
	return runApp(ctx, io, "run", c, fs, app.Options{Terminal: shown(io.Out)})
}

// settings reads the settings of the process from flags, environment and file.
func settings(fs *flag.FlagSet, args []string, io IO) (config.Config, error) {
	rest, err := parse(fs, args)
	if err != nil {
		return config.Config{}, err
	}
	if len(rest) > 0 {
		return config.Config{}, fmt.Errorf("unexpected argument %q", rest[0])
	}
	return config.Load(fs, io.Env)
}

// shown returns w if it is a terminal, otherwise nil.
func shown(w stdio.Writer) stdio.Writer {
	if f, ok := w.(*os.File); ok && isTerminal(f) {
		return f
	}
	return nil
}

// runApp runs Busbar until ctx ends. Problems of the plant file are printed one
// on each line, as by check.
func runApp(ctx context.Context, io IO, name string, c config.Config, fs *flag.FlagSet, o app.Options) int {
	log := app.NewLog(io.Err, c.LogFormat, c.LogLevel)
	o.Kinds, o.Reload, o.Env, o.Version = connectors.All(), io.Reload, io.Env, version
	o.Load = func() (config.Config, error) { return config.Load(fs, io.Env) }
	err := app.Run(ctx, log, c, o)
	log.Close()
	if problems, ok := errors.AsType[plant.Problems](err); ok {
		for _, p := range problems {
			fmt.Fprintln(io.Err, p)
		}
		return fail(io, name, fmt.Errorf("%s in %s", count(len(problems), "problem"), cmp.Or(c.Plant, "the plant")), exitFailure)
	}
	if err != nil {
		return fail(io, name, err, exitFailure)
	}
	return exitOK
}

func checkCommand(_ context.Context, args []string, io IO) int {
	kinds, err := connector.NewRegistry(connectors.All()...)
	if err != nil {
		return fail(io, "check", err, exitFailure)
	}
	return Check(args, kinds, io.Out, io.Err)
}
