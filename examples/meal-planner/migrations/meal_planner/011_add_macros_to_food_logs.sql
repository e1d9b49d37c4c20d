-- Entries carry their macros, so that a food's later correction does not rewrite the past.

ALTER TABLE food_logs
    ADD COLUMN protein NUMERIC(8, 2) NOT NULL DEFAULT 0,
    ADD COLUMN fat NUMERIC(8, 2) NOT NULL DEFAULT 0,
    ADD COLUMN carbs NUMERIC(8, 2) NOT NULL DEFAULT 0,
    ADD CONSTRAINT food_logs_macros_not_negative CHECK (protein >= 0 AND fat >= 0 AND carbs >= 0);
