package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	iofs "io/fs"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"sync"

	"busbar/internal/cli/demo"
	"busbar/internal/config"
)

// demoDir is the data directory of the demo.
const demoDir = "busbar-demo"

// demoAddress is an address of the demo: its flag sets the `listen` of the line
// that carries the mark, in the plant file that the user may have changed.
type demoAddress struct {
	flag, value string
	given       bool
	line        *regexp.Regexp
}

func newDemoAddress(name string) *demoAddress {
	return &demoAddress{flag: name, line: regexp.MustCompile(`(?m)^(\s*listen:\s*)(\S+)(\s*# set by --` + name + `)$`)}
}

func demoCommand(ctx context.Context, args []string, io IO) int {
	iec, mqtt := newDemoAddress("listen"), newDemoAddress("mqtt-listen")
	fs := newFlags("demo", "[flags]\n\nRuns a sample plant in ./"+demoDir+": simulated stations, an MQTT broker, an IEC 60870-5-104 server.", io.Out)
	fs.StringVar(&iec.value, iec.flag, "127.0.0.1:2404", "`address` of the IEC 60870-5-104 server")
	fs.StringVar(&mqtt.value, mqtt.flag, "127.0.0.1:1883", "`address` of the embedded MQTT broker")
	config.AddFlags(fs)
	fs.Lookup("data").DefValue = demoDir
	c, err := settings(fs, args, io)
	if err != nil {
		return fail(io, "demo", err, exitUsage)
	}
	iec.given, mqtt.given = given(fs, iec.flag), given(fs, mqtt.flag)
	if given(fs, "plant") {
		return fail(io, "demo", errors.New("--plant: the demo has a plant of its own; want: busbar run --plant FILE"), exitUsage)
	}
	if !given(fs, "data") {
		c.Data = demoDir
	}
	c.Plant = filepath.Join(c.Data, "plant.yaml")
	if err := prepareDemo(c, iec, mqtt); err != nil {
		return fail(io, "demo", err, exitFailure)
	}
	return runDemo(ctx, io, c, fs, iec, mqtt)
}

// prepareDemo seeds the data directory once, sets the addresses in the plant
// file and looks whether they are free.
func prepareDemo(c config.Config, iec, mqtt *demoAddress) error {
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	text, err := os.ReadFile(c.Plant)
	if errors.Is(err, iofs.ErrNotExist) {
		text, err = demo.Plant(mqtt.value, iec.value)
		if err == nil {
			err = os.WriteFile(c.Plant, text, 0o600)
		}
	}
	if err != nil {
		return fmt.Errorf("sample plant: %w", err)
	}
	changed := text
	for _, a := range []*demoAddress{iec, mqtt} {
		if changed, err = a.apply(changed, c.Plant); err != nil {
			return err
		}
	}
	if string(changed) != string(text) {
		if err := os.WriteFile(c.Plant, changed, 0o600); err != nil {
			return fmt.Errorf("sample plant: %w", err)
		}
	}
	return demoPorts(c, iec, mqtt)
}

// apply puts a flag that was given into the plant file, or else takes the
// address from there.
func (a *demoAddress) apply(text []byte, name string) ([]byte, error) {
	m := a.line.FindSubmatch(text)
	switch {
	case m == nil && a.given:
		return nil, fmt.Errorf("--%s: %s has no line `listen: … # set by --%s` any more; change the address there", a.flag, name, a.flag)
	case m == nil:
		a.value = ""
	case a.given:
		return a.line.ReplaceAll(text, []byte("${1}"+a.value+"${3}")), nil
	default:
		a.value = string(m[2])
	}
	return text, nil
}

// demoPorts names the flag of every address that cannot be listened on.
func demoPorts(c config.Config, addresses ...*demoAddress) error {
	addresses = append(addresses, &demoAddress{flag: "http-listen", value: c.HTTPListen})
	var errs []error
	for _, a := range addresses {
		if a.value == "" {
			continue
		}
		if _, _, err := net.SplitHostPort(a.value); err != nil {
			errs = append(errs, fmt.Errorf("--%s: %q, want host:port", a.flag, a.value))
			continue
		}
		if err := portFree(a.value); err != nil {
			errs = append(errs, fmt.Errorf("%s cannot be listened on: %w; choose another address with --%s", a.value, err, a.flag))
		}
	}
	return errors.Join(errs...)
}

// runDemo runs the plant and the simulated stations until ctx ends.
func runDemo(ctx context.Context, io IO, c config.Config, fs *flag.FlagSet, iec, mqtt *demoAddress) int {
	simulation, stop := context.WithCancel(ctx)
	var wait sync.WaitGroup
	code := runApp(ctx, io, "demo", c, fs, func(httpAddr string) {
		if mqtt.value != "" {
			wait.Go(func() {
				if err := demo.Simulate(simulation, "tcp://"+mqtt.value); err != nil {
					fmt.Fprintf(io.Err, "busbar demo: simulated stations: %v\n", err)
				}
			})
		}
		tryNext(io, c, httpAddr, iec.value, mqtt.value)
	})
	stop()
	wait.Wait()
	return code
}

// tryNext says what there is to see.
func tryNext(io IO, c config.Config, httpAddr, iec, mqtt string) {
	fmt.Fprintf(io.Out, `
Busbar runs a sample plant: two simulated substations publish JSON by MQTT, a control centre reads them by IEC 60870-5-104.

  IEC 60870-5-104 server  %s   common addresses 225 and 226
  MQTT broker             %s   topics ons/4711/# and ons/4712/#
  plant file              %s

Try in a second terminal:

`, iec, mqtt, c.Plant)
	suggest := func(command, what string) { fmt.Fprintf(io.Out, "  %-62s  %s\n", command, what) }
	suggest("bin/busbar master "+iec+" gi", "what a control centre reads")
	suggest("bin/busbar master "+iec+" monitor", "… and how it changes")
	suggest("bin/busbar master "+iec+" counters", "energy")
	suggest("mosquitto_sub -p "+portOf(mqtt)+" -v -t 'ons/#'", "what the substations publish")
	suggest("mosquitto_pub -p "+portOf(mqtt)+" -t ons/4711/tap -m '{\"position\":null}'", "no value: invalid for up to 10 s")
	if httpAddr != "" {
		suggest("curl http://"+httpAddr+"/metrics", "figures for Prometheus")
	}
	fmt.Fprintf(io.Out, "\nChange %s and send SIGHUP (kill -HUP %d): it applies while the links stay up. Ctrl-C stops.\n\n", c.Plant, os.Getpid())
}

func portOf(address string) string {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return "1883"
	}
	return port
}

// portFree reports that an address cannot be listened on.
func portFree(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	return l.Close()
}
