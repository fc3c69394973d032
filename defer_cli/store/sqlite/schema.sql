CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE executions (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    function TEXT NOT NULL,
    state TEXT NOT NULL,
    attempt INTEGER NOT NULL DEFAULT 0,
    charged INTEGER NOT NULL DEFAULT 0,
    losses INTEGER NOT NULL DEFAULT 0,
    is_suspect INTEGER NOT NULL DEFAULT 0,
    is_delayed INTEGER NOT NULL DEFAULT 0,
    is_marked INTEGER NOT NULL DEFAULT 0,
    came_from TEXT NOT NULL,
    parent TEXT,
    call_hash BLOB,
    rerun_of TEXT,
    created_us INTEGER NOT NULL,
    scheduled_us INTEGER NOT NULL,
    updated_us INTEGER NOT NULL,
    started_us INTEGER,
    finished_us INTEGER,
    discard_us INTEGER,
    error_code TEXT,
    runner TEXT,
    arguments BLOB,
    metadata BLOB,
    result BLOB
);
CREATE INDEX executions_due ON executions (function, scheduled_us, seq) WHERE state = 'created';
CREATE INDEX executions_of_function ON executions (function, seq);
CREATE INDEX executions_of_parent ON executions (parent) WHERE parent IS NOT NULL;
CREATE INDEX executions_marked ON executions (parent, call_hash) WHERE is_marked = 1;
CREATE INDEX executions_to_discard ON executions (discard_us)
    WHERE state = 'created' AND attempt = 0 AND discard_us IS NOT NULL;

-- Only what is too large to be rewritten with its execution at every move.
CREATE TABLE payloads (
    seq INTEGER PRIMARY KEY,
    arguments BLOB,
    metadata BLOB
);
CREATE TABLE outcomes (
    seq INTEGER PRIMARY KEY,
    result BLOB,
    error BLOB
);

CREATE TABLE metadata (
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (key, value, seq)
) WITHOUT ROWID;

-- Attempts that ended without ending their execution; the last one is told by the execution's own row.
CREATE TABLE attempts (
    seq INTEGER NOT NULL,
    number INTEGER NOT NULL,
    started_us INTEGER NOT NULL,
    finished_us INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    error BLOB,
    PRIMARY KEY (seq, number)
) WITHOUT ROWID;

CREATE TABLE log_chunks (
    seq INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    part INTEGER NOT NULL,
    lines BLOB NOT NULL,
    dropped INTEGER NOT NULL,
    PRIMARY KEY (seq, attempt, part)
) WITHOUT ROWID;

CREATE TABLE crons (
    function TEXT NOT NULL,
    canonical TEXT NOT NULL,
    mark_us INTEGER NOT NULL,
    PRIMARY KEY (function, canonical)
) WITHOUT ROWID;

CREATE TABLE ticks (
    function TEXT NOT NULL,
    tick_us INTEGER NOT NULL,
    execution TEXT NOT NULL,
    PRIMARY KEY (function, tick_us)
) WITHOUT ROWID;

CREATE TABLE gaps (
    number INTEGER PRIMARY KEY,
    function TEXT NOT NULL,
    canonical TEXT NOT NULL,
    after_us INTEGER NOT NULL,
    until_us INTEGER NOT NULL,
    reason TEXT NOT NULL
);
CREATE INDEX gaps_of_function ON gaps (function);

CREATE TABLE runners (
    number INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    pid INTEGER NOT NULL,
    version TEXT NOT NULL,
    started_us INTEGER NOT NULL,
    stopped_us INTEGER
);

CREATE TABLE counters (
    function TEXT NOT NULL,
    state TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (function, state)
) WITHOUT ROWID;
