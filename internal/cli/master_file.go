package cli

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"busbar/iec104"
	"busbar/iec104/asdu"
)

// fileFlags are the flags of the requests `files`, `get`, `put` and `delete`.
type fileFlags struct {
	nof     uint
	path    string
	session *masterSession // that asks
}

func (f *fileFlags) define(fs *flag.FlagSet) {
	fs.UintVar(&f.nof, "nof", 1, "of get, put and delete: name (kind) of the file, 0 … 65535; 1 is a transparent file. Of files: that of a directory")
	fs.StringVar(&f.path, "file", "", "of get and put: `path` of the file here; of get the default is made of its address")
}

func fileRequests() []masterRequest {
	return []masterRequest{
		{name: "files", does: "list the directory of files: --ca, or a sub-directory: --ioa, --nof",
			wants: func(o *masterOptions, h asdu.Header) bool {
				return o.files.session.json && h.Type == asdu.F_DR_TA_1 && h.Cause == asdu.Request
			},
			ask: askFiles},
		{name: "get", does: "read a file: --ca, --ioa, --nof, --file", needsIOA: true, wants: nothing, ask: askGet},
		{name: "put", does: "write a file: --ca, --ioa, --nof, --file", needsIOA: true, wants: nothing, ask: askPut},
		{name: "delete", does: "delete a file: --ca, --ioa, --nof", needsIOA: true, wants: nothing, ask: askDelete},
	}
}

// checkFile checks the flags of a request, if it is one for files.
func (o *masterOptions) checkFile(request string, given func(string) bool) error {
	asked := func(r masterRequest) bool { return r.name == request }
	if !slices.ContainsFunc(fileRequests(), asked) {
		return nil
	}
	switch f := &o.files; {
	case f.nof > 65535:
		return fmt.Errorf("--nof: %d, want 0 to 65535", f.nof)
	case o.ca == asdu.GlobalCA:
		return errors.New("--ca: 65535, want the common address of one station")
	case request == "put" && f.path == "":
		return errors.New("--file is missing: put wants the file to write")
	case request == "get" && f.path == "":
		f.path = fmt.Sprintf("%d-%d.bin", o.ioa, f.nof)
	case request == "files" && !given("nof") && o.ioa == 0:
		f.nof = 0 // the uppermost directory
	}
	return nil
}

// file is the file, or directory, that is asked for.
func (o *masterOptions) file() iec104.FileID {
	return iec104.FileID{CA: o.ca, IOA: o.ioa, Name: uint16(o.files.nof)}
}

const fileRow = "%8v %5v %9v %6v %-9v  %v\n"

func askFiles(ctx context.Context, c *iec104.Client, o *masterOptions) (string, error) {
	entries, err := c.Directory(ctx, o.file())
	if err != nil {
		return "", err
	}
	if !o.files.session.json && len(entries) > 0 { // otherwise printed as it came
		table := fmt.Sprintf(fileRow, "IOA", "NOF", "OCTETS", "STATUS", "", "TIME")
		for i := range entries {
			e := &entries[i]
			table += fmt.Sprintf(fileRow, e.IOA, e.Name, e.Size, e.Status, remark(e), made(e))
		}
		err = o.files.print(table)
	}
	return count(len(entries), "file"), err
}

// print prints a result.
func (f *fileFlags) print(text string) error {
	s := f.session
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := io.WriteString(s.io.Out, text)
	return err
}

func remark(f *iec104.FileInfo) string {
	switch {
	case f.Directory:
		return "directory"
	case f.Busy:
		return "busy"
	}
	return ""
}

// made returns when a file was made.
func made(f *iec104.FileInfo) string {
	at, ok := f.Time.Date(nil)
	switch {
	case !ok:
		return "–"
	case f.Time.Invalid():
		return at.Format(time.RFC3339) + " (invalid)"
	}
	return at.Format(time.RFC3339)
}

// transfer returns what the client needs of a transfer. What it has done is told once a
// second.
func (o *masterOptions) transfer() iec104.FileTransfer {
	told := time.Now()
	return iec104.FileTransfer{FileID: o.file(), Progress: func(done, total uint32) {
		if now := time.Now(); now.Sub(told) >= time.Second {
			told = now
			o.files.session.say(fmt.Sprintf("%d of %d octets", done, total))
		}
	}}
}

// askGet reads a file. It appears under its name when it is complete.
func askGet(ctx context.Context, c *iec104.Client, o *masterOptions) (string, error) {
	path := o.files.path
	dst, err := os.CreateTemp(filepath.Dir(path), ".busbar-get-*")
	if err != nil {
		return "", err
	}
	size, err := c.ReadFile(ctx, o.transfer(), dst)
	if err == nil {
		err = dst.Chmod(0o644)
	}
	err = errors.Join(err, dst.Close())
	if err == nil {
		err = os.Rename(dst.Name(), path)
	}
	if err != nil {
		return "", errors.Join(err, os.Remove(dst.Name()))
	}
	return o.transferred(size, "read into")
}

func askPut(ctx context.Context, c *iec104.Client, o *masterOptions) (string, error) {
	src, err := os.Open(o.files.path)
	if err != nil {
		return "", err
	}
	defer src.Close()
	info, err := src.Stat()
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s is no file", o.files.path)
	}
	if err := c.WriteFile(ctx, o.transfer(), src, info.Size()); err != nil {
		return "", err
	}
	return o.transferred(uint32(info.Size()), "written from")
}

func askDelete(ctx context.Context, c *iec104.Client, o *masterOptions) (string, error) {
	if err := c.DeleteFile(ctx, o.file()); err != nil {
		return "", err
	}
	return o.file().String() + " deleted", nil
}

// transferred tells what was done.
func (o *masterOptions) transferred(size uint32, what string) (string, error) {
	if o.files.session.json {
		line, err := json.Marshal(struct {
			CA     uint16 `json:"ca"`
			IOA    uint32 `json:"ioa"`
			NOF    uint   `json:"nof"`
			Octets uint32 `json:"octets"`
			File   string `json:"file"`
		}{o.ca, o.ioa, o.files.nof, size, o.files.path})
		return "", errors.Join(err, o.files.print(string(line)+"\n"))
	}
	return fmt.Sprintf("%s, %s, %s %s", count(int(size), "octet"), o.file(), what, o.files.path), nil
}
