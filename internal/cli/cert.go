package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"time"

	"busbar/internal/pki"
)

// certCommand makes and shows certificates: busbar cert ca|issue|revoke|show.
func certCommand(_ context.Context, args []string, io IO) int {
	name := ""
	if len(args) > 0 {
		name = args[0]
	}
	var run func(args []string, io IO) error
	switch name {
	case "ca":
		run = certAuthority
	case "issue":
		run = certIssue
	case "revoke":
		run = certRevoke
	case "show":
		run = certShow
	case "help", "-h", "--help":
		certUsage(io)
		return exitOK
	default:
		return fail(io, "cert", errors.New("want ca, issue, revoke or show; try: busbar cert --help"), exitUsage)
	}
	err := run(args[1:], io)
	if err == nil {
		return exitOK
	}
	code := exitFailure
	if _, ok := errors.AsType[usageError](err); ok {
		code = exitUsage
	}
	return fail(io, "cert "+name, err, code)
}

func certUsage(io IO) {
	fmt.Fprint(io.Out, `Usage: busbar cert ca|issue|revoke|show [flags]

Makes certificates for tests and small plants, and says what is in files.

  ca      make an authority, in a directory of its own
  issue   make a certificate and its key, or renew them
  revoke  revoke certificates, or renew the list of those that are revoked
  show    say what is in files with certificates, keys, lists and requests

`+"`busbar cert ca --help` and so on tell more.\n")
}

// usageError is an error of who has typed a command.
type usageError struct{ error }

// certFlags are the flags of one of the commands.
type certFlags struct {
	*flag.FlagSet
	dir *string
}

func newCertFlags(name, usage string, io IO) certFlags {
	fs := newFlags("cert "+name, usage, io.Out)
	return certFlags{fs, fs.String("dir", "busbar-ca", "`directory` of the authority")}
}

// arguments parses and refuses more arguments than most.
func arguments(fs *flag.FlagSet, args []string, most int) ([]string, error) {
	rest, err := parse(fs, args)
	if err != nil && !errors.Is(err, errHelp) {
		err = usageError{err}
	}
	if err == nil && len(rest) > most {
		err = usageError{fmt.Errorf("unexpected argument %q", rest[most])}
	}
	return rest, err
}

// lifetime makes a duration of days.
func lifetime(days int) (time.Duration, error) {
	if days < 1 || days > 36500 {
		return 0, usageError{fmt.Errorf("--days: %d, want 1 to 36500", days)}
	}
	return time.Duration(days) * 24 * time.Hour, nil
}

// certAuthority is busbar cert ca.
func certAuthority(args []string, io IO) error {
	fs := newCertFlags("ca", "[flags]\n\nMakes an authority in a directory: ca.pem, which everybody gets, ca.key, which nobody else gets,\nand ca.crl, the list of revoked certificates.", io)
	name := fs.String("name", "Busbar CA", "common `name` of the authority")
	organization := fs.String("organization", "", "`organization`, of the authority and of all that it issues")
	days := fs.Int("days", 3650, "`days` that it is valid for")
	bits := fs.Int("rsa", 0, "`bits` of an RSA key, 2048 or more; default ECDSA P-256")
	if _, err := arguments(fs.FlagSet, args, 0); err != nil {
		return err
	}
	life, err := lifetime(*days)
	if err != nil {
		return err
	}
	if *name == "" {
		return usageError{errors.New("--name: want a name")}
	}
	if pki.Exists(*fs.dir) {
		return fmt.Errorf("there is an authority in %s already; --dir names another directory", *fs.dir)
	}
	key, err := pki.NewKey(*bits)
	if err != nil {
		return usageError{fmt.Errorf("--rsa: %w", err)}
	}
	now := time.Now()
	a, err := pki.NewAuthority(pki.Subject{Name: *name, Organization: *organization}, key, now, life)
	if err != nil {
		return err
	}
	d, err := pki.Create(*fs.dir, a, now, listLife)
	if err != nil {
		return err
	}
	fmt.Fprintf(io.Out, "authority %s, valid until %s\n", a.Cert.Subject, a.Cert.NotAfter.Format(time.DateOnly))
	fmt.Fprintf(io.Out, "  %s  certificate: tls.ca of everybody\n", d.File(pki.CertFile))
	fmt.Fprintf(io.Out, "  %s  key: keep it here, and a copy in a safe place\n", d.File(pki.KeyFile))
	fmt.Fprintf(io.Out, "  %s  revoked certificates: tls.crl; renew it within %d days with busbar cert revoke\n", d.File(pki.ListFile), listDays)
	return nil
}

// listDays is how long a list of revoked certificates is valid by default.
const (
	listDays = 90
	listLife = listDays * 24 * time.Hour
)
