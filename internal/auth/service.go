package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"busbar/internal/store"
)

// Options are what a [Service] needs besides its store.
type Options struct {
	Config    Config
	Providers []Provider // as [LoadProviders] returns them
	// Dir is the directory of the file with the one-time password of the first
	// administrator, the data directory.
	Dir string
	Log *slog.Logger // nil: nothing is logged
	// Cost of hashing a password; zero: the default.
	Cost Cost
	// Transport reaches the providers; nil: over the network.
	Transport http.RoundTripper
}

// Service knows accounts, sessions, tokens and providers, and whom a request
// comes from. It is safe for concurrent use.
type Service struct {
	store  *store.Store
	config Config
	dir    string
	log    *slog.Logger
	hashes *hasher
	decoy  string // the hash that the password of nobody is compared with
	openID *openID
	seal   sealer

	addresses *attempts // at signing in
	accounts  *attempts

	counting sync.Mutex // held while failures of an account are counted
	managing sync.Mutex // held while users change, so that an administrator remains
}

// New returns a service on a store. It asks no provider: they may be away. It
// fails when the settings are out of range.
func New(st *store.Store, o Options) (*Service, error) {
	config, err := o.Config.withDefaults()
	if err != nil {
		return nil, err
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	providers, err := newOpenID(o.Providers, o.Transport, o.Log)
	if err != nil {
		return nil, err
	}
	seal, err := newSealer()
	if err != nil {
		return nil, err
	}
	s := &Service{
		store: st, config: config, dir: o.Dir, log: o.Log, hashes: newHasher(o.Cost), openID: providers, seal: seal,
		addresses: newAttempts(addressEvery, addressBurst), accounts: newAttempts(accountEvery, accountBurst),
	}
	if s.decoy, err = s.hashes.decoy(); err != nil {
		return nil, err
	}
	return s, nil
}

// sweepEvery is how often sessions that have expired are removed.
const sweepEvery = time.Hour

// Run keeps the keys of the providers fresh and removes sessions that have
// expired, until ctx ends. It returns nil after everything it started has ended.
func (s *Service) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, i := range s.openID.issuers {
		wg.Go(func() { i.keepFresh(ctx) })
	}
	for {
		if _, err := s.store.DeleteSessionsExpired(ctx, time.Now()); err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "expired sessions cannot be removed", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(sweepEvery):
		}
	}
}

// ProviderInfo is what a sign-in page shows of a provider.
type ProviderInfo struct {
	Name  string
	Title string
}

// SignInProviders returns the providers that people can sign in with.
func (s *Service) SignInProviders() []ProviderInfo {
	list := []ProviderInfo{}
	for _, p := range s.openID.providers {
		if p.ClientID != "" {
			list = append(list, ProviderInfo{p.Name, p.Title})
		}
	}
	return list
}

// Results of an audited action.
const (
	resultOK      = "ok"
	resultRefused = "refused"
)

// Client is who makes a request, as far as the connection tells.
type Client struct {
	Address string // of the network, without port
	Agent   string // what the program calls itself
}

// audit writes an entry. Entries about failures are written even when the
// client has gone.
func (s *Service) audit(ctx context.Context, e store.AuditEntry) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := s.store.AddAudit(ctx, e); err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	return nil
}

// fromStore turns what a store says into a refusal. What names what was asked for: "user 7".
func fromStore(err error, what string) error {
	switch {
	case errors.Is(err, store.ErrNotFound):
		return refuse(http.StatusNotFound, CodeNotFound, "there is no %s", what)
	case errors.Is(err, store.ErrConflict):
		return refuse(http.StatusConflict, CodeConflict, "%s conflicts with what is there: the name is taken, or somebody else has changed it", what)
	case errors.Is(err, store.ErrNoKey):
		return errNoKeyForTOTP
	}
	return err
}

// parseRoles parses names of roles; there must be one.
func parseRoles(names []string) (set Roles, err error) {
	for _, n := range names {
		r, err := ParseRole(n)
		if err != nil {
			return 0, invalid("roles", CodeInvalid, "%v", err)
		}
		set |= RolesOf(r)
	}
	if set == 0 {
		return 0, invalid("roles", CodeInvalid, "want one or more of the roles %s", strings.Join(roleNames[:], ", "))
	}
	return set, nil
}

// storedRoles parses what was checked when it was stored; a role that is not
// known any more gives nothing.
func storedRoles(names []string) (set Roles) {
	for _, n := range names {
		if r, err := ParseRole(n); err == nil {
			set |= RolesOf(r)
		}
	}
	return set
}

const mostSubtrees = 1000

// checkGrant refuses to give rights that who gives them does not have.
func checkGrant(by Principal, roles Roles, subtrees []string) error {
	if len(subtrees) > mostSubtrees {
		return invalid("subtrees", CodeInvalid, "%d subtrees, want %d or fewer", len(subtrees), mostSubtrees)
	}
	for _, t := range subtrees {
		if err := checkSubtree(t); err != nil {
			return invalid("subtrees", CodeInvalid, "%v", err)
		}
	}
	for _, r := range []Role{Viewer, Operator, Engineer, Admin} {
		if roles&RolesOf(r) != 0 && !by.May(r) {
			return forbidden(CodeForbidden, "the role %s is more than you have yourself", r)
		}
	}
	if !by.Limited() {
		return nil
	}
	if len(subtrees) == 0 {
		return forbidden(CodeForbidden, "access to all points is more than you have yourself")
	}
	for _, t := range subtrees {
		if !by.Sees(t) {
			return forbidden(CodeForbidden, "access to %s is more than you have yourself", t)
		}
	}
	return nil
}
