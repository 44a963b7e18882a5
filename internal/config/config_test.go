package config

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// load loads with the given file content, environment and arguments.
func load(t *testing.T, content string, env map[string]string, args ...string) (Config, error) {
	t.Helper()
	fs := flag.NewFlagSet("run", flag.ContinueOnError)
	AddFlags(fs)
	if content != "" {
		name := filepath.Join(t.TempDir(), "busbar.yaml")
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--config", name)
	}
	if err := fs.Parse(args); err != nil {
		t.Fatal(err)
	}
	return Load(fs, func(name string) (string, bool) {
		v, ok := env[name]
		return v, ok
	})
}

func someAuth() Auth {
	return Auth{SessionIdle: 8 * time.Hour, SessionLongest: 24 * time.Hour, TokenLongest: 366 * 24 * time.Hour, OneTime: 24 * time.Hour, LockFor: 15 * time.Minute, LockAfter: 10}
}

func defaults() Config {
	return Config{Data: "busbar-data", HTTPListen: "127.0.0.1:8080", LogLevel: "info", LogFormat: "text", Image: "embedded", TraceLimit: 64 << 20, JournalLimit: 2 << 30, Auth: someAuth()}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	all := Config{Data: "d", HTTPListen: "[::1]:0", Plant: "p.yaml", LogLevel: "trace", LogFormat: "json", SecretsDir: "s", Image: "memory", TraceLimit: 64 << 20, JournalLimit: 500 << 20, Auth: someAuth()}
	tests := []struct {
		name, file string
		env        map[string]string
		args       []string
		want       Config
	}{
		{"nothing is default", "", nil, nil, defaults()},
		{"empty file is default", "# nothing\n", nil, nil, defaults()},
		{
			"nested file", "data: d\nhttp: {listen: '[::1]:0'}\nplant: p.yaml\nlog:\n  level: trace\n  format: json\nrole: all\nsecrets: {dir: s}\nimage: memory\njournal: {limit: 500MiB}\n",
			nil, nil, all,
		},
		{"file with dots", "data: d\nhttp.listen: '[::1]:0'\nplant: p.yaml\nlog.level: trace\nlog.format: json\nsecrets.dir: s\nimage: memory\njournal.limit: 500MiB\n", nil, nil, all},
		{"environment", "", map[string]string{
			"BUSBAR_DATA": "d", "BUSBAR_HTTP_LISTEN": "[::1]:0", "BUSBAR_PLANT": "p.yaml", "BUSBAR_LOG_LEVEL": "trace",
			"BUSBAR_LOG_FORMAT": "json", "BUSBAR_ROLE": "all", "BUSBAR_SECRETS_DIR": "s", "BUSBAR_IMAGE": "memory", "BUSBAR_JOURNAL_LIMIT": "500MiB",
		}, nil, all},
		{"flags", "", nil, []string{
			"--data", "d", "--http-listen", "[::1]:0", "--plant", "p.yaml", "--log-level", "trace",
			"--log-format", "json", "--role", "all", "--secrets-dir", "s", "--image", "memory", "--journal-limit", "512000KiB",
		}, all},
		{
			"flag before environment before file", "data: file\nplant: file\nsecrets: {dir: file}\n",
			map[string]string{"BUSBAR_DATA": "env", "BUSBAR_PLANT": "env"},
			[]string{"--data", "flag"},
			Config{Data: "flag", HTTPListen: "127.0.0.1:8080", Plant: "env", LogLevel: "info", LogFormat: "text", SecretsDir: "file", Image: "embedded", TraceLimit: 64 << 20, JournalLimit: 2 << 30, Auth: someAuth()},
		},
		{
			"http off", "", nil,
			[]string{"--http-listen", "off"},
			Config{Data: "busbar-data", LogLevel: "info", LogFormat: "text", Image: "embedded", TraceLimit: 64 << 20, JournalLimit: 2 << 30, Auth: someAuth()},
		},
		{
			"http with TLS for everybody", "http: {listen: ':8443', tls: {cert: c.pem, key: k.pem}, metrics: open}\ndatabase: postgres://busbar@h/d\nsecrets: {key: k}\n", nil, nil,
			Config{
				Data: "busbar-data", HTTPListen: ":8443", HTTPCert: "c.pem", HTTPKey: "k.pem", MetricsOpen: true, Database: "postgres://busbar@h/d",
				LogLevel: "info", LogFormat: "text", Image: "embedded", TraceLimit: 64 << 20, JournalLimit: 2 << 30, SecretsKey: "k", Auth: someAuth(),
			},
		},
		{
			"sign-in", "auth: {oidc: p.yaml, lock-after: 3}\n", map[string]string{"BUSBAR_AUTH_SESSION_IDLE": "5m"}, []string{"--auth-url", "https://b"},
			Config{
				Data: "busbar-data", HTTPListen: "127.0.0.1:8080", LogLevel: "info", LogFormat: "text", Image: "embedded", TraceLimit: 64 << 20, JournalLimit: 2 << 30, Auth: Auth{
					OIDC: "p.yaml", URL: "https://b", SessionIdle: 5 * time.Minute, SessionLongest: 24 * time.Hour, TokenLongest: 366 * 24 * time.Hour,
					OneTime: 24 * time.Hour, LockFor: 15 * time.Minute, LockAfter: 3,
				},
			},
		},
		{
			"http without TLS behind a proxy", "", map[string]string{"BUSBAR_HTTP_PLAIN": "true", "BUSBAR_HTTP_LISTEN": ":80"}, nil,
			Config{Data: "busbar-data", HTTPListen: ":80", HTTPPlain: true, LogLevel: "info", LogFormat: "text", Image: "embedded", TraceLimit: 64 << 20, JournalLimit: 2 << 30, Auth: someAuth()},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := load(t, tt.file, tt.env, tt.args...)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(got, tt.want); diff != "" {
				t.Errorf("settings (-got +want):\n%s", diff)
			}
		})
	}
}

