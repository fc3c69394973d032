-- What people are to be told, once for each channel: domain/alert.py says what the states mean.
CREATE TABLE alerts (
    number INTEGER PRIMARY KEY,
    channel TEXT NOT NULL,
    kind TEXT NOT NULL,
    function TEXT NOT NULL,
    state TEXT NOT NULL,
    count INTEGER NOT NULL,
    first_us INTEGER NOT NULL,
    last_us INTEGER NOT NULL,
    previous_us INTEGER,
    due_us INTEGER NOT NULL,
    facts BLOB NOT NULL,
    message TEXT,
    attempts INTEGER NOT NULL DEFAULT 0,
    begun_us INTEGER,
    ended_us INTEGER,
    problem TEXT
);
CREATE UNIQUE INDEX alerts_waiting ON alerts (channel, kind, function) WHERE state = 'waiting';
CREATE INDEX alerts_open ON alerts (channel, due_us) WHERE ended_us IS NULL;
CREATE INDEX alerts_tried ON alerts (channel, kind, function) WHERE state IN ('going', 'again');
CREATE INDEX alerts_ended ON alerts (channel, kind, function, ended_us) WHERE ended_us IS NOT NULL;
CREATE INDEX alerts_of_message ON alerts (message) WHERE message IS NOT NULL;

-- Functions that failed, until people have been told that they succeed again.
CREATE TABLE failing (
    function TEXT PRIMARY KEY,
    since_us INTEGER NOT NULL,
    count INTEGER NOT NULL,
    is_recovering INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
