"""Counting what waits: in the queue of its function, in the one that is shared, or in that of what is to run isolated.

What stands in the shared queue was due when it came, so what is due later, and each retry, stands in another.
"""

from __future__ import annotations

_LATER_OF = """
    SELECT 1 FROM executions
    WHERE state = 'created' AND isolation <= 0 AND is_shared = 0 AND function = {function} AND scheduled_us > {now}
    UNION ALL
    SELECT 1 FROM executions INDEXED BY executions_isolated
    WHERE state = 'created' AND isolation > 0 AND function = {function} AND scheduled_us > {now}
"""
COUNT_DUE = f"""
SELECT coalesce((SELECT count FROM counters WHERE function = ?1 AND state = 'created'), 0)
     - (SELECT count(*) FROM ({_LATER_OF.format(function="?1", now="?2")}))
"""  # noqa: S608  # of parts of our own
COUNT_WAITING = f"""
WITH counted AS MATERIALIZED (
    SELECT function, count, (
        SELECT count(*) FROM ({_LATER_OF.format(function="counters.function", now="?1")} LIMIT ?2)
    ) AS later FROM counters WHERE state = 'created' AND count > 0)
SELECT function, count, later, iif(later < ?2, count - later, (
    SELECT count(*) FROM (
        SELECT 1 FROM executions
        WHERE state = 'created' AND isolation <= 0 AND is_shared = 0 AND function = counted.function
              AND scheduled_us <= ?1
        UNION ALL
        SELECT 1 FROM (
            SELECT function FROM executions WHERE state = 'created' AND isolation <= 0 AND is_shared = 1
            ORDER BY scheduled_us, seq LIMIT ?3) WHERE function = counted.function
        UNION ALL
        SELECT 1 FROM executions INDEXED BY executions_isolated
        WHERE state = 'created' AND isolation > 0 AND function = counted.function AND scheduled_us <= ?1 LIMIT ?2)))
FROM counted
"""  # noqa: S608  # of parts of our own
HAS_SHARED = """
SELECT EXISTS (SELECT 1 FROM executions WHERE state = 'created' AND isolation <= 0 AND is_shared = 1)
"""
COUNT_WAITING_RETRIES = """
SELECT (SELECT count(*) FROM executions
        WHERE state = 'created' AND isolation <= 0 AND is_shared = 0 AND function = ?1 AND charged > 0)
     + (SELECT count(*) FROM executions INDEXED BY executions_isolated
        WHERE state = 'created' AND isolation > 0 AND function = ?1 AND charged > 0)
"""
COUNT_COMING_RETRIES = """
SELECT (SELECT coalesce(sum(charged > 0), 0) FROM (
            SELECT charged FROM executions
            WHERE state = 'created' AND isolation <= 0 AND is_shared = 0 AND function = ?1 AND scheduled_us > ?2
            ORDER BY scheduled_us LIMIT ?3))
     + (SELECT count(*) FROM executions INDEXED BY executions_isolated
        WHERE state = 'created' AND isolation > 0 AND function = ?1 AND scheduled_us > ?2 AND charged > 0)
"""
OLDEST_DUE_US = """
SELECT min(oldest) FROM (
    SELECT min(scheduled_us) AS oldest FROM executions
    WHERE state = 'created' AND isolation <= 0 AND is_shared = 0 AND function = ?1 AND scheduled_us <= ?2
    UNION ALL
    SELECT min(scheduled_us) FROM executions INDEXED BY executions_isolated
    WHERE state = 'created' AND isolation > 0 AND function = ?1 AND scheduled_us <= ?2)
"""
OLDEST_SHARED_US = """
SELECT min(scheduled_us) FROM executions
WHERE state = 'created' AND isolation <= 0 AND is_shared = 1 AND scheduled_us <= ?1
"""
