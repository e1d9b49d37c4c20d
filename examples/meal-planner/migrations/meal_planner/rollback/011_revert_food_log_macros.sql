ALTER TABLE food_logs
    DROP CONSTRAINT food_logs_macros_not_negative,
    DROP COLUMN carbs,
    DROP COLUMN fat,
    DROP COLUMN protein;
