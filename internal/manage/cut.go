package manage

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"busbar/internal/connector"
	"busbar/internal/plant"
	"busbar/internal/plantdoc"
)

// cut is the work on the secrets of one connector.
type cut struct {
	id       string
	mask     bool              // secrets are hidden, not taken out
	secrets  map[string]string // taken out, by name
	problems plant.Problems
	changed  bool
}

func (c *cut) fault(path, text string) {
	at := plant.Key("connectors", c.id)
	if path != "" {
		at += "." + path
	}
	c.problems = append(c.problems, plant.Problem{File: "plant", Path: at, Text: text})
}

// cut returns the body of a connector without the secrets that are written out in it.
func (s *Service) cut(c *cut, body []byte) ([]byte, error) {
	var tree any
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&tree); err != nil {
		return body, fmt.Errorf("is no JSON: %w", err)
	}
	settings, ok := tree.(map[string]any)
	if !ok {
		return body, nil // the plant says what is wrong
	}
	if !c.mask {
		c.local("", tree)
	}
	kind, _ := settings["kind"].(string)
	for _, path := range s.o.Kinds.SecretKeys(kind) {
		walk(settings, path, nil, c.leaf)
	}
	for _, path := range s.o.Kinds.FileKeys(kind) {
		if !c.mask {
			walk(settings, path, nil, func(way []string, text string, _ func(any)) { c.file(way, text, s.o.Files) })
		}
	}
	if !c.changed {
		return body, nil
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(tree); err != nil {
		return body, err
	}
	return plantdoc.ParseObject(".json", out.Bytes())
}

// walk goes the rest of a path and visits the texts at its end; at is the way so far.
func walk(node any, path, at []string, visit func(way []string, text string, set func(any))) {
	step := func(k string, v any, set func(any)) {
		way := append(slices.Clip(at), k)
		if len(path) > 1 {
			walk(v, path[1:], way, visit)
		} else if text, ok := textOf(v); ok {
			visit(way, text, set)
		}
	}
	switch n := node.(type) {
	case map[string]any:
		if path[0] != connector.AnyKey {
			if v, ok := n[path[0]]; ok {
				step(path[0], v, func(v any) { n[path[0]] = v })
			}
			return
		}
		for k, v := range n {
			step(k, v, func(v any) { n[k] = v })
		}
	case []any:
		for i, v := range n {
			step(strconv.Itoa(i), v, func(v any) { n[i] = v })
		}
	}
}

// textOf returns the text of a scalar; false if it is none, which the plant finds out.
func textOf(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, v != ""
	case json.Number:
		return v.String(), true
	default:
		return "", false
	}
}

// leaf looks at one secret.
func (c *cut) leaf(way []string, text string, set func(any)) {
	path := pathOf(way)
	switch {
	case c.mask && strings.Contains(text, "${"):
		return
	case c.mask:
		set(hiddenSecret)
		c.changed = true
	case text == hiddenSecret:
		c.fault(path, "is "+hiddenSecret+", which stands for a secret that is not shown, want the secret itself or ${secret:…}")
	case !strings.Contains(text, "${"):
		name := secretName(c.id, way)
		c.secrets[name] = text
		set("${secret:" + name + "}")
		c.changed = true
	case !isReference(text):
		c.fault(path, "is a reference and more, want the secret itself or ${secret:…} alone")
	}
}

func isReference(text string) bool {
	name, ok := strings.CutPrefix(text, "${secret:")
	name, end := strings.CutSuffix(name, "}")
	return ok && end && plant.IsSecretName(name)
}

func pathOf(way []string) (path string) {
	for _, k := range way {
		path = plant.Key(path, k)
	}
	return path
}

// secretName is the name under which a secret of a connector is kept. What a name cannot hold
// is told apart by a hash.
func secretName(id string, way []string) string {
	name := id + "." + strings.Join(way, ".")
	if plant.IsSecretName(name) {
		return name
	}
	clean := strings.Map(func(r rune) rune {
		if plant.IsSecretName(string(r)) {
			return r
		}
		return '-'
	}, name)
	sum := sha256.Sum256([]byte(name))
	return clean[:min(len(clean), 180)] + "-" + hex.EncodeToString(sum[:4])
}

// local refuses references to secrets of this machine: who may change the plant must not
// send them anywhere.
func (c *cut) local(path string, node any) {
	switch n := node.(type) {
	case string:
		for _, where := range []string{"${env:", "${file:"} {
			if strings.Contains(n, where) {
				c.fault(path, where+"…} works only in a local plant file, want the secret itself or ${secret:…}")
			}
		}
	case map[string]any:
		for k, v := range n {
			c.local(plant.Key(path, k), v)
		}
	case []any:
		for i, v := range n {
			c.local(plant.Item(path, i), v)
		}
	}
}

// file refuses a file outside of the directories that are set up for files: who may change the plant
// could otherwise have any file of this machine read, or sent to a controlling station.
func (c *cut) file(way []string, name string, dirs []string) {
	abs, err := filepath.Abs(name)
	inside := func(dir string) bool {
		rel, err := filepath.Rel(dir, abs)
		return err == nil && filepath.IsLocal(rel)
	}
	if err != nil || !slices.ContainsFunc(dirs, inside) {
		c.fault(pathOf(way), "is outside of the directories for files, want one in "+strings.Join(dirs, " or ")+"; the setting files.dirs names others")
	}
}
