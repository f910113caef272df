-- Labels; jobs that wait for others; ends of jobs that nobody was notified of yet.

CREATE TABLE labels (
    label TEXT NOT NULL,
    job_id INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    PRIMARY KEY (label, job_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX labels_by_job ON labels (job_id);

-- `for_id` is a job that has not ended. When it ends, its rows are deleted in the same transaction.
CREATE TABLE waits (
    job_id INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    for_id INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    PRIMARY KEY (job_id, for_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX waits_by_for ON waits (for_id);

CREATE TABLE notifications (
    job_id INTEGER PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE
) STRICT;
