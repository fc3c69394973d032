"""Every statement of the engine, named after the store's method it serves."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.json import encode


def as_list(values: Sequence[str] | Sequence[int]) -> str:
    """Return values as one parameter, to be read by ``json_each``."""
    return encode(values).decode()


def of_many(statement: str) -> str:
    """Return a statement about one ``seq``, its last parameter, as one about a list of them."""
    return statement.replace("seq = ?", "seq IN (SELECT value FROM json_each(?))")


COUNTERS = "SELECT function, state, count FROM counters"
COUNT = """
INSERT INTO counters (function, state, count) VALUES (?, ?, ?)
ON CONFLICT (function, state) DO UPDATE SET count = count + excluded.count
"""
NEWEST_SEQ = "SELECT max(seq) FROM executions"
NEXT_SEQ = """
SELECT max(coalesce((SELECT max(seq) + 1 FROM executions), 1),
           coalesce((SELECT cast(value AS INTEGER) FROM meta WHERE key = 'next_seq'), 1))
"""

_CREATED = "(?, ?, ?, 'created', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, NULL, NULL)"
_STARTED = "(?, ?, ?, 'started', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?)"
_INSERT = """
INSERT INTO executions (seq, id, function, state, is_delayed, came_from, parent, call_hash, rerun_of,
                        created_us, scheduled_us, updated_us, discard_us, arguments, metadata, trace, is_shared,
                        attempt, started_us, runner)
VALUES {rows}
ON CONFLICT (id) DO NOTHING
"""
INSERT_AT_ONCE = 50
"""Rows of one statement; many are cheaper so, and other threads run meanwhile."""
INSERT, INSERT_MANY, INSERT_STARTED, INSERT_STARTED_MANY = (
    _INSERT.format(rows=", ".join([row] * count)) for row in (_CREATED, _STARTED) for count in (1, INSERT_AT_ONCE)
)
INSERT_PAYLOAD = "INSERT INTO payloads (seq, arguments, metadata) VALUES (?, ?, ?)"
INSERT_METADATA = "INSERT INTO metadata (key, value, seq) VALUES (?, ?, ?)"
INSERT_EXISTING = """
SELECT seq, id, function, state, attempt, created_us, scheduled_us, updated_us
FROM executions WHERE id IN (SELECT value FROM json_each(?))
"""
INSERT_EXISTING_ARGUMENTS = """
SELECT coalesce(e.arguments, p.arguments) FROM executions AS e LEFT JOIN payloads AS p ON p.seq = e.seq WHERE e.seq = ?
"""

_OF_BLOCKS = "blocks CROSS JOIN executions AS e ON e.seq BETWEEN blocks.block << 8 AND (blocks.block << 8) + 255"
"""The rows of blocks; ``CROSS JOIN``, so that the blocks are read first."""
_DUE = """
SELECT json_group_array(json_array(scheduled_us, seq)) FROM (
    SELECT scheduled_us, seq FROM executions
    WHERE {queue} AND state = 'created' AND isolation <= 0 AND {after} LIMIT ?)
