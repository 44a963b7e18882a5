package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"busbar/internal/apiclient"
)

const tokenUsage = "create NAME | list | revoke NAME [flags]\n\nMakes, lists and revokes API tokens. create prints the token alone on standard output: it cannot be shown again.\nExit code 0: done, 1: not, 2: wrong usage."

// tokenCommand makes, lists and revokes API tokens: busbar token create|list|revoke.
func tokenCommand(ctx context.Context, args []string, io IO) int {
	f := newServerFlags("token", tokenUsage, io)
	roles := f.fs.String("roles", "", "create: `roles` with a comma between them: viewer, operator, engineer, admin")
	subtrees := f.fs.String("subtrees", "", "create: `ids` of points with a comma between them that the token is limited to")
	expires := f.fs.String("expires", "", "create: `when` it expires: 90d, 12h, or a date such as 2027-01-31; default as the server says, a year")
	asJSON := f.fs.Bool("json", false, "list: print JSON, one token per line")
	rest, err := parse(f.fs, args)
	if err != nil {
		return fail(io, "token", err, exitUsage)
	}
	grant := apiclient.Grant{Roles: commaList(*roles), Subtrees: commaList(*subtrees)}
	action, name, err := actionOf(rest, map[string]bool{"create": true, "list": false, "revoke": true})
	if err == nil && action == "create" {
		grant.Name = name
		grant.Expires, err = parseExpiry(*expires, time.Now())
		if err == nil && len(grant.Roles) == 0 {
			err = errors.New("--roles: which? Such as --roles viewer")
		}
	}
	if err != nil {
		return fail(io, "token", err, exitUsage)
	}
	client, done, err := f.client(ctx, io, newPrompter(io))
	if err != nil {
		return failAPI(io, "token", err)
	}
	defer done()
	switch action {
	case "create":
		err = createToken(ctx, client, grant, io)
	case "list":
		err = listTokens(ctx, client, *asJSON, io)
	default:
		err = revokeToken(ctx, client, name, io)
	}
	if err != nil {
		return failAPI(io, "token", err)
	}
	return exitOK
}

// actionOf returns the first argument, one of the actions, and the second, which those have that are true.
func actionOf(args []string, actions map[string]bool) (action, name string, err error) {
	if len(args) == 0 {
		return "", "", errors.New("what? --help tells")
	}
	named, ok := actions[args[0]]
	switch {
	case !ok:
		return "", "", fmt.Errorf("unknown action %q; --help tells those there are", args[0])
	case named && len(args) < 2:
		return "", "", fmt.Errorf("%s: want a name", args[0])
	case named && len(args) == 2:
		return args[0], args[1], nil
	case len(args) > 1:
		return "", "", fmt.Errorf("unexpected argument %q", args[len(args)-1])
	}
	return args[0], "", nil
}

// commaList returns the parts of a list with commas.
func commaList(text string) (list []string) {
	for word := range strings.SplitSeq(text, ",") {
		if word = strings.TrimSpace(word); word != "" {
			list = append(list, word)
		}
	}
	return list
}

// parseExpiry reads when something expires; nil if nothing is said.
func parseExpiry(text string, now time.Time) (*time.Time, error) {
	if text == "" {
		return nil, nil
	}
	if day, err := time.ParseInLocation(time.DateOnly, text, time.UTC); err == nil {
		return &day, nil
	}
	unit := time.Duration(1)
	if days, ok := strings.CutSuffix(text, "d"); ok {
		text, unit = days+"h", 24
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 || d > 100*365*24*time.Hour/unit {
		return nil, fmt.Errorf("--expires: %q, want days or hours such as 90d and 12h, or a date such as 2027-01-31", text)
	}
	at := now.Add(d * unit).UTC()
	return &at, nil
}

func createToken(ctx context.Context, c *apiclient.Client, g apiclient.Grant, io IO) error {
	t, secret, err := c.CreateToken(ctx, g)
	if err != nil {
		return err
	}
	fmt.Fprintf(io.Err, "token %s of %s, expires %s; it is not shown again:\n", t.Name, strings.Join(t.Roles, ", "), day(t.Expires))
	_, err = fmt.Fprintln(io.Out, secret)
	return err
}

func listTokens(ctx context.Context, c *apiclient.Client, asJSON bool, io IO) error {
	tokens, err := c.Tokens(ctx)
	if err != nil {
		return err
	}
	if asJSON {
		return jsonLines(io, tokens)
	}
	w := tabwriter.NewWriter(io.Out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tBEGINS\tROLES\tLIMITED TO\tEXPIRES\tLAST USED\tMADE BY")
	for _, t := range tokens {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", t.Name, t.Prefix, strings.Join(t.Roles, ","), orDash(strings.Join(t.Subtrees, ",")), day(t.Expires), day(t.LastUsed), t.Author)
	}
	return w.Flush()
}

func jsonLines[T any](io IO, list []T) error {
	out := json.NewEncoder(io.Out)
	for i := range list {
		if err := out.Encode(&list[i]); err != nil {
			return err
		}
	}
	return nil
}

func revokeToken(ctx context.Context, c *apiclient.Client, name string, io IO) error {
	tokens, err := c.Tokens(ctx)
	if err != nil {
		return err
	}
	for _, t := range tokens {
		if t.Name == name {
			if err := c.DeleteToken(ctx, t.ID); err != nil {
				return err
			}
			_, err := fmt.Fprintf(io.Out, "token %s is refused from now on\n", name)
			return err
		}
	}
	return fmt.Errorf("there is no token %q; busbar token list shows them", name)
}

// day is a day in UTC, a dash for none.
func day(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.UTC().Format(time.DateOnly)
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
