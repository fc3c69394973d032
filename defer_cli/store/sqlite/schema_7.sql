-- Calls that are due at once, of functions without a limit, stand in one queue: a claim finds them side by side, however
-- many functions there are. All else stands in the queue of its function.
ALTER TABLE executions ADD COLUMN is_shared INTEGER NOT NULL DEFAULT 0;
DROP INDEX executions_due;
CREATE INDEX executions_due ON executions (function, scheduled_us, seq)
    WHERE state = 'created' AND isolation <= 0 AND is_shared = 0;
CREATE INDEX executions_shared ON executions (scheduled_us, seq)
    WHERE state = 'created' AND isolation <= 0 AND is_shared = 1;
