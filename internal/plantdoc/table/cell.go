package table

import (
	"math"
	"regexp"
	"strconv"
	"strings"

	"busbar/internal/plant"
	"busbar/internal/plantdoc"
)

// quote is in front of text that a spreadsheet program would take for something else: a
// formula, a number, a date. It does not belong to the text.
const quote = "'"

// cellText returns the text of a cell that is read as n again.
func cellText(n *plant.Node, f form) string {
	switch {
	case n.Kind != plant.Scalar:
		return plantdoc.Inline(n)
	case !n.Quoted && !n.IsNull() && f != textForm:
		return n.Text
	case n.IsNull():
		return "null"
	default:
		return guard(n.Text, f)
	}
}

// guard puts a quote in front of text that would not stay as it is.
func guard(text string, f form) string {
	dangerous := text == "" || strings.IndexByte("=+-@'\t\r\n", text[0]) >= 0 || text != strings.TrimSpace(text)
	if dangerous || mangled(text) || f != textForm && !readsAsText(text, f) {
		return quote + text
	}
	return text
}

// readsAsText reports whether a cell of the form with the text stands for the text.
func readsAsText(text string, f form) bool {
	json, fault := parse(text, f, false)
	return fault == "" && string(json) == string(plantdoc.AppendText(nil, text))
}

var (
	figures = regexp.MustCompile(`^[0-9][0-9.,:/ eE+-]*$`)
	whole   = regexp.MustCompile(`^(0|[1-9][0-9]{0,14})$`)
	month   = `(jan|feb|mar|mär|mrz|apr|may|mai|jun|jul|aug|sep|oct|okt|nov|dec|dez)[a-zäöü]*\.?`
	dated   = regexp.MustCompile(`(?i)^([0-9]{1,4}[-./ ]?` + month + `([-./ ]?[0-9]{1,4})?|` + month + `[-./ ]?[0-9]{1,4})$`)
	comma   = regexp.MustCompile(`^[-+]?[0-9]+,[0-9]+([eE][-+]?[0-9]+)?\s*%?$`)
	power   = regexp.MustCompile(`^[-+]?[0-9.]+[eE][-+]?[0-9]+$`)
)

// mangled reports whether a spreadsheet program makes something else of a text: a date
// of 1.10 or 3/4, a number of 007 or 12e3, a truth of true.
func mangled(text string) bool {
	switch strings.ToLower(text) {
	case "true", "false", "wahr", "falsch":
		return true
	}
	return figures.MatchString(text) && !whole.MatchString(text) || dated.MatchString(text)
}

// parse returns what a cell says as canonical JSON, or what is wrong with it. Nil
// is an empty cell. With decimalComma 0,5 is a number.
func parse(text string, f form, decimalComma bool) (json []byte, fault string) {
	text = trim(text)
	if text == "" {
		return nil, ""
	}
	plain, quoted := strings.CutPrefix(text, quote)
	switch {
	case f == mapForm && !quoted && text[0] != '{' && strings.Contains(text, ":"):
		return flow("{" + text + "}")
	case f == mapForm && !quoted, f == listForm && strings.HasPrefix(text, "["), f == anyForm && (text[0] == '{' || text[0] == '['):
		return flow(text)
	case quoted || f == textForm:
		return plantdoc.AppendText(nil, plain), ""
	case f == listForm:
		return list(text, decimalComma), ""
	case f == boolForm:
		return boolean(text), ""
	default:
		return scalar(text, decimalComma), ""
	}
}

// trim takes the spaces around a text away, unless it has a quote.
func trim(text string) string {
	if strings.HasPrefix(text, quote) {
		return text
	}
	return strings.TrimSpace(text)
}

// flow reads YAML in one line.
func flow(text string) ([]byte, string) {
	n, problems := plant.Tree("cell.yaml", []byte(text))
	if len(problems) > 0 {
		return nil, problems[0].Text + ", want it as in a plant file, such as {open: off, closed: on} or [1, 2]"
	}
	return plantdoc.AppendNode(nil, n), ""
}

// list reads items with commas or semicolons between them.
func list(text string, decimalComma bool) []byte {
	json := []byte("[")
	for i, item := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ';' }) {
		if i > 0 {
			json = append(json, ',')
		}
		json = append(json, scalar(strings.TrimSpace(item), decimalComma)...)
	}
	return append(json, ']')
}

func boolean(text string) []byte {
	switch strings.ToLower(text) {
	case "true", "wahr":
		return []byte("true")
	case "false", "falsch":
		return []byte("false")
	default:
		return plantdoc.AppendText(nil, text)
	}
}

// scalar reads a number, true, false, null or text.
func scalar(text string, decimalComma bool) []byte {
	if decimalComma && comma.MatchString(text) {
		text = strings.Replace(text, ",", ".", 1)
	}
	if power.MatchString(text) {
		if v, err := strconv.ParseFloat(text, 64); err == nil && math.Abs(v) < 1e15 && v == math.Trunc(v) {
			text = strconv.FormatInt(int64(v), 10) // a spreadsheet program has shortened it
		}
	}
	n := plant.Node{Kind: plant.Scalar, Text: text}
	return plantdoc.AppendNode(nil, &n)
}
