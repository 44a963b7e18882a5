package tlsconf

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"busbar/internal/pki"
)

// outcome is what one side has to say; the zero value: nothing, it is content.
type outcome struct {
	reason Reason
	text   string
}

func (o outcome) check(t *testing.T, who string, err error) {
	t.Helper()
	switch {
	case o == outcome{}:
		if err != nil {
			t.Errorf("%s: %v, want no error", who, err)
		}
	case !errors.Is(err, o.reason):
		t.Errorf("%s: %v, want %v", who, err, o.reason)
	case !strings.Contains(err.Error(), o.text):
		t.Errorf("%s: %v, want %q in it", who, err, o.text)
	}
}

func TestHandshake(t *testing.T) {
	t.Parallel()
	ca, stranger, namesake := newAuthority(t, "Plant CA"), newAuthority(t, "Other CA"), newAuthority(t, "Plant CA")
	ca.issue("server", nil)
	clientCert := ca.issue("client", nil)
	stranger.issue("client", nil)
	stranger.issue("server", nil)
	namesake.issue("client", nil)
	ca.issue("old", func(_ *pki.Request, now *time.Time) { *now = now.Add(-year - 24*time.Hour) })
	ca.issue("young", func(_ *pki.Request, now *time.Time) { *now = now.Add(24 * time.Hour) })
	ca.issue("stolen", nil)
	ca.issue("onlyserver", func(r *pki.Request, _ *time.Time) { r.Client = false })
	ca.issue("onlyclient", func(r *pki.Request, _ *time.Time) { r.Server = false })
	ca.issue("elsewhere", func(r *pki.Request, _ *time.Time) { r.Hosts = []string{"10.0.0.9", "elsewhere.example"} })
	ca.issue("nameless", func(r *pki.Request, _ *time.Time) { r.Hosts = nil })
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	must(t, err)
	ca.sign("weak", weak, &x509.Certificate{})
	ca.revoke("stolen")
	expired := ca.expiredList("expired.crl")
	crl := []string{ca.path(pki.ListFile)}
	bundle := ca.path("bundle.pem")
	must(t, os.WriteFile(bundle, append(read(t, ca.path(pki.CertFile)), read(t, stranger.path(pki.CertFile))...), 0o600))
	names := func(entries ...string) (list Allow) {
		for _, entry := range entries {
			n, err := ParseName(entry)
			must(t, err)
			list = append(list, n)
		}
		return list
	}
	as := func(a *authority, name string) func(*Settings) {
		return func(s *Settings) { s.Cert, s.Key = a.path(name+".pem"), a.path(name+".key") }
	}
	tests := []struct {
		name           string
		server, client func(*Settings)
		wantServer     outcome
		wantClient     outcome
	}{
		{name: "mutual certificates"},
		{name: "TLS 1.3 only", server: func(s *Settings) { s.MinVersion = "1.3" }, client: func(s *Settings) { s.MinVersion = "1.3" }},
		{name: "client of another authority", client: as(stranger, "client"),
			wantServer: outcome{UnknownAuthority, "signed by CN=Other CA,O=Plant, want CN=Plant CA,O=Plant of tls.ca (peer CN=client,O=Plant"},
			wantClient: outcome{RefusedByPeer, "does not know the authority of our certificate CN=client,O=Plant of CN=Other CA"}},
		{name: "client of another authority of the same name", client: as(namesake, "client"),
			wantServer: outcome{UnknownAuthority, "another CN=Plant CA,O=Plant than the one of tls.ca"}, wantClient: outcome{reason: RefusedByPeer}},
		{name: "expired client", client: as(ca, "old"),
			wantServer: outcome{Expired, "certificate CN=old,O=Plant has expired on "}, wantClient: outcome{RefusedByPeer, "takes for expired our certificate CN=old"}},
		{name: "client from tomorrow", client: as(ca, "young"),
			wantServer: outcome{NotYetValid, "is not valid before "}, wantClient: outcome{reason: RefusedByPeer}},
		{name: "revoked client", server: func(s *Settings) { s.CRL = crl }, client: as(ca, "stolen"),
			wantServer: outcome{Revoked, "of CN=stolen,O=Plant was revoked on "}, wantClient: outcome{RefusedByPeer, "does not take our certificate CN=stolen"}},
		{name: "client that is not in the list of revoked ones", server: func(s *Settings) { s.CRL, s.CRLCheck = crl, "hard" }},
		{name: "expired list, soft", server: func(s *Settings) { s.CRL = []string{expired} }},
		{name: "expired list, hard", server: func(s *Settings) { s.CRL, s.CRLCheck = []string{expired}, "hard" },
			wantServer: outcome{NoRevocationList, "has expired on "}, wantClient: outcome{reason: RefusedByPeer}},
		{name: "expired list beside a newer one, hard", server: func(s *Settings) { s.CRL, s.CRLCheck = []string{expired, crl[0]}, "hard" }},
		{name: "list of another authority, hard", server: func(s *Settings) { s.CRL, s.CRLCheck = []string{stranger.path(pki.ListFile)}, "hard" },
			wantServer: outcome{NoRevocationList, "no list of CN=Plant CA"}, wantClient: outcome{reason: RefusedByPeer}},
		{name: "list of an authority of the same name, hard", server: func(s *Settings) { s.CRL, s.CRLCheck = []string{namesake.path(pki.ListFile)}, "hard" },
			wantServer: outcome{NoRevocationList, "no list of CN=Plant CA"}, wantClient: outcome{reason: RefusedByPeer}},
		{name: "list of another authority, soft", server: func(s *Settings) { s.CRL = []string{stranger.path(pki.ListFile)} }},
		{name: "client not on the allow-list", server: func(s *Settings) { s.Allow = names("CN=scada1", "10.0.0.7") },
			wantServer: outcome{NotAllowed, "want CN=scada1 or 10.0.0.7 (peer CN=client,O=Plant, names client.plant.example 127.0.0.1, sha256:"}, wantClient: outcome{reason: RefusedByPeer}},
		{name: "client allowed by fingerprint", server: func(s *Settings) { s.Allow = names(pki.Fingerprint(clientCert)) }},
		{name: "client allowed by subject", server: func(s *Settings) { s.Allow = names("O=Plant, CN=client") }},
		{name: "client allowed by host", server: func(s *Settings) { s.Allow = names("CLIENT.plant.example.") }},
		{name: "certificate for servers only", client: as(ca, "onlyserver"),
			wantServer: outcome{WrongUse, "not for clients, want the extended key usage clientAuth"}, wantClient: outcome{reason: RefusedByPeer}},
		{name: "weak certificate of our own", server: as(ca, "weak"), wantServer: outcome{FaultyFiles, "RSA 1024"}, wantClient: outcome{reason: RefusedByPeer}},
		{name: "no certificate of the client", client: func(s *Settings) { s.Cert, s.Key = "", "" },
			wantServer: outcome{NoCertificate, "shows none, want one of CN=Plant CA"}, wantClient: outcome{RefusedByPeer, "wants a certificate"}},

		{name: "server of another authority", server: func(s *Settings) { as(stranger, "server")(s); s.CA = bundle },
			wantServer: outcome{RefusedByPeer, "does not take our certificate CN=server,O=Plant of CN=Other CA"}, wantClient: outcome{UnknownAuthority, "signed by CN=Other CA"}},
		{name: "expired server", server: as(ca, "old"), wantServer: outcome{reason: RefusedByPeer}, wantClient: outcome{reason: Expired}},
		{name: "revoked server", server: as(ca, "stolen"), client: func(s *Settings) { s.CRL = crl },
			wantServer: outcome{reason: RefusedByPeer}, wantClient: outcome{reason: Revoked}},
		{name: "server with another name", server: as(ca, "elsewhere"), wantServer: outcome{reason: RefusedByPeer},
			wantClient: outcome{WrongName, "not for 127.0.0.1 but for elsewhere.example, 10.0.0.9"}},
		{name: "server without names", server: as(ca, "nameless"), wantServer: outcome{reason: RefusedByPeer},
			wantClient: outcome{WrongName, "no alternative names; name it by CN=nameless in allow"}},
		{name: "server with another name that is wanted", server: as(ca, "elsewhere"), client: func(s *Settings) { s.ServerName = "elsewhere.example" }},
		{name: "server with another name that is allowed", server: as(ca, "nameless"), client: func(s *Settings) { s.Allow = names("CN=nameless") }},
		{name: "server not on the allow-list", client: func(s *Settings) { s.Allow = names("CN=nameless") },
			wantServer: outcome{reason: RefusedByPeer}, wantClient: outcome{reason: NotAllowed}},
		{name: "server that is allowed and has another name than wanted", client: func(s *Settings) { s.Allow, s.ServerName = names("CN=server"), "x.example" },
			wantServer: outcome{reason: RefusedByPeer}, wantClient: outcome{reason: WrongName}},
		{name: "certificate for clients only", server: as(ca, "onlyclient"),
			wantServer: outcome{reason: RefusedByPeer}, wantClient: outcome{WrongUse, "not for servers"}},
		{name: "authorities of the system", client: func(s *Settings) { s.CA = "" },
			wantServer: outcome{reason: RefusedByPeer}, wantClient: outcome{UnknownAuthority, "want one that this system trusts"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server, client := ca.settings("server"), ca.settings("client")
			if tt.server != nil {
				tt.server(&server)
			}
			if tt.client != nil {
				tt.client(&client)
			}
			serverErr, clientErr := meet(t, accepting(endpoint(t, server, Server)), connecting(endpoint(t, client, Client), "127.0.0.1"))
			tt.wantServer.check(t, "server", serverErr)
			tt.wantClient.check(t, "client", clientErr)
		})
	}
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	must(t, err)
	return text
}

