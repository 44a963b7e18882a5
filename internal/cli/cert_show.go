package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"busbar/internal/pki"
)

// certShow is busbar cert show.
func certShow(args []string, io IO) error {
	fs := newFlags("cert show", "FILE… [--json]\n\nSays what is in files, PEM or DER: certificates, lists of revoked ones, requests, keys. Nothing of a private key is shown\nbut its kind and its id, which is that of the certificate it belongs to.", io.Out)
	asJSON := fs.Bool("json", false, "one JSON object per item and line")
	files, err := arguments(fs, args, 1000)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return usageError{errors.New("which file? try: busbar cert show busbar-ca/ca.pem")}
	}
	var errs []error
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		items, err := pki.Describe(text, time.Now())
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", file, err))
		}
		for _, item := range items {
			if err := printItem(io, file, item, *asJSON); err != nil {
				return err
			}
		}
	}
	return errors.Join(errs...)
}

func printItem(io IO, file string, item pki.Item, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(io.Out).Encode(struct {
			File string `json:"file"`
			pki.Item
		}{file, item})
	}
	fmt.Fprintf(io.Out, "%s: %s\n", file, item.Kind)
	for _, f := range item.Lines {
		fmt.Fprintf(io.Out, "  %-8s %s\n", f.Name, f.Value)
	}
	return nil
}
