package iec104server

// Reload implements [connector.Reloader]: it reads the files of TLS.
func (s *server) Reload() error {
	if s.tls == nil {
		return nil
	}
	return s.tls.Reload()
}
