// Package apci splits and builds the frames of IEC 60870-5-104: the application
// protocol control information that carries, numbers and acknowledges ASDUs.
//
// A frame is the start octet 68H, a length octet, four control octets and, in
// the I format only, an ASDU of up to 249 octets:
//
//	octet 1    68H
//	octet 2    number of octets that follow, 4 … 253
//	octet 3-6  control field
//	octet 7-   ASDU
//
// [Parse] takes the next frame out of a caller's buffer. TCP segments have no
// relation to frames: a frame may arrive octet by octet, and a segment may hold
// many. The functions keep no state and are safe for concurrent use.
package apci
