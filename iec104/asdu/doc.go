// Package asdu encodes and decodes the application service data units of
// IEC 60870-5-101 and -104.
package asdu