"""
"""Rows as one JSON array: each row that is fetched gives the interpreter's lock away, and has to wait for it."""
CLAIM_DUE, CLAIM_DUE_AT_ONCE, CLAIM_SHARED, CLAIM_SHARED_AT_ONCE = (
    _DUE.format(queue=queue, after=after)
    for queue in ("function = ? AND is_shared = 0", "is_shared = 1")
    for after in ("scheduled_us > ? ORDER BY scheduled_us, seq", "scheduled_us = ? AND seq > ? ORDER BY seq")
)
CLAIM_READ = """
SELECT json_group_array(json_array(
    e.seq, e.id, e.function, e.attempt, e.charged, e.scheduled_us, e.isolation, e.losses, e.parent, e.discard_us,
    hex(e.arguments), hex(e.metadata), e.trace, p.seq IS NOT NULL))
FROM json_each(?) AS picked CROSS JOIN executions AS e ON e.seq = picked.value
LEFT JOIN payloads AS p ON p.seq = e.seq
"""
CLAIM_READ_LARGE = "SELECT seq, arguments, metadata FROM payloads WHERE seq IN (SELECT value FROM json_each(?))"
CLAIM = """
UPDATE executions SET state = 'started', attempt = attempt + 1, started_us = ?, updated_us = ?, runner = ?
WHERE seq IN (SELECT value FROM json_each(?)) AND +state = 'created'
"""
CLAIM_SET_APART = """
UPDATE executions SET is_shared = 0
WHERE seq IN (SELECT value FROM json_each(?)) AND function IN (SELECT value FROM json_each(?))
RETURNING function, scheduled_us, seq
"""
CLAIM_NEVER_STARTED = """
SELECT scheduled_us, seq, id FROM executions
WHERE function = ? AND state = 'created' AND isolation <= 0 AND is_shared = 0 AND scheduled_us BETWEEN ? AND ?
      AND attempt = 0
ORDER BY scheduled_us, seq LIMIT ?
"""
CLAIM_ISOLATED = """
SELECT scheduled_us, seq, function FROM executions INDEXED BY executions_isolated
WHERE state = 'created' AND isolation > 0 AND scheduled_us <= ? AND function IN (SELECT value FROM json_each(?))
ORDER BY scheduled_us, seq LIMIT ?
"""
CLAIM_ISOLATED_NEXT = """
SELECT min(scheduled_us) FROM executions INDEXED BY executions_isolated
WHERE state = 'created' AND isolation > 0 AND scheduled_us > ?
"""
CLAIM_ISOLATED_FIRST = """
SELECT scheduled_us, seq FROM executions INDEXED BY executions_isolated
WHERE state = 'created' AND isolation > 0 AND function = ?
ORDER BY scheduled_us, seq LIMIT 1
"""
HAS_ISOLATED = (
    "SELECT EXISTS (SELECT 1 FROM executions INDEXED BY executions_isolated WHERE state = 'created' AND isolation > 0)"
)
CLAIM_CANCEL = """
UPDATE executions SET state = 'cancelled', finished_us = ?, updated_us = ?
WHERE seq = ? AND attempt = 0 AND state = 'created'
"""

APPLY_SUCCEED = """
UPDATE executions SET state = 'succeed', finished_us = ?, updated_us = ?, losses = 0, result = ?
WHERE attempt = ? AND +state = 'started' AND seq = ?
"""
APPLY_FAIL = """
UPDATE executions SET state = 'failed', finished_us = ?, updated_us = ?, losses = 0, charged = ?, error_code = ?
WHERE attempt = ? AND +state = 'started' AND seq = ?
"""
APPLY_ABORTED = """
UPDATE executions SET state = 'aborted', finished_us = ?, updated_us = ?, losses = 0
WHERE attempt = ? AND +state = 'aborting' AND seq = ?
"""
APPLY_RETRY = """
UPDATE executions SET state = 'created', started_us = NULL, updated_us = ?, scheduled_us = ?, is_delayed = ?,
                      charged = ?, losses = ?, isolation = ?, is_shared = 0
WHERE attempt = ? AND +state = 'started' AND seq = ?
"""
APPLY_INTERRUPT = """
UPDATE executions SET state = 'created', started_us = NULL, updated_us = ?, charged = ?, losses = ?, isolation = ?,
                      is_shared = 0
WHERE attempt = ? AND +state = 'started' AND seq = ?
"""
APPLY_OUTCOME = "INSERT INTO outcomes (seq, result, error) VALUES (?, ?, ?)"
APPLY_ATTEMPT = """
INSERT INTO attempts (seq, number, scheduled_us, started_us, finished_us, outcome, error) VALUES (?, ?, ?, ?, ?, ?, ?)
"""
APPLY_MARK_CHILDREN = """
UPDATE executions SET is_marked = 1
WHERE parent = ? AND is_marked = 0 AND state IN ('failed', 'cancelled', 'aborted', 'discarded')
"""

