package plant

import (
	"errors"
	"io"
	"regexp"
	"sort"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxSearched is the size of a file, in octets, up to which the line of a
// fault of syntax is searched for. In larger ones that would take too long.
const maxSearched = 1 << 20

// yamlProblem turns an error of the YAML library into a problem.
//
// The library often names the line where the surrounding list or map begins, or
// the one before. The line where the fault shows is the last one of the shortest
// beginning of the file that fails for the same reason.
func yamlProblem(data string, err error) Problem {
	line, reason := yamlReason(err)
	if len(data) <= maxSearched {
		lines := strings.SplitAfter(data, "\n")
		size := 0
		ends := make([]int, len(lines))
		for i, l := range lines {
			size += len(l)
			ends[i] = size
		}
		found := sort.Search(len(ends), func(i int) bool {
			err := yamlSyntax(data[:ends[i]])
			if err == nil {
				return false
			}
			_, same := yamlReason(err)
			return same == reason
		})
		if found < len(ends) {
			line = found + 1
			text := lines[found]
			return Problem{Line: line, Col: len(text) - len(strings.TrimLeft(text, " ")) + 1, Text: "not YAML: " + reason}
		}
	}
	return Problem{Line: line, Col: 1, Text: "not YAML: " + reason}
}

// yamlReason takes an error of the library apart. Without a line it is the first.
func yamlReason(err error) (line int, reason string) {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	m := regexp.MustCompile(`^line (\d+): `).FindStringSubmatch(text)
	if m == nil {
		return 1, text
	}
	line, err = strconv.Atoi(m[1])
	if err != nil {
		return 1, text
	}
	return line, text[len(m[0]):]
}

// yamlSyntax returns the first fault of syntax.
func yamlSyntax(data string) error {
	dec := yaml.NewDecoder(strings.NewReader(data))
	for {
		var doc yaml.Node
		if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}
