package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"sync"

	"busbar/internal/app"
	"busbar/internal/cli/demo"
	"busbar/internal/config"
	"busbar/internal/manage"
	"busbar/internal/plantdoc"
)

// demoDir is the data directory of the demo.
const demoDir = "busbar-demo"

// demoAddress is an address of the demo: its flag sets the `listen` of a connector in the stored plant, which the user
// may have changed.
type demoAddress struct {
	flag, connector string
	value           string // of the flag, then of the plant; empty: nothing listens
	given           bool
}

func demoCommand(ctx context.Context, args []string, io IO) int {
	iec, mqtt := &demoAddress{flag: "listen", connector: "scada"}, &demoAddress{flag: "mqtt-listen", connector: "broker"}
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
	c.Plant = ""
	return runDemo(ctx, io, c, fs, iec, mqtt)
}

// prepareDemo seeds the store once, sets the addresses in its plant and looks whether they are free.
func prepareDemo(e *manage.Edit, addresses ...*demoAddress) error {
	if e.Head() == 0 {
		iec, mqtt := addresses[0], addresses[1]
		text, err := demo.Plant(mqtt.value, iec.value)
		if err != nil {
			return err
		}
		objs, problems := plantdoc.Parse("plant.yaml", text)
		if len(problems) > 0 {
			return fmt.Errorf("sample plant: %w", problems)
		}
		e.Replace(objs)
	}
	for _, a := range addresses {
		if err := a.apply(e); err != nil {
			return err
		}
	}
	return demoPorts(addresses...)
}

// apply puts a flag that was given into the plant, or else takes the address from there.
func (a *demoAddress) apply(e *manage.Edit) error {
	body, ok := e.Body(plantdoc.Connectors, a.connector)
	keys := make(map[string]any)
	if ok {
		if err := json.Unmarshal(body, &keys); err != nil {
			return fmt.Errorf("connector %s: %w", a.connector, err)
		}
	}
	listen, ok := keys["listen"].(string)
	switch {
	case !ok && a.given:
		return fmt.Errorf("--%s: the plant has no connector %s with the key listen any more; change it through the API", a.flag, a.connector)
	case !ok || keys["enabled"] == false:
		a.value = ""
		return nil
	case !a.given:
		a.value = listen
		return nil
	}
	keys["listen"] = a.value
	text, err := json.Marshal(keys)
	if err != nil {
		return err
	}
	if text, err = plantdoc.ParseObject(".json", text); err != nil {
		return err
	}
	e.Put(plantdoc.Connectors, a.connector, text)
	return nil
}

// demoPorts names the flag of every address that cannot be listened on.
func demoPorts(addresses ...*demoAddress) error {
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
	o := app.Options{Terminal: io.Out, Prepare: func(e *manage.Edit) error { return prepareDemo(e, iec, mqtt) }}
	o.Started = func(httpAddr string) {
		if mqtt.value != "" {
			wait.Go(func() {
				if err := demo.Simulate(simulation, "tcp://"+mqtt.value); err != nil {
					fmt.Fprintf(io.Err, "busbar demo: simulated stations: %v\n", err)
				}
			})
		}
		tryNext(io, c, httpAddr, iec.value, mqtt.value)
	}
	code := runApp(ctx, io, "demo", c, fs, o)
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
  API                     %s
  data                    %s

Try in a second terminal:

`, iec, mqtt, cmp.Or(httpURL(c, httpAddr), "off"), c.Data)
	suggest := func(command, what string) { fmt.Fprintf(io.Out, "  %-62s  %s\n", command, what) }
	suggest("bin/busbar master "+iec+" gi", "what a control centre reads")
	suggest("bin/busbar master "+iec+" monitor", "… and how it changes")
	suggest("bin/busbar master "+iec+" counters", "energy")
	suggest("mosquitto_sub -p "+portOf(mqtt)+" -v -t 'ons/#'", "what the substations publish")
	suggest("mosquitto_pub -p "+portOf(mqtt)+" -t ons/4711/tap -m '{\"position\":null}'", "no value: invalid for up to 10 s")
	if url := httpURL(c, httpAddr); url != "" {
		fmt.Fprintf(io.Out, `
Configure it through the API. Sign in as admin with the one-time password above, and change it:

  curl -c jar -H 'Content-Type: application/json' -d '{"name":"admin","password":"ONE-TIME"}' %[1]s/api/v1/auth/login
  curl -b jar -c jar -H 'X-Busbar-CSRF: 1' -H 'Content-Type: application/json' -d '{"currentPassword":"ONE-TIME","newPassword":"A NEW ONE"}' %[1]s/api/v1/auth/password
  curl -b jar %[1]s/api/v1/points
  curl -b jar -H 'Accept: application/yaml' %[1]s/api/v1/plant

What there is: %[1]s/docs. Changes apply while the links stay up.
`, url)
	}
	fmt.Fprintf(io.Out, "\nCtrl-C stops.\n\n")
}

// httpURL is where the API is; empty: nowhere.
func httpURL(c config.Config, addr string) string {
	switch {
	case addr == "":
		return ""
	case c.HTTPCert != "":
		return "https://" + addr
	default:
		return "http://" + addr
	}
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
