// Package capture stands between a controlling and a controlled station on
// loopback, records what passes as a capture file that needs no privilege,
// disturbs the link on request, and has tshark decode the record, so that
// tests compare what was sent with what an independent implementation reads.
package capture
