package mqtt

// Reload implements [connector.Reloader]: it reads the files of TLS.
func (c *Connector) Reload() error {
	if !c.settings.secure() {
		return nil
	}
	return c.tls.Reload()
}