func TestLoadNamesEveryProblem(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, file string
		env        map[string]string
		args       []string
		want       []string
	}{
		{
			"every source", "log: {format: xml}\n",
			map[string]string{"BUSBAR_LOG_LEVEL": "loud"},
			[]string{"--http-listen", "0.0.0.0:8080", "--data", ""},
			[]string{
				"flag --data: data is empty, want a directory",
				`http.listen is "0.0.0.0:8080", which other machines reach: want http.tls.cert and http.tls.key, or 127.0.0.1:8080, or http.plain: true`,
				`environment variable BUSBAR_LOG_LEVEL: log.level is "loud", want trace, debug, info, warn or error`,
				`busbar.yaml:1:15: log.format is "xml", want text or json`,
			},
		},
		{"unknown setting", "data: d\nlog: {levl: debug}\n", nil, nil, []string{"busbar.yaml:2:7: log.levl is not a setting, want one of data, http.listen"}},
		{"half an hour", "auth: {session-idle: half, lock-after: x}\n", nil, nil, []string{`1:22: auth.session-idle is "half", want a duration`, `1:40: auth.lock-after is "x", want a whole number`}},
		{"half of TLS", "http: {tls: {cert: x}}\n", nil, nil, []string{"http.tls.cert and http.tls.key: want both or none"}},
		{"database of another make", "database: mysql://root:geheim@h/d\n", nil, nil, []string{"busbar.yaml:1:11: database is neither sqlite nor a URL"}},
		{"plain", "http: {plain: yes}\n", nil, nil, []string{`busbar.yaml:1:15: http.plain is "yes", want true or false`}},
		{"who reads metrics", "http: {metrics: all}\n", nil, nil, []string{`http.metrics is "all", want signed-in or open`}},
		{"twice", "data: a\ndata: b\n", nil, nil, []string{"data is there twice"}},
		{"list", "plant: [a, b]\n", nil, nil, []string{"busbar.yaml:1:8: plant is no text"}},
		{"no map", "- a\n", nil, nil, []string{"busbar.yaml:1:1: is no map"}},
		{"no YAML", "a: [\n", nil, nil, []string{"busbar.yaml: yaml: "}},
		{"image of a later version", "image: valkey://x\n", nil, nil, []string{`busbar.yaml:1:8: image is "valkey://x", which is not supported by this version, want embedded or memory`}},
		{"unknown image", "", nil, []string{"--image", "disk"}, []string{`flag --image: image is "disk", want embedded or memory`}},
		{"size without unit", "", nil, []string{"--journal-limit", "1000000000"}, []string{`journal.limit is "1000000000", want a whole number and a unit`}},
		{"size too small", "", nil, []string{"--journal-limit", "1MiB"}, []string{`journal.limit is "1MiB", want at least 16MiB`}},
		{"size too large", "", nil, []string{"--journal-limit", "4294967295TiB"}, []string{`want a whole number and a unit`}},
		{"role of a later version", "", nil, []string{"--role", "frontend"}, []string{`flag --role: role is "frontend", which is not supported by this version, want all`}},
		{"unknown role", "", nil, []string{"--role", "x"}, []string{`flag --role: role is "x", want all`}},
		{"host name", "", nil, []string{"--http-listen", "example.org:80"}, []string{"which other machines reach"}},
		{"every address", "", nil, []string{"--http-listen", ":80"}, []string{"which other machines reach"}},
		{"no port", "", nil, []string{"--http-listen", "localhost"}, []string{"want host:port"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := load(t, tt.file, tt.env, tt.args...)
			if err == nil {
				t.Fatal("Load = nil, want an error")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q, want it to contain %q", err, want)
				}
			}
		})
	}
}

func TestLoadFailsWithoutItsFile(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "none.yaml")
	if _, err := load(t, "", map[string]string{"BUSBAR_CONFIG": missing}); err == nil || !strings.Contains(err.Error(), "there is no file "+missing) {
		t.Errorf("Load = %v, want that the file is missing", err)
	}
}
