"""The statements behind charts, counters and the choices of filters, named after the methods they serve."""

from __future__ import annotations

COUNT_ENDS = """
INSERT INTO history (function, hour, state, bucket, count) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (function, hour, state, bucket) DO UPDATE SET count = count + excluded.count
"""
FORGET_HISTORY = """
DELETE FROM history WHERE (function, hour, state, bucket) IN (
    SELECT h.function, h.hour, h.state, h.bucket
    FROM (SELECT '' AS function UNION SELECT function FROM counters) AS known
    CROSS JOIN history AS h ON h.function = known.function AND h.hour < ? LIMIT ?)
"""
OUTCOMES = "SELECT hour, state, sum(count) FROM history WHERE function = '' AND hour >= ? GROUP BY hour, state"
FAILING = """
WITH failures AS MATERIALIZED (
    SELECT h.function, sum(h.count) AS failed
    FROM (SELECT DISTINCT function FROM counters) AS known
    CROSS JOIN history AS h INDEXED BY history_of_failures ON h.function = known.function AND h.hour >= ?1
    WHERE h.state = 'failed' GROUP BY h.function ORDER BY failed DESC, h.function LIMIT ?2)
SELECT function, failed, (
    SELECT sum(count) FROM history AS h WHERE h.function = failures.function AND h.hour >= ?1)
FROM failures ORDER BY failed DESC, function
"""
# As JSON, a function at a time in the table's own order: grouping them all by name would sort them all.
ACTIVITY = """
SELECT known.function, (
    SELECT json_group_array(json_array(hour, state, ended)) FROM (
        SELECT hour, state, sum(count) AS ended FROM history AS h
        WHERE h.function = known.function AND h.hour >= ?2 GROUP BY hour, state)
), (
    SELECT json_group_array(json_array(bucket, runs)) FROM (
        SELECT bucket, sum(count) AS runs FROM history AS h
        WHERE h.function = known.function AND h.hour >= ?2 AND state IN ('succeed', 'failed') AND bucket >= 0
        GROUP BY bucket))
FROM (SELECT DISTINCT function FROM counters WHERE ?1 IS NULL OR function = ?1) AS known
"""
COUNT_FOUND = "SELECT count(*) FROM (SELECT 1 FROM {source} WHERE {conditions} LIMIT ?)"

# Each step goes to the next larger one in the table's own order, whatever lies between.
METADATA_KEYS = """
WITH RECURSIVE seen (key) AS (
    SELECT min(key) FROM metadata
    UNION ALL SELECT (SELECT min(key) FROM metadata WHERE key > seen.key) FROM seen WHERE seen.key IS NOT NULL)
SELECT key FROM seen WHERE key IS NOT NULL LIMIT ?
"""
METADATA_VALUES = """
WITH RECURSIVE seen (value) AS (
    SELECT min(value) FROM metadata WHERE key = ?1 AND value >= ?2
    UNION ALL SELECT (SELECT min(value) FROM metadata WHERE key = ?1 AND value > seen.value)
    FROM seen WHERE seen.value IS NOT NULL)
SELECT value FROM seen WHERE value IS NOT NULL LIMIT ?3
"""