ABORT = """
UPDATE executions SET state = 'aborting', updated_us = ? WHERE id = ? AND state = 'started'
RETURNING seq, id, function, state, attempt, charged, scheduled_us, isolation, losses, parent, started_us
"""
CANCEL = """
UPDATE executions SET state = 'cancelled', finished_us = ?, updated_us = ? WHERE id = ? AND state = 'created'
RETURNING seq, id, function
"""
RESCHEDULE = """
UPDATE executions SET scheduled_us = ?, is_delayed = ?, updated_us = ?, is_shared = 0 WHERE id = ? AND state = 'created'
RETURNING function, seq
"""
DISCARD_DUE = """
SELECT seq, id, function FROM executions
WHERE state = 'created' AND attempt = 0 AND discard_us IS NOT NULL AND discard_us <= ?
ORDER BY discard_us LIMIT ?
"""
DISCARD = """
UPDATE executions SET state = 'discarded', finished_us = ?, updated_us = ?
WHERE seq = ? AND attempt = 0 AND state = 'created'
"""
NEXT_DISCARD_US = """
SELECT min(discard_us) FROM executions WHERE state = 'created' AND attempt = 0 AND discard_us IS NOT NULL
"""

_LEFT = f"""
SELECT e.seq, e.id, e.function, e.state, e.attempt, e.charged, e.scheduled_us, e.isolation, e.losses, e.parent,
       e.started_us
FROM {_OF_BLOCKS} WHERE blocks.states & ? AND +e.state IN ('started', 'aborting')"""  # noqa: S608  # of parts of our own
TAKE_BACK_LEFT = f"{_LEFT} AND e.seq <> ? ORDER BY e.isolation <= 0, e.updated_us, e.seq LIMIT ?"
GUILTY = f"""
SELECT * FROM ({_LEFT} AND e.isolation > 0 ORDER BY e.updated_us DESC, e.seq DESC LIMIT 1)
WHERE state = 'started' AND losses + 1 >= ?
"""  # noqa: S608  # of parts of our own
GO_ON = "UPDATE executions SET updated_us = ? WHERE seq = ? AND attempt = ? AND state = 'started'"
HAS_RUNNER_SUSPECTS = f"""
SELECT EXISTS (
    SELECT 1 FROM executions INDEXED BY executions_isolated WHERE state = 'created' AND isolation > 0 AND losses >= ?1
    UNION ALL
    SELECT 1 FROM {_OF_BLOCKS}
    WHERE blocks.states & ?2 AND +e.state = 'started' AND e.isolation > 0 AND e.losses >= ?1)
"""  # noqa: S608  # of parts of our own
TAKE_BACK = """
UPDATE executions SET state = 'created', started_us = NULL, updated_us = ?, losses = ?, isolation = ?, is_shared = 0
WHERE seq = ? AND attempt = ? AND state = 'started'
"""
STEP_BACK_AHEAD = """
SELECT e.scheduled_us, e.seq, e.function
FROM json_each(?) AS visited CROSS JOIN executions AS e INDEXED BY executions_due ON e.function = visited.value
WHERE e.state = 'created' AND e.isolation <= 0 AND e.is_shared = 0 AND e.scheduled_us > ? AND e.is_delayed = 0
ORDER BY e.scheduled_us, e.seq LIMIT ?
"""
STEP_BACK_SHARED = """
SELECT scheduled_us, seq, '' FROM executions INDEXED BY executions_shared
WHERE state = 'created' AND isolation <= 0 AND is_shared = 1 AND scheduled_us > ? ORDER BY scheduled_us, seq LIMIT ?
"""
STEP_BACK_ISOLATED = """
SELECT scheduled_us, seq, function FROM executions INDEXED BY executions_isolated
WHERE state = 'created' AND isolation > 0 AND scheduled_us > ? AND is_delayed = 0 ORDER BY scheduled_us, seq LIMIT ?
"""
STEP_BACK = "UPDATE executions SET scheduled_us = ?, updated_us = ? WHERE seq = ? AND state = 'created'"

