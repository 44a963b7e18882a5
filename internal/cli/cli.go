// Package cli holds the commands of the busbar binary. Each command is a
// function of its arguments and streams that returns the exit code, so that
// tests run it without a process.
package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"time"
)

// Exit codes of all commands; master documents its own beyond these.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
)

// IO is what a command sees of its process.
type IO struct {
	In       io.Reader
	Out, Err io.Writer
	Env      func(name string) (value string, found bool)
	Reload   <-chan os.Signal // SIGHUP: read the plant file again
}

// StopTime returns how long the command that args begin with may take to end
// once it is told to, before its process is ended. What has nothing to put in
// order ends at once.
func StopTime(args []string) time.Duration {
	if len(args) > 0 && (args[0] == "check" || args[0] == "decode" || args[0] == "cert" || args[0] == "profiles" || args[0] == "interop") {
		return 0
	}
	return 5 * time.Second
}

// command is one word after "busbar".
type command struct {
	name, args, does string
	run              func(ctx context.Context, args []string, io IO) int
}

func commands() []command {
	return []command{
		{"run", "[--config FILE] [--plant FILE] [--data DIR]", "run until stopped", runCommand},
		{"demo", "[--listen ADDR] [--mqtt-listen ADDR]", "run a sample plant and say what to try", demoCommand},
		{"check", "PLANT", "check a plant file and print every problem", checkCommand},
		{"decode", "[HEX…]", "decode APDUs to JSON, one per line", decodeCommand},
		{"master", "ADDR REQUEST", "ask a station, as a controlling station", masterCommand},
		{"station", "[--points N] [--rate N]", "be a simulated station", stationCommand},
		{"profiles", "[NAME] [--json]", "list link profiles: parameters by control system", profilesCommand},
		{"interop", "--plant PLANT [--connector ID]", "write an interoperability statement, or compare two", interopCommand},
		{"apply", "PLANT --server URL", "make a plant file the plant of a server", applyCommand},
		{"export", "[--format FORMAT] --server URL", "write the plant of a server", exportCommand},
		{"token", "create|list|revoke --server URL", "manage API tokens of a server", tokenCommand},
		{"user", "list|add|remove|… --server URL", "manage local accounts of a server", userCommand},
		{"cert", "ca|issue|revoke|show", "make and show certificates for tests and small plants", certCommand},
		{"backup", "[--data DIR] --out FILE", "copy plant, users and audit log to a file, also while busbar runs", backupCommand},
		{"restore", "[--data DIR] FILE", "put back what was backed up", restoreCommand},
		{"rekey", "[--data DIR] KEYFILE", "encrypt the secrets with another key", rekeyCommand},
		{"version", "", "print the version", versionCommand},
	}
}

// Main runs the command that args begin with and returns its exit code.
func Main(ctx context.Context, args []string, io IO) int {
	if len(args) == 0 {
		usage(io.Err)
		return exitUsage
	}
	name := args[0]
	for _, c := range commands() {
		if c.name == name {
			return c.run(ctx, args[1:], io)
		}
	}
	switch name {
	case "help", "-h", "--help":
		usage(io.Out)
		return exitOK
	case "-v", "--version":
		return versionCommand(ctx, nil, io)
	}
	fmt.Fprintf(io.Err, "busbar: unknown command %q\n\n", name)
	usage(io.Err)
	return exitUsage
}

func usage(w io.Writer) {
	fmt.Fprintln(w, "Busbar connects IoT and field devices with control centres (IEC 60870-5-104).")
	fmt.Fprintln(w, "\nUsage:")
	for _, c := range commands() {
		fmt.Fprintf(w, "  busbar %-8s %s\n           %s\n", c.name, c.args, c.does)
	}
	fmt.Fprintln(w, "\n`busbar COMMAND --help` tells more.")
}

// version is set by the linker.
var version = "unknown"

func versionCommand(_ context.Context, args []string, io IO) int {
	if len(args) > 0 {
		fmt.Fprintf(io.Err, "busbar version: unexpected argument %q\n", args[0])
		return exitUsage
	}
	fmt.Fprintf(io.Out, "busbar %s %s %s/%s", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				fmt.Fprintf(io.Out, " %s", s.Value)
			}
		}
	}
	fmt.Fprintln(io.Out)
	return exitOK
}

func decodeCommand(_ context.Context, args []string, io IO) int {
	return Decode(args, io.In, io.Out, io.Err)
}
