package table

import (
	"archive/zip"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// What is read of the parts of a workbook at most, in octets.
const (
	maxSheet   = 512 << 20
	maxStrings = 128 << 20
	maxPart    = 8 << 20   // of all others
	maxShared  = 4_000_000 // texts that cells share
)

// book is a workbook, a zip file of XML parts.
type book struct {
	parts map[string]*zip.File
}

// open returns a part of the workbook; reading it fails where it is longer than the limit.
func (b *book) open(name string, limit int64) (io.ReadCloser, error) {
	f, ok := b.parts[strings.ToLower(name)]
	if !ok {
		return nil, formatError("the workbook has no part %s", name)
	}
	r, err := f.Open()
	if err != nil {
		return nil, formatError("part %s: %w", name, err)
	}
	return &limited{r: r, name: name, left: limit, run: 1}, nil
}

// limited is a part of a workbook that may be of any length, and made to fill the memory of
// whoever parses it: no tag or text in it may be longer than a megabyte, and it may have neither comments
// nor declarations, which no spreadsheet program writes.
type limited struct {
	r    io.ReadCloser
	name string
	left int64 // octets that may come
	run  int   // octets since the last <
}

const maxRun = 1 << 20 // octets

// Read implements [io.Reader].
func (l *limited) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	if l.left -= int64(n); l.left < 0 {
		return 0, formatError("part %s is too large", l.name)
	}
	for _, c := range p[:n] {
		l.run++
		if l.run > maxRun || l.run == 1 && c == '!' {
			return 0, formatError("part %s has a comment, a declaration, or a text that is too long", l.name)
		}
		if c == '<' {
			l.run = 0
		}
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = formatError("part %s: %w", l.name, err)
	}
	return n, err
}

// Close implements [io.Closer].
func (l *limited) Close() error { return l.r.Close() }

// decode reads a small part into v.
func (b *book) decode(name string, v any) (err error) {
	r, err := b.open(name, maxPart)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if err := xml.NewDecoder(r).Decode(v); err != nil {
		return formatError("part %s: %w", name, err)
	}
	return nil
}

// contents are the parts of a workbook that a table is made of.
type contents struct {
	sheet   string
	strings string // empty: there are none
	styles  string // empty: there are none
}

// find returns the parts for the sheet with a name, or the first one if there is none.
func (b *book) find(sheet string) (contents, error) {
	var workbook struct {
		Sheets []struct {
			Name string `xml:"name,attr"`
			ID   string `xml:"http://schemas.openxmlformats.org/officeDocument/2006/relationships id,attr"`
		} `xml:"sheets>sheet"`
	}
	var relations struct {
		List []struct {
			ID     string `xml:"Id,attr"`
			Type   string `xml:"Type,attr"`
			Target string `xml:"Target,attr"`
		} `xml:"Relationship"`
	}
	if err := b.decode("xl/workbook.xml", &workbook); err != nil {
		return contents{}, err
	}
	if err := b.decode("xl/_rels/workbook.xml.rels", &relations); err != nil {
		return contents{}, err
	}
	if len(workbook.Sheets) == 0 {
		return contents{}, formatError("the workbook has no sheet")
	}
	chosen := workbook.Sheets[0]
	for _, s := range workbook.Sheets {
		if strings.EqualFold(s.Name, sheet) {
			chosen = s
			break
		}
	}
	var c contents
	for _, r := range relations.List {
		target := path.Join("xl", r.Target)
		if strings.HasPrefix(r.Target, "/") {
			target = r.Target[1:]
		}
		switch {
		case r.ID == chosen.ID:
			c.sheet = target
		case strings.HasSuffix(r.Type, "/sharedStrings"):
			c.strings = target
		case strings.HasSuffix(r.Type, "/styles"):
			c.styles = target
		}
	}
	if c.sheet == "" {
		return contents{}, formatError("sheet %s has no part", chosen.Name)
	}
	return c, nil
}

// dates returns which styles of cells show a number as a date or time.
func (b *book) dates(name string) (dates []bool, err error) {
	if name == "" {
		return nil, nil
	}
	var styles struct {
		Formats []struct {
			ID   int    `xml:"numFmtId,attr"`
			Code string `xml:"formatCode,attr"`
		} `xml:"numFmts>numFmt"`
		Cells []struct {
			Format int `xml:"numFmtId,attr"`
		} `xml:"cellXfs>xf"`
	}
	if err := b.decode(name, &styles); err != nil {
		return nil, err
	}
	custom := make(map[int]bool)
	for _, f := range styles.Formats {
		custom[f.ID] = isDateFormat(f.Code)
	}
	dates = make([]bool, len(styles.Cells))
	for i, c := range styles.Cells {
		isDate, ok := custom[c.Format]
		if !ok { // those that need no definition
			isDate = c.Format >= 14 && c.Format <= 22 || c.Format >= 27 && c.Format <= 36 || c.Format >= 45 && c.Format <= 47 || c.Format >= 50 && c.Format <= 58
		}
		dates[i] = isDate
	}
	return dates, nil
}

// isDateFormat reports whether a format of numbers has years, months, days or times. What is in
// quotes or brackets is text and colours.
func isDateFormat(code string) bool {
	inQuotes, inBrackets, escaped := false, false, false
	for _, r := range strings.ToLower(code) {
		switch {
		case escaped:
			escaped = false
		case r == '\\' || r == '_' || r == '*':
			escaped = true
		case r == '"':
			inQuotes = !inQuotes
		case inQuotes:
		case r == '[' || r == ']':
			inBrackets = r == '['
		case !inBrackets && strings.ContainsRune("ymdhs", r):
			return true
		}
	}
	return false
}

func openBook(r io.ReaderAt, size int64) (*book, error) {
	const maxParts = 10_000
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, formatError("is no workbook (XLSX): %w", err)
	}
	if len(z.File) > maxParts {
		return nil, formatError("the workbook has more than %d parts", maxParts)
	}
	b := &book{parts: make(map[string]*zip.File, len(z.File))}
	for _, f := range z.File {
		name := strings.ToLower(strings.ReplaceAll(f.Name, `\`, "/"))
		if _, ok := b.parts[name]; ok {
			return nil, formatError("the workbook has the part %s twice", fmt.Sprintf("%.100q", f.Name))
		}
		b.parts[name] = f
	}
	return b, nil
}
