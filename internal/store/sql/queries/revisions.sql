-- name: Head :one
SELECT * FROM revisions ORDER BY number DESC LIMIT 1;

-- name: Revision :one
SELECT * FROM revisions WHERE number = $1;

-- name: Revisions :many
SELECT * FROM revisions WHERE number < sqlc.arg(below) ORDER BY number DESC LIMIT sqlc.arg(most);

-- name: AddRevision :exec
INSERT INTO revisions (number, author, comment, origin, at, changes) VALUES ($1, $2, $3, $4, $5, $6);

-- name: SetComment :execrows
UPDATE revisions SET comment = $1 WHERE number = $2;

-- name: NewestSnapshot :one
SELECT revision FROM snapshots WHERE revision <= sqlc.arg(most) ORDER BY revision DESC LIMIT 1;

-- name: SnapshotPart :one
SELECT data FROM snapshots WHERE revision = $1 AND part = $2;

-- name: AddSnapshotPart :exec
INSERT INTO snapshots (revision, part, data) VALUES ($1, $2, $3);
