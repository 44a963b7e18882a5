package iec104client

import "busbar/internal/connector"

var _ connector.Reloader = (*Client)(nil)

// Reload implements [connector.Reloader]: it reads the files of TLS.
func (c *Client) Reload() error {
	if c.tls == nil {
		return nil
	}
	return c.tls.Reload()
}
