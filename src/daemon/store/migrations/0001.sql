-- The first schema. Never edit a migration that has been released; add the next one.

PRAGMA application_id = 0x6d6f6c73; -- "mols"

CREATE TABLE jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uid INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    submitted_at INTEGER NOT NULL,
    given TEXT NOT NULL,
    course TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state = course ->> 'state'),
    ended_at INTEGER CHECK (ended_at IS course ->> 'ended_at'),
    settings TEXT NOT NULL
) STRICT;

CREATE INDEX jobs_by_user ON jobs (uid);
CREATE INDEX jobs_by_state ON jobs (state);
CREATE INDEX jobs_by_user_and_state ON jobs (uid, state);
CREATE INDEX jobs_by_end ON jobs (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE events (
    job_id INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    at INTEGER NOT NULL,
    course TEXT NOT NULL,
    PRIMARY KEY (job_id, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency (
    uid INTEGER NOT NULL,
    key TEXT NOT NULL,
    digest BLOB NOT NULL,
    job_id INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    PRIMARY KEY (uid, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotency_by_job ON idempotency (job_id);

CREATE TABLE logs (
    job_id INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    chunk INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (job_id, chunk)
) STRICT;
