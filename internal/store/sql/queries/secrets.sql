-- name: PutSecret :exec
INSERT INTO secrets (name, sealed, author, at) VALUES ($1, $2, $3, $4)
ON CONFLICT (name) DO UPDATE SET sealed = excluded.sealed, author = excluded.author, at = excluded.at;

-- name: Secret :one
SELECT sealed FROM secrets WHERE name = $1;

-- name: Secrets :many
SELECT * FROM secrets ORDER BY name;

-- name: ResealSecret :exec
UPDATE secrets SET sealed = $1 WHERE name = $2;

-- name: DeleteSecret :execrows
DELETE FROM secrets WHERE name = $1;

-- name: PutSetting :exec
INSERT INTO settings (name, value, sealed) VALUES ($1, $2, $3)
ON CONFLICT (name) DO UPDATE SET value = excluded.value, sealed = excluded.sealed;

-- name: Setting :one
SELECT * FROM settings WHERE name = $1;

-- name: SealedSettings :many
SELECT * FROM settings WHERE sealed = TRUE ORDER BY name;

-- name: DeleteSetting :exec
DELETE FROM settings WHERE name = $1;
