package interop

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"busbar/iec104/asdu"
)

const (
	title  = "Interoperability statement of IEC 60870-5-104"
	header = "| id | item | mark | value |"
	legend = "X: used in standard direction, R: in reverse direction, B: in both, empty: not used. Of types the value are the causes of transmission."
)

// WriteMarkdown writes the statement as Markdown: a table for each section, and the
// matrix of types and causes.
func (s *Statement) WriteMarkdown(w io.Writer) error {
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "# %s\n\n%s\n", title, legend) // errors stay in the writer until Flush
	section := ""
	for i, r := range s.Rows {
		if r.Section != section || i == 0 {
			section = r.Section
			fmt.Fprintf(out, "\n## %s\n\n%s\n|---|---|---|---|\n", section, header)
		}
		fmt.Fprintf(out, "| %s | %s | %s | %s |\n", cell(r.ID), cell(r.Item), cell(r.Mark), cell(r.Value))
	}
	columns := matrixColumns()
	fmt.Fprint(out, "\n## Matrix of types and causes\n\n| type |")
	for _, c := range columns {
		fmt.Fprintf(out, " %s |", c.name)
	}
	fmt.Fprint(out, "\n|---|"+strings.Repeat("---|", len(columns))+"\n")
	for _, m := range s.matrix() {
		fmt.Fprintf(out, "| %s |", cell(m[0]))
		for _, c := range m[1:] {
			fmt.Fprintf(out, " %s |", c)
		}
		fmt.Fprintln(out)
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("writing: %w", err)
	}
	return nil
}

// cell makes text fit into a cell of a table.
func cell(s string) string {
	return strings.NewReplacer("\\", "\\\\", "|", "\\|", "\n", " ", "\r", " ").Replace(strings.TrimSpace(s))
}

// cells splits a line of a table.
func cells(line string) []string {
	var list []string
	var b strings.Builder
	escaped := false
	for _, r := range strings.Trim(line, " ")[1:] {
		switch {
		case escaped:
			b.WriteRune(r)
			escaped = false
		case r == '\\':
			escaped = true
		case r == '|':
			list = append(list, strings.TrimSpace(b.String()))
			b.Reset()
		default:
			b.WriteRune(r)
		}
	}
	return list
}

// ErrFormat reports that a file is no interoperability statement.
var ErrFormat = errors.New("no interoperability statement as busbar interop writes it")

// maxLine is the longest line that is read, in octets.
const maxLine = 1 << 20

// ReadMarkdown reads what WriteMarkdown writes. Tables with other columns and text
// between them are passed over, so that a file may have remarks.
func ReadMarkdown(r io.Reader) (*Statement, error) {
	s := &Statement{}
	section, inTable := "", false
	in := bufio.NewScanner(r)
	in.Buffer(nil, maxLine)
	for n := 1; in.Scan(); n++ {
		line := strings.TrimSpace(in.Text())
		switch {
		case strings.HasPrefix(line, "## "):
			section, inTable = strings.TrimSpace(line[3:]), false
		case strings.ReplaceAll(line, " ", "") == strings.ReplaceAll(header, " ", ""):
			inTable = true
		case !strings.HasPrefix(line, "|"):
			inTable = false
		case inTable && !strings.HasPrefix(strings.ReplaceAll(line, " ", ""), "|---"):
			c := cells(line)
			if len(c) != 4 {
				return nil, fmt.Errorf("line %d: %d cells, want 4: %w", n, len(c), ErrFormat)
			}
			s.Rows = append(s.Rows, Row{section, c[0], c[1], c[2], c[3]})
		}
	}
	if err := in.Err(); err != nil {
		return nil, fmt.Errorf("reading: %w", err)
	}
	return s, s.check()
}

// check reports what makes a statement that was read useless.
func (s *Statement) check() error {
	seen := map[string]bool{}
	for _, r := range s.Rows {
		switch {
		case r.ID == "" || seen[r.ID]:
			return fmt.Errorf("item %q is empty or occurs twice: %w", r.ID, ErrFormat)
		case !slices.Contains([]string{"", "X", "R", "B"}, r.Mark):
			return fmt.Errorf("item %s: mark %q, want X, R, B or none: %w", r.ID, r.Mark, ErrFormat)
		}
		seen[r.ID] = true
	}
	for _, id := range []string{"role.controlling", "role.controlled", "k", "w"} {
		if !seen[id] {
			return fmt.Errorf("item %s is missing: %w", id, ErrFormat)
		}
	}
	return nil
}

// column is one of the matrix.
type column struct {
	name      string
	low, high int
}

func matrixColumns() []column {
	var list []column
	for c := 1; c <= 13; c++ {
		list = append(list, column{fmt.Sprint(c), c, c})
	}
	return append(list, column{"20-36", 20, 36}, column{"37-41", 37, 41}, column{"44-47", 44, 47})
}

// matrix returns a line for each type that is used: its number and name, then X,
// or the causes of a column of several.
func (s *Statement) matrix() [][]string {
	var lines [][]string
	for _, r := range s.Rows {
		causes, err := parseNumbers(r.Value)
		if !strings.HasPrefix(r.ID, "type.") || r.Mark == "" || err != nil {
			continue
		}
		line := []string{strings.TrimPrefix(r.ID, "type.") + " " + r.Item}
		for _, c := range matrixColumns() {
			var in []asdu.Cause
			for _, n := range causes {
				if n >= c.low && n <= c.high {
					in = append(in, asdu.Cause(n))
				}
			}
			switch {
			case len(in) == 0:
				line = append(line, "")
			case c.low == c.high, len(in) == c.high-c.low+1:
				line = append(line, "X")
			default:
				line = append(line, numbers(in))
			}
		}
		lines = append(lines, line)
	}
	return lines
}
