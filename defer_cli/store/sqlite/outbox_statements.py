"""The statements about alerts, named after the outbox's method they serve."""

from __future__ import annotations

WAITING = """
SELECT number, first_us, previous_us FROM alerts
WHERE channel = ? AND kind = ? AND function = ? AND state = 'waiting'
"""
PREVIOUS_US = """
SELECT max(ended_us) FROM alerts WHERE channel = ? AND kind = ? AND function = ? AND ended_us IS NOT NULL
"""
ADD = """
INSERT INTO alerts (channel, kind, function, state, count, first_us, last_us, previous_us, due_us, facts)
VALUES (?, ?, ?, 'waiting', ?, ?, ?, ?, ?, ?)
"""
ADD_TO = "UPDATE alerts SET count = count + ?, last_us = ?, due_us = ? WHERE number = ?"

FAIL = """
INSERT INTO failing (function, since_us, count) VALUES (?, ?, ?)
ON CONFLICT (function) DO UPDATE SET count = count + excluded.count, is_recovering = 0
"""
TAKE_RECOVERY_BACK = "DELETE FROM alerts WHERE kind = 'recovery' AND function = ? AND state = 'waiting'"
RECOVER = """
UPDATE failing SET is_recovering = 1 WHERE function = ? AND is_recovering = 0 RETURNING since_us, count
"""
FAILING = "SELECT function FROM failing WHERE is_recovering = 0"
FORGET_FAILING = "DELETE FROM failing WHERE function = ? AND is_recovering = 1"

DUE_AGAIN = """
SELECT number, kind, function, count, first_us, last_us, facts, state, attempts, begun_us, message
FROM alerts WHERE state = 'again' AND message = (
    SELECT message FROM alerts WHERE channel = ? AND ended_us IS NULL AND state = 'again' AND due_us <= ?
    ORDER BY due_us, number LIMIT 1)
ORDER BY number
"""
DUE = """
SELECT number, kind, function, count, first_us, last_us, facts, state, attempts, begun_us, message
FROM alerts AS a
WHERE channel = ? AND ended_us IS NULL AND state = 'waiting' AND due_us <= ? AND NOT EXISTS (
    SELECT 1 FROM alerts AS older WHERE older.channel = a.channel AND older.kind = a.kind
    AND older.function = a.function AND older.state IN ('going', 'again'))
ORDER BY due_us, number LIMIT ?
"""
NEXT_US = """
SELECT min(due_us) FROM alerts AS a
WHERE channel = ? AND ended_us IS NULL AND (state = 'again' OR (state = 'waiting' AND NOT EXISTS (
    SELECT 1 FROM alerts AS older WHERE older.channel = a.channel AND older.kind = a.kind
    AND older.function = a.function AND older.state IN ('going', 'again'))))
"""
BEGIN = """
UPDATE alerts SET state = 'going', message = ?, attempts = attempts + 1, begun_us = coalesce(begun_us, ?)
WHERE number = ?
"""
END = "UPDATE alerts SET state = ?, ended_us = ?, problem = ? WHERE message = ?"
PUT_OFF = "UPDATE alerts SET state = 'again', due_us = ?, problem = ? WHERE message = ?"
INTERRUPTED = "SELECT DISTINCT message FROM alerts WHERE channel = ? AND ended_us IS NULL AND state = 'going'"
FORGET = "DELETE FROM alerts WHERE coalesce(ended_us, last_us) < ?"

UNDELIVERED = "SELECT count(*), min(first_us) FROM alerts WHERE ended_us IS NULL"
GIVEN_UP = "SELECT count(*) FROM alerts WHERE ended_us IS NOT NULL AND state = 'given_up' AND ended_us >= ?"
LAST_PROBLEM = """
SELECT problem FROM alerts WHERE problem IS NOT NULL AND (ended_us IS NULL OR ended_us >= ?)
ORDER BY number DESC LIMIT 1
"""
