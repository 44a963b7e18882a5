package iec104

import (
	"context"
	"fmt"
	"io"

	"busbar/iec104/asdu"
)

// FileTransfer is a file to be read from a station, or written to it.
type FileTransfer struct {
	FileID
	// Limit is the largest file that is read, in octets. The default 0 is [MaxFile].
	Limit uint32
	// Progress is called as the transfer gets on, with the octets so far: of a file
	// that is read with each part of it, of one that is written with each section
	// that was acknowledged. It must not call the client and may be nil.
	Progress func(done, total uint32)
}

// A station transfers one file at a time on a connection, or lists a directory: the
// requests below fail with [ErrBusy] meanwhile. They fail as the other requests do,
// [RequestLimits] File being the limit of each step: a *[NegativeError] if the station
// refuses, or else [ErrChecksum], [ErrAborted], [ErrUnexpected] or [ErrTooLarge]. If ctx
// ends, the station is told to give the transfer up. A transfer that was interrupted
// begins anew; nothing is resumed.

// Directory asks for the entries of a directory: IOA and Name 0 are those of the
// uppermost.
func (c *Client) Directory(ctx context.Context, dir FileID) ([]FileInfo, error) {
	t, err := c.talk(ctx, FileTransfer{FileID: dir})
	if err != nil {
		return nil, err
	}
	entries, err := t.list()
	t.leave(err)
	return entries, err
}

// ReadFile reads a file of a station into dst, and returns its size. What arrives is
// written at once: only when ReadFile returns nil is it complete, and its checksum
// right. dst may be slow; when more than 1 MiB waits for it, the section is asked for
// again. The station is told then that the file has arrived, and may delete it.
func (c *Client) ReadFile(ctx context.Context, f FileTransfer, dst io.WriterAt) (size uint32, err error) {
	t, err := c.talk(ctx, f)
	if err != nil {
		return 0, err
	}
	size, err = t.read(dst, f.Limit)
	return size, t.endReading(err)
}

// WriteFile writes a file of size octets to a station. It returns nil when the station
// has acknowledged it as a whole.
func (c *Client) WriteFile(ctx context.Context, f FileTransfer, src io.Reader, size int64) error {
	if size < 0 || size > MaxFile {
		return fmt.Errorf("%w: %d octets, most is %d", ErrTooLarge, size, MaxFile)
	}
	t, err := c.talk(ctx, f)
	if err != nil {
		return err
	}
	return t.endWriting(t.offer(src, uint32(size)))
}

// DeleteFile deletes a file of a station.
func (c *Client) DeleteFile(ctx context.Context, id FileID) error {
	t, err := c.talk(ctx, FileTransfer{FileID: id})
	if err != nil {
		return err
	}
	if err = t.call(0, scqDeleteFile); err == nil {
		_, err = t.announced()
	}
	t.leave(err)
	return err
}

// talk begins a transfer, after the station had time to give the last one up.
func (c *Client) talk(ctx context.Context, f FileTransfer) (*clientTalk, error) {
	if f.CA == 0 || f.CA == asdu.GlobalCA || c.p.Sizes.CA == 1 && f.CA == 255 {
		return nil, fmt.Errorf("iec104: file transfer: common address %d: want one station", f.CA)
	}
	conn, err := c.current()
	if err != nil {
		return nil, err
	}
	box, err := conn.openBox(ctx, f.CA)
	if err != nil {
		return nil, err
	}
	late := func(*fileStep) error { return nil } // or unasked
	return &clientTalk{conn: conn, fileTalk: fileTalk{
		box: box, ctx: ctx, id: f.FileID, oa: c.opt.oa, limit: c.opt.limits.File, progress: f.Progress, aside: late,
	}}, nil
}
