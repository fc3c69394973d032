"""Counting what waits: in the queue of its function, or in that of what is to be run isolated, which holds few."""

from __future__ import annotations

COUNT_DUE = """
SELECT (SELECT count(*) FROM executions
        WHERE state = 'created' AND isolation <= 0 AND function = ?1 AND scheduled_us <= ?2)
     + (SELECT count(*) FROM executions INDEXED BY executions_isolated
        WHERE state = 'created' AND isolation > 0 AND function = ?1 AND scheduled_us <= ?2)
"""
COUNT_WAITING = """
WITH counted AS MATERIALIZED (
    SELECT function, count, (
        SELECT count(*) FROM (
            SELECT 1 FROM executions
            WHERE state = 'created' AND isolation <= 0 AND function = counters.function AND scheduled_us > ?1
            UNION ALL
            SELECT 1 FROM executions INDEXED BY executions_isolated
            WHERE state = 'created' AND isolation > 0 AND function = counters.function AND scheduled_us > ?1 LIMIT ?2)
    ) AS later FROM counters WHERE state = 'created' AND count > 0)
SELECT function, count, later, iif(later < ?2, count - later, (
    SELECT count(*) FROM (
        SELECT 1 FROM executions
        WHERE state = 'created' AND isolation <= 0 AND function = counted.function AND scheduled_us <= ?1
        UNION ALL
        SELECT 1 FROM executions INDEXED BY executions_isolated
        WHERE state = 'created' AND isolation > 0 AND function = counted.function AND scheduled_us <= ?1 LIMIT ?2)))
FROM counted
"""
COUNT_WAITING_RETRIES = """
SELECT (SELECT count(*) FROM executions
        WHERE state = 'created' AND isolation <= 0 AND function = ?1 AND charged > 0)
     + (SELECT count(*) FROM executions INDEXED BY executions_isolated
        WHERE state = 'created' AND isolation > 0 AND function = ?1 AND charged > 0)
"""
COUNT_COMING_RETRIES = """
SELECT (SELECT coalesce(sum(charged > 0), 0) FROM (
            SELECT charged FROM executions
            WHERE state = 'created' AND isolation <= 0 AND function = ?1 AND scheduled_us > ?2
            ORDER BY scheduled_us LIMIT ?3))
     + (SELECT count(*) FROM executions INDEXED BY executions_isolated
        WHERE state = 'created' AND isolation > 0 AND function = ?1 AND scheduled_us > ?2 AND charged > 0)
"""
OLDEST_DUE_US = """
SELECT min(oldest) FROM (
    SELECT min(scheduled_us) AS oldest FROM executions
    WHERE state = 'created' AND isolation <= 0 AND function = ?1 AND scheduled_us <= ?2
    UNION ALL
    SELECT min(scheduled_us) FROM executions INDEXED BY executions_isolated
    WHERE state = 'created' AND isolation > 0 AND function = ?1 AND scheduled_us <= ?2)
"""
