-- Every statement runs on SQLite and on PostgreSQL. Keys are ordered by octets on both: "BINARY" is built
-- into SQLite and made in PostgreSQL before the first migration. Times are milliseconds since 1970 in UTC, 0 is never.

-- +goose Up
CREATE TABLE revisions (
    number  BIGINT NOT NULL PRIMARY KEY,
    author  TEXT   NOT NULL,
    comment TEXT   NOT NULL,
    origin  TEXT   NOT NULL,
    at      BIGINT NOT NULL,
    changes BIGINT NOT NULL
);

CREATE TABLE changes (
    revision BIGINT NOT NULL,
    section  TEXT COLLATE "BINARY" NOT NULL,
    id       TEXT COLLATE "BINARY" NOT NULL,
    before   TEXT,
    after    TEXT,
    PRIMARY KEY (revision, section, id)
);

CREATE TABLE snapshots (
    revision BIGINT NOT NULL,
    part     BIGINT NOT NULL,
    data     BYTEA  NOT NULL,
    PRIMARY KEY (revision, part)
);

CREATE TABLE objects (
    section  TEXT COLLATE "BINARY" NOT NULL,
    id       TEXT COLLATE "BINARY" NOT NULL,
    body     TEXT   NOT NULL,
    revision BIGINT NOT NULL,
    PRIMARY KEY (section, id)
);

CREATE TABLE secrets (
    name   TEXT COLLATE "BINARY" NOT NULL PRIMARY KEY,
    sealed BYTEA  NOT NULL,
    author TEXT   NOT NULL,
    at     BIGINT NOT NULL
);

CREATE TABLE users (
    id           TEXT COLLATE "BINARY" NOT NULL PRIMARY KEY,
    name         TEXT COLLATE "BINARY" NOT NULL UNIQUE,
    password     TEXT    NOT NULL,
    roles        TEXT    NOT NULL,
    subtrees     TEXT    NOT NULL,
    disabled     BOOLEAN NOT NULL,
    must_change  BOOLEAN NOT NULL,
    totp         BYTEA,
    failures     BIGINT  NOT NULL,
    locked_until BIGINT  NOT NULL,
    last_login   BIGINT  NOT NULL,
    created      BIGINT  NOT NULL,
    changed      BIGINT  NOT NULL,
    revision     BIGINT  NOT NULL
);

CREATE TABLE tokens (
    id        TEXT COLLATE "BINARY" NOT NULL PRIMARY KEY,
    name      TEXT COLLATE "BINARY" NOT NULL UNIQUE,
    hash      BYTEA  NOT NULL UNIQUE,
    prefix    TEXT   NOT NULL,
    roles     TEXT   NOT NULL,
    subtrees  TEXT   NOT NULL,
    author    TEXT   NOT NULL,
    created   BIGINT NOT NULL,
    expires   BIGINT NOT NULL,
    last_used BIGINT NOT NULL
);

CREATE TABLE sessions (
    id        TEXT COLLATE "BINARY" NOT NULL PRIMARY KEY,
    hash      BYTEA  NOT NULL UNIQUE,
    user_id   TEXT COLLATE "BINARY" NOT NULL,
    name      TEXT   NOT NULL,
    roles     TEXT   NOT NULL,
    subtrees  TEXT   NOT NULL,
    address   TEXT   NOT NULL,
    agent     TEXT   NOT NULL,
    created   BIGINT NOT NULL,
    last_seen BIGINT NOT NULL,
    expires   BIGINT NOT NULL
);
CREATE INDEX sessions_user_id ON sessions (user_id);

CREATE TABLE audit (
    id       BIGINT NOT NULL PRIMARY KEY,
    at       BIGINT NOT NULL,
    actor    TEXT   NOT NULL,
    actor_id TEXT   NOT NULL,
    address  TEXT   NOT NULL,
    action   TEXT   NOT NULL,
    object   TEXT   NOT NULL,
    result   TEXT   NOT NULL,
    detail   TEXT   NOT NULL,
    before   TEXT   NOT NULL,
    after    TEXT   NOT NULL,
    hash     BYTEA  NOT NULL
);
CREATE INDEX audit_actor ON audit (actor, id);
CREATE INDEX audit_object ON audit (object, id);
CREATE INDEX audit_action ON audit (action, id);

CREATE TABLE settings (
    name   TEXT COLLATE "BINARY" NOT NULL PRIMARY KEY,
    value  BYTEA   NOT NULL,
    sealed BOOLEAN NOT NULL
);
