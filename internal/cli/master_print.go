package cli

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"busbar/iec104/asdu"
)

// objectPrinter prints information objects as they come, as a table or as JSON.
type objectPrinter struct {
	w       *bufio.Writer
	json    bool
	most    int // objects beyond are not printed; 0: no limit
	objects int
	err     error
	objs    []asdu.Object
	line    []byte
}

func newObjectPrinter(w io.Writer, json bool, most int) *objectPrinter {
	return &objectPrinter{w: bufio.NewWriter(w), json: json, most: most}
}

// full reports whether all was printed that may be.
func (p *objectPrinter) full() bool { return p.most > 0 && p.objects >= p.most }

// print prints the objects of an ASDU.
func (p *objectPrinter) print(a *asdu.ASDU) {
	p.objs = a.AppendObjects(p.objs[:0])
	for i := range p.objs {
		if p.full() {
			break
		}
		p.row(&a.Header, &p.objs[i])
	}
	if p.err == nil {
		p.err = p.w.Flush()
	}
}

// one prints an object that was kept.
func (p *objectPrinter) one(o *seen) {
	p.row(&o.header, &o.object)
	if p.err == nil {
		p.err = p.w.Flush()
	}
}

// limit has so many further objects printed; 0: no limit.
func (p *objectPrinter) limit(n int) {
	p.most = 0
	if n > 0 {
		p.most = p.objects + n
	}
}

// row prints an object.
func (p *objectPrinter) row(h *asdu.Header, o *asdu.Object) {
	if p.objects == 0 && !p.json {
		p.write([]byte(fmt.Sprintf(objectRow, "CA", "IOA", "TYPE", "CAUSE", "VALUE", "QUALITY", "TIME")))
	}
	p.objects++
	p.line = h.AppendJSON(p.line[:0], o, nil)
	if !p.json {
		p.line = []byte(row(p.line))
	}
	p.write(append(p.line, '\n'))
}

func (p *objectPrinter) write(b []byte) {
	if p.err == nil {
		_, p.err = p.w.Write(b)
	}
}

// flush returns the first error of writing.
func (p *objectPrinter) flush() error {
	if p.err != nil {
		return fmt.Errorf("writing: %w", p.err)
	}
	return nil
}

// valueWidth is the width of the column of values.
const valueWidth = 14

const objectRow = "%5v %8v %-10v %-20v %14v  %-22v %v\n"

// row makes a row of the table from the JSON of an object. An object without
// time tag shows when it was received.
func row(object []byte) string {
	var o struct {
		CA          uint16          `json:"ca"`
		IOA         uint32          `json:"ioa"`
		Type        string          `json:"type"`
		Cause       string          `json:"cot"`
		Negative    bool            `json:"negative"`
		Value       json.RawMessage `json:"value"`
		Quality     []string        `json:"quality"`
		Time        string          `json:"time"`
		TimeInvalid bool            `json:"timeInvalid"`
		Substituted bool            `json:"timeSubstituted"`
	}
	if err := json.Unmarshal(object, &o); err != nil {
		return string(object)
	}
	quality := strings.Join(o.Quality, ",")
	if quality == "" && o.Quality != nil { // requests have none
		quality = "good"
	}
	stamp := o.Time
	switch {
	case stamp == "":
		stamp = "received " + time.Now().UTC().Format("15:04:05.000")
	case o.TimeInvalid:
		stamp += " (invalid)"
	case o.Substituted:
		stamp += " (time of arrival)"
	}
	if o.Negative {
		o.Cause += " NEGATIVE"
	}
	return strings.TrimSuffix(fmt.Sprintf(objectRow, o.CA, o.IOA, o.Type, o.Cause, cell(string(o.Value)), quality, stamp), "\n")
}

// cell makes the JSON of a value fit to read: states as those of double points,
// normalised values to 5 decimals, which tells all of them apart.
func cell(value string) string {
	switch value {
	case "true":
		return "on"
	case "false":
		return "off"
	}
	if len(value) > valueWidth {
		if f, err := strconv.ParseFloat(value, 64); err == nil {
			return strconv.FormatFloat(f, 'f', 5, 64)
		}
	}
	return strings.Trim(value, `"`)
}
