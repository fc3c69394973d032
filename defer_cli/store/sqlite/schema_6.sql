-- What is to be run isolated has a queue of its own: it holds up nobody else of its function.
ALTER TABLE executions RENAME COLUMN is_suspect TO isolation;
DROP INDEX executions_due;
CREATE INDEX executions_due ON executions (function, scheduled_us, seq) WHERE state = 'created' AND isolation <= 0;
CREATE INDEX executions_isolated ON executions (scheduled_us, seq, function) WHERE state = 'created' AND isolation > 0;
