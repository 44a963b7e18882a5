// Package iec104 implements both roles of IEC 60870-5-104: the controlled
// station ([Server]) and the controlling station ([Client]).
package iec104
