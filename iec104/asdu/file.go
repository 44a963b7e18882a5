package asdu

// segmentHeader are the octets of a segment before its content: name of file,
// name of section, length.
const segmentHeader = 4