FIRE = "INSERT INTO ticks (function, tick_us, execution) VALUES (?, ?, ?) ON CONFLICT (function, tick_us) DO NOTHING"
FIRE_MARK = """
INSERT INTO crons (function, canonical, mark_us) VALUES (?, ?, ?)
ON CONFLICT (function, canonical) DO UPDATE SET mark_us = max(mark_us, excluded.mark_us)
"""
MARKS = "SELECT function, canonical, mark_us FROM crons ORDER BY function, canonical"
SET_MARKS = """
INSERT INTO crons (function, canonical, mark_us) VALUES (?, ?, ?)
ON CONFLICT (function, canonical) DO UPDATE SET mark_us = excluded.mark_us
"""
FORGET_MARK = "DELETE FROM crons WHERE function = ? AND canonical = ?"
RECORD_GAPS = "INSERT INTO gaps (function, canonical, after_us, until_us, reason) VALUES (?, ?, ?, ?, ?)"
LENGTHEN_GAP = """
UPDATE gaps SET until_us = max(until_us, ?4) WHERE until_us >= ?3 AND number = (
    SELECT number FROM gaps WHERE function = ?1 AND canonical = ?2 AND reason = ?5 ORDER BY number DESC LIMIT 1)
"""
PAUSE = "INSERT INTO paused (function, since_us) VALUES (?, ?) ON CONFLICT (function) DO NOTHING"
RESUME = "DELETE FROM paused WHERE function = ?"
PAUSED = "SELECT function, since_us FROM paused"

APPEND_LOGS = """
INSERT INTO log_chunks (seq, attempt, part, lines, dropped)
SELECT ?1, ?2, ?3, ?4, ?5 WHERE EXISTS (SELECT 1 FROM executions WHERE seq = ?1)
ON CONFLICT (seq, attempt, part) DO NOTHING
"""
MARKED_CHILDREN = """
SELECT parent, call_hash, count(*) FROM executions
WHERE is_marked = 1 AND call_hash IS NOT NULL AND parent IN (SELECT value FROM json_each(?))
GROUP BY parent, call_hash
"""
RESULTS = """
SELECT e.id, e.state, coalesce(e.result, o.result), o.error
FROM executions AS e LEFT JOIN outcomes AS o ON o.seq = e.seq
WHERE e.id IN (SELECT value FROM json_each(?))
AND e.state IN ('succeed', 'failed', 'cancelled', 'aborted', 'discarded')
"""
RERUN_SOURCE = """
SELECT e.function, coalesce(e.arguments, p.arguments), coalesce(e.metadata, p.metadata)
FROM executions AS e LEFT JOIN payloads AS p ON p.seq = e.seq WHERE e.id = ?
"""
PLACE = "SELECT function, state FROM executions WHERE id = ?"

