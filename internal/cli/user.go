package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"busbar/internal/apiclient"
)

const userUsage = "list | add NAME | remove NAME | reset-password NAME | set-roles NAME | password [flags]\n\nManages local accounts. add and reset-password print a one-time password alone on standard output.\npassword changes the own one, with --user; on standard input come the present one and the new one, each in a line.\nExit code 0: done, 1: not, 2: wrong usage."

// users is one call of user.
type users struct {
	io     IO
	client *apiclient.Client
	term   *prompter
	name   string
	roles  []string
	trees  []string
	limits bool // trees were given
	json   bool
}

// userCommand manages local accounts: busbar user ACTION.
func userCommand(ctx context.Context, args []string, io IO) int {
	u := users{io: io, term: newPrompter(io)}
	f := newServerFlags("user", userUsage, io)
	roles := f.fs.String("roles", "", "add, set-roles: `roles` with a comma between them: viewer, operator, engineer, admin")
	subtrees := f.fs.String("subtrees", "", "add, set-roles: `ids` of points with a comma between them that the account is limited to")
	f.fs.BoolVar(&u.json, "json", false, "list: print JSON, one account per line")
	rest, err := parse(f.fs, args)
	if err != nil {
		return fail(io, "user", err, exitUsage)
	}
	actions := map[string]func(context.Context) error{
		"list": u.list, "add": u.add, "remove": u.remove, "reset-password": u.reset, "set-roles": u.set, "password": u.password,
	}
	named := map[string]bool{"list": false, "add": true, "remove": true, "reset-password": true, "set-roles": true, "password": false}
	var action string
	action, u.name, err = actionOf(rest, named)
	u.roles, u.trees, u.limits = commaList(*roles), commaList(*subtrees), given(f.fs, "subtrees")
	switch {
	case err != nil:
	case (action == "add" || action == "set-roles") && len(u.roles) == 0:
		err = errors.New("--roles: which? Such as --roles viewer")
	case action == "password" && f.user == "":
		err = errors.New("--user: whose?")
	}
	if err != nil {
		return fail(io, "user", err, exitUsage)
	}
	client, done, err := f.client(ctx, io, u.term)
	if err != nil {
		return failAPI(io, "user", err)
	}
	defer done()
	u.client = client
	if err := actions[action](ctx); err != nil {
		return failAPI(io, "user", err)
	}
	return exitOK
}

func (u *users) list(ctx context.Context) error {
	list, err := u.client.Users(ctx)
	if err != nil {
		return err
	}
	if u.json {
		return jsonLines(u.io, list)
	}
	w := tabwriter.NewWriter(u.io.Out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tROLES\tLIMITED TO\tLAST SIGN-IN\tSTATE")
	for _, a := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", a.Name, strings.Join(a.Roles, ","), orDash(strings.Join(a.Subtrees, ",")), day(a.LastLogin), accountState(&a))
	}
	return w.Flush()
}

// accountState says what is special about an account.
func accountState(a *apiclient.User) string {
	var parts []string
	if a.Disabled {
		parts = append(parts, "disabled")
	}
	if a.Locked != nil {
		parts = append(parts, "locked")
	}
	if a.MustChange {
		parts = append(parts, "one-time password")
	}
	if a.TOTP {
		parts = append(parts, "second factor")
	}
	return orDash(strings.Join(parts, ", "))
}

func (u *users) add(ctx context.Context) error {
	a, password, err := u.client.CreateUser(ctx, apiclient.Grant{Name: u.name, Roles: u.roles, Subtrees: u.trees})
	if err != nil {
		return err
	}
	return u.oneTime(a.Name, password)
}

// oneTime prints a one-time password.
func (u *users) oneTime(name, password string) error {
	fmt.Fprintf(u.io.Err, "one-time password of %s, to be changed at the first sign-in; it is not shown again:\n", name)
	_, err := fmt.Fprintln(u.io.Out, password)
	return err
}

// find returns the account with the name that was given.
func (u *users) find(ctx context.Context) (apiclient.User, error) {
	list, err := u.client.Users(ctx)
	if err != nil {
		return apiclient.User{}, err
	}
	for _, a := range list {
		if a.Name == u.name {
			return a, nil
		}
	}
	return apiclient.User{}, fmt.Errorf("there is no account %q; busbar user list shows them", u.name)
}

func (u *users) remove(ctx context.Context) error {
	a, err := u.find(ctx)
	if err == nil {
		err = u.client.DeleteUser(ctx, a.ID)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(u.io.Out, "account %s is removed\n", u.name)
	return err
}

func (u *users) reset(ctx context.Context) error {
	a, err := u.find(ctx)
	if err != nil {
		return err
	}
	password, err := u.client.ResetPassword(ctx, a.ID)
	if err != nil {
		return err
	}
	return u.oneTime(a.Name, password)
}

// set changes the roles of an account, and its limits if they were given.
func (u *users) set(ctx context.Context) error {
	a, err := u.find(ctx)
	if err != nil {
		return err
	}
	g := apiclient.Grant{Roles: u.roles, Subtrees: a.Subtrees, Disabled: a.Disabled}
	if u.limits {
		g.Subtrees = u.trees
	}
	if err := u.client.PutUser(ctx, a.ID, g); err != nil {
		return err
	}
	_, err = fmt.Fprintf(u.io.Out, "account %s: %s\n", u.name, strings.Join(u.roles, ", "))
	return err
}

// password changes the password of who has signed in.
func (u *users) password(ctx context.Context) error {
	fresh, err := u.term.password(ctx, "New password: ")
	if err != nil {
		return err
	}
	if u.term.file() != nil {
		again, err := u.term.password(ctx, "Once more: ")
		if err != nil {
			return err
		}
		if again != fresh {
			return errors.New("these differ, nothing was changed")
		}
	}
	if err := u.client.ChangePassword(ctx, u.term.present, fresh); err != nil {
		return err
	}
	_, err = fmt.Fprintln(u.io.Out, "the password is changed")
	return err
}
