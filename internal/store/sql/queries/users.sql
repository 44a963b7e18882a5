-- name: AddUser :exec
INSERT INTO users (id, name, password, roles, subtrees, disabled, must_change, totp, failures, locked_until, last_login, created, changed, revision)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14);

-- name: UpdateUser :execrows
UPDATE users SET name = $1, password = $2, roles = $3, subtrees = $4, disabled = $5, must_change = $6, totp = $7, changed = $8, revision = revision + 1
WHERE id = $9 AND revision = $10;

-- name: UpdateLogin :execrows
UPDATE users SET failures = $1, locked_until = $2, last_login = $3 WHERE id = $4;

-- name: ResealUser :exec
UPDATE users SET totp = $1 WHERE id = $2;

-- name: User :one
SELECT * FROM users WHERE id = $1;

-- name: UserByName :one
SELECT * FROM users WHERE name = $1;

-- name: Users :many
SELECT * FROM users WHERE name > sqlc.arg(beyond) ORDER BY name LIMIT sqlc.arg(most);

-- name: UsersWithTOTP :many
SELECT * FROM users WHERE totp IS NOT NULL ORDER BY id;

-- name: DeleteUser :execrows
DELETE FROM users WHERE id = $1;
