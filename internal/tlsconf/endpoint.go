package tlsconf

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"
)

const (
	// freshFor is how long files are taken as they are before a handshake looks again.
	freshFor = time.Second
	// roundEvery is how often Run looks at the files and the peers.
	roundEvery = 5 * time.Second
)

// Endpoint is the TLS side of one connector. Which side of a handshake it is goes
// by the connection: server of those it accepts, client of those it makes. Its
// methods may be called from any goroutine.
type Endpoint struct {
	settings Settings
	use      Use
	log      *slog.Logger
	gate     gate
	figures  figures
	kick     chan struct{} // makes Run look at once

	mu       sync.Mutex
	material *material // nil: nothing was read yet
	looked   time.Time // when the files were last looked at
	faulty   string    // what was last wrong with them; empty: nothing
	problems []string  // that were logged

	peers peers
}

// New returns an endpoint. It reads no file, see [Endpoint.Reload]; the settings
// are those that [Settings.Problems] finds in order.
func New(s Settings, use Use, log *slog.Logger) *Endpoint {
	return &Endpoint{
		settings: s, use: use, log: log, kick: make(chan struct{}, 1),
		gate: gate{doors: make(map[string]*door)}, peers: peers{open: make(map[*Conn]struct{})},
	}
}

// Reload reads the files now. If they are faulty it fails, and what was read
// before stays in force; that is left to the caller to log. Peers that are connected
// are looked at by Run, at once.
func (e *Endpoint) Reload() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	err := e.read()
	if err != nil {
		e.faulty = err.Error()
	}
	return err
}

// fresh returns what the files say, looking again after a second. Files that are
// faulty, such as a certificate whose new key is not there yet, change nothing;
// it fails only if they never were in order.
func (e *Endpoint) fresh() (*material, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.material == nil || time.Since(e.looked) >= freshFor {
		err := e.read()
		if err != nil && e.material == nil {
			e.faulty = err.Error()
			return nil, err
		}
		e.note(err)
	}
	return e.material, nil
}

// note logs a fault of the files, once.
func (e *Endpoint) note(err error) {
	if err != nil && e.faulty != err.Error() {
		e.log.Warn("tls files are faulty, those read before stay in force", "error", err)
		e.faulty = err.Error()
	}
}

// read reads the files and logs what has changed, but for faults. The lock is held.
func (e *Endpoint) read() error {
	e.looked = time.Now()
	texts, err := readFiles(e.settings.files())
	if err == nil && e.material != nil && sameTexts(texts, e.material.texts) {
		e.wellAgain()
		return nil
	}
	var m *material
	if err == nil {
		m, err = e.settings.parse(texts)
	}
	if err != nil {
		e.figures.faulty.Add(1)
		return &Error{Reason: FaultyFiles, Text: err.Error(), Err: err}
	}
	if e.material != nil {
		e.log.Info("tls files read again", "certificate", m.ownSubject(), "authorities", len(m.authorities), "revocation_lists", len(m.lists))
	}
	e.faulty = ""
	e.material = m
	select {
	case e.kick <- struct{}{}:
	default:
	}
	return nil
}

func (e *Endpoint) wellAgain() {
	if e.faulty != "" {
		e.faulty = ""
		e.log.Info("tls files are as they were read")
	}
}

func (m *material) ownSubject() string {
	if m.own == nil {
		return "none"
	}
	return m.own.Leaf.Subject.String() + " until " + date(m.own.Leaf.NotAfter)
}

// Problems returns what an operator should know: files that are faulty,
// certificates that are about to expire, lists of revoked ones that have.
func (e *Endpoint) Problems() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var problems []string
	if e.faulty != "" {
		problems = append(problems, e.faulty)
	}
	return append(problems, e.worries()...)
}

// worries are the problems of files that are in order as such. The lock is held.
func (e *Endpoint) worries() []string {
	if e.material == nil {
		return nil
	}
	return e.material.problems(time.Now(), e.use.Role)
}

// Listen returns a listener whose connections are *[Conn], before the handshake:
// it is made by HandshakeContext, or by the first Read or Write.
func (e *Endpoint) Listen(l net.Listener) net.Listener { return &listener{l, e} }

type listener struct {
	net.Listener
	endpoint *Endpoint
}

// Accept implements [net.Listener].
func (l *listener) Accept() (net.Conn, error) {
	raw, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return l.endpoint.Accept(raw), nil
}

// Accept makes the connection of a client of an accepted one. The handshake is
// still to be made.
func (e *Endpoint) Accept(raw net.Conn) *Conn {
	w := &wire{Conn: raw}
	h := &handshake{endpoint: e, role: Server, wire: w}
	return &Conn{Conn: tls.Server(w, h.serverConfig()), raw: raw, handshake: h}
}

// DialContext connects to a server and makes the handshake; ctx bounds both.
func (e *Endpoint) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := e.Dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return conn, nil
}

// Dial is DialContext with the connection as what it is.
func (e *Endpoint) Dial(ctx context.Context, network, address string) (*Conn, error) {
	var d net.Dialer
	raw, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return e.Connect(ctx, raw, hostOf(address))
}

// Connect makes the handshake with a server over a connection, which it closes
// if it fails. host is the name that the certificate must have unless the
// settings say otherwise.
func (e *Endpoint) Connect(ctx context.Context, raw net.Conn, host string) (*Conn, error) {
	w := &wire{Conn: raw}
	h := &handshake{endpoint: e, role: Client, host: host, wire: w}
	config, err := h.clientConfig()
	if err != nil {
		closeQuietly(raw)
		return nil, err
	}
	c := &Conn{Conn: tls.Client(w, config), raw: raw, handshake: h}
	if err := c.HandshakeContext(ctx); err != nil {
		closeQuietly(raw)
		return nil, err
	}
	return c, nil
}

// Adopt connects by a library that makes the TLS connection itself, of the
// configuration that dial is given. What it returns may be any layer above TLS.
func (e *Endpoint) Adopt(host string, dial func(*tls.Config) (net.Conn, error)) (*Conn, error) {
	h := &handshake{endpoint: e, role: Client, host: host}
	config, err := h.clientConfig()
	if err != nil {
		return nil, err
	}
	conn, err := dial(config)
	if err != nil {
		if h.done() || !tlsFailed(err) {
			return nil, err
		}
		fault := h.explain(err)
		e.figures.refuse(fault.Reason)
		return nil, fault
	}
	if h.certs == nil {
		closeQuietly(conn)
		return nil, fmt.Errorf("tls: %s was connected without a handshake", host)
	}
	c := &Conn{Conn: conn, raw: conn, handshake: h}
	c.begin()
	return c, nil
}

// closeQuietly closes what is of no further use; an error changes nothing.
func closeQuietly(c interface{ Close() error }) { _ = c.Close() }
