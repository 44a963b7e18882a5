package mqttbroker

// Reload implements [connector.Reloader]: it reads the files of TLS.
func (c *instance) Reload() error {
	if c.tls == nil {
		return nil
	}
	return c.tls.Reload()
}
