package iec104client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"busbar/iec104"
	"busbar/iec104/apci"
	"busbar/internal/connector"
	"busbar/internal/tlsconf"
)

// test tries out whether the station can be reached, and answers.
func test(ctx context.Context, s Settings, t *connector.Test) {
	var secure *tlsconf.Endpoint
	if s.TLS.Enabled() {
		if secure = tlsconf.New(s.security(), s.use(), t.Log); !secure.TestFiles(t) {
			return
		}
	}
	if s.listens() {
		t.CanListen(ctx, s.Listen)
		return
	}
	t.Each(ctx, s.Addresses, func(ctx context.Context, addr string) {
		(&trial{Test: t, settings: s, secure: secure, addr: addr}).run(ctx)
	})
}

// trial is the test of one address.
type trial struct {
	*connector.Test
	settings Settings
	secure   *tlsconf.Endpoint // nil: none
	addr     string
	conn     net.Conn
}

func (t *trial) run(ctx context.Context) {
	user := t.Dialled(ctx, t.addr)
	if user != "" && t.settings.Single {
		t.Step("connection", func() (string, error) {
			return "", fmt.Errorf("connector %s is connected with %s, which takes one connection only (singleConnection): disable the connector first", user, t.addr)
		})
		return
	}
	if !t.dial(ctx) {
		return
	}
	defer func() { _ = t.conn.Close() }() // it is closed already, or of no further use
	if !t.Step("TESTFR", func() (string, error) { return t.exchange(ctx, apci.TestFRAct, apci.TestFRCon) }) {
		return
	}
	if user != "" {
		t.Step("STARTDT", func() (string, error) {
			return "left out: connector " + user + " uses the station, and might lose data transfer", nil
		})
		return
	}
	t.talk(ctx)
}

// dial connects.
func (t *trial) dial(ctx context.Context) bool {
	if !t.Step("TCP", func() (string, error) {
		ctx, cancel := context.WithTimeout(ctx, t.settings.T0)
		defer cancel()
		var err error
		if t.conn, err = new(net.Dialer).DialContext(ctx, "tcp", t.addr); err != nil {
			return "", err
		}
		return t.conn.LocalAddr().String() + " to " + t.conn.RemoteAddr().String(), nil
	}) {
		return false
	}
	if t.secure == nil {
		return true
	}
	host, _, _ := net.SplitHostPort(t.addr) // it was checked
	secured, ok := t.secure.TestConnect(ctx, t.Test, t.conn, host)
	if ok {
		t.conn = secured
	}
	return ok
}

// exchange sends a U frame and waits for its confirmation, for t1.
func (t *trial) exchange(ctx context.Context, act, con apci.Function) (string, error) {
	deadline := time.Now().Add(t.settings.T1)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	begun := time.Now()
	if err := errors.Join(t.conn.SetDeadline(deadline), t.send(act)); err != nil {
		return "", err
	}
	buf, held := make([]byte, 1024), 0
	for {
		f, n, err := apci.Parse(buf[:held])
		switch {
		case err != nil:
			return "", fmt.Errorf("this is no IEC 60870-5-104: % x: %w", buf[:min(held, 16)], err)
		case n > 0:
			held = copy(buf, buf[n:held])
			if f.Format == apci.FormatU && f.Function == con {
				return "round trip " + time.Since(begun).Round(time.Microsecond).String(), t.conn.SetDeadline(time.Time{})
			}
			if f.Format == apci.FormatU && f.Function == apci.TestFRAct {
				if err := t.send(apci.TestFRCon); err != nil {
					return "", err
				}
			}
			continue
		}
		n, err = t.conn.Read(buf[held:])
		if err != nil {
			return "", fmt.Errorf("no %s within %v: %w", con, time.Since(begun).Round(time.Millisecond), err)
		}
		held += n
	}
}

func (t *trial) send(f apci.Function) error {
	_, err := t.conn.Write(apci.AppendU(nil, f))
	return err
}

// talk starts data transfer, counts the objects of an interrogation, and stops it again.
func (t *trial) talk(ctx context.Context) {
	client, err := iec104.NewClient(t.addr, t.settings.params(),
		iec104.WithDialer(func(context.Context, string, string) (net.Conn, error) { return t.conn, nil }),
		iec104.WithOriginator(uint8(t.settings.Originator)))
	if err == nil {
		err = client.Connect(ctx)
	}
	if err != nil {
		t.Step("STARTDT", func() (string, error) { return "", err })
		return
	}
	defer func() { _ = client.Close() }() // never fails
	if !t.Step("STARTDT", func() (string, error) { return "", client.StartDT(ctx) }) {
		return
	}
	if ca := t.CommonAddress; ca != 0 {
		t.Step("interrogation", func() (string, error) {
			r, err := client.Interrogate(ctx, ca, generalInterrogation)
			return fmt.Sprintf("%d objects of common address %d", r.Objects, ca), err
		})
	}
	t.Step("STOPDT", func() (string, error) { return "", client.StopDT(ctx) })
}
