// Package asdu encodes and decodes the application service data units of
// IEC 60870-5-101 and -104.
//
// [Parse] checks the octets of an ASDU, [ASDU.AppendObjects] takes its objects;
// [Append] builds a whole ASDU, [AppendHeader] with [AppendObject] and
// [AppendElement] build one step by step. Every type identification is one row
// of a table. Objects of all types share the struct [Object]: its members hold
// what is on the wire, and helpers such as [ScaledValue], [FloatValue],
// [Time.Date] and [Stamper] convert from and to what an application has.
//
// Nothing is allocated on the way between octets and the caller's memory. The
// functions keep no state and are safe for concurrent use; a [Stamper] is not.
//
// The sizes of the addresses and of the cause are those of -104 unless [Sizes]
// says otherwise. Reserved bits are ignored when decoding and zero when
// encoding.
package asdu