PRUNE_LOOK = """
SELECT seq, created_us, iif(state IN ('created', 'started', 'aborting'), NULL, finished_us)
FROM executions WHERE seq >= ? ORDER BY seq LIMIT ?
"""
PRUNE_READ = """
SELECT e.seq, e.id, e.function, e.state, e.came_from, coalesce(e.metadata, p.metadata),
       coalesce(length(p.arguments), 0) + coalesce(length(o.result), 0) + coalesce(length(o.error), 0)
       + coalesce((SELECT sum(length(lines)) FROM log_chunks AS l WHERE l.seq = e.seq), 0)
       + coalesce((SELECT sum(length(error)) FROM attempts AS a WHERE a.seq = e.seq), 0)
FROM json_each(?) AS ended CROSS JOIN executions AS e ON e.seq = ended.value
LEFT JOIN payloads AS p ON p.seq = e.seq LEFT JOIN outcomes AS o ON o.seq = e.seq
LEFT JOIN executions AS above ON above.id = e.parent
WHERE above.state IS NULL OR above.state NOT IN ('created', 'started', 'aborting')
ORDER BY e.seq
"""
PRUNE_KEEP_SEQ = """
INSERT INTO meta (key, value) VALUES ('next_seq', ?)
ON CONFLICT (key) DO UPDATE SET value = max(cast(value AS INTEGER), excluded.value)
"""
PRUNE_METADATA = "DELETE FROM metadata WHERE key = ? AND value = ? AND seq = ?"
PRUNE_TICK = """
DELETE FROM ticks WHERE function = ?1 AND tick_us = ?2 AND execution = ?3
AND tick_us < (SELECT max(tick_us) FROM ticks WHERE function = ?1)
"""
PRUNE_LOGS_LOOK = """
WITH RECURSIVE logged (seq) AS (
    SELECT min(seq) FROM log_chunks WHERE seq >= ?1
    UNION ALL SELECT (SELECT min(seq) FROM log_chunks WHERE seq > logged.seq) FROM logged
    WHERE logged.seq IS NOT NULL LIMIT ?2)
SELECT logged.seq, e.created_us,
       iif(e.state IN ('created', 'started', 'aborting') OR above.state IN ('created', 'started', 'aborting')
           OR (SELECT dropped FROM log_chunks AS l WHERE l.seq = logged.seq LIMIT 1) < 0, NULL, e.finished_us)
FROM logged LEFT JOIN executions AS e ON e.seq = logged.seq LEFT JOIN executions AS above ON above.id = e.parent
WHERE logged.seq IS NOT NULL
"""
PRUNE_LOGS_READ = """
SELECT l.seq, l.attempt, min(l.part), sum(length(l.lines))
FROM json_each(?) AS ended CROSS JOIN log_chunks AS l ON l.seq = ended.value
GROUP BY l.seq, l.attempt ORDER BY l.seq
"""
PRUNE_LOGS_NOTE = "UPDATE log_chunks SET lines = ?, dropped = -1 WHERE seq = ? AND attempt = ? AND part = ?"
PRUNE_LOGS = "DELETE FROM log_chunks WHERE seq IN (SELECT value FROM json_each(?)) AND dropped >= 0"
KEEP_ROUND = "INSERT OR REPLACE INTO meta (key, value) VALUES ('pruned', ?)"
LAST_ROUND = "SELECT value FROM meta WHERE key = 'pruned'"
COUNT_KEPT = f"""
SELECT coalesce(sum((SELECT count(*) FROM executions AS below
                     WHERE below.parent = e.id AND below.state NOT IN ('created', 'started', 'aborting'))), 0)
FROM {_OF_BLOCKS}
WHERE blocks.states & ? AND e.attempt > 0 AND e.state IN ('created', 'started', 'aborting')
"""  # noqa: S608  # of parts of our own
PAGES = "PRAGMA page_count"
EMPTY_PAGES = "PRAGMA freelist_count"
GIVE_BACK = "PRAGMA incremental_vacuum(1)"
PRUNE = tuple(
    f"DELETE FROM {table} WHERE seq IN (SELECT value FROM json_each(?))"  # noqa: S608  # names of our own tables
    for table in ("payloads", "outcomes", "attempts", "log_chunks", "executions")
)

BLOCK = """
SELECT states, sources, codes, due_min, due_max, later_min, later_max, started_min, started_max, runner_min, runner_max
FROM blocks WHERE block = ?
"""
BLOCKS_WRITE = """
INSERT OR REPLACE INTO blocks (block, states, sources, codes, due_min, due_max, later_min, later_max, started_min,
                               started_max, runner_min, runner_max)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
BLOCKS_OPEN = "SELECT block, states FROM blocks WHERE states & ? AND block > ? AND block < ? ORDER BY block LIMIT ?"
BLOCK_STATES = "SELECT DISTINCT state FROM executions WHERE seq BETWEEN ? AND ?"
BLOCKS_EMPTY = """
SELECT value FROM json_each(?) AS pruned
WHERE NOT EXISTS (SELECT 1 FROM executions WHERE seq BETWEEN pruned.value << 8 AND (pruned.value << 8) + 255)
"""
BLOCKS_FORGET = "DELETE FROM blocks WHERE block IN (SELECT value FROM json_each(?))"
RUNNER_NUMBER = "SELECT max(number) FROM runners WHERE name = ?"

START_RUNNER = "INSERT INTO runners (name, pid, version, started_us) VALUES (?, ?, ?, ?)"
STOP_RUNNER = "UPDATE runners SET stopped_us = ? WHERE name = ? AND stopped_us IS NULL"
TOUCH = "INSERT OR REPLACE INTO meta (key, value) VALUES ('touched', ?)"
STOPPED_CLEANLY = "SELECT stopped_us IS NOT NULL FROM runners ORDER BY number DESC LIMIT 1"

_EXECUTION = """
SELECT e.id, e.function, e.state, e.attempt, e.created_us, e.scheduled_us, e.updated_us, e.started_us,
       e.finished_us, e.discard_us, coalesce(e.metadata, p.metadata), e.came_from, e.parent, e.rerun_of, e.runner,
       e.charged, e.losses, e.isolation, e.error_code
