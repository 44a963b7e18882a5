package pki

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"time"
)

// The files of a directory. Beside them each certificate NAME has NAME.pem and NAME.key.
const (
	CertFile = "ca.pem" // certificate of the authority
	KeyFile  = "ca.key" // its key, which belongs to nobody else
	ListFile = "ca.crl" // certificates that it has revoked
	issued   = "issued" // every certificate ever issued, as SERIAL.pem
)

// Directory is an authority whose files lie in a directory. One process at a
// time may change it.
type Directory struct {
	*Authority
	path string
}

// Create makes a directory with a new authority and an empty list of revoked
// certificates. It fails if there is one already.
func Create(path string, a *Authority, now time.Time, listLifetime time.Duration) (*Directory, error) {
	if err := os.MkdirAll(filepath.Join(path, issued), 0o700); err != nil {
		return nil, err
	}
	key, err := encodeKey(a.key)
	if err != nil {
		return nil, err
	}
	d := &Directory{a, path}
	if err := create(d.File(KeyFile), key, 0o600); err != nil {
		return nil, err
	}
	if err := create(d.File(CertFile), encode(certLabel, a.Cert.Raw), 0o644); err != nil {
		return nil, err
	}
	return d, d.writeList(nil, big.NewInt(1), now, listLifetime)
}

// Open reads the authority of a directory.
func Open(path string) (*Directory, error) {
	d := &Directory{&Authority{}, path}
	var err error
	if d.Cert, err = readCert(d.File(CertFile)); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w; busbar cert ca makes an authority", err)
		}
		return nil, err
	}
	block, err := readBlock(d.File(KeyFile))
	if err != nil {
		return nil, err
	}
	if d.key, err = parseKey(block); err != nil {
		return nil, fmt.Errorf("%s: %w", d.File(KeyFile), err)
	}
	if public, ok := d.key.Public().(interface{ Equal(crypto.PublicKey) bool }); !ok || !public.Equal(d.Cert.PublicKey) {
		return nil, fmt.Errorf("%s does not belong to %s", d.File(KeyFile), d.File(CertFile))
	}
	return d, nil
}

// File returns the path of a file in the directory.
func (d *Directory) File(name string) string { return filepath.Join(d.path, name) }

// names are those that are also good names of files.
var names = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._ -]{0,62}[A-Za-z0-9]?$`)

// Issue signs a certificate and writes it as NAME.pem and its key, unless it is
// nil, as NAME.key with mode 0600. It fails if they are there, unless renew is
// set; then both are replaced, each at once.
func (d *Directory) Issue(r Request, key crypto.Signer, renew bool, now time.Time) (*x509.Certificate, error) {
	if !names.MatchString(r.Name) || r.Name == "ca" || r.Name == issued {
		return nil, fmt.Errorf("name %q: want letters, digits, dots, dashes and blanks, at most 64, and neither ca nor %s", r.Name, issued)
	}
	write := create
	if renew {
		write = replace
	}
	certFile, keyFile := d.File(r.Name+".pem"), d.File(r.Name+".key")
	if !renew {
		for _, file := range []string{certFile, keyFile} {
			if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
				return nil, fmt.Errorf("%s is there already; --renew replaces it", file)
			}
		}
	}
	cert, err := d.Sign(r, now)
	if err != nil {
		return nil, err
	}
	text := encode(certLabel, cert.Raw)
	// It is known before anybody can use it, so that it can be revoked.
	if err := create(d.File(filepath.Join(issued, serialName(cert)+".pem")), text, 0o644); err != nil {
		return nil, err
	}
	if key != nil {
		secret, err := encodeKey(key)
		if err != nil {
			return nil, err
		}
		if err := write(keyFile, secret, 0o600); err != nil {
			return nil, err
		}
	}
	return cert, write(certFile, text, 0o644)
}

// Named returns the certificate NAME.pem.
func (d *Directory) Named(name string) (*x509.Certificate, error) {
	return readCert(d.File(name + ".pem"))
}

func serialName(cert *x509.Certificate) string { return fmt.Sprintf("%x", cert.SerialNumber) }

// create writes a file that must not be there.
func create(path string, text []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Sync(), f.Close())
}

// replace writes a file that may be there, such that nobody reads a part of it.
func replace(path string, text []byte, mode fs.FileMode) error {
	temporary := path + ".new"
	if err := os.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := create(temporary, text, mode); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}

func readCert(path string) (*x509.Certificate, error) {
	block, err := readBlock(path)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return cert, nil
}

// readBlock reads the first PEM block of a file, or all of it if it is DER.
func readBlock(path string) (*pem.Block, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block != nil {
		return block, nil
	}
	if !bytes.HasPrefix(text, []byte{0x30}) {
		return nil, fmt.Errorf("%s: is neither PEM nor DER", path)
	}
	return &pem.Block{Bytes: text}, nil
}