// says is a side that sends octets and then reads until the end.
func says(text string) side {
	return func(ctx context.Context, raw net.Conn) (net.Conn, error) {
		if _, err := io.WriteString(raw, text); err != nil {
			return nil, err
		}
		stop := context.AfterFunc(ctx, func() { _ = raw.Close() })
		defer stop()
		_, err := io.Copy(io.Discard, raw)
		return nil, errors.Join(err, errStranger)
	}
}

var errStranger = errors.New("no TLS")

// hangsUp is a side that closes at the first octet.
func hangsUp(_ context.Context, raw net.Conn) (net.Conn, error) {
	_, err := raw.Read(make([]byte, 1))
	return nil, errors.Join(err, errStranger)
}

// plainTLS is a side that has another configuration than ours ever is.
func plainTLS(t testing.TB, a *authority, name string, isServer bool, change func(*tls.Config)) side {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(a.path(name+".pem"), a.path(name+".key"))
	must(t, err)
	c := &tls.Config{Certificates: []tls.Certificate{pair}, InsecureSkipVerify: true}
	change(c)
	return func(ctx context.Context, raw net.Conn) (net.Conn, error) {
		conn := tls.Client(raw, c)
		if isServer {
			conn = tls.Server(raw, c)
		}
		return conn, conn.HandshakeContext(ctx)
	}
}

