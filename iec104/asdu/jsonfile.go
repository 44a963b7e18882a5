package asdu

import "time"

// appendFile appends the member file, with the octets as raw if they are not
// those of the type.
func appendFile(dst []byte, t TypeID, b []byte, loc *time.Location) []byte {
	start := len(dst)
	dst = append(appendKey(dst, "file"), '{')
	dst, ok := appendFileMembers(dst, t, b, loc)
	if !ok {
		return appendHex(dst[:start], "raw", b)
	}
	return append(dst, '}')
}

func appendFileMembers(dst []byte, t TypeID, b []byte, loc *time.Location) ([]byte, bool) {
	switch t {
	case F_FR_NA_1:
		f, ok := ParseFileReady(b)
		dst = appendInt(appendInt(dst, "nof", int64(f.Name)), "lof", int64(f.Length))
		return appendBool(appendInt(dst, "frq", int64(f.Qualifier)), "negative", f.Negative), ok
	case F_SR_NA_1:
		f, ok := ParseSectionReady(b)
		dst = appendInt(appendSection(dst, f.Name, f.Section), "lof", int64(f.Length))
		return appendBool(appendInt(dst, "srq", int64(f.Qualifier)), "notReady", f.NotReady), ok
	case F_SC_NA_1, F_AF_NA_1:
		f, ok := ParseFileAction(b)
		action := "scq"
		if t == F_AF_NA_1 {
			action = "afq"
		}
		dst = appendInt(appendSection(dst, f.Name, f.Section), action, int64(f.Action))
		return appendInt(dst, "err", int64(f.Error)), ok
	case F_LS_NA_1:
		f, ok := ParseLastSection(b)
		dst = appendInt(appendSection(dst, f.Name, f.Section), "lsq", int64(f.Qualifier))
		return appendInt(dst, "chs", int64(f.Checksum)), ok
	case F_SG_NA_1:
		f, ok := ParseSegment(b)
		dst = appendInt(appendSection(dst, f.Name, f.Section), "los", int64(len(f.Content)))
		return appendHex(dst, "data", f.Content), ok
	case F_DR_TA_1:
		f, ok := ParseDirectoryEntry(b)
		dst = appendInt(appendInt(dst, "nof", int64(f.Name)), "lof", int64(f.Length))
		dst = appendBool(appendInt(dst, "status", int64(f.Status)), "lfd", f.Last)
		return appendBool(appendBool(dst, "for", f.Directory), "fa", f.Transferred), ok
	default:
		f, ok := ParseLogQuery(b)
		dst = append(appendKey(appendInt(dst, "nof", int64(f.Name)), "from"), '{')
		dst = append(appendKey(append(appendCP56(dst, f.From, loc), '}'), "to"), '{')
		return append(appendCP56(dst, f.To, loc), '}'), ok
	}
}

func appendSection(dst []byte, name uint16, section uint8) []byte {
	return appendInt(appendInt(dst, "nof", int64(name)), "nos", int64(section))
}
