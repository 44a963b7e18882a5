-- name: AddAudit :exec
INSERT INTO audit (id, at, actor, actor_id, address, action, object, result, detail, before, after, hash)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12);

-- name: LastAudit :one
SELECT id, hash FROM audit ORDER BY id DESC LIMIT 1;

-- name: AuditUp :many
SELECT * FROM audit WHERE id > sqlc.arg(beyond) ORDER BY id LIMIT sqlc.arg(most);

-- name: Audit :many
SELECT * FROM audit
WHERE id < sqlc.arg(below)
  AND (CAST(sqlc.arg(actor) AS TEXT) = '' OR actor = CAST(sqlc.arg(actor) AS TEXT))
  AND (CAST(sqlc.arg(action) AS TEXT) = '' OR action = CAST(sqlc.arg(action) AS TEXT))
  AND (CAST(sqlc.arg(object) AS TEXT) = '' OR object = CAST(sqlc.arg(object) AS TEXT))
  AND at >= sqlc.arg(since) AND at < sqlc.arg(until)
ORDER BY id DESC LIMIT sqlc.arg(most);
