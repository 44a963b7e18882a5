package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"

	"busbar/internal/apiclient"
)

// serverFlags say which Busbar a command speaks to, and who asks.
type serverFlags struct {
	fs        *flag.FlagSet
	opts      apiclient.Options
	tokenFile string
	user      string
}

// Environment variables of commands that speak to a server.
const (
	envServer = "BUSBAR_SERVER"
	envToken  = "BUSBAR_TOKEN"
)

const serverHelp = `

Speaks to the Busbar at --server, or $BUSBAR_SERVER. An API token comes from $BUSBAR_TOKEN or --token-file;
with --user the password of an account is asked for, or read as the first line of standard input.`

func newServerFlags(name, usage string, io IO) *serverFlags {
	f := &serverFlags{fs: newFlags(name, usage+serverHelp, io.Out)}
	f.opts.Agent = "busbar/" + version
	f.fs.StringVar(&f.opts.Server, "server", "", "`address` of the server, such as https://busbar.example.org")
	f.fs.StringVar(&f.opts.Token, "token", "", "API `token`; other users of this machine can read it there, better use the environment or a file")
	f.fs.StringVar(&f.tokenFile, "token-file", "", "`file` with the API token")
	f.fs.StringVar(&f.user, "user", "", "`name` of a local account to sign in with, instead of a token")
	f.fs.StringVar(&f.opts.CA, "ca", "", "`file` of the authority that the server has its certificate from")
	f.fs.BoolVar(&f.opts.InsecureLoopback, "insecure-loopback", false, "do not check the certificate of a server on this machine")
	f.fs.BoolVar(&f.opts.Plain, "plain", false, "permit http to another machine: what is sent can be read on its way")
	return f
}

// client returns a client for who asks, and what ends it.
func (f *serverFlags) client(ctx context.Context, io IO, t *prompter) (*apiclient.Client, func(), error) {
	if f.opts.Server == "" {
		f.opts.Server, _ = lookup(io, envServer)
	}
	if f.opts.Server == "" {
		return nil, nil, errors.New("--server: which server? Such as --server https://busbar.example.org, or $" + envServer)
	}
	if err := f.findToken(io); err != nil {
		return nil, nil, err
	}
	c, err := apiclient.New(f.opts)
	if err != nil {
		return nil, nil, err
	}
	if f.user == "" {
		return c, c.Close, nil
	}
	if err := f.signIn(ctx, c, t); err != nil {
		return nil, nil, err
	}
	return c, func() {
		if err := c.SignOut(context.WithoutCancel(ctx)); err != nil {
			fmt.Fprintf(io.Err, "busbar: signing out: %v\n", err)
		}
		c.Close()
	}, nil
}

// findToken takes the token from where it is.
func (f *serverFlags) findToken(io IO) error {
	if f.user != "" {
		if f.opts.Token != "" || f.tokenFile != "" {
			return errors.New("--user: want either an account or a token")
		}
		return nil
	}
	switch {
	case f.tokenFile != "" && f.opts.Token != "":
		return errors.New("--token-file: want one of --token and --token-file")
	case f.tokenFile != "":
		text, err := os.ReadFile(f.tokenFile)
		if err != nil {
			return fmt.Errorf("--token-file: %w", err)
		}
		f.opts.Token = strings.TrimSpace(string(text))
	case f.opts.Token == "":
		f.opts.Token, _ = lookup(io, envToken)
	}
	if f.opts.Token == "" || strings.ContainsAny(f.opts.Token, " \t\r\n") {
		return errors.New("want an API token in $" + envToken + " or a file (--token-file), or an account (--user)")
	}
	return nil
}

// signIn opens a session, with a second factor if the account has one.
func (f *serverFlags) signIn(ctx context.Context, c *apiclient.Client, t *prompter) error {
	password, err := t.password(ctx, "Password of "+f.user+": ")
	if err != nil {
		return err
	}
	t.present = password
	err = c.SignIn(ctx, f.user, password, "")
	if p, ok := errors.AsType[*apiclient.Problem](err); ok && p.Code == "totp-required" {
		code, err := t.line(ctx, "Code of the second factor: ")
		if err != nil {
			return err
		}
		return c.SignIn(ctx, f.user, password, code)
	}
	return err
}

func lookup(io IO, name string) (string, bool) {
	if io.Env == nil {
		return "", false
	}
	return io.Env(name)
}

// failAPI prints an error of a server, with every fault, and returns the exit code.
func failAPI(io IO, command string, err error) int {
	code := fail(io, command, err, exitFailure)
	if p, ok := errors.AsType[*apiclient.Problem](err); ok {
		for _, line := range p.Lines() {
			fmt.Fprintln(io.Err, "  "+line)
		}
	}
	return code
}
