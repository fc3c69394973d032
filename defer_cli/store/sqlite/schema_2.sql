-- When each attempt had been scheduled for; unknown for those of older versions.
ALTER TABLE attempts ADD COLUMN scheduled_us INTEGER;

-- Bounds of what 256 neighbours in seq may hold: blocks.py says what the columns mean.
CREATE TABLE blocks (
    block INTEGER PRIMARY KEY,
    states INTEGER NOT NULL,
    sources INTEGER NOT NULL,
    codes INTEGER NOT NULL,
    due_min INTEGER NOT NULL,
    due_max INTEGER NOT NULL,
    later_min INTEGER NOT NULL,
    later_max INTEGER NOT NULL,
    started_min INTEGER NOT NULL,
    started_max INTEGER NOT NULL,
    runner_min INTEGER NOT NULL,
    runner_max INTEGER NOT NULL
);
INSERT INTO blocks
SELECT seq >> 8,
       max(state = 'created') | (max(state = 'started') << 1) | (max(state = 'succeed') << 2)
       | (max(state = 'failed') << 3) | (max(state = 'cancelled') << 4) | (max(state = 'aborting') << 5)
       | (max(state = 'aborted') << 6) | (max(state = 'discarded') << 7),
       7,
       31,
       coalesce(min(iif(is_delayed = 0, scheduled_us >> 20, NULL)), 1 << 62),
       coalesce(max(iif(is_delayed = 0, scheduled_us >> 20, NULL)), -1),
       coalesce(min(iif(is_delayed = 1, scheduled_us >> 20, NULL)), 1 << 62),
       coalesce(max(iif(is_delayed = 1, scheduled_us >> 20, NULL)), -1),
       coalesce(min(started_us >> 20), 1 << 62),
       coalesce(max(started_us >> 20), -1),
       0,
       1 << 62
FROM executions GROUP BY seq >> 8;
