// Command busbar connects IoT and field devices with control centres.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
	_ "time/tzdata" // zones, on machines that have none

	"busbar/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	reload := make(chan os.Signal, 1)
	signal.Notify(reload, syscall.SIGHUP)
	// A read or a write that waits for somebody else, such as a file that does
	// not come or a log that nobody takes, sees no context.
	giveUp := context.AfterFunc(ctx, func() {
		time.Sleep(cli.StopTime(os.Args[1:]))
		os.Exit(1)
	})
	code := cli.Main(ctx, os.Args[1:], cli.IO{
		In:     os.Stdin,
		Out:    os.Stdout,
		Err:    os.Stderr,
		Env:    os.LookupEnv,
		Reload: reload,
	})
	giveUp()
	stop()
	os.Exit(code)
}
