-- The trace that a call was made in, for the spans of its attempts: domain/traces.py says in which form.
ALTER TABLE executions ADD COLUMN trace TEXT;
