// Package oidc tests signing in and access tokens against a real OpenID
// provider: the certified implementation oidc-provider, run with Node.js
// (provider.js), with its own pages for signing in and consent.
package oidc
