package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"busbar/iec104"
	"busbar/iec104/asdu"
	"busbar/internal/linkdoctor"
)

// exitProblem is the exit code of `busbar master ADDR doctor` when there are
// problems.
const exitProblem = 2

// runDoctor is `busbar master ADDR doctor`: it connects, interrogates after each
// start, listens, and prints what does not fit.
func runDoctor(ctx context.Context, o *masterOptions, io IO) int {
	d := linkdoctor.New(linkdoctor.Options{Role: linkdoctor.Controlling, Params: o.params, Thorough: true})
	begun := time.Now()
	if err := examine(ctx, o, d, io); err != nil {
		return fail(io, "master", err, exitLocal)
	}
	found := d.Findings()
	if err := printFindings(found, o.json, io); err != nil {
		return fail(io, "master", fmt.Errorf("writing: %w", err), exitLocal)
	}
	problems := 0
	for i := range found {
		if found[i].Severity == linkdoctor.Problem {
			problems++
		}
	}
	if !o.json {
		fmt.Fprintf(io.Err, "%s, of which %s, %v\n", count(len(found), "finding"), count(problems, "problem"), time.Since(begun).Round(100*time.Millisecond))
	}
	if problems > 0 {
		return exitProblem
	}
	return exitOK
}

// examine keeps the station connected for the time that was asked for, and has
// the doctor look. It fails if there is no first connection.
func examine(ctx context.Context, o *masterOptions, d *linkdoctor.Doctor, io IO) error {
	ctx, cancel := context.WithTimeout(ctx, o.listen)
	defer cancel()
	links := make(chan iec104.LinkEvent, 64)
	notice := func(text string) { fmt.Fprintf(io.Err, "busbar master: %s\n", text) }
	l, err := o.newLinking(ctx, notice, iec104.WithTrace(d.Frame), iec104.WithOriginator(o.oa),
		iec104.WithRequestLimits(iec104.RequestLimits{Confirm: o.timeout, Silence: o.timeout, Settle: settle}))
	if err != nil {
		return err
	}
	l.told = func(e iec104.LinkEvent) {
		d.LinkEvent(e)
		select {
		case links <- e:
		default: // so many changes in so short a time are a finding
		}
	}
	c := l.client
	l.attend(ctx)
	defer l.parts.Wait()
	defer l.stop()
	var parts sync.WaitGroup
	defer parts.Wait()
	ended := make(chan error, 1)
	parts.Go(func() { ended <- c.Run(ctx) })
	results := make(chan string)
	connected := false
	for {
		select {
		case e := <-links:
			if !connected && e.Conn == 0 && e.Err != nil {
				cancel()
				return e.Err
			}
			connected = true
			if e.State == iec104.LinkStarted {
				parts.Go(func() {
					select {
					case results <- ask(ctx, c, o.ca):
					case <-ctx.Done():
					}
				})
			}
		case text := <-results:
			fmt.Fprint(io.Err, text)
		case err := <-ended:
			return err
		}
	}
}

// ask interrogates, and says what came of it. What does not fit the doctor sees.
func ask(ctx context.Context, c *iec104.Client, ca uint16) string {
	res, err := c.Interrogate(ctx, ca, uint8(asdu.InterrogatedGeneral))
	switch {
	case err == nil:
		return fmt.Sprintf("interrogation: %s of common address %s\n", count(res.Objects, "object"), stations(res))
	case ctx.Err() == nil && !errors.Is(err, iec104.ErrClosed):
		return fmt.Sprintf("interrogation: %v\n", err)
	default:
		return ""
	}
}

func printFindings(found []linkdoctor.Finding, asJSON bool, io IO) error {
	if asJSON {
		out := json.NewEncoder(io.Out)
		for i := range found {
			if err := out.Encode(&found[i]); err != nil {
				return err
			}
		}
		return nil
	}
	for i := range found {
		f := &found[i]
		text := fmt.Sprintf("%-8s %s\n         %s\n", f.Severity, f.ID, f.Seen)
		if f.Example != "" {
			text += "         such as: " + f.Example + "\n"
		}
		if f.Wanted != "" {
			text += "         want: " + f.Wanted + "\n"
		}
		if _, err := fmt.Fprint(io.Out, text); err != nil {
			return err
		}
	}
	if len(found) == 0 {
		_, err := fmt.Fprintln(io.Out, "nothing found")
		return err
	}
	return nil
}
