package manage

// SetCommitter replaces the store where changes are committed.
func SetCommitter(s *Service, c committer) { s.commits = c }
