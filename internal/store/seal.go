package store

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
)

// KeySize is the length of the key of secrets in octets.
const KeySize = 32

// What is sealed begins with the version of this format and the id of the key,
// which tells a wrong key from damage; then come nonce, ciphertext and tag.
const (
	sealVersion = 1
	keyIDSize   = 6
	sealHead    = 1 + keyIDSize
)

// KeyID returns what a key is called: the beginning of its SHA-256, in
// hexadecimal. It does not help to find the key.
func KeyID(key []byte) string {
	sum := sha256.Sum256(append([]byte("busbar secrets key\x00"), key...))
	return hex.EncodeToString(sum[:keyIDSize])
}

// keyring holds the key of secrets, once there is one.
type keyring struct {
	mu   sync.Mutex
	id   string
	aead cipher.AEAD // AES-256-GCM; nil: there is no key
	make func() ([]byte, error)
}

func (k *keyring) init(key []byte, newKey func() ([]byte, error)) error {
	k.make = newKey
	if key == nil {
		return nil
	}
	return k.set(key)
}

// set makes key the one to use.
func (k *keyring) set(key []byte) error {
	aead, err := cipherOf(key)
	if err != nil {
		return err
	}
	k.id, k.aead = KeyID(key), aead
	return nil
}

func cipherOf(key []byte) (cipher.AEAD, error) {
	if len(key) != KeySize {
		return nil, fmt.Errorf("store: key for secrets has %d octets, want %d", len(key), KeySize)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("store: key for secrets: %w", err)
	}
	return cipher.NewGCM(block)
}

// current returns the key in use and its id; with need, one is made if there is none.
func (k *keyring) current(need bool) (cipher.AEAD, string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.aead == nil && need && k.make != nil {
		key, err := k.make()
		if err != nil {
			return nil, "", fmt.Errorf("%w: %w", ErrNoKey, err)
		}
		if err := k.set(key); err != nil {
			return nil, "", err
		}
	}
	if k.aead == nil {
		return nil, "", ErrNoKey
	}
	return k.aead, k.id, nil
}

// seal encrypts text for the given place, such as "secret/mqtt.password": it
// opens nowhere else.
func (k *keyring) seal(place, text string) ([]byte, error) {
	aead, id, err := k.current(true)
	if err != nil {
		return nil, err
	}
	return sealWith(aead, id, place, text)
}

func sealWith(aead cipher.AEAD, id, place, text string) ([]byte, error) {
	idOctets, err := hex.DecodeString(id)
	if err != nil {
		return nil, err
	}
	sealed := append([]byte{sealVersion}, idOctets...)
	nonce := make([]byte, aead.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return nil, err
	}
	return aead.Seal(append(sealed, nonce...), nonce, []byte(text), []byte(place)), nil
}

// open decrypts what was sealed for the given place.
func (k *keyring) open(place string, sealed []byte) (string, error) {
	aead, id, err := k.current(false)
	if err != nil {
		return "", fmt.Errorf("%s: %w", place, err)
	}
	wanted, err := sealedBy(sealed)
	if err != nil {
		return "", fmt.Errorf("%s: %w", place, err)
	}
	if wanted != id {
		return "", fmt.Errorf("%s: %w: with key %s, the present one is %s", place, ErrWrongKey, wanted, id)
	}
	rest := sealed[sealHead:]
	if len(rest) < aead.NonceSize() {
		return "", fmt.Errorf("%s: %w", place, ErrDamaged)
	}
	text, err := aead.Open(nil, rest[:aead.NonceSize()], rest[aead.NonceSize():], []byte(place))
	if err != nil {
		return "", fmt.Errorf("%s: %w: its seal is broken", place, ErrDamaged)
	}
	return string(text), nil
}

// sealedBy returns the id of the key that something was sealed with.
func sealedBy(sealed []byte) (string, error) {
	if len(sealed) < sealHead {
		return "", ErrDamaged
	}
	if sealed[0] != sealVersion {
		return "", errors.New("is encrypted in a way that this version does not know")
	}
	return hex.EncodeToString(sealed[1:sealHead]), nil
}
