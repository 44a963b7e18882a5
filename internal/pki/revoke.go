package pki

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// reasons are the reasons of a revocation, by their codes.
var reasons = map[int]string{
	0: "unspecified", 1: "keyCompromise", 3: "affiliationChanged", 4: "superseded", 5: "cessationOfOperation",
	2: "cACompromise", 6: "certificateHold", 9: "privilegeWithdrawn", 10: "aACompromise",
}

// Reason returns the words of the code of a revocation, such as "keyCompromise".
func Reason(code int) string {
	if text, ok := reasons[code]; ok {
		return text
	}
	return fmt.Sprintf("reason %d", code)
}

// ParseReason returns the code of a reason that a certificate of a peer can be
// revoked for.
func ParseReason(text string) (int, error) {
	wanted := []int{0, 1, 3, 4, 5, 6, 9}
	var words []string
	for _, code := range wanted {
		if strings.EqualFold(reasons[code], text) {
			return code, nil
		}
		words = append(words, reasons[code])
	}
	return 0, fmt.Errorf("reason %q: want one of %s", text, strings.Join(words, ", "))
}

// Find returns the certificates of this authority that are meant by text: those
// of a file, of a serial number in hexadecimal, or all with this common name.
func (d *Directory) Find(text string) ([]*x509.Certificate, error) {
	if strings.ContainsRune(text, filepath.Separator) || strings.HasSuffix(text, ".pem") || strings.HasSuffix(text, ".crt") {
		cert, err := readCert(text)
		if err != nil {
			return nil, err
		}
		if err := cert.CheckSignatureFrom(d.Cert); err != nil {
			return nil, fmt.Errorf("%s was not issued by %s", text, d.File(CertFile))
		}
		return []*x509.Certificate{cert}, nil
	}
	files, err := filepath.Glob(filepath.Join(d.File(issued), "*.pem"))
	if err != nil {
		return nil, err
	}
	serial := strings.ToLower(strings.ReplaceAll(text, ":", ""))
	var found []*x509.Certificate
	for _, file := range files {
		cert, err := readCert(file)
		if err != nil {
			return nil, err
		}
		if cert.Subject.CommonName == text || serialName(cert) == strings.TrimLeft(serial, "0") {
			found = append(found, cert)
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s: no certificate with this name or serial number was issued here", text)
	}
	return found, nil
}

// Revoke writes a new list of revoked certificates that also has these, and
// returns those that were not in it before. The list is renewed also if there are none.
func (d *Directory) Revoke(certs []*x509.Certificate, reason int, now time.Time, lifetime time.Duration) ([]*x509.Certificate, error) {
	var entries []x509.RevocationListEntry
	number := big.NewInt(1)
	switch old, err := d.list(); {
	case err == nil:
		entries = old.RevokedCertificateEntries
		if old.Number != nil {
			number.Add(old.Number, number)
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	var fresh []*x509.Certificate
	for _, cert := range certs {
		if slices.ContainsFunc(entries, func(e x509.RevocationListEntry) bool { return e.SerialNumber.Cmp(cert.SerialNumber) == 0 }) {
			continue
		}
		entries = append(entries, x509.RevocationListEntry{SerialNumber: cert.SerialNumber, RevocationTime: now, ReasonCode: reason})
		fresh = append(fresh, cert)
	}
	return fresh, d.writeList(entries, number, now, lifetime)
}

// list reads the list of revoked certificates.
func (d *Directory) list() (*x509.RevocationList, error) {
	block, err := readBlock(d.File(ListFile))
	if err != nil {
		return nil, err
	}
	list, err := x509.ParseRevocationList(block.Bytes)
	if err == nil {
		err = list.CheckSignatureFrom(d.Cert)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.File(ListFile), err)
	}
	return list, nil
}

func (d *Directory) writeList(entries []x509.RevocationListEntry, number *big.Int, now time.Time, lifetime time.Duration) error {
	for i := range entries { // they are made anew from what is parsed of them
		entries[i].Raw, entries[i].Extensions = nil, nil
	}
	der, err := d.List(entries, number, now, lifetime)
	if err != nil {
		return err
	}
	return replace(d.File(ListFile), encode(listLabel, der), 0o644)
}

// ReadRequest reads a certificate signing request that a device has made, and
// checks that it has the key.
func ReadRequest(path string) (*x509.CertificateRequest, error) {
	block, err := readBlock(path)
	if err != nil {
		return nil, err
	}
	if block.Type != "" && block.Type != requestLabel && block.Type != "NEW CERTIFICATE REQUEST" {
		return nil, fmt.Errorf("%s: is a %s, want a %s", path, block.Type, requestLabel)
	}
	request, err := x509.ParseCertificateRequest(block.Bytes)
	if err == nil {
		err = request.CheckSignature()
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return request, nil
}

// Exists reports whether there is an authority in a directory.
func Exists(path string) bool {
	_, err := os.Lstat(filepath.Join(path, KeyFile))
	return err == nil
}
