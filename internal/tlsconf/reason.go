package tlsconf

import "strings"

// Reason says why a handshake failed or a peer must leave. A Reason is an error
// itself, for errors.Is.
type Reason uint8

// The reasons.
const (
	NotTLS           Reason = iota + 1 // the peer speaks something else
	WrongVersion                       // no common version of TLS
	NoCommonCipher                     // no common cipher suite
	NoCertificate                      // the peer shows none and must
	UnknownAuthority                   // the certificate leads to no trusted authority
	Expired                            // a certificate of the chain has ended
	NotYetValid                        // a certificate of the chain has not begun
	Revoked                            // a certificate of the chain is in a list of revoked ones
	NoRevocationList                   // there is no valid list of revoked certificates, and crlCheck is hard
	NotAllowed                         // the certificate is not on the allow-list
	WrongName                          // the certificate of a server is for other hosts
	WrongUse                           // the certificate is not for this use
	WeakCertificate                    // key too short, or signature with SHA-1
	RefusedByPeer                      // the peer has refused, mostly our certificate
	ClosedByPeer                       // the peer has gone during the handshake
	TimedOut                           // the handshake took too long
	TooOld                             // the connection has reached its greatest age
	FaultyFiles                        // our own certificates cannot be read
	ProtocolError                      // anything else
	reasonCount
)

var reasonNames = [reasonCount]string{
	"", "not tls", "wrong version", "no common cipher suite", "no certificate", "unknown authority", "expired", "not yet valid", "revoked",
	"no revocation list", "not allowed", "wrong name", "wrong use", "weak certificate", "refused by peer", "closed by peer",
	"timed out", "greatest age reached", "faulty files", "protocol error",
}

// String returns the reason in words, such as "unknown authority".
func (r Reason) String() string {
	if r < reasonCount {
		return reasonNames[r]
	}
	return "unknown"
}

// Error implements error.
func (r Reason) Error() string { return "tls: " + r.String() }

// label returns the reason as a label of a metric.
func (r Reason) label() string { return strings.ReplaceAll(r.String(), " ", "_") }

// Reasons returns every reason.
func Reasons() []Reason {
	all := make([]Reason, 0, reasonCount-1)
	for r := Reason(1); r < reasonCount; r++ {
		all = append(all, r)
	}
	return all
}

// Error reports why a handshake failed or a peer must leave. For errors.Is it is
// its Reason.
type Error struct {
	Reason Reason
	Text   string    // what was found, and what is wanted
	Peer   *Identity // whom the certificate of the peer names; nil: it showed none
	Err    error     // the error below, may be nil
}

// Error returns reason, text and peer.
func (e *Error) Error() string {
	text := e.Reason.Error()
	if e.Text != "" {
		text += ": " + e.Text
	}
	if e.Peer != nil {
		text += " (peer " + e.Peer.String() + ")"
	}
	return text
}

// Unwrap returns the error below.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is the reason.
func (e *Error) Is(target error) bool {
	r, ok := target.(Reason)
	return ok && r == e.Reason
}
