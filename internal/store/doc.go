// Package store keeps what is configured: the plant as revisions of objects,
// secrets, users, tokens, sessions, the audit log and settings of the process.
// It runs on SQLite, in the data directory, and on PostgreSQL, with one schema
// and one set of queries.
//
// All methods of [Store] are safe for concurrent use, also by several processes.
// Times are UTC in whole milliseconds; the zero time means never.
package store
