package tlsconf

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
)

// explain makes a reason of an error of a handshake.
func (h *handshake) explain(err error) *Error {
	if fault, ok := errors.AsType[*Error](err); ok {
		return fault
	}
	if fault := h.explainAlert(err); fault != nil {
		return fault
	}
	fault := &Error{Reason: ProtocolError, Text: strings.TrimPrefix(err.Error(), "tls: "), Err: err}
	set := func(r Reason, format string, args ...any) *Error {
		fault.Reason, fault.Text = r, fmt.Sprintf(format, args...)
		return fault
	}
	s := &h.endpoint.settings
	if record, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return set(NotTLS, "the peer %s (first octets % x), want a handshake of %s", speaks(record.RecordHeader), record.RecordHeader, s.versions())
	}
	if failed, ok := errors.AsType[*tls.CertificateVerificationError](err); ok && len(failed.UnverifiedCertificates) > 0 {
		certs := failed.UnverifiedCertificates
		verify := h.material.explainVerify(failed.Err, certs, h.role, time.Now())
		verify.Peer = identityOf(certs[0])
		return verify
	}
	switch text := err.Error(); {
	case strings.Contains(text, "didn't provide a certificate"):
		return set(NoCertificate, "the client shows none, want one of %s", h.material.anchors())
	case strings.Contains(text, "client offered only unsupported versions"):
		return set(WrongVersion, "the client offers %s, want %s", versionNames(h.versions), s.versions())
	case strings.Contains(text, "server selected unsupported protocol version"):
		return set(WrongVersion, "the server wants %s, want %s", oldVersion(text), s.versions())
	case strings.Contains(text, "no cipher suite supported by both"):
		return set(NoCommonCipher, "the client offers %s, want one of %s", suiteNames(h.suites), suiteNames(s.suites()))
	case timedOut(err):
		return set(TimedOut, "%s", h.progress())
	case gone(err):
		return set(ClosedByPeer, "%s", h.progress())
	}
	return fault
}

// timedOut reports whether time ran out. A context that was cancelled otherwise
// is the business of its owner.
func timedOut(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded)
}

// gone reports whether the peer has closed the connection.
func gone(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.ErrClosedPipe) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// progress says how far the handshake has come.
func (h *handshake) progress() string {
	received := int64(0)
	if h.wire != nil {
		received = h.wire.received.Load()
	}
	switch {
	case h.role == Server && received == 0:
		return "the client has sent nothing, want a handshake of " + h.endpoint.settings.versions()
	case h.role == Server && !h.hello:
		return fmt.Sprintf("the client has sent %d octets and no whole ClientHello", received)
	case received == 0:
		return "the server has not answered the ClientHello: is there TLS on this port?"
	default:
		return fmt.Sprintf("in the middle of the handshake, after %d octets", received)
	}
}

// speaks says what octets look like that are no TLS.
func speaks(first [5]byte) string {
	switch text := string(first[:]); {
	case first[0] == 0x68:
		return "speaks IEC 60870-5-104 without TLS"
	case first[0] == 0x10 || first[0] == 0x20:
		return "speaks MQTT without TLS"
	case text == "HTTP/" || strings.HasPrefix(text, "GET ") || strings.HasPrefix(text, "POST ") || strings.HasPrefix(text, "HEAD "):
		return "speaks HTTP without TLS"
	case first[0] == 0x16 && first[1] == 3:
		return "sends too long a record"
	default:
		return "does not speak TLS"
	}
}

// explainAlert makes a reason of an alert that the peer has sent; nil: it was none.
func (h *handshake) explainAlert(err error) *Error {
	op, ok := errors.AsType[*net.OpError](err)
	if !ok || op.Op != "remote error" {
		return nil
	}
	alert := strings.TrimPrefix(op.Err.Error(), "tls: ")
	fault := &Error{Reason: RefusedByPeer, Text: alert, Err: err}
	switch alert {
	case "protocol version not supported":
		fault.Reason, fault.Text = WrongVersion, "the peer takes none of "+h.endpoint.settings.versions()
	case "unknown certificate authority":
		fault.Text = "it does not know the authority of " + h.shown()
	case "bad certificate", "unknown certificate", "unsupported certificate", "access denied":
		fault.Text = "it does not take " + h.shown()
	case "expired certificate":
		fault.Text = "it takes for expired " + h.shown()
	case "revoked certificate":
		fault.Text = "it has revoked " + h.shown()
	case "certificate required":
		fault.Text = "it wants a certificate, want cert and key in tls"
	case "handshake failure":
		fault.Text = "handshake failure, which means no common cipher suite"
		if h.asked {
			fault.Text += ", or that it does not take " + h.shown()
		}
	default:
		fault.Text = "alert " + alert
	}
	return fault
}

// shown names our certificate, as the peer has seen it.
func (h *handshake) shown() string {
	if h.material == nil || h.material.own == nil {
		return "that there is no certificate of Busbar"
	}
	leaf := h.material.own.Leaf
	text := "our certificate " + leaf.Subject.String() + " of " + leaf.Issuer.String() + ", valid until " + date(leaf.NotAfter)
	for i, raw := range h.askedFor {
		if string(raw) == string(leaf.RawIssuer) {
			return text
		}
		if i == len(h.askedFor)-1 {
			text += "; it asks for one of " + subjectOf(h.askedFor[0])
		}
	}
	return text
}
