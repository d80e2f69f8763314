-- Times are seconds since 1970. Objectives and bounds are decimals as text: exact.
CREATE TABLE IF NOT EXISTS instances (
    sha256   TEXT PRIMARY KEY,
    name     TEXT NOT NULL,
    summary  TEXT NOT NULL,
    document BLOB NOT NULL,  -- JSON
    beside   BLOB,           -- its degradation table, Parquet
    created  REAL NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS uploads (
    sha256   TEXT PRIMARY KEY,  -- of the bytes that were uploaded
    instance TEXT NOT NULL REFERENCES instances (sha256)
) STRICT;
CREATE TABLE IF NOT EXISTS jobs (
    number   INTEGER PRIMARY KEY AUTOINCREMENT,
    id       TEXT NOT NULL UNIQUE,
    instance TEXT NOT NULL REFERENCES instances (sha256),
    owner    TEXT NOT NULL,
    key      TEXT,     -- the submitter's, so that nothing is queued twice
    part     INTEGER,  -- of what was submitted with the key
    task     TEXT NOT NULL,
    priority INTEGER NOT NULL,
    state    TEXT NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled')),
    attempts INTEGER NOT NULL DEFAULT 0,
    fence    INTEGER NOT NULL DEFAULT 0,
    worker   TEXT,
    lease    REAL,
    cancel   INTEGER NOT NULL DEFAULT 0,
    created  REAL NOT NULL,
    started  REAL,
    ended    REAL,
    outcome  TEXT,
    document BLOB,     -- a plan file, zlib
    answer   BLOB,     -- of a re-plan, zlib
    UNIQUE (owner, key, part)
) STRICT;
CREATE INDEX IF NOT EXISTS jobs_next ON jobs (state, priority DESC, number);
CREATE INDEX IF NOT EXISTS jobs_owner ON jobs (owner, state);
CREATE INDEX IF NOT EXISTS jobs_instance ON jobs (instance);
CREATE TABLE IF NOT EXISTS progress (
    job       TEXT NOT NULL REFERENCES jobs (id),
    seconds   REAL NOT NULL,
    objective INTEGER,
    bound     INTEGER
) STRICT;
CREATE INDEX IF NOT EXISTS progress_job ON progress (job);
CREATE TABLE IF NOT EXISTS tokens (
    name    TEXT PRIMARY KEY,
    hash    BLOB NOT NULL,
    queued  INTEGER NOT NULL,
    seconds REAL NOT NULL,
    created REAL NOT NULL
) STRICT;
