package cli

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"busbar/internal/pki"
)

// issueFlags are what busbar cert issue was told.
type issueFlags struct {
	name           string
	hosts          []string
	server, client bool
	renew          bool
	csr            string
}

// certIssue is busbar cert issue.
func certIssue(args []string, io IO) error {
	fs := newCertFlags("issue", "--name NAME [flags]\n\nMakes NAME.pem and NAME.key in the directory of the authority.", io)
	var f issueFlags
	fs.StringVar(&f.name, "name", "", "common `name`, such as scada1; also the name of the files")
	fs.Func("host", "host `name` or IP address that others connect to, such as rtu1.plant.example,10.0.0.5; may be repeated", func(text string) error {
		f.hosts = append(f.hosts, strings.Split(text, ",")...)
		return nil
	})
	fs.BoolVar(&f.server, "server", false, "only for who listens, such as a controlled station; default both")
	fs.BoolVar(&f.client, "client", false, "only for who connects, such as a control centre; default both")
	fs.BoolVar(&f.renew, "renew", false, "replace the files of NAME by a new key and certificate, for the same hosts and uses unless they are given")
	fs.StringVar(&f.csr, "csr", "", "certificate signing request in this `file`, of a device that keeps its key to itself")
	days := fs.Int("days", 730, "`days` that it is valid for")
	bits := fs.Int("rsa", 0, "`bits` of an RSA key, 2048 or more; default ECDSA P-256")
	if _, err := arguments(fs.FlagSet, args, 0); err != nil {
		return err
	}
	life, err := lifetime(*days)
	if err != nil {
		return err
	}
	d, err := pki.Open(*fs.dir)
	if err != nil {
		return err
	}
	request, key, err := f.request(d, *bits)
	if err != nil {
		return err
	}
	request.Lifetime = life
	cert, err := d.Issue(request, key, f.renew, time.Now())
	if err != nil {
		return err
	}
	printIssued(io, d, cert, key != nil)
	return nil
}

// request makes the request of the flags, and the key unless a device has it.
func (f *issueFlags) request(d *pki.Directory, bits int) (pki.Request, crypto.Signer, error) {
	r := pki.Request{Name: f.name, Hosts: f.hosts, Server: f.server || !f.client, Client: f.client || !f.server}
	if f.renew {
		old, err := d.Named(f.name)
		if err != nil {
			return r, nil, fmt.Errorf("there is nothing to renew: %w", err)
		}
		if len(f.hosts) == 0 {
			r.Hosts = pki.Names(old)
		}
		if !f.server && !f.client {
			r.Server = slices.Contains(old.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
			r.Client = slices.Contains(old.ExtKeyUsage, x509.ExtKeyUsageClientAuth)
		}
	}
	if f.csr != "" {
		request, err := pki.ReadRequest(f.csr)
		if err != nil {
			return r, nil, err
		}
		r.Key = request.PublicKey
		if r.Name == "" {
			r.Name = request.Subject.CommonName
		}
		if len(r.Hosts) == 0 {
			r.Hosts = pki.Names(&x509.Certificate{DNSNames: request.DNSNames, IPAddresses: request.IPAddresses, URIs: request.URIs})
		}
	}
	if r.Name == "" {
		return r, nil, usageError{errors.New("--name is missing, want a name such as scada1")}
	}
	if r.Key != nil {
		return r, nil, nil
	}
	key, err := pki.NewKey(bits)
	if err != nil {
		return r, nil, usageError{fmt.Errorf("--rsa: %w", err)}
	}
	r.Key = key.Public()
	return r, key, nil
}

func printIssued(io IO, d *pki.Directory, cert *x509.Certificate, withKey bool) {
	name := cert.Subject.CommonName
	hosts := strings.Join(pki.Names(cert), ", ")
	if hosts == "" {
		hosts = "none: name it in allow, as CN=" + name
	}
	fmt.Fprintf(io.Out, "certificate %s, valid until %s\n  hosts %s\n", cert.Subject, cert.NotAfter.Format(time.DateOnly), hosts)
	fmt.Fprintf(io.Out, "  %s  certificate: its tls.cert\n", d.File(name+".pem"))
	if withKey {
		fmt.Fprintf(io.Out, "  %s  key: its tls.key; nobody else needs it\n", d.File(name+".key"))
	}
	fmt.Fprintf(io.Out, "  %s  authority: its tls.ca\n", d.File(pki.CertFile))
	fmt.Fprintf(io.Out, "allow it as CN=%s, or as this certificate only:\n  %s\n", name, pki.Fingerprint(cert))
}

// certRevoke is busbar cert revoke.
func certRevoke(args []string, io IO) error {
	fs := newCertFlags("revoke", "[NAME|SERIAL|FILE]… [flags]\n\nPuts certificates into ca.crl: all with a name, one with a serial number, or that of a file.\nWithout any it renews the list.", io)
	reason := fs.String("reason", "unspecified", "`why`: keyCompromise, superseded, cessationOfOperation, affiliationChanged, privilegeWithdrawn, certificateHold")
	days := fs.Int("days", listDays, "`days` that the list is valid for")
	rest, err := arguments(fs.FlagSet, args, 1000)
	if err != nil {
		return err
	}
	life, err := lifetime(*days)
	if err != nil {
		return err
	}
	code, err := pki.ParseReason(*reason)
	if err != nil {
		return usageError{fmt.Errorf("--%w", err)}
	}
	d, err := pki.Open(*fs.dir)
	if err != nil {
		return err
	}
	var certs []*x509.Certificate
	for _, text := range rest {
		found, err := d.Find(text)
		if err != nil {
			return err
		}
		certs = append(certs, found...)
	}
	now := time.Now()
	fresh, err := d.Revoke(certs, code, now, life)
	if err != nil {
		return err
	}
	for _, cert := range fresh {
		fmt.Fprintf(io.Out, "revoked %x of %s, issued on %s\n", cert.SerialNumber, cert.Subject, cert.NotBefore.Format(time.DateOnly))
	}
	if n := len(certs) - len(fresh); n > 0 {
		fmt.Fprintf(io.Out, "revoked before: %d\n", n)
	}
	fmt.Fprintf(io.Out, "%s is valid until %s: take it to all that have it as tls.crl\n", d.File(pki.ListFile), now.Add(life).Format(time.DateOnly))
	return nil
}
