package auth

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// LoadProviders reads the YAML file of providers: a mapping with the one key
// `providers`, a list. Secrets in it are ${env:BUSBAR_SECRET_…} or ${file:…},
// the file below secretsDir. The error names everything that is wrong.
func LoadProviders(name, secretsDir string) ([]Provider, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("providers: %w", err)
	}
	if info.Mode().Perm()&0o002 != 0 {
		return nil, fmt.Errorf("providers: %s can be written by everybody, want mode 0640 or less", name)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("providers: %w", err)
	}
	list, err := parseProviders(data, secretReader{dir: secretsDir, env: os.LookupEnv})
	if err != nil {
		return nil, fmt.Errorf("providers: %s: %w", name, err)
	}
	return list, nil
}

func parseProviders(data []byte, secrets secretReader) ([]Provider, error) {
	var file struct {
		Providers []Provider `yaml:"providers"`
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(&file); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	var errs []error
	for i := range file.Providers {
		p := &file.Providers[i]
		secret, err := secrets.resolve(p.ClientSecret)
		if err != nil {
			errs = append(errs, fmt.Errorf("providers[%d]: clientSecret: %w", i, err))
		}
		p.ClientSecret = secret
		if err := p.prepare(); err != nil {
			errs = append(errs, fmt.Errorf("providers[%d]: %w", i, err))
		}
	}
	return file.Providers, errors.Join(append(errs, checkTogether(file.Providers)...)...)
}

// checkTogether reports what two providers may not have in common.
func checkTogether(list []Provider) (errs []error) {
	names, issuers := make(map[string]bool), make(map[string]bool)
	for _, p := range list {
		if names[p.Name] {
			errs = append(errs, fmt.Errorf("name %q occurs twice", p.Name))
		}
		names[p.Name] = true
		for _, u := range slices.Concat([]string{p.Issuer}, p.ExtraIssuers) {
			if issuers[u] {
				errs = append(errs, fmt.Errorf("issuer %q occurs twice", u))
			}
			issuers[u] = true
		}
	}
	return errs
}

// secretReader resolves references to secrets.
type secretReader struct {
	dir string
	env func(string) (string, bool)
}

const secretEnvironment = "BUSBAR_SECRET_"

// resolve returns the secret that text refers to, or text if it is no reference.
func (s secretReader) resolve(text string) (string, error) {
	inner, ok := strings.CutPrefix(text, "${")
	if !ok {
		return text, nil
	}
	inner, ok = strings.CutSuffix(inner, "}")
	where, name, _ := strings.Cut(inner, ":")
	switch {
	case ok && where == "env" && strings.HasPrefix(name, secretEnvironment):
		if v, found := s.env(name); found && v != "" {
			return v, nil
		}
		return "", fmt.Errorf("environment variable %s is not set", name)
	case ok && where == "file" && s.dir == "":
		return "", errors.New("${file:…} wants the setting secrets.dir")
	case ok && where == "file":
		return s.file(name)
	}
	return "", fmt.Errorf("want a secret, ${env:%s…} or ${file:…}", secretEnvironment)
}

// file reads a file below the directory of secrets, without the newline at its end.
func (s secretReader) file(name string) (string, error) {
	if filepath.IsAbs(name) {
		rel, err := filepath.Rel(s.dir, name)
		if err != nil {
			return "", fmt.Errorf("file %s is not below secrets.dir", name)
		}
		name = rel
	}
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return "", fmt.Errorf("secrets.dir: %w", err)
	}
	defer root.Close() // only read
	data, err := root.ReadFile(name)
	if err != nil {
		return "", err
	}
	secret := strings.TrimRight(string(data), "\r\n")
	if secret == "" {
		return "", fmt.Errorf("file %s is empty", name)
	}
	return secret, nil
}
