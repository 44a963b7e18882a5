// Command busbar connects IoT and field devices with control centres.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // zones, on machines that have none

	"busbar/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	reload := make(chan os.Signal, 1)
	signal.Notify(reload, syscall.SIGHUP)
	code := cli.Main(ctx, os.Args[1:], cli.IO{
		In:     os.Stdin,
		Out:    os.Stdout,
		Err:    os.Stderr,
		Env:    os.LookupEnv,
		Reload: reload,
	})
	stop()
	os.Exit(code)
}
