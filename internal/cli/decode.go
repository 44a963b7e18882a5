package cli

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"

	"busbar/iec104/apci"
	"busbar/iec104/asdu"
)

const decodeUsage = `Usage: busbar decode [HEX…]

Decodes IEC 60870-5-104 APDUs to JSON, one object per line. Each argument, or
each line of standard input if there is none, holds one or more APDUs in
hexadecimal; spaces and colons between the digits are skipped, and so are blank
lines and what follows a #. Arguments of single octets are taken together.
Time tags are read as UTC. Exit code 1: something was not an APDU.
`

// maxDecodeLine is the length of the longest line of input in octets.
const maxDecodeLine = 1 << 20

// Decode is "busbar decode": it prints the APDUs in args, or in the lines of
// stdin if there are none, to stdout as one JSON object each, and what is not
// an APDU to stderr, going on with the next line. It returns the exit code: 0,
// 1 if anything was wrong, 2 for an unknown flag.
func Decode(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) > 0 && strings.HasPrefix(args[0], "-") {
		switch args[0] {
		case "-h", "-help", "--help":
			fmt.Fprint(stdout, decodeUsage)
			return exitOK
		case "--":
			args = args[1:]
		default:
			fmt.Fprintf(stderr, "busbar decode: unknown flag %s\n\n%s", args[0], decodeUsage)
			return exitUsage
		}
	}
	d := decoder{out: stdout, errs: stderr}
	if err := d.run(args, stdin); err != nil {
		fmt.Fprintf(stderr, "busbar decode: %v\n", err)
		return exitFailure
	}
	if d.failed {
		return exitFailure
	}
	return exitOK
}

// decoder decodes line by line.
type decoder struct {
	out    io.Writer
	errs   io.Writer
	octets []byte // of the line
	text   []byte // JSON not yet written
	failed bool
}

// run decodes everything. Its error is one of the streams.
func (d *decoder) run(args []string, stdin io.Reader) error {
	switch {
	case len(args) == 0:
		return d.lines(bufio.NewReaderSize(stdin, maxDecodeLine))
	case len(args[0]) <= 2:
		d.line("argument 1", strings.Join(args, " "))
	default:
		for i, arg := range args {
			d.line("argument "+strconv.Itoa(i+1), arg)
		}
	}
	return d.flush()
}

func (d *decoder) lines(r *bufio.Reader) error {
	for n := 1; ; n++ {
		text, err := r.ReadSlice('\n')
		where := "line " + strconv.Itoa(n)
		if errors.Is(err, bufio.ErrBufferFull) {
			d.report(where, fmt.Errorf("longer than %d characters", maxDecodeLine))
			for errors.Is(err, bufio.ErrBufferFull) {
				_, err = r.ReadSlice('\n')
			}
			text = nil
		}
		if n == 1 {
			text = bytes.TrimPrefix(text, []byte("\ufeff")) // the mark that editors put before UTF-8
		}
		d.line(where, string(text))
		if r.Buffered() == 0 || err != nil || len(d.text) > maxDecodeLine { // keep up with input that arrives slowly
			if err := d.flush(); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (d *decoder) flush() error {
	if len(d.text) == 0 {
		return nil
	}
	_, err := d.out.Write(d.text)
	d.text = d.text[:0]
	return err
}

func (d *decoder) report(where string, err error) {
	d.failed = true
	fmt.Fprintf(d.errs, "busbar decode: %s: %v\n", where, err)
}

// line decodes the APDUs of one line. Octets are counted from 1.
func (d *decoder) line(where, text string) {
	var err error
	if d.octets, err = appendHexOctets(d.octets[:0], text); err != nil {
		d.report(where, err)
		return
	}
	for at := 0; at < len(d.octets); {
		b := d.octets[at:]
		f, n, err := apci.Parse(b)
		if err != nil {
			d.report(where, frameError(b, at, err))
			return
		}
		if n == 0 {
			d.report(where, incomplete(b, at))
			return
		}
		if err := d.apdu(f); err != nil {
			d.report(where, fmt.Errorf("octet %d: %w", at+apci.HeaderLen+1, err))
		}
		at += n
	}
}

// appendHexOctets appends the octets written in text.
func appendHexOctets(dst []byte, text string) ([]byte, error) {
	high, digits := byte(0), 0
	for i, c := range text {
		if c == '#' {
			break
		}
		if strings.ContainsRune(" \t\r\n:", c) {
			continue
		}
		v := strings.IndexRune("0123456789abcdef", unicode.ToLower(c))
		if v < 0 {
			return dst, fmt.Errorf("octet %d, character %d: %q is not a hexadecimal digit", digits/2+1, i+1, c)
		}
		if digits++; digits%2 == 1 {
			high = byte(v) << 4
		} else {
			dst = append(dst, high|byte(v))
		}
	}
	if digits%2 == 1 {
		return dst, fmt.Errorf("octet %d: one hexadecimal digit, want two", digits/2+1)
	}
	return dst, nil
}

// frameError says what is wrong with the frame that begins at octet at, and
// what is wanted.
func frameError(b []byte, at int, err error) error {
	switch {
	case errors.Is(err, apci.ErrStart):
		return fmt.Errorf("octet %d: %w, want 68H", at+1, err)
	case errors.Is(err, apci.ErrLength), errors.Is(err, apci.ErrControlLength):
		return fmt.Errorf("octet %d: %w", at+2, err)
	default:
		return fmt.Errorf("octet %d: %w, want 07H, 0BH, 13H, 23H, 43H or 83H", at+3, err)
	}
}

// incomplete says how much of the frame that begins at octet at is missing.
func incomplete(b []byte, at int) error {
	if len(b) < 2 {
		return fmt.Errorf("octet %d: the APDU ends after %d octet, want %d or more", at+2, len(b), apci.HeaderLen)
	}
	return fmt.Errorf("octet %d: the APDU ends after %d octets, its length octet wants %d", at+len(b)+1, len(b), int(b[1])+2)
}

// apdu adds one APDU to the text. An ASDU with surplus octets or with a number or an
// addressing of objects that its type does not have is added and is an error.
func (d *decoder) apdu(f apci.Frame) error {
	b := append(d.text, `{"apci":{"format":"`...)
	b = append(append(b, f.Format.String()...), '"')
	switch f.Format {
	case apci.FormatU:
		b = append(append(append(b, `,"function":"`...), f.Function.String()...), '"')
	case apci.FormatS:
		b = strconv.AppendUint(append(b, `,"nr":`...), uint64(f.NR), 10)
	case apci.FormatI:
		b = strconv.AppendUint(append(b, `,"ns":`...), uint64(f.NS), 10)
		b = strconv.AppendUint(append(b, `,"nr":`...), uint64(f.NR), 10)
	}
	b = append(b, '}')
	var failure error
	if f.Format == apci.FormatI {
		var a asdu.ASDU
		if a, failure = asdu.Parse(f.ASDU, asdu.Sizes{}); a.Count() == 0 {
			return failure
		}
		b = a.AppendJSON(append(b, `,"asdu":`...), nil)
	}
	d.text = append(b, '}', '\n')
	return failure
}
