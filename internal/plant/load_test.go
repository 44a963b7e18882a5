package plant_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"busbar/internal/plant"
)

func write(t *testing.T, mode os.FileMode, data string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "plant.yaml")
	if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // beyond the umask
		t.Fatal(err)
	}
	return path
}

const withSecret = `version: 1
connectors:
  a: {kind: mqtt, url: "mqtt://user:${env:BUSBAR_SECRET_MQTT}@h", password: "${env:BUSBAR_SECRET_MQTT}"}
`

func TestSecretsAreResolved(t *testing.T) {
	t.Parallel()
	p, problems := plant.Load(write(t, 0o644, withSecret), kinds(t), secrets())
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	s := p.Connectors[0].Settings.(*mqttSettings)
	if s.URL != "mqtt://user:s3cret-of-mqtt@h" || s.Password != "s3cret-of-mqtt" {
		t.Errorf("url %s, password %s", s.URL, string(s.Password))
	}
}

func TestFileWithSecretsMustNotBeWritableByEverybody(t *testing.T) {
	t.Parallel()
	path := write(t, 0o666, withSecret)
	_, problems := plant.Load(path, kinds(t), secrets())
	if len(problems) != 1 || !strings.HasPrefix(problems.Error(), path+":3:6: connectors.a: refers to a secret in a file that everybody may write") {
		t.Errorf("problems: %v", problems)
	}
	if _, problems := plant.Load(write(t, 0o666, "version: 1\n"), kinds(t), secrets()); len(problems) > 0 {
		t.Errorf("problems of a file without secrets: %v", problems)
	}
}

func TestAbsentSecretCanBeAWarning(t *testing.T) {
	t.Parallel()
	o := plant.Options{Secrets: plant.Secrets{Optional: true, Env: func(string) (string, bool) { return "", false }}}
	p, problems := plant.Decode("f.yaml", []byte(withSecret), kinds(t), o)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	want := "f.yaml:3:24: connectors.a.url: environment variable BUSBAR_SECRET_MQTT is not set, want the secret in it"
	if len(p.Warnings) != 3 || p.Warnings[1].String() != want {
		t.Errorf("warnings: %v", p.Warnings)
	}
}

