package plant

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Secrets say where references to secrets in a plant file lead.
type Secrets struct {
	// Dir is the directory below which the files of ${file:…} lie. Empty: there
	// are none. What lies outside of it is not read, through links neither.
	Dir string
	// Env looks up the variables of ${env:…}; nil is the environment of the process.
	Env func(name string) (value string, found bool)
	// Store looks up ${secret:…}. An error says that there is none, or why it cannot be
	// read. nil: there is no store of secrets.
	Store func(name string) (value string, err error)
	// Optional makes a secret that cannot be read a warning, so that a plant can
	// be checked where its secrets are not. The word "secret" stands in for it.
	Optional bool
}

const (
	envPrefix  = "BUSBAR_SECRET_"
	maxSecret  = 64 << 10 // octets
	wantSecret = "want ${secret:…}, ${env:" + envPrefix + "…} or ${file:…}"
)

// secretReader reads secrets and remembers them, so that they can be hidden.
type secretReader struct {
	options Secrets
	values  []string
}

func newSecretReader(o Secrets) *secretReader {
	if o.Env == nil {
		o.Env = os.LookupEnv
	}
	return &secretReader{options: o}
}

// hide replaces all secrets in a text.
func (s *secretReader) hide(text string) string {
	for _, v := range s.values {
		text = strings.ReplaceAll(text, v, hidden)
		quoted := strconv.Quote(v)
		text = strings.ReplaceAll(text, quoted[1:len(quoted)-1], hidden)
	}
	return text
}

// read returns the secret of a reference such as "env:BUSBAR_SECRET_MQTT".
func (s *secretReader) read(reference string) (string, error) {
	where, name, _ := strings.Cut(reference, ":")
	var value string
	var err error
	switch where {
	case "env":
		value, err = s.env(name)
	case "file":
		value, err = s.file(name)
	case "secret":
		value, err = s.stored(name)
	default:
		return "", fmt.Errorf("${%s} is no reference to a secret, %s", shorten(reference), wantSecret)
	}
	if err != nil {
		return "", err
	}
	s.values = append(s.values, value)
	return value, nil
}

// absentError tells that a reference is right, but the secret is not here.
type absentError struct{ err error }

func (e absentError) Error() string { return e.err.Error() }

// Unwrap returns the reason.
func (e absentError) Unwrap() error { return errors.Unwrap(e.err) }

func absent(format string, args ...any) error { return absentError{fmt.Errorf(format, args...)} }

func (s *secretReader) env(name string) (string, error) {
	if !strings.HasPrefix(name, envPrefix) || name == envPrefix {
		return "", fmt.Errorf("environment variable %s is no secret, want a name that begins with %s", shorten(name), envPrefix)
	}
	value, found := s.options.Env(name)
	if !found || value == "" {
		return "", absent("environment variable %s is not set, want the secret in it", name)
	}
	return value, nil
}

func (s *secretReader) stored(name string) (string, error) {
	if !IsSecretName(name) {
		return "", fmt.Errorf("%s is no name of a secret, want %s", shorten(name), WantSecretName)
	}
	if s.options.Store == nil {
		return "", absent("there is no store here that has the secret %s", shorten(name))
	}
	value, err := s.options.Store(name)
	if err != nil {
		return "", absent("secret %s: %w", shorten(name), err)
	}
	if value == "" {
		return "", absent("secret %s is empty, want it to be set", shorten(name))
	}
	return value, nil
}

// WantSecretName says what a name of a secret in the store is made of.
const WantSecretName = "1 to 200 of the characters A-Z a-z 0-9 . _ -"

// IsSecretName reports whether a secret in the store can have this name.
func IsSecretName(name string) bool {
	return len(name) >= 1 && len(name) <= 200 && strings.IndexFunc(name, func(r rune) bool {
		return !(isPlain(r) && r != '/' || r == '.')
	}) < 0
}

func (s *secretReader) file(name string) (string, error) {
	if s.options.Dir == "" {
		return "", absent("there is no directory for the secret file %s, want the setting secrets.dir", shorten(name))
	}
	local := name
	if filepath.IsAbs(name) {
		rel, err := filepath.Rel(s.options.Dir, name)
		if err != nil {
			return "", fmt.Errorf("file %s is not below secrets.dir", shorten(name))
		}
		local = rel
	}
	if !filepath.IsLocal(local) {
		return "", fmt.Errorf("file %s is not below secrets.dir, want one that is", shorten(name))
	}
	value, err := readSecret(s.options.Dir, local)
	if err != nil {
		return "", absent("secret file: %v, want a file that can be read below secrets.dir", err)
	}
	return value, nil
}

// readSecret reads a file below dir, without the newline at its end.
func readSecret(dir, name string) (string, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", err
	}
	defer root.Close() // only read
	f, err := root.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close() // only read
	data, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return "", err
	}
	if len(data) > maxSecret {
		return "", fmt.Errorf("file %s is larger than %d octets", name, maxSecret)
	}
	value := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	if value == "" {
		return "", fmt.Errorf("file %s is empty", name)
	}
	return value, nil
}

// resolving replaces the references to secrets in the settings of a connector.
type resolving struct {
	reader   *secretReader
	report   report
	warnings []FieldProblem
	used     bool
}

// node returns n with references resolved; what has none is n itself.
func (r *resolving) node(n *Node) *Node {
	resolved := *n
	changed := false
	switch n.Kind {
	case Scalar:
		if changed = strings.Contains(n.Text, "${"); changed {
			resolved.Text, resolved.secret, resolved.Quoted = r.text(n), true, true
		}
	case List:
		for i, item := range n.Items {
			r.report.trail.enterItem(i)
			if v := r.node(item); v != item {
				if !changed {
					resolved.Items, changed = slices.Clone(n.Items), true
				}
				resolved.Items[i] = v
			}
			r.report.trail.leave()
		}
	case Map:
		for i := range n.Fields {
			f := &n.Fields[i]
			r.report.trail.enter(f.Key)
			if v := r.node(f.Value); v != f.Value {
				if !changed {
					resolved.Fields, changed = slices.Clone(n.Fields), true
				}
				resolved.Fields[i].Value = v
			}
			r.report.trail.leave()
		}
	}
	if !changed {
		return n
	}
	return &resolved
}

// text returns the text of a scalar with its references replaced.
func (r *resolving) text(n *Node) string {
	r.used = true
	var b strings.Builder
	rest := n.Text
	for {
		before, after, found := strings.Cut(rest, "${")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		reference, tail, closed := strings.Cut(after, "}")
		if !closed {
			r.report.add("${ begins a reference to a secret that has no end, " + wantSecret)
			return b.String()
		}
		rest = tail
		value, err := r.reader.read(reference)
		var missing absentError
		switch {
		case err == nil:
			b.WriteString(value)
		case errors.As(err, &missing) && r.reader.options.Optional:
			r.warnings = append(r.warnings, FieldProblem{Path: r.report.trail.String(), Text: err.Error()})
			b.WriteString("secret")
		default:
			r.report.add(err.Error())
			b.WriteString("secret")
		}
	}
}
