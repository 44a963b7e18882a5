package iec104

import (
	"slices"
	"strings"
	"testing"
)

// requiredOfFiles are the steps of file transfer, and the ways it can go wrong, of the
// controlled and of the controlling station, each with the beginning of the names of the
// tests that play it.
func requiredOfFiles() (controlled, controlling []string) {
	controlled = []string{
		"directory: SQ=1, LFD in the last entry", "directory: several ASDUs", "directory: empty", "directory: a sub-directory", "directory: unknown",
		"directory: during a transfer", "directory: a new file is told spontaneously",
		"a file is read", "select: refused", "select section", "acknowledge section: negative, the section is repeated",
		"acknowledge section: negative a fourth time", "acknowledge file: negative", "announce: refused", "last segment: wrong checksum",
		"last segment: less than announced", "last section: wrong checksum", "section ready: not ready", "delete: done", "deactivate: refused without",
		"deactivate section after call section", "unexpected service without", "unexpected service during", "unexpected name of file",
		"unexpected name of section", "cause, common address, number of objects", "a station without files", "directory in control direction, and query log",
		"E091 file segment longer", "E091 file segment of a wrong section", "E092 ",
	}
	for _, m := range readMoves()[:4] {
		for _, end := range []string{"deactivate file", "negative acknowledgement", "30 s without progress", "connection lost", "STOPDT"} {
			controlled = append(controlled, "read: "+end+orOf(end, "negative acknowledgement", " of the file")+" after "+m.name)
		}
	}
	for _, m := range writeMoves()[:4] {
		for _, end := range []string{"stopped by the sender", "deactivate file", "30 s without progress", "connection lost", "STOPDT"} {
			controlled = append(controlled, "write: "+end+" after "+m.name)
		}
	}
	controlling = []string{
		"a file is read", "select: negative", "select: unknown type", "call file: section not ready", "a checksum fails: the section comes again",
		"a checksum fails four times", "the checksum of the file fails", "E091 file segment longer", "E091 file segment of a wrong section", "E091 section longer",
		"E091 a file larger than the own limit", "a section fails: it is sent again", "a section fails four times", "the file fails", "announce: negative",
		"directory in several parts", "directory: empty", "directory: refused", "directory: incomplete", "delete", "E092 ",
	}
	for what, moves := range map[string][]fileMove{"read": writeMoves()[:4], "write": readMoves()[1:4]} {
		for _, m := range append([]fileMove{{name: "the announcement"}}, moves...) {
			for _, end := range []string{"cancelled", "30 s without progress", "ended by the station", "negative acknowledgement", "STOPDT", "restart of the station", "connection lost"} {
				controlling = append(controlling, what+": "+end+" after "+m.name)
			}
		}
	}
	return controlled, controlling
}

// orOf returns suffix if a is b.
func orOf(a, b, suffix string) string {
	if a == b {
		return suffix
	}
	return ""
}

func TestFileStepsAreComplete(t *testing.T) {
	t.Parallel()
	controlled, controlling := requiredOfFiles()
	var server, client []string
	for _, table := range [][]fileRow{fileSendRows(), fileReceiveRows(), fileEndRows(), directoryRows(), fileRefusalRows()} {
		for _, r := range table {
			server = append(server, r.row)
		}
	}
	for _, table := range [][]fileRigRow{readFileRows(), writeFileRows(), listRows(), readEndRows(), writeEndRows(), overlapRows()} {
		for _, r := range table {
			client = append(client, r.row)
		}
	}
	for _, side := range []struct{ want, have []string }{{controlled, server}, {controlling, client}} {
		for _, w := range side.want {
			if !slices.ContainsFunc(side.have, func(row string) bool { return strings.HasPrefix(row, w) }) {
				t.Errorf("nothing plays %q", w)
			}
		}
	}
}