func TestStrangersAtTheServer(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t, "Plant CA")
	ca.issue("server", nil)
	ca.issue("client", nil)
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	must(t, err)
	ca.sign("weak", weak, &x509.Certificate{})
	long, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	ca.sign("rsa", long, &x509.Certificate{})
	with := func(name string, change func(*tls.Config)) side { return plainTLS(t, ca, name, false, change) }
	rsaSuite := func(c *tls.Config) {
		c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA256}
	}
	tests := []struct {
		name   string
		server func(*Settings)
		client side
		want   outcome
	}{
		{"plain IEC 104", nil, says("\x68\x04\x07\x00\x00\x00"),
			outcome{NotTLS, "speaks IEC 60870-5-104 without TLS (first octets 68 04 07 00 00), want a handshake of TLS 1.2 or 1.3"}},
		{"plain MQTT", nil, says("\x10\x10\x00\x04MQTT\x05\x02\x00\x00"), outcome{NotTLS, "speaks MQTT without TLS"}},
		{"HTTP", nil, says("GET / HTTP/1.1\r\n\r\n"), outcome{NotTLS, "speaks HTTP without TLS"}},
		{"something else", nil, says("SSH-2.0-OpenSSH_9\r\n"), outcome{NotTLS, "does not speak TLS"}},
		{"half a ClientHello", nil, func(_ context.Context, raw net.Conn) (net.Conn, error) {
			_, err := raw.Write([]byte{0x16, 3, 1, 0, 200, 1})
			return nil, errors.Join(err, errStranger)
		}, outcome{ClosedByPeer, "has sent 6 octets and no whole ClientHello"}},
		{"nothing", nil, func(context.Context, net.Conn) (net.Conn, error) { return nil, errStranger }, outcome{ClosedByPeer, "has sent nothing"}},
		{"TLS 1.1", nil, with("client", func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }),
			outcome{WrongVersion, "offers TLS 1.1, TLS 1.0, want TLS 1.2 or 1.3"}},
		{"TLS 1.2 where 1.3 is wanted", func(s *Settings) { s.MinVersion = "1.3" },
			with("client", func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }), outcome{WrongVersion, "offers TLS 1.2, want TLS 1.3"}},
		{"TLS 1.2", nil, with("client", func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }), outcome{}},
		{"no certificate, TLS 1.2", nil, with("client", func(c *tls.Config) { c.MaxVersion, c.Certificates = tls.VersionTLS12, nil }), outcome{reason: NoCertificate}},
		{"weak certificate, TLS 1.2", nil, with("weak", func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }),
			outcome{WeakCertificate, "CN=weak has the key RSA 1024, want RSA 2048, ECDSA P-256 or more"}},
		{"only old cipher suites", nil, with("client", rsaSuite), outcome{NoCommonCipher, "offers TLS_RSA_WITH_AES_128_CBC_SHA256, want one of TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"}},
		{"old cipher suites that are taken", func(s *Settings) { s.Cert, s.Key, s.RSAKeys = ca.path("rsa.pem"), ca.path("rsa.key"), true },
			with("rsa", rsaSuite), outcome{}},
		{"mandatory suite of 62351-4", func(s *Settings) { s.Cert, s.Key = ca.path("rsa.pem"), ca.path("rsa.key") }, with("rsa", func(c *tls.Config) {
			c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}
		}), outcome{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			settings := ca.settings("server")
			if tt.server != nil {
				tt.server(&settings)
			}
			err, clientErr := meet(t, accepting(endpoint(t, settings, Server)), tt.client)
			tt.want.check(t, "server", err)
			if (clientErr == nil) != (tt.want == outcome{}) {
				t.Errorf("client: %v", clientErr)
			}
		})
	}
}

