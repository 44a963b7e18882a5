-- name: AddToken :exec
INSERT INTO tokens (id, name, hash, prefix, roles, subtrees, author, created, expires, last_used)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10);

-- name: TokenByHash :one
SELECT * FROM tokens WHERE hash = $1;

-- name: Tokens :many
SELECT * FROM tokens ORDER BY name;

-- name: TouchToken :execrows
UPDATE tokens SET last_used = $1 WHERE id = $2;

-- name: DeleteToken :execrows
DELETE FROM tokens WHERE id = $1;

-- name: AddSession :exec
INSERT INTO sessions (id, hash, user_id, name, roles, subtrees, address, agent, created, last_seen, expires)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11);

-- name: SessionByHash :one
SELECT * FROM sessions WHERE hash = $1;

-- name: SessionsOf :many
SELECT * FROM sessions WHERE user_id = $1 ORDER BY id;

-- name: Sessions :many
SELECT * FROM sessions ORDER BY id;

-- name: TouchSession :execrows
UPDATE sessions SET last_seen = $1, expires = $2 WHERE id = $3;

-- name: DeleteSession :execrows
DELETE FROM sessions WHERE id = $1;

-- name: DeleteSessionsOf :execrows
DELETE FROM sessions WHERE user_id = $1 AND id <> sqlc.arg(but);

-- name: DeleteSessionsExpired :execrows
DELETE FROM sessions WHERE expires <= sqlc.arg(now);
