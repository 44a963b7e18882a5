package cli

import (
	"context"
	"errors"
	"fmt"

	"busbar/internal/app"
	"busbar/internal/config"
	"busbar/internal/store"
)

func rekeyCommand(ctx context.Context, args []string, io IO) int {
	flags := storeFlags("rekey", "[flags] KEYFILE\n\nEncrypts the secrets of the store with the key in KEYFILE, which holds 32 octets in base64. busbar must not\nbe running, and needs the new key from then on.", io.Out)
	c, file, err := storeAndFile(flags, args, io, "which key? give its file, made by: openssl rand -base64 32 > FILE")
	if err != nil {
		return fail(io, "rekey", err, exitUsage)
	}
	lock, err := app.LockData(c.Data)
	if err != nil {
		return fail(io, "rekey", err, exitFailure)
	}
	if err = errors.Join(rekey(ctx, c, io, file), lock.Close()); err != nil {
		return fail(io, "rekey", err, exitFailure)
	}
	return exitOK
}

func rekey(ctx context.Context, c config.Config, io IO, file string) (err error) {
	key, err := store.KeySource{File: file, Data: c.Data, Env: io.Env}.Load()
	if err != nil {
		return err
	}
	o, err := storeAt(c, io)
	if err != nil {
		return err
	}
	o.Alone = true
	s, err := store.OpenExisting(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	n, err := s.Rekey(ctx, key)
	if err != nil {
		return err
	}
	fmt.Fprintf(io.Err, "%s encrypted with key %s: let busbar find it, such as with --secrets-key %s\n", count(n, "secret"), store.KeyID(key), file)
	return nil
}
