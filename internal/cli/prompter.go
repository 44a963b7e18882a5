package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// prompter asks who sits in front of a command, or reads answers from its standard input.
type prompter struct {
	io      IO
	in      *bufio.Reader
	present string // the password that was asked for last
}

func newPrompter(io IO) *prompter {
	in := io.In
	if in == nil {
		in = strings.NewReader("")
	}
	return &prompter{io: io, in: bufio.NewReader(in)}
}

// file returns the terminal, nil if standard input is none.
func (t *prompter) file() *os.File {
	if f, ok := t.io.In.(*os.File); ok && isTerminal(f) {
		return f
	}
	return nil
}

var errNoAnswer = errors.New("standard input has ended, want an answer")

// line asks for a line.
func (t *prompter) line(ctx context.Context, question string) (string, error) {
	if t.file() != nil {
		fmt.Fprint(t.io.Err, question)
	}
	type read struct {
		text string
		err  error
	}
	got := make(chan read, 1)
	go func() { // it reads on if nobody waits any more; the process ends then
		text, err := t.in.ReadString('\n')
		got <- read{text, err}
	}()
	select {
	case r := <-got:
		if r.text == "" && errors.Is(r.err, io.EOF) {
			return "", errNoAnswer
		}
		if r.err != nil && !errors.Is(r.err, io.EOF) {
			return "", r.err
		}
		return strings.TrimRight(r.text, "\r\n"), nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// password asks for a line that is not shown.
func (t *prompter) password(ctx context.Context, question string) (string, error) {
	f := t.file()
	if f == nil {
		return t.line(ctx, question)
	}
	restore, err := hideInput(f)
	if err != nil {
		return "", fmt.Errorf("the password would be shown, pipe it in: %w", err)
	}
	defer func() {
		restore()
		fmt.Fprintln(t.io.Err)
	}()
	return t.line(ctx, question)
}

// yes asks whether to go on; only at a terminal, elsewhere the answer is no.
func (t *prompter) yes(ctx context.Context, question string) bool {
	if t.file() == nil {
		return false
	}
	answer, err := t.line(ctx, question+" [y/N] ")
	answer = strings.ToLower(strings.TrimSpace(answer))
	return err == nil && (answer == "y" || answer == "yes")
}
