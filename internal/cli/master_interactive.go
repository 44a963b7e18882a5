package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// interact takes requests line by line until the end of the input, and prints what
// the station sends meanwhile. A line that fails is reported and changes nothing.
func interact(ctx context.Context, s *masterSession, o *masterOptions) error {
	prompt := terminal(s.io.In)
	if prompt {
		s.say("connected; help tells what there is, quit ends")
	}
	lines := readLines(ctx, s.io.In)
	for {
		if prompt {
			s.mu.Lock()
			fmt.Fprint(s.io.Err, "> ")
			s.mu.Unlock()
		}
		select {
		case line, ok := <-lines:
			if !ok || line.text == "quit" || line.text == "exit" {
				return line.err
			}
			s.take(ctx, line.text, o)
		case <-s.lost():
			return s.link.client.Err()
		case <-ctx.Done():
			return nil
		}
	}
}

// take does what a line says, and prints why it could not.
func (s *masterSession) take(ctx context.Context, text string, o *masterOptions) {
	words, err := splitWords(text)
	if err == nil && len(words) > 0 {
		if words[0] == "help" {
			s.help()
			return
		}
		words, err = substitute(words, nil, o.vars)
	}
	if err == nil && len(words) > 0 {
		var t step
		if t, err = parseStep(words, o.timeout); err == nil {
			err = s.step(ctx, &t)
		}
	}
	if err != nil && ctx.Err() == nil {
		_, said := outcomeOf(err)
		s.notice(said.Error())
	}
}

// help prints what may be said.
func (s *masterSession) help() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range masterRequests() {
		if r.name != "script" && r.name != "interactive" {
			fmt.Fprintf(s.io.Err, "  %-11s %s\n", r.name, r.does)
		}
	}
	fmt.Fprintf(s.io.Err, "  %-11s %s\n", "expect", "wait for an object: --ca, --ioa, --type, --value, --quality, --cause, --timeout")
	fmt.Fprintf(s.io.Err, "  %-11s %s\n", "sleep", "wait, such as sleep 500ms")
	fmt.Fprintf(s.io.Err, "  %-11s %s\n", "quit", "end")
}

// inputLine is a line of the input, or why there is none.
type inputLine struct {
	text string
	err  error
}

// readLines reads lines in a goroutine, which is left behind if the input blocks when
// the command ends: nothing can wake it.
func readLines(ctx context.Context, in io.Reader) <-chan inputLine {
	lines := make(chan inputLine)
	go func() {
		defer close(lines)
		scanner := bufio.NewScanner(in)
		for scanner.Scan() {
			select {
			case lines <- inputLine{text: scanner.Text()}:
			case <-ctx.Done():
				return
			}
		}
		if err := scanner.Err(); err != nil && !errors.Is(err, os.ErrClosed) {
			select {
			case lines <- inputLine{text: "quit", err: lineError(err)}:
			case <-ctx.Done():
			}
		}
	}()
	return lines
}

// terminal reports whether a person types.
func terminal(in io.Reader) bool {
	f, ok := in.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