func TestSecretFilesAreReadBelowTheirDirectory(t *testing.T) {
	t.Parallel()
	outside := t.TempDir()
	dir := filepath.Join(outside, "secrets")
	if err := os.MkdirAll(filepath.Join(dir, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string]string{"secrets/plain": "word\n", "secrets/sub/dos": "word\r\n", "secrets/empty": "\n", "secrets/large": strings.Repeat("x", 70_000), "out": "leaked"} {
		if err := os.WriteFile(filepath.Join(outside, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("../out", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("sub/dos", filepath.Join(dir, "inside")); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, file string
		want       string // part of the problem; "" is the secret
	}{
		{"by name", "plain", ""},
		{"in a folder", "sub/dos", ""},
		{"by a link that stays inside", "inside", ""},
		{"by its whole path", filepath.Join(dir, "plain"), ""},
		{"outside by its whole path", filepath.Join(outside, "out"), "is not below secrets.dir"},
		{"outside by dots", "../out", "is not below secrets.dir"},
		{"outside by a link", "link", "want a file that can be read below secrets.dir"},
		{"absent", "none", "want a file that can be read below secrets.dir"},
		{"empty", "empty", "is empty"},
		{"too large", "large", "is larger than 65536 octets"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			data := "version: 1\nconnectors:\n  a: {kind: mqtt, url: \"mqtt://h\", password: \"${file:" + tt.file + "}\"}\n"
			p, problems := plant.Decode("f.yaml", []byte(data), kinds(t), plant.Options{Secrets: plant.Secrets{Dir: dir}})
			switch {
			case tt.want != "":
				if len(problems) != 1 || !strings.Contains(problems.Error(), tt.want) || strings.Contains(problems.Error(), "leaked") {
					t.Errorf("problems: %v, want %s", problems, tt.want)
				}
			case len(problems) > 0:
				t.Error(problems)
			default:
				if got := string(p.Connectors[0].Settings.(*mqttSettings).Password); got != "word" {
					t.Errorf("password %q, want word", got)
				}
			}
		})
	}
}

func TestFileThatCannotBeRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, path := range []string{filepath.Join(dir, "none.yaml"), dir} {
		_, problems := plant.Load(path, kinds(t), plant.Options{})
		if len(problems) != 1 || !strings.HasPrefix(problems.Error(), path+": ") || problems[0].Line != 0 {
			t.Errorf("problems: %v", problems)
		}
	}
}

func TestLargeFileIsRefused(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		size int64
		want string
	}{
		{"beyond the limit", 512<<20 + 1, "is larger than the limit, want at most 512 MiB"},
		{"YAML that cannot be read in parts", 64<<20 + 1, "is larger than 64 MiB and its points cannot be read in parts, " +
			"want each id in a line of its own below the key points, at the same indentation, without tabs"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := write(t, 0o600, "version: 1\n")
			if err := os.Truncate(path, tt.size); err != nil {
				t.Fatal(err)
			}
			_, problems := plant.Load(path, kinds(t), plant.Options{})
			if want := path + ": " + tt.want; problems.Error() != want {
				t.Errorf("problems: %v", problems)
			}
		})
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	p := mustDecode(t, "f.yaml", `version: 1
connectors:
  a: {kind: mqtt, url: ws://h}
  b: {kind: iec104-server, listen: ":2404"}
  unused: {kind: mqtt, url: mqtt://h}
points:
  p/alone: {type: int}
  p/no-source:
    type: int
    to: [{connector: b, ca: 1, ioa: 666, as: M_ME_NC_1}]
  p/no-target: {type: int, from: {connector: a, topic: t, value: v}}
`)
	want := []string{
		"f.yaml:3:24: connectors.a.url: is not encrypted",
		"f.yaml:5:3: connectors.unused: is not used by any point or command",
		"f.yaml:7:3: points.p/alone: has no source and no target",
		"f.yaml:8:3: points.p/no-source: has no source, so it will never have a value",
		"f.yaml:10:37: points.p/no-source.to[0].ioa: is unusual",
		"f.yaml:11:3: points.p/no-target: has no target, so it is seen only inside",
	}
	if got := strings.TrimSpace(plant.Problems(p.Warnings).Error()); got != strings.Join(want, "\n") {
		t.Errorf("warnings:\n%s\nwant:\n%s", got, strings.Join(want, "\n"))
	}
}

func TestASecretOfTheStoreIsResolved(t *testing.T) {
	broken := errors.New("the store is on fire")
	o := plant.Options{Secrets: plant.Secrets{Store: func(name string) (string, error) {
		switch name {
		case "mqtt.password":
			return "geheim", nil
		case "empty":
			return "", nil
		default:
			return "", broken
		}
	}}}
	for _, tt := range []struct{ name, password, want string }{
		{"one that is there", "${secret:mqtt.password}", ""},
		{"one that is not there", "${secret:other}", "p.json:1:75: connectors.m.password: secret other: the store is on fire"},
		{"one that is empty", "${secret:empty}", "p.json:1:75: connectors.m.password: secret empty is empty, want it to be set"},
		{"a name that cannot be", "${secret:a/b}", "p.json:1:75: connectors.m.password: a/b is no name of a secret, want 1 to 200 of the characters A-Z a-z 0-9 . _ -"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := `{"version":1,"connectors":{"m":{"kind":"mqtt","url":"mqtt://h","password":"` + tt.password + `"}}}`
			p, problems := plant.Decode("p.json", []byte(text), kinds(t), o)
			if got := problems.Error(); got != tt.want {
				t.Fatalf("problems %q, want %q", got, tt.want)
			}
			if tt.want == "" && fmt.Sprint(p.Connectors[0].Settings) == "" {
				t.Error("no settings")
			}
		})
	}
}

func TestAConnectorThatIsNotEnabledIsDisabled(t *testing.T) {
	for text, want := range map[string]bool{`"enabled":true,`: false, `"enabled":false,`: true, ``: false} {
		p, problems := plant.Decode("p.json", []byte(`{"version":1,"connectors":{"m":{`+text+`"kind":"mqtt","url":"mqtt://h"}}}`), kinds(t), plant.Options{})
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		if got := p.Connectors[0].Disabled; got != want {
			t.Errorf("%q: disabled %v, want %v", text, got, want)
		}
	}
	_, problems := plant.Decode("p.json", []byte(`{"version":1,"connectors":{"m":{"enabled":"no","kind":"mqtt","url":"mqtt://h"}}}`), kinds(t), plant.Options{})
	if len(problems) != 1 || problems[0].Path != "connectors.m.enabled" {
		t.Errorf("enabled: no gives %v, want a problem there", problems)
	}
}
