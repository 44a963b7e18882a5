-- name: Object :one
SELECT * FROM objects WHERE section = $1 AND id = $2;

-- name: Objects :many
SELECT * FROM objects WHERE section = $1 AND id > sqlc.arg(beyond) ORDER BY id LIMIT sqlc.arg(most);

-- name: CountObjects :one
SELECT COUNT(*) FROM objects WHERE section = $1;
