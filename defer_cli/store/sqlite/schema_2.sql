-- When each attempt had been scheduled for; unknown for those of older versions.
ALTER TABLE attempts ADD COLUMN scheduled_us INTEGER;