FROM executions AS e LEFT JOIN payloads AS p ON p.seq = e.seq
"""
GET = _EXECUTION + "WHERE e.id = ?"
FIND_SEQS = "SELECT {seq} FROM {source} WHERE {conditions} ORDER BY {seq} {order} LIMIT ?"
FIND_BLOCKS = "SELECT block FROM blocks WHERE block BETWEEN ? AND ? AND {conditions} ORDER BY block {order} LIMIT ?"
_PLACED_EXECUTION = _EXECUTION.replace("\nFROM", ", e.seq\nFROM")
_IN_LIST = "IN (SELECT value FROM json_each(?))"
FIND = f"{_PLACED_EXECUTION} WHERE e.seq {_IN_LIST}"
RUNNER_NUMBERS = "SELECT number FROM runners WHERE name = ?"
COUNT_OF_FUNCTIONS = "SELECT sum(count) FROM counters WHERE function IN (SELECT value FROM json_each(?))"
COUNT_OF_PAIR = "SELECT count(*) FROM (SELECT 1 FROM metadata WHERE key = ? AND value = ? LIMIT ?)"
_NEWEST_OF_EACH = """
SELECT (SELECT max(seq) FROM executions WHERE function = known.function)
FROM (SELECT DISTINCT function FROM counters) AS known
"""
LAST_EXECUTIONS = _EXECUTION + "WHERE e.seq IN (" + _NEWEST_OF_EACH + ")"
ATTEMPTS = """
SELECT a.number, coalesce(a.scheduled_us, a.started_us), a.started_us, a.finished_us, a.outcome, a.error
FROM attempts AS a JOIN executions AS e ON e.seq = a.seq WHERE e.id = ? ORDER BY a.number
"""
ATTEMPTS_LAST = """
SELECT e.attempt, e.scheduled_us, e.started_us, e.finished_us, e.state, o.error
FROM executions AS e LEFT JOIN outcomes AS o ON o.seq = e.seq
WHERE e.id = ? AND e.started_us IS NOT NULL
"""
PAYLOAD = """
SELECT coalesce(e.arguments, p.arguments), coalesce(e.result, o.result), o.error
FROM executions AS e LEFT JOIN payloads AS p ON p.seq = e.seq LEFT JOIN outcomes AS o ON o.seq = e.seq
WHERE e.id = ?
"""
PREVIEWS = """
SELECT e.id, e.arguments, length(p.arguments), iif(length(p.arguments) <= ?1, p.arguments, NULL)
FROM executions AS e LEFT JOIN payloads AS p ON p.seq = e.seq
WHERE e.id IN (SELECT value FROM json_each(?2))
"""
LOG_LINES = """
SELECT l.attempt, l.lines, max(l.dropped, 0) FROM log_chunks AS l
WHERE l.seq = (SELECT seq FROM executions WHERE id = ?1) AND (?2 IS NULL OR l.attempt = ?2)
ORDER BY l.attempt, l.part
"""
LOG_AFTER = """
SELECT l.attempt, l.part, l.lines, max(l.dropped, 0) FROM log_chunks AS l
WHERE l.seq = (SELECT seq FROM executions WHERE id = ?1) AND (?2 IS NULL OR l.attempt = ?2)
AND NOT EXISTS (SELECT 1 FROM json_each(?3) AS seen WHERE seen.value ->> 0 = l.attempt AND seen.value ->> 1 >= l.part)
ORDER BY l.attempt, l.part
"""
COUNTS = "SELECT function, state, count FROM counters WHERE count > 0"
LAST_RUNNER = "SELECT name, pid, version, started_us, stopped_us FROM runners ORDER BY number DESC LIMIT 1"
COUNT_CHILDREN = "SELECT state, count(*) FROM executions WHERE parent = ? GROUP BY state"
TICKS = "SELECT tick_us FROM ticks WHERE function = ? ORDER BY tick_us DESC LIMIT ?"
GAPS = """
SELECT function, canonical, after_us, until_us, reason FROM gaps
WHERE ?1 IS NULL OR function = ?1 ORDER BY number DESC LIMIT ?2
"""
