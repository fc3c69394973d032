-- Crons that a person has paused, by name: the schedule may change meanwhile.
CREATE TABLE paused (
    function TEXT PRIMARY KEY,
    since_us INTEGER NOT NULL
) WITHOUT ROWID;

-- Ends of executions by hour (since 1970) and by how long they took, so that no chart looks at the executions.
-- The function '' stands for all of them together; a bucket of -1 is a time nobody knows, or that there was no run.
CREATE TABLE history (
    function TEXT NOT NULL,
    hour INTEGER NOT NULL,
    state TEXT NOT NULL,
    bucket INTEGER NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (function, hour, state, bucket)
) WITHOUT ROWID;
CREATE INDEX history_of_failures ON history (function, hour, count) WHERE state = 'failed';
INSERT INTO history (function, hour, state, bucket, count)
    SELECT function, finished_us / 3600000000, state, -1, count(*) FROM executions
    WHERE finished_us IS NOT NULL GROUP BY 1, 2, 3;
INSERT INTO history (function, hour, state, bucket, count)
    SELECT '', hour, state, -1, sum(count) FROM history GROUP BY hour, state;
