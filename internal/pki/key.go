package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

// MinRSA is the least length of RSA keys, in bits.
const MinRSA = 2048

// NewKey makes a private key: ECDSA on P-256 with bits 0, otherwise RSA of so
// many bits, MinRSA … 8192.
func NewKey(bits int) (crypto.Signer, error) {
	switch {
	case bits == 0:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case bits < MinRSA || bits > 8192:
		return nil, fmt.Errorf("rsa key of %d bits: want %d to 8192", bits, MinRSA)
	default:
		return rsa.GenerateKey(rand.Reader, bits)
	}
}

// DescribeKey says what a public key is, such as "ECDSA P-256".
func DescribeKey(public any) string {
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		return "ECDSA " + k.Curve.Params().Name
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA %d", k.N.BitLen())
	case ed25519.PublicKey:
		return "Ed25519"
	default:
		return fmt.Sprintf("%T", public)
	}
}

// WeakKey says what is wrong with a public key; empty if it is strong enough:
// RSA of 2048 bits, an elliptic curve of 256 bits, or more.
func WeakKey(public any) string {
	switch k := public.(type) {
	case *rsa.PublicKey:
		if k.N.BitLen() >= MinRSA {
			return ""
		}
	case *ecdsa.PublicKey:
		if k.Curve.Params().BitSize >= 256 {
			return ""
		}
	case ed25519.PublicKey:
		return ""
	}
	return "has the key " + DescribeKey(public) + ", want RSA 2048, ECDSA P-256 or more"
}

// The labels of PEM blocks.
const (
	certLabel    = "CERTIFICATE"
	keyLabel     = "PRIVATE KEY"
	listLabel    = "X509 CRL"
	requestLabel = "CERTIFICATE REQUEST"
)

func encodeKey(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return encode(keyLabel, der), nil
}

func encode(label string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der})
}

// parseKey reads a private key of a PEM block.
func parseKey(block *pem.Block) (crypto.Signer, error) {
	var key any
	var err error
	switch block.Type {
	case keyLabel:
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	default:
		err = fmt.Errorf("PEM block %s, want %s", block.Type, keyLabel)
	}
	if err != nil {
		return nil, err
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, errors.New("the key cannot sign")
	}
	return signer, nil
}