func TestStrangersAtTheClient(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t, "Plant CA")
	ca.issue("server", nil)
	ca.issue("client", nil)
	tests := []struct {
		name   string
		server side
		want   outcome
	}{
		{"plain IEC 104", says("\x68\x04\x83\x00\x00\x00"), outcome{NotTLS, "speaks IEC 60870-5-104 without TLS"}},
		{"HTTP", says("HTTP/1.1 400 Bad Request\r\n\r\n"), outcome{NotTLS, "speaks HTTP without TLS"}},
		{"a server that hangs up", hangsUp, outcome{ClosedByPeer, "has not answered the ClientHello: is there TLS on this port?"}},
		{"TLS 1.1", plainTLS(t, ca, "server", true, func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }),
			outcome{WrongVersion, "the peer takes none of TLS 1.2 or 1.3"}},
		{"no common cipher suite", plainTLS(t, ca, "server", true, func(c *tls.Config) {
			c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}
		}), outcome{RefusedByPeer, "no common cipher suite"}},
		{"a server that wants another certificate, TLS 1.2", plainTLS(t, ca, "server", true, func(c *tls.Config) {
			c.MaxVersion, c.ClientAuth, c.ClientCAs = tls.VersionTLS12, tls.RequireAndVerifyClientCert, x509.NewCertPool()
		}), outcome{RefusedByPeer, "does not know the authority of our certificate CN=client"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			serverErr, err := meet(t, tt.server, connecting(endpoint(t, ca.settings("client"), Client), "127.0.0.1"))
			tt.want.check(t, "client", err)
			if serverErr == nil {
				t.Error("the server is content")
			}
		})
	}
}
