-- How much of the node each user has had lately: 0 to 1, as it was at a time in milliseconds since 1970.

CREATE TABLE recent_use (
    uid INTEGER PRIMARY KEY,
    share REAL NOT NULL,
    at INTEGER NOT NULL
) STRICT;
